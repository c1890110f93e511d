# SPDX-License-Identifier: ISC
#
# The library and the unit tests, for this machine, under the address and undefined-behaviour
# sanitizers: build/host/NAME a program each. HOST=gcc (into build/host-gcc) or clang.
#
# A test names more sources of the project's, and flags of its own, at the start of lines:
#
#	/* UNIT: guest/firmware/acpi.c guest/firmware/cmdline.c */
#	/* UNIT-CFLAGS: -DHOST_TEST */
#	/* UNIT-LIBS: lwip */

HOST ?= clang
H := $(if $(filter gcc,$(HOST)),$(B)/host-gcc,$(B)/host)

# gcc's is for its warnings: it needs no sanitizers, which take most of the time.
SANITIZE := $(if $(filter gcc,$(HOST)),,-fsanitize=address,undefined -fno-sanitize-recover=all)
HOST_CFLAGS := -std=gnu11 $(if $(filter gcc,$(HOST)),-O1,-O2) -g -fno-omit-frame-pointer $(SANITIZE) -Iinclude \
	-Iport/posix -Ibench/include -Ibench -iquote guest/include \
	-isystem $(SRC)/device-tree-compiler/libfdt -idirafter guest/include
HOST_LIBS := -lcmocka

HOST_LIB_OBJ := $(patsubst %,$(H)/%.o,$(LIB_SRC) $(wildcard port/posix/*.c bench/*.c))
HOST_FDT_OBJ := $(patsubst $(FDT)/%,$(H)/libfdt/%.o,$(FDT_SRC))
UNIT_SRC := $(wildcard test/unit/test_*.c)
# Those of the library: what does not speak of the guest, nor is about a process as a port.
LIB_UNIT := $(filter-out test_shmem test_replay test_vhost,$(basename $(notdir $(shell grep -L guest $(UNIT_SRC)))))
UNIT := $(patsubst test/unit/%.c,$(H)/%,$(UNIT_SRC))
DEPS += $(HOST_LIB_OBJ:.o=.d)

$(H)/%.c.o: %.c mk/build.mk mk/host.mk
	$(call say,HOSTCC  $<)mkdir -p $(@D)
	$(Q)$(HOST) $(HOST_CFLAGS) $(WARN) -MD -MP -c -o $@ $<

# Not ours, and walked a million times by tests of damaged trees: addresses are watched, no more.
$(H)/libfdt/%.c.o: $(FDT)/%.c mk/build.mk mk/host.mk
	$(Q)mkdir -p $(@D)
	$(Q)$(HOST) $(HOST_CFLAGS) -fno-sanitize=undefined -w -c -o $@ $<

$(H)/libparavane.a: $(HOST_LIB_OBJ)
	$(call say,AR      $@)mkdir -p $(@D) && rm -f $@ && ar rcs $@ $^

$(H)/libfdt.a: $(HOST_FDT_OBJ)
	$(call say,AR      $@)mkdir -p $(@D) && rm -f $@ && ar rcs $@ $^

# lwIP as the guest has it.
HOST_LWIP_OBJ := $(patsubst $(LWIP)/%,$(H)/lwip/%.o,$(LWIP_SRC))

$(H)/lwip/%.c.o: $(LWIP)/%.c mk/build.mk mk/host.mk
	$(Q)mkdir -p $(@D)
	$(Q)$(HOST) $(HOST_CFLAGS) -w $(LWIP_FLAGS) -Iguest/net -isystem $(LWIP)/include -MD -MP -c -o $@ $<

$(H)/liblwip.a: $(HOST_LWIP_OBJ)
	$(call say,AR      $@)mkdir -p $(@D) && rm -f $@ && ar rcs $@ $^

DEPS += $(HOST_LWIP_OBJ:.o=.d)

# FatFs as the guest has it, and watched: what it reads is the tests' damage. Its sums of shifts are its own.
$(H)/fatfs/%.c.o: $(FATFS)/%.c mk/build.mk mk/host.mk guest/disk/fatconf.h
	$(Q)mkdir -p $(@D)
	$(Q)$(HOST) $(HOST_CFLAGS) -w -fno-sanitize=undefined $(FATFS_FLAGS) -c -o $@ $<

$(H)/libfatfs.a: $(patsubst %,$(H)/fatfs/%.c.o,ff ffunicode)
	$(call say,AR      $@)rm -f $@ && ar rcs $@ $^

# $(1) the test's name, $(2) its further sources, $(3) its flags, $(4) libraries. Its objects are
# its own.
define unit_rules
$(H)/$(1): $(patsubst %,$(H)/$(1).d/%.o,test/unit/$(1).c $(2)) $(4:%=$(H)/lib%.a) $(H)/libparavane.a $(H)/libfdt.a
	$$(call say,HOSTLD  $$@)$(HOST) $(HOST_CFLAGS) -o $$@ $$^ $(HOST_LIBS)
$(patsubst %,$(H)/$(1).d/%.o,test/unit/$(1).c $(2)): $(H)/$(1).d/%.o: % mk/build.mk mk/host.mk
	$$(call say,HOSTCC  $$<)mkdir -p $$(@D)
	$(Q)$(HOST) $(HOST_CFLAGS) $(WARN) $(3) -MD -MP -c -o $$@ $$<
DEPS += $(patsubst %,$(H)/$(1).d/%.d,test/unit/$(1).c $(2))
endef

unit_line = $(shell sed -n 's|^/\* $(1): \(.*\) \*/$$|\1|p' $(2))
$(foreach t,$(UNIT_SRC),$(eval $(call unit_rules,$(basename $(notdir $t)),$(call unit_line,UNIT,$t),$(call unit_line,UNIT-CFLAGS,$t),$(call unit_line,UNIT-LIBS,$t))))

host: $(H)/libparavane.a
unit: $(UNIT)

# QEMU with Apple's machine, of the cache directory.
.PHONY: machine
machine:
	$(Q)tool/machine

# The instruction checker: a plug-in for QEMU, built against the header of QEMU's source package.
ISV_SRC := $(wildcard machine/isv/*.c)

$(B)/machine/isv.so: $(ISV_SRC) $(wildcard machine/isv/*.h) mk/host.mk
	$(call say,HOSTLD  $@)mkdir -p $(@D)
	$(Q)$(HOST) -std=gnu11 -O2 -g -fPIC -shared $(WARN) -isystem $(SRC)/qemu/include/qemu \
		$$(pkg-config --cflags glib-2.0 | sed 's/-I/-isystem /g') -o $@ $(ISV_SRC)
