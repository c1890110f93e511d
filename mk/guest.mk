# SPDX-License-Identifier: ISC
#
# The guest: build/TOOLCHAIN/paravane.elf, and of it the flat image build/TOOLCHAIN/paravane.
# `image` copies both to build/.

G := $(B)/$(TOOLCHAIN)

ifeq ($(TOOLCHAIN),clang)
CC := clang --target=aarch64-none-elf
LD := ld.lld
AR := llvm-ar
NM := llvm-nm
OBJCOPY := llvm-objcopy
CC_FLAGS :=
CC_SMALL := -Oz -mno-outline
else ifeq ($(TOOLCHAIN),gcc)
CC := aarch64-linux-gnu-gcc
LD := aarch64-linux-gnu-ld
AR := aarch64-linux-gnu-ar
NM := aarch64-linux-gnu-nm
OBJCOPY := aarch64-linux-gnu-objcopy
CC_SMALL := -Os
CC_FLAGS := -mno-outline-atomics -falign-loops=4 -falign-jumps=4 -fno-tree-loop-distribute-patterns
else
$(error TOOLCHAIN is gcc or clang, not $(TOOLCHAIN))
endif

# What all code for the guest is compiled with, third parties' too: no SIMD register, landing pads
# and signed return addresses, no unaligned access made by the compiler, frames that a backtrace
# can walk (a leaf without one is named by the program counter, its caller by the link register),
# addresses that take one instruction, since all is within 1 MiB of all.
ARCH := -march=armv8-a -mcmodel=tiny -mgeneral-regs-only -mbranch-protection=standard -mstrict-align
CODEGEN := -std=gnu11 -O2 -g -ffreestanding -fno-common -fno-pic -fno-pie \
	-fno-stack-protector -fno-omit-frame-pointer -momit-leaf-frame-pointer \
	-fno-asynchronous-unwind-tables -fno-unwind-tables -fno-strict-aliasing \
	-falign-functions=4 -ffunction-sections -fdata-sections -fmacro-prefix-map="$(CURDIR)/="

# The compiler's own headers, then picolibc's, libfdt's and lwIP's. A header of guest/include is
# found by "name.h" always, and by <name.h> where no library has one of that name.
CC_INCLUDE := $(shell $(CC) -print-file-name=include)
SYSTEM_INCLUDE := -nostdinc -isystem $(CC_INCLUDE) -isystem guest/libc \
	-isystem $(SRC)/picolibc/newlib/libc/tinystdio \
	-isystem $(SRC)/picolibc/newlib/libc/include \
	-isystem $(SRC)/device-tree-compiler/libfdt \
	-isystem $(SRC)/lwip/src/include \
	-isystem $(SRC)/micropython/lib/oofatfs
INCLUDE := -Iinclude -iquote guest/include -iquote guest/disk -Iguest/net -Iguest/net/include $(SYSTEM_INCLUDE) \
	-idirafter guest/include

# Small, but for what a frame, a glyph or an interrupt goes through.
FAST := $(patsubst %,$(G)/guest/%.c.o,net/iftx net/ifrx net/rxpool net/arena net/txcsum net/bench \
	console/fbcon cpu/thread cpu/intr cpu/gicv3 virtio/dma) \
	$(patsubst %,$(G)/lib/%.c.o,core/virtq_split device/net_data)
OPTIMISE = $(if $(filter $(FAST),$@),-O2,$(CC_SMALL)) $(if $(filter $(FAR),$@),-mcmodel=small)

# But these name the end of the image.
FAR := $(patsubst %,$(G)/guest/cpu/%.c.o,kmem selftest_vm thread vm)

KCFLAGS := $(CODEGEN) $(CC_FLAGS) $(ARCH) $(INCLUDE)

KERNEL_SRC := $(filter-out guest/user/prog/%,$(wildcard guest/*/*.c guest/*/*.S))
LIB_SRC := $(wildcard lib/*/*.c)
KERNEL_OBJ := $(patsubst %,$(G)/%.o,$(KERNEL_SRC) $(LIB_SRC))
DEPS += $(KERNEL_OBJ:.o=.d)

# The build's own settings: an object is out of date when they change.
BUILD_FILES := mk/build.mk mk/guest.mk mk/ext.mk

$(G)/%.c.o: %.c $(BUILD_FILES)
	$(call say,CC      $<)mkdir -p $(@D)
	$(Q)$(CC) $(KCFLAGS) $(OPTIMISE) $(WARN) -MD -MP -c -o $@ $<

$(G)/%.S.o: %.S $(BUILD_FILES)
	$(call say,AS      $<)mkdir -p $(@D)
	$(Q)$(CC) $(KCFLAGS) -D__ASSEMBLER__ -MD -MP -c -o $@ $<

# Programs for EL0: guest/user/prog/NAME.c each, with whatever is in guest/user/prog/lib, are static
# ELF files; tool/embed makes them the table user_programs[] (guest/user/prog.h).
PROG_SRC := $(wildcard guest/user/prog/*.c)
PROG_LIB := $(wildcard guest/user/prog/lib/*.c guest/user/prog/lib/*.S)
PROG_ELF := $(patsubst guest/user/prog/%.c,$(G)/prog/%,$(PROG_SRC))
PROG_LIB_OBJ := $(patsubst %,$(G)/%.o,$(PROG_LIB))
PROG_LD := $(wildcard guest/user/prog/prog.ld)
DEPS += $(PROG_LIB_OBJ:.o=.d) $(patsubst %,$(G)/%.d,$(PROG_SRC))

$(G)/prog/%: $(G)/guest/user/prog/%.c.o $(PROG_LIB_OBJ) $(PROG_LD) $(G)/libc.a
	$(call say,LD      $@)mkdir -p $(@D)
	$(Q)$(LD) -static -nostdlib --gc-sections -z max-page-size=4096 -z noexecstack \
		--build-id=none -s $(if $(PROG_LD),-T $(PROG_LD)) -o $@ $(filter %.o %.a,$^)

# A unit test reads them.
.PHONY: programs
programs: $(PROG_ELF)

$(G)/programs.S: $(PROG_ELF) tool/embed
	$(call say,EMBED   $@)mkdir -p $(@D)
	$(Q)tool/embed $(PROG_ELF) >$@

# The font, as picked by tool/bootstrap, is console_font of guest/console/term.h.
$(B)/font.psf: $(CACHE)/font.psf
	$(Q)mkdir -p $(@D) && cp $< $@

$(G)/font.c: $(B)/font.psf tool/font
	$(call say,FONT    $@)mkdir -p $(@D)
	$(Q)tool/font $< >$@

$(G)/font.c.o: $(G)/font.c guest/console/term.h
	$(Q)$(CC) $(KCFLAGS) $(WARN) -iquote guest/console -c -o $@ $<

# The source's version, remade only when it is another.
VERSION := $(shell git rev-parse --short=12 HEAD 2>/dev/null || echo unknown)$(if \
	$(shell git status --porcelain -uno 2>/dev/null | head -1),+)

$(G)/version.c: FORCE
	$(Q)mkdir -p $(@D)
	$(Q)printf '#include "version.h"\nconst char paravane_version[] = "%s";\n' '$(VERSION)' >$@.new
	$(Q)cmp -s $@.new $@ || cp $@.new $@

$(G)/version.c.o: $(G)/version.c
	$(Q)$(CC) $(KCFLAGS) $(WARN) -c -o $@ $<

.PHONY: FORCE
FORCE:

EMBED_OBJ := $(G)/font.c.o $(G)/version.c.o $(if $(PROG_SRC),$(G)/programs.S.o)

$(filter %.S.o,$(EMBED_OBJ)): $(G)/%.S.o: $(G)/%.S
	$(Q)$(CC) $(KCFLAGS) -c -o $@ $<

# The image holds its own symbols, for backtraces. The first pass links it with an empty table, the
# second with the table of the first, after a check that no function has moved.
LDSCRIPT := guest/boot/guest.ld
LDFLAGS := -static -nostdlib -T $(LDSCRIPT) --gc-sections $(if $(filter clang,$(TOOLCHAIN)),--icf=safe) -z max-page-size=4096 -z noexecstack \
	--build-id=none --no-undefined $(if $(filter gcc,$(TOOLCHAIN)),--no-warn-rwx-segments)
LIBS := $(G)/libfdt.a $(G)/libfatfs.a $(if $(wildcard guest/net/lwipopts.h),$(G)/liblwip.a) $(G)/libc.a

$(G)/symbols0.S: tool/symbols
	$(Q)mkdir -p $(@D) && tool/symbols </dev/null >$@

$(G)/symbols.S: $(G)/paravane0.elf tool/symbols
	$(Q)$(NM) -n $< | tool/symbols >$@

$(G)/symbols%.o: $(G)/symbols%.S
	$(Q)$(CC) $(KCFLAGS) -c -o $@ $<

$(G)/symbols.o: $(G)/symbols.S
	$(Q)$(CC) $(KCFLAGS) -c -o $@ $<

$(G)/paravane0.elf: $(KERNEL_OBJ) $(EMBED_OBJ) $(G)/symbols0.o $(LIBS) $(LDSCRIPT)
	$(call say,LD      $@)$(LD) $(LDFLAGS) -o $@ $(filter %.o,$^) --start-group $(LIBS) --end-group

$(G)/paravane.elf: $(KERNEL_OBJ) $(EMBED_OBJ) $(G)/symbols.o $(LIBS) $(LDSCRIPT)
	$(call say,LD      $@)$(LD) $(LDFLAGS) -Map=$@.map -o $@ $(filter %.o,$^) \
		--start-group $(LIBS) --end-group
	$(Q)$(NM) -n $@ | tool/symbols | cmp -s - $(G)/symbols.S || \
		{ echo "$@: the symbol table moved a function" >&2; rm -f $@; exit 1; }

$(G)/paravane: $(G)/paravane.elf
	$(call say,OBJCOPY $@)$(OBJCOPY) -O binary $< $@

.PHONY: objects
objects: $(KERNEL_OBJ) $(LIBS)

image: $(G)/paravane
	$(Q)cp -p $< $(B)/paravane.new && mv $(B)/paravane.new $(B)/paravane
	$(Q)cp -p $<.elf $(B)/paravane.elf.new && mv $(B)/paravane.elf.new $(B)/paravane.elf
	@echo "build/paravane: $$(wc -c <$(B)/paravane) bytes ($(TOOLCHAIN))"

# build/planted/NAME: guests with a mistake, for a test to find (tool/plant). PLANT_NAME is: source,
# what stands there, what is to stand there.
PLANTED_GUESTS := cache-flush cache-forgets driver-flush
PLANT_cache-flush := guest/disk/cache.c|error = unit_flush(du);|error = 0;
PLANT_cache-forgets := guest/disk/cache.c|flushed(du, error);|flushed(du, 0);
PLANT_driver-flush := lib/device/blk_data.c|if (!bq->bq_sc->sc_info.bi_can_flush)|if (br != NULL)

planted_source = $(word 1,$(subst |, ,$(PLANT_$(1))))

define planted_rules
$(B)/planted/$(1).c: $(call planted_source,$(1)) mk/guest.mk tool/plant
	$(Q)mkdir -p $$(@D)
	$(Q)tool/plant '$(PLANT_$(1))' >$$@
$(B)/planted/$(1).o: $(B)/planted/$(1).c
	$(Q)$(CC) $(KCFLAGS) -iquote $(dir $(call planted_source,$(1))) -MD -MP -c -o $$@ $$<
DEPS += $(B)/planted/$(1).d
$(B)/planted/$(1).elf: $(B)/planted/$(1).o $(filter-out $(G)/$(call planted_source,$(1)).o,$(KERNEL_OBJ)) \
    $(EMBED_OBJ) $(G)/symbols0.o $(LIBS) $(LDSCRIPT)
	$(call say,LD      $$@)$(LD) $(LDFLAGS) -o $$@ $$(filter %.o,$$^) --start-group $(LIBS) --end-group
$(B)/planted/$(1): $(B)/planted/$(1).elf
	$(Q)$(OBJCOPY) -O binary $$< $$@
endef
$(foreach p,$(PLANTED_GUESTS),$(eval $(call planted_rules,$p)))

.PHONY: planted-guests
planted-guests: $(PLANTED_GUESTS:%=$(B)/planted/%)
