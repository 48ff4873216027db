# SPDX-License-Identifier: Apache-2.0
# A thin front for Meson and the scripts in tools/. Needs nothing but make and a Debian with apt: what is missing is
# installed on the way.
# Debian's name of another architecture, to build for it in a folder of its own.
ARCH ?=
BUILD ?= build$(ARCH:%=-%)
PREFIX ?= /usr/local
DESTDIR ?=
MESON_FLAGS ?=
FUZZ_SECONDS ?= 60
FUZZ_LONG_SECONDS ?= 900
CHECK_FLAGS ?=
BENCH_FLAGS ?=
MODEL_FLAGS ?=
MUTANTS_FLAGS ?=
FAULTS_FLAGS ?=

all: $(BUILD)/build.ninja
	@ninja -C $(BUILD)

$(BUILD)/build.ninja:
	@tools/deps.sh build $(ARCH)
	@tools/setup.sh $(BUILD) $(ARCH:%=--arch %) $(MESON_FLAGS)

check:
	@tools/deps.sh build check
	@/usr/bin/python3 tools/check.py $(CHECK_FLAGS)

# What takes hours: not for every change, but before a larger one is called done.
check-long: all
	@tools/deps.sh build check long model
	@SHADOWMESH_LONG=1 /usr/bin/python3 -B -m pytest -p no:cacheprovider -m long tests/netns
	@SHADOWMESH_LONG=1 $(BUILD)/tests/unit/test_node_allocation
	@/usr/bin/python3 docs/model/check.py
	@tools/fuzz.sh build-fuzz $(FUZZ_LONG_SECONDS)
	@$(MAKE) --no-print-directory check-model check-dist check-arm64

# What make dist makes, in roots of other systems.
check-dist: all dist
	@tools/deps.sh check
	@SHADOWMESH_DIST=1 SHADOWMESH_BUILD="$(abspath $(BUILD))" \
	    /usr/bin/python3 -B -m pytest -p no:cacheprovider -m dist tests/netns

# The reference scenario between this machine and an emulated one, with Debian's kernel for arm64.
check-arm64: all
	@tools/deps.sh check arm64 dist emulator
	@tools/dist.sh $(BUILD) arm64
	@SHADOWMESH_ARM64=1 SHADOWMESH_BUILD="$(abspath $(BUILD))" \
	    /usr/bin/python3 -B -m pytest -p no:cacheprovider -m arm64 tests/netns

# By qemu-user: units, simulations and corpora. No labs, since it has neither TAP nor UDP_SEGMENT.
check-arm64-user:
	@tools/deps.sh build arm64
	@/usr/bin/python3 tools/check.py --flavour arm64 --only unit --only sim --only fuzz $(CHECK_FLAGS)

# Likewise, where the first byte of a number is its highest.
check-s390x:
	@tools/deps.sh build s390x
	@/usr/bin/python3 tools/check.py --flavour s390x --only unit --only sim --only fuzz $(CHECK_FLAGS)

# Every pair of routers: some minutes. Writes docs/REACH.md.
check-reach: all
	@tools/deps.sh build check
	@BUILD="$(BUILD)" SHADOWMESH_BUILD="$(abspath $(BUILD))" /usr/bin/python3 -B tools/reach.py

# A quarter of an hour.
check-faults:
	@tools/deps.sh build check
	@tools/faults.py $(FAULTS_FLAGS)

# One file each, to be copied to any Linux of the architecture and run there.
dist:
	@tools/deps.sh build arm64 dist
	@tools/dist.sh $(BUILD) amd64 arm64

demo:
	@tools/deps.sh build demo
	@$(MAKE) --no-print-directory all
	@tools/demo.sh $(BUILD)

# The build without encryption is a column of the table: it shows what encryption costs. It is never installed.
bench:
	@tools/deps.sh build bench
	@$(MAKE) --no-print-directory all
	@[ -e build-bench-null/build.ninja ] || tools/setup.sh build-bench-null -Dbench_null=true -Dtests=false
	@ninja -C build-bench-null shadowmesh-l2
	@SHADOWMESH_BUILD="$(abspath $(BUILD))" /usr/bin/python3 -B bench/bench.py $(BENCH_FLAGS)

# What the data path is to reach, as a list, by hand: it takes a quiet machine. Fails when something is not reached.
bench-check:
	@tools/deps.sh build bench
	@$(MAKE) --no-print-directory all
	@SHADOWMESH_BUILD="$(abspath $(BUILD))" /usr/bin/python3 -B bench/bench.py --check $(BENCH_FLAGS)

bench-micro:
	@tools/deps.sh build bench
	@$(MAKE) --no-print-directory all
	@/usr/bin/python3 -B bench/micro_check.py --build $(BUILD) --times

install: all
	@tools/install.sh $(BUILD) "$(PREFIX)" "$(DESTDIR)"

uninstall: $(BUILD)/build.ninja
	@tools/uninstall.sh $(BUILD) "$(PREFIX)" "$(DESTDIR)"

model:
	@tools/deps.sh model
	@/usr/bin/python3 docs/model/check.py $(MODEL_FLAGS)

# What workers and control share without locks.
check-model:
	@tools/deps.sh build threads
	@/usr/bin/python3 -B docs/model/threads/check.py

sbom:
	@$(MAKE) --no-print-directory all >&2
	@/usr/bin/python3 -B tools/sbom.py $(BUILD)

coverage:
	@tools/deps.sh build check
	@tools/coverage.py build-coverage

# Takes an hour.
mutants:
	@tools/deps.sh build check
	@tools/mutants.py $(MUTANTS_FLAGS)

fuzz:
	@tools/deps.sh build check
	@tools/fuzz.sh build-fuzz $(FUZZ_SECONDS)

clean:
	rm -rf build build-*

help:
	@echo 'make             build build/shadowmesh, build/shadowmesh-l2 and build/shadowmesh-backbone'
	@echo 'make ARCH=arm64  the same for arm64, in build-arm64'
	@echo 'make dist        programs that need no library, for amd64 and arm64: build/shadowmesh-l2-linux-amd64, …'
	@echo 'make demo        build, then show two nodes and a backbone at work in network namespaces (root)'
	@echo 'make check       every test: units, simulations, sanitizers, labs in network namespaces (root)'
	@echo '                 CHECK_FLAGS="--only unit" or "--only netns -k reference" runs a part'
	@echo 'make check-long  the labs that take minutes, nodes without memory, the whole model, every fuzz target for'
	@echo '                 FUZZ_LONG_SECONDS (900), check-model, check-dist and check-arm64'
	@echo 'make check-dist  the programs of make dist in roots of an old Debian, of musl, and of nothing (root)'
	@echo 'make check-arm64 an arm64 machine in qemu as one end of the reference scenario (root; 6 minutes)'
	@echo 'make check-arm64-user units, simulations and corpora of the build for arm64, run by qemu-user'
	@echo 'make check-s390x the same for s390x, whose byte order is the other one'
	@echo 'make check-reach every pair of routers connects: writes docs/REACH.md (root; some minutes)'
	@echo 'make check-faults twenty planted faults: the simulations find each (a quarter of an hour)'
	@echo 'make bench       compare with other tunnels, which it installs (root; about 20 minutes)'
	@echo '                 BENCH_FLAGS="--quick", or "--peers shadowmesh,openvpn --seconds 2 --rounds 3 --link wire"'
	@echo 'make bench-check what the data path is to reach, as a list of what it does and does not (root; 4 minutes)'
	@echo 'make bench-micro instructions and nanoseconds per datagram of each step of the data path'
	@echo 'make coverage    which lines unit tests and simulations reach, by folder; fails below its floors'
	@echo 'make mutants     would a test notice: 60 seeded changes of node, proto and backbone (an hour)'
	@echo 'make fuzz        every fuzz target for FUZZ_SECONDS (60) each'
	@echo 'make model       search the model of the handshake and the ratchet (docs/model)'
	@echo 'make check-model search the models of what threads share without locks (docs/model/threads)'
	@echo 'make install     programs and manual pages into PREFIX (/usr/local), below DESTDIR if given'
	@echo 'make uninstall   removes them again; keys stay'
	@echo 'make -s sbom     what the programs are linked with, as SPDX 2.3 in JSON, on stdout'
	@echo 'make clean       remove all build folders'

.PHONY: all check check-long check-dist check-arm64 check-arm64-user check-s390x check-model check-reach
.PHONY: check-faults dist demo bench bench-check bench-micro model install uninstall sbom coverage mutants
.PHONY: fuzz clean help
