# SPDX-License-Identifier: ISC
#
# What is built, and of what. Sources are found by wildcard:
#
#	guest/*/*.c, *.S	the guest (but guest/user/prog: programs for EL0)
#	lib/*/*.c		the driver library, for the guest and for the host
#	test/unit/test_*.c	a cmocka program each
#	port/posix/*.c		the bus contract in a process, and
#	bench/*.c		device models: what those stand on
#
# Everything goes to build/: a directory for each compiler, and one for the host.

.SUFFIXES:
.SECONDEXPANSION:
.SECONDARY:
.DELETE_ON_ERROR:

TOOLCHAIN ?= gcc
V ?= 0
Q := $(if $(filter 1,$(V)),,@)
say = $(if $(filter 1,$(V)),,@echo "  $(1)";)

B := build
CACHE := $(or $(PARAVANE_CACHE),$(or $(XDG_CACHE_HOME),$(HOME)/.cache)/paravane)
SRC := $(CACHE)/src

WARN := -Wall -Wextra -Wconversion -Wshadow -Werror

.PHONY: all image unit host
all: image

include mk/guest.mk
include mk/ext.mk
include mk/host.mk
include mk/bench.mk
include mk/native.mk
include mk/perf.mk
include mk/fuzz.mk
include mk/machines.mk
include mk/mutation.mk

-include $(DEPS)
