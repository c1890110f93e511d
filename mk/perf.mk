# SPDX-License-Identifier: ISC
#
# What `make bench` runs (perf/): built by its parts when they are asked for (race.build), so that
# what one of them lacks is no other's loss.

P := $(B)/perf

# On Linux (perf/rows/disk.py): a program for arm64 Linux.
$(P)/diskbench: perf/diskbench.c perf/clock.h mk/perf.mk
	$(call say,CC      $<)mkdir -p $(@D)
	$(Q)aarch64-linux-gnu-gcc -std=gnu11 -O2 $(WARN) -static -o $@ $<

# A virtqueue's cost (perf/ring): one harness, and the driver to be measured. Optimised like the
# native library, and for the same processor as DPDK's packages are.
PERF_CFLAGS := $(NATIVE_CFLAGS) -iquote perf/ring
RING_OBJ := $(patsubst %,$(P)/ring/%.c.o,main device count)
DEPS += $(RING_OBJ:.o=.d) $(patsubst %,$(P)/ring/%.c.d,ours linux dpdk port)

$(RING_OBJ) $(P)/ring/ours.c.o $(P)/frames/main.c.o $(P)/frames/ours.c.o: $(P)/%.c.o: perf/%.c mk/perf.mk mk/native.mk
	$(call say,CC      $<)mkdir -p $(@D)
	$(Q)$(NATIVE) $(PERF_CFLAGS) $(WARN) -MMD -MP -c -o $@ $<

$(P)/ring-ours: $(P)/ring/ours.c.o $(RING_OBJ) $(N)/libparavane.a
	$(call say,LD      $@)$(NATIVE) $(PERF_CFLAGS) -o $@ $^

# Linux's: of the distribution's source package, unpacked into the cache as far as it is needed.
# Its headers are not ours to hold to our warnings.
LINUX_TAR := $(lastword $(sort $(wildcard /usr/src/linux-source-*.tar.xz)))
LINUX_TOP := $(SRC)/$(basename $(basename $(notdir $(LINUX_TAR))))
LINUX_RING := $(LINUX_TOP)/drivers/virtio/virtio_ring.c
LINUX_CFLAGS := -std=gnu11 $(NATIVE_OPT) -g -w -pthread -DCONFIG_PHYS_ADDR_T_64BIT -fno-strict-overflow -fno-strict-aliasing \
	-fno-common -U_FORTIFY_SOURCE -D'data_race(x)=(x)' -I$(LINUX_TOP)/tools/virtio \
	-I$(LINUX_TOP)/tools/include -include $(LINUX_TOP)/include/linux/kconfig.h -iquote perf/ring

$(LINUX_RING): $(LINUX_TAR)
	$(call say,UNPACK  $<)[ -n "$<" ] || { echo "linux-source is not installed" >&2; exit 1; }
	$(Q)rm -rf $(LINUX_TOP).new && mkdir -p $(LINUX_TOP).new
	$(Q)tar -xf $< -C $(LINUX_TOP).new --strip-components=1 --wildcards '*/drivers/virtio/*' \
		'*/tools/virtio/*' '*/tools/include/*' '*/include/linux/*' '*/include/uapi/*' '*/include/xen/*'
	$(Q)rm -rf $(LINUX_TOP) && mv $(LINUX_TOP).new $(LINUX_TOP) && touch $@

$(P)/ring/virtio_ring.o: $(LINUX_RING) mk/perf.mk mk/native.mk
	$(call say,CC      $<)mkdir -p $(@D)
	$(Q)$(NATIVE) $(LINUX_CFLAGS) -c -o $@ $<

$(P)/ring/linux.c.o: perf/ring/linux.c $(LINUX_RING) mk/perf.mk mk/native.mk
	$(call say,CC      $<)mkdir -p $(@D)
	$(Q)$(NATIVE) $(LINUX_CFLAGS) -MMD -MP -c -o $@ $<

$(P)/ring-linux: $(P)/ring/linux.c.o $(P)/ring/virtio_ring.o $(RING_OBJ)
	$(call say,LD      $@)$(NATIVE) $(LINUX_CFLAGS) -Wl,--wrap=malloc -o $@ $^

# DPDK's: its headers want its flags.
$(P)/ring/dpdk.c.o $(P)/ring/port.c.o $(P)/frames/dpdk.c.o: $(P)/%.c.o: perf/%.c mk/perf.mk mk/native.mk
	$(call say,CC      $<)mkdir -p $(@D)
	$(Q)$(NATIVE) -std=gnu11 $(NATIVE_OPT) -g -w -pthread -D_GNU_SOURCE -iquote perf/ring \
		$$(pkg-config --cflags libdpdk) -MMD -MP -c -o $@ $<

DPDK_LINK = $(NATIVE) -pthread -o $@ $^ -Wl,--as-needed $$(pkg-config --libs libdpdk) \
	-Wl,--no-as-needed -lrte_net_virtio

$(P)/ring-dpdk: $(P)/ring/dpdk.c.o $(P)/ring/port.c.o $(RING_OBJ)
	$(call say,LD      $@)$(DPDK_LINK)

# Frames over vhost-user (perf/frames).
FRAMES_OBJ := $(P)/frames/main.c.o $(P)/ring/count.c.o
DEPS += $(patsubst %,$(P)/frames/%.c.d,main ours dpdk)

$(P)/frames-ours: $(P)/frames/ours.c.o $(FRAMES_OBJ) $(N)/libparavane.a
	$(call say,LD      $@)$(NATIVE) $(PERF_CFLAGS) -o $@ $^

$(P)/frames-dpdk: $(P)/frames/dpdk.c.o $(P)/ring/port.c.o $(FRAMES_OBJ)
	$(call say,LD      $@)$(DPDK_LINK)

# On Linux, and as netload-host on this machine, for its end of the cable.
$(P)/netload: perf/netload.c perf/clock.h mk/perf.mk
	$(call say,CC      $<)mkdir -p $(@D)
	$(Q)aarch64-linux-gnu-gcc -std=gnu11 -O2 $(WARN) -static -o $@ $<

$(P)/netload-host: perf/netload.c perf/clock.h mk/perf.mk
	$(call say,HOSTCC  $<)mkdir -p $(@D)
	$(Q)gcc -std=gnu11 -O2 $(WARN) -o $@ $<

# Frames for QEMU's stream back end.
$(P)/netpeer: perf/netpeer.c mk/perf.mk
	$(call say,HOSTCC  $<)mkdir -p $(@D)
	$(Q)gcc -std=gnu11 -O2 $(WARN) -o $@ $<

# On Linux: flushes of a display.
$(P)/drmload: perf/drmload.c perf/clock.h mk/perf.mk
	$(call say,CC      $<)mkdir -p $(@D)
	$(Q)aarch64-linux-gnu-gcc -std=gnu11 -O2 $(WARN) -static -o $@ $<
