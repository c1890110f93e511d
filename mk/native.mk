# SPDX-License-Identifier: ISC
#
# The library as fast as it is on this machine, with real barriers and nothing for a test to hook
# into (port/posix/native), and vhost-user to reach a device with: build/native/libparavane.a.
#
#	NATIVE=gcc		what compiles it
#	NATIVE_OPT=-O2		how

NATIVE ?= gcc
NATIVE_OPT ?= -O2
N := $(B)/native

# The machdep of native/ stands before the one that tests use.
NATIVE_CFLAGS := -std=gnu11 $(NATIVE_OPT) -g -pthread -Iinclude -Iport/posix/native -iquote port/posix -iquote port/posix/native
NATIVE_SRC := $(LIB_SRC) $(wildcard port/posix/native/*.c) $(filter-out port/posix/port%.c,$(wildcard port/posix/*.c))
NATIVE_OBJ := $(patsubst %,$(N)/%.o,$(NATIVE_SRC))
DEPS += $(NATIVE_OBJ:.o=.d)

$(N)/%.c.o: %.c mk/build.mk mk/native.mk
	$(call say,NATIVE  $<)mkdir -p $(@D)
	$(Q)$(NATIVE) $(NATIVE_CFLAGS) $(WARN) -MMD -MP -c -o $@ $<

$(N)/libparavane.a: $(NATIVE_OBJ)
	$(call say,AR      $@)mkdir -p $(@D) && rm -f $@ && ar rcs $@ $^

.PHONY: native
native: $(N)/libparavane.a

# Programs that the tests of vhost-user run against real back ends (test/port/vhost_*.t).
VHOST_TEST := $(patsubst test/port/%.c,$(N)/%,$(wildcard test/port/vhost_*.c))
DEPS += $(VHOST_TEST:$(N)/%=$(N)/test/port/%.c.d) $(N)/test/port/driver.c.d

$(N)/vhost_net $(N)/vhost_blk: $(N)/test/port/driver.c.o
$(VHOST_TEST): $(N)/%: $(N)/test/port/%.c.o $(N)/libparavane.a
	$(call say,LD      $@)$(NATIVE) $(NATIVE_CFLAGS) -o $@ $^

.PHONY: vhost-tests
vhost-tests: $(VHOST_TEST)
