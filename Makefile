# SPDX-License-Identifier: ISC
#
# Paravane. `make help` lists what can be asked for. This file is the front: it sees to it that
# what the build needs is installed, then hands over to mk/build.mk.
#
#	TOOLCHAIN=gcc|clang	what compiles the guest (gcc)
#	V=1			show the commands
#	ARGS="..."		arguments for the target's tool; --help is one of each

TOOLCHAIN ?= gcc
V ?= 0
export TOOLCHAIN V
MAKEFLAGS += --no-print-directory --no-builtin-rules

BUILD = $(MAKE) -f mk/build.mk
JOBS ?= 2
SYSTEM := $(shell uname -s)

# Who only asks for help waits for nothing.
unless_help = $(if $(filter -h --help,$(ARGS)),,$(1))

.PHONY: all image isv machine objects run test test-long check conformance native unit bench snapshot screenshot clean help

all: image

image: bootstrap-run
	@+$(BUILD) -j$(JOBS) image

ifeq ($(SYSTEM),Darwin)
run:
	@tool/run $(ARGS)
else
run: $(call unless_help,$(if $(filter --efi,$(ARGS)),bootstrap-efi) image)
	@tool/run $(ARGS)
endif

# Compiles without linking: what a half-written subsystem can be checked with.
objects: bootstrap-run
	@+$(BUILD) -j$(JOBS) objects

isv: bootstrap-test
	@+$(BUILD) build/machine/isv.so

machine: bootstrap-test
	@JOBS=$(JOBS) tool/machine

unit: bootstrap-test
	@tool/test unit

test: bootstrap-test
	@tool/test

check: bootstrap-test
	@+$(BUILD) -j$(JOBS) build/bench
	@build/bench $(ARGS)

native: bootstrap-test
	@+$(BUILD) -j$(JOBS) native vhost-tests

conformance: $(call unless_help,bootstrap-test)
	@+$(call unless_help,$(BUILD) -j$(JOBS) build/bench build/host/conform)
	@test/conform/conformance $(ARGS)

test-long: bootstrap-bench
	@tool/test --long

bench: $(call unless_help,bootstrap-bench)
	@+$(call unless_help,$(BUILD) -j$(JOBS) image)
	@perf/bench $(ARGS)

snapshot: $(call unless_help,bootstrap-snapshot)
	@+$(call unless_help,$(BUILD) -j$(JOBS) image)
	@tool/snapshot $(if $(KEY),--key "$(KEY)") $(ARGS)

screenshot: bootstrap-test
	@+$(BUILD) -j$(JOBS) image
	@tool/screenshot build/screenshot.png

fuzz: bootstrap-test
	@tool/fuzz "$(TARGET)" $(SECONDS)

mutation: $(call unless_help,bootstrap-test)
	@nice -n 19 tool/mutate --jobs $(JOBS) $(ARGS)

coverage: $(call unless_help,bootstrap-test)
	@+$(call unless_help,$(BUILD) -j$(JOBS) coverage-tests)
	@tool/coverage $(ARGS)

BOOTSTRAP := $(addprefix bootstrap-,run efi test bench snapshot)
.PHONY: mutation coverage fuzz $(BOOTSTRAP)
$(BOOTSTRAP): bootstrap-%:
	@tool/bootstrap $*

clean:
	rm -rf build

help:
	@echo "make run         boot the guest in QEMU; ARGS=\"...\" goes to tool/run (see tool/run --help)"
	@echo "make test        build with gcc and clang, run every test; ends with 'N passed, N failed'"
	@echo "                 (tool/test FILE.t... runs only those, such as test/guest/shell.t)"
	@echo "make image       the one file that boots: build/paravane (and .elf, with symbols, beside it)"
	@echo "make test-long   the tests with the full matrix of machines"
	@echo "make isv         the instruction checker for QEMU: build/machine/isv.so, see man/isv.1"
	@echo "make machine     QEMU with Apple's machine, applevz: once, minutes; see man/applevz.7"
	@echo "make check       every driver against every device model, a minute or two; ARGS=\"--help\""
	@echo "make conformance each sentence of the specification to drivers, and what holds them to it; ARGS=\"--help\""
	@echo "make native      the drivers for a process here: build/native/libparavane.a, see doc/vhost.md"
	@echo "make unit        the host's unit tests alone"
	@echo "make bench       races against Linux, DPDK and others, in one table: ten minutes; ARGS=\"--help\""
	@echo "make fuzz        TARGET=ring|packed|config|net|gpu|blk|console|entropy|pci|mmio SECONDS=60: see tool/fuzz --help"
	@echo "make mutation    is each sync, barrier and check of lib/ missed? ARGS=\"--only PATTERN\"; long"
	@echo "make coverage    lines and branches of lib/ that the tests in a process reach; ARGS=\"--missing\""
	@echo "make snapshot    what one takes to a Mac: snapshot/, with a disk image; KEY=FILE signs it"
	@echo "make screenshot  a picture of the guest's display: build/screenshot.png"
	@echo "make clean       remove build/"
	@echo
	@echo "TOOLCHAIN=clang builds the guest with clang and lld; V=1 shows the commands."
