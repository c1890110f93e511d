# SPDX-License-Identifier: ISC
#
# What `make bench` runs (perf/): built by its parts when they are asked for (race.build), so that
# what one of them lacks is no other's loss.

P := $(B)/perf

# On Linux (perf/rows/disk.py): a program for arm64 Linux.
$(P)/diskbench: perf/diskbench.c mk/perf.mk
	$(call say,CC      $<)mkdir -p $(@D)
	$(Q)aarch64-linux-gnu-gcc -std=gnu11 -O2 $(WARN) -static -o $@ $<
