# SPDX-License-Identifier: ISC
#
# The library, the bench and the library's unit tests for other machines, to run in QEMU's user
# mode (test/port/machines.t): build/machines/MACHINE/test_NAME a program each. Without
# sanitizers, which these have not. cmocka is compiled from its source package: it comes as a
# binary for this machine alone.
#
#	s390x		64 bits, big-endian, pages of 4 KiB
#	powerpc		32 bits, big-endian, pages of 64 KiB
#	arm		32 bits, little-endian, pages of 16 KiB

MACHINES := s390x powerpc arm
s390x_CC := s390x-linux-gnu-gcc
s390x_PAGE := 4096
powerpc_CC := powerpc-linux-gnu-gcc
powerpc_PAGE := 65536
arm_CC := arm-linux-gnueabihf-gcc
arm_PAGE := 16384

M := $(B)/machines
CMOCKA := $(SRC)/cmocka
CMOCKA_CFLAGS := -w $(patsubst %,-DHAVE_%,STDIO_H STDLIB_H STRING_H SIGNAL_H STRINGS_H \
	INTTYPES_H STDINT_H TIME_H UNISTD_H MALLOC_H SYS_TYPES_H CLOCK_GETTIME_REALTIME \
	STRUCT_TIMESPEC SNPRINTF VSNPRINTF STRSIGNAL GCC_THREAD_LOCAL_STORAGE)

# Wide file offsets and times, as on machines of 64 bits.
MACHINE_CFLAGS := -std=gnu11 -O1 -g -D_FILE_OFFSET_BITS=64 -D_TIME_BITS=64 -Iinclude -Iport/posix \
	-Ibench/include -Ibench -isystem $(CMOCKA)/include

MACHINE_SRC := $(LIB_SRC) $(wildcard port/posix/*.c bench/*.c)
MACHINE_CHECK_SRC := $(MACHINE_SRC) $(wildcard bench/check/*.c)
MACHINE_TEST := $(patsubst %,test_%,blk console edid entropy gpu gpuheads hostile mmio net netctrl pci virtio virtq)

# $(1) the machine
define machine_rules
$(M)/$(1)/%.c.o: %.c mk/build.mk mk/machines.mk
	$$(call say,CC      $(1) $$<)mkdir -p $$(@D)
	$(Q)$($(1)_CC) $$(MACHINE_CFLAGS) -DPORT_PAGE_SIZE=$($(1)_PAGE)u $(WARN) -MMD -MP -c -o $$@ $$<

$(M)/$(1)/cmocka.o: $(CMOCKA)/src/cmocka.c mk/machines.mk
	$$(call say,CC      $(1) cmocka)mkdir -p $$(@D)
	$(Q)$($(1)_CC) $(MACHINE_CFLAGS) $(CMOCKA_CFLAGS) -c -o $$@ $$<

$(M)/$(1)/check: $(patsubst %,$(M)/$(1)/%.o,$(MACHINE_CHECK_SRC))
	$$(call say,LD      $$@)$($(1)_CC) -o $$@ $$^

machines: $(patsubst %,$(M)/$(1)/%,$(MACHINE_TEST))
DEPS += $(patsubst %,$(M)/$(1)/%.d,$(MACHINE_CHECK_SRC))
endef
$(foreach m,$(MACHINES),$(eval $(call machine_rules,$(m))))

# $(1) the machine, $(2) the test, $(3) its further sources, $(4) its flags: as its first lines say.
define machine_test_rules
$(M)/$(1)/$(2): $(patsubst %,$(M)/$(1)/%.o,test/unit/$(2).c $(3) $(MACHINE_SRC)) $(M)/$(1)/cmocka.o
	$$(call say,LD      $$@)$($(1)_CC) -o $$@ $$^
$(patsubst %,$(M)/$(1)/%.o,test/unit/$(2).c $(3)): MACHINE_CFLAGS += $(4)
DEPS += $(patsubst %,$(M)/$(1)/%.d,test/unit/$(2).c $(3))
endef
$(foreach m,$(MACHINES),$(foreach t,$(MACHINE_TEST),$(eval $(call \
	machine_test_rules,$m,$t,$(call unit_line,UNIT,test/unit/$t.c),$(call unit_line,UNIT-CFLAGS,test/unit/$t.c)))))

# The bench's tool, where bytes are the other way round.
machines: $(M)/s390x/check

.PHONY: machines
