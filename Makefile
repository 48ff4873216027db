# SPDX-License-Identifier: Apache-2.0
# A thin front for Meson and the scripts in tools/. Needs nothing but make and a Debian with apt: what is missing is
# installed on the way.
BUILD ?= build
PREFIX ?= /usr/local
DESTDIR ?=
MESON_FLAGS ?=
FUZZ_SECONDS ?= 60
CHECK_FLAGS ?=

all: $(BUILD)/build.ninja
	@ninja -C $(BUILD)

$(BUILD)/build.ninja:
	@tools/deps.sh build
	@tools/setup.sh $(BUILD) $(MESON_FLAGS)

check:
	@tools/deps.sh build check
	@/usr/bin/python3 tools/check.py $(CHECK_FLAGS)

demo:
	@tools/deps.sh build demo
	@$(MAKE) --no-print-directory all
	@tools/demo.sh $(BUILD)

install: all
	@tools/install.sh $(BUILD) "$(PREFIX)" "$(DESTDIR)"

fuzz:
	@tools/deps.sh build check
	@tools/fuzz.sh build-fuzz $(FUZZ_SECONDS)

clean:
	rm -rf build build-*

help:
	@echo 'make             build build/shadowmesh, build/shadowmesh-l2 and build/shadowmesh-backbone'
	@echo 'make demo        build, then show two nodes and a backbone at work in network namespaces (root)'
	@echo 'make check       every test: units, simulations, sanitizers, labs in network namespaces (root)'
	@echo '                 CHECK_FLAGS="--only unit" or "--only netns -k reference" runs a part'
	@echo 'make fuzz        every fuzz target for FUZZ_SECONDS (60) each'
	@echo 'make install     into PREFIX (/usr/local), below DESTDIR if given'
	@echo 'make clean       remove all build folders'

.PHONY: all check demo install fuzz clean help
