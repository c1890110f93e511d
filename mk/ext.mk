# SPDX-License-Identifier: ISC
#
# The libraries that come as source packages, compiled with the kernel's flags: picolibc (strings,
# integer-only formatted output and input, number conversion), libfdt, lwIP, FatFs. Their
# warnings are theirs. They are archives: only what is called is linked.

EXTFLAGS = $(filter-out -O2,$(KCFLAGS)) -w

# What never runs before the MMU is on, nor touches a device's registers: lwIP and FatFs read the
# fields of packed structures with one instruction each, where they stand.
EXT_UNALIGNED = $(filter-out -mstrict-align,$(EXTFLAGS))

# Small, but for what each byte of the network's data goes through, and the start's walk of the tree.
EXT_FAST := %/libfdt/fdt.c.o %/libfdt/fdt_ro.c.o %/memcpy.S.o %/memmove.S.o %/memset.c.o %/memcmp.c.o \
	%/inet_chksum.c.o
EXT_OPTIMISE = $(if $(filter $(EXT_FAST),$@),-O2,$(CC_SMALL))

PICO := $(SRC)/picolibc/newlib/libc

# No SIMD register is the kernel's: of the aarch64 assembly only memcpy and memmove are free of them.
PICO_STRING := memchr memcmp memset memmem memrchr mempcpy rawmemchr stpcpy stpncpy strcasecmp \
	strcat strchr strchrnul strcmp strcpy strcspn strlcat strlcpy strlen strncasecmp strncat \
	strncmp strncpy strnlen strpbrk strrchr strsep strspn strstr strtok_r
PICO_CTYPE := ctype_ isalnum isalpha iscntrl isdigit isgraph islower isprint ispunct isspace \
	isupper isxdigit tolower toupper
PICO_STDLIB := abs labs llabs atoi atol rand_r itoa utoa
PICO_STDIO := vfiprintf vfiscanf snprintf vsnprintf sscanf vsscanf filestrget filestrput strtol \
	strtoul strtoll strtoull fputc fgetc ungetc matchcaseprefix
PICO_SRC := $(wildcard $(PICO_STRING:%=$(PICO)/string/%.c) $(PICO_CTYPE:%=$(PICO)/ctype/%.c) \
	$(PICO_STDLIB:%=$(PICO)/stdlib/%.c) $(PICO_STDIO:%=$(PICO)/tinystdio/%.c) \
	$(PICO)/errno/errno.c $(PICO)/machine/aarch64/memcpy.S $(PICO)/machine/aarch64/memmove.S)
PICO_OBJ := $(patsubst $(PICO)/%,$(G)/picolibc/%.o,$(PICO_SRC))
# Formatting is integer-only, and skips an argument that would be a double as if it were a long.
PICO_FLAGS = $(EXT_OPTIMISE) -fno-builtin -D_LIBC \
	-D__COMPILING_PICOLIBC__ -Ddouble=long \
	-DFORMAT_DEFAULT_INTEGER -I$(PICO)/tinystdio -I$(PICO)/stdlib -I$(PICO)/ctype \
	-I$(PICO)/locale -I$(PICO)/machine/aarch64

$(G)/picolibc/%.c.o: $(PICO)/%.c $(BUILD_FILES) guest/libc/picolibc.h
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(EXTFLAGS) $(PICO_FLAGS) -c -o $@ $<

$(G)/picolibc/%.S.o: $(PICO)/%.S $(BUILD_FILES) guest/libc/picolibc.h
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(EXTFLAGS) $(PICO_FLAGS) -c -o $@ $<

$(G)/libc.a: $(PICO_OBJ)
	$(call say,AR      $@)rm -f $@ && $(AR) rcs $@ $^

FDT := $(SRC)/device-tree-compiler/libfdt
FDT_SRC := $(wildcard $(FDT)/fdt*.c)
FDT_OBJ := $(patsubst $(FDT)/%,$(G)/libfdt/%.o,$(FDT_SRC))

$(G)/libfdt/%.c.o: $(FDT)/%.c $(BUILD_FILES)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(EXTFLAGS) $(EXT_OPTIMISE) -c -o $@ $<

$(G)/libfdt.a: $(FDT_OBJ)
	$(call say,AR      $@)rm -f $@ && $(AR) rcs $@ $^

LWIP := $(SRC)/lwip/src
LWIP_APPS := http/httpd http/fs
LWIP_SRC := $(wildcard $(LWIP)/core/*.c $(LWIP)/core/ipv4/*.c $(LWIP)/core/ipv6/*.c) \
	$(LWIP)/netif/ethernet.c $(LWIP_APPS:%=$(LWIP)/apps/%.c)
LWIP_OBJ := $(patsubst $(LWIP)/%,$(G)/lwip/%.o,$(LWIP_SRC))
DEPS += $(LWIP_OBJ:.o=.d)

LWIP_FLAGS = $(if $(filter %/core/tcp_in.c,$<),-include guest/net/tcpfix.h)

$(G)/lwip/%.c.o: $(LWIP)/%.c $(BUILD_FILES)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(EXT_UNALIGNED) $(LWIP_FLAGS) $(EXT_OPTIMISE) -MD -MP -c -o $@ $<

$(G)/liblwip.a: $(LWIP_OBJ)
	$(call say,AR      $@)rm -f $@ && $(AR) rcs $@ $^

# FatFs, as micropython carries it: without globals for its volumes. Its own configuration is not read.
FATFS := $(SRC)/micropython/lib/oofatfs
FATFS_OBJ := $(patsubst %,$(G)/fatfs/%.c.o,ff ffunicode)
FATFS_FLAGS := -DFFCONF_H='"fatconf.h"' -Iguest/disk

$(G)/fatfs/%.c.o: $(FATFS)/%.c $(BUILD_FILES) guest/disk/fatconf.h
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(EXT_UNALIGNED) $(FATFS_FLAGS) $(EXT_OPTIMISE) -c -o $@ $<

$(G)/libfatfs.a: $(FATFS_OBJ)
	$(call say,AR      $@)rm -f $@ && $(AR) rcs $@ $^
