# SPDX-License-Identifier: ISC
#
# Fuzz targets: build/fuzz/TARGET, each a scene of test/fuzz under libFuzzer (test/fuzz/draw.h).
# build/fuzz/planted/TARGET is one with a mistake in the library, for the test to see it found.

FZ := $(B)/fuzz
FUZZ_TARGETS := ring packed config net gpu blk console entropy pci mmio
FUZZ_CFLAGS := -std=gnu11 -O2 -g -fno-omit-frame-pointer -fsanitize=address,undefined \
	-fno-sanitize-recover=all -Iinclude -Iport/posix -Ibench/include -Ibench -Itest/fuzz
# The library's coverage alone leads the fuzzer, and is what it reports. No call at each comparison:
# it takes a quarter of the time, and what scenes draw needs no guessing.
FUZZ_COVER := -fsanitize-coverage=inline-8bit-counters,pc-table
FUZZ_OBJ := $(patsubst %,$(FZ)/%.o,$(LIB_SRC) $(BENCH_SRC) \
	$(filter-out test/fuzz/main.c,$(wildcard test/fuzz/*.c)))
DEPS += $(FUZZ_OBJ:.o=.d)

$(FZ)/%.c.o: %.c mk/build.mk mk/fuzz.mk
	$(call say,FUZZCC  $<)mkdir -p $(@D)
	$(Q)clang $(FUZZ_CFLAGS) $(if $(filter lib/%,$<),$(FUZZ_COVER)) $(WARN) -MMD -MP -c -o $@ $<

$(FZ)/main-%.o: test/fuzz/main.c test/fuzz/draw.h mk/fuzz.mk
	$(Q)mkdir -p $(@D)
	$(Q)clang $(FUZZ_CFLAGS) $(WARN) -DFUZZ_SCENE=scene_$* -c -o $@ $<

# Each target takes of it what its scene needs.
$(FZ)/libscenes.a: $(FUZZ_OBJ)
	$(Q)rm -f $@ && ar rcs $@ $^

$(FUZZ_TARGETS:%=$(FZ)/%): $(FZ)/%: $(FZ)/main-%.o $(FZ)/libscenes.a
	$(call say,FUZZLD  $@)clang $(FUZZ_CFLAGS) -fsanitize=fuzzer -o $@ $^

# The same scenes over a library that counts its lines and branches (tool/fuzz --coverage).
COVER_CFLAGS := -std=gnu11 -O1 -g -fprofile-instr-generate -fcoverage-mapping -Iinclude -Iport/posix
COVER_OBJ := $(LIB_SRC:%=$(FZ)/cover/%.o) $(filter-out $(FZ)/lib/%,$(FUZZ_OBJ))

$(FZ)/cover/lib/%.c.o: lib/%.c mk/build.mk mk/fuzz.mk
	$(call say,COVERCC $<)mkdir -p $(@D)
	$(Q)clang $(COVER_CFLAGS) -MMD -MP -c -o $@ $<

$(FUZZ_TARGETS:%=$(FZ)/cover/%): $(FZ)/cover/%: $(FZ)/main-%.o $(COVER_OBJ)
	$(call say,FUZZLD  $@)clang $(FUZZ_CFLAGS) -fprofile-instr-generate -fsanitize=fuzzer -o $@ $^
DEPS += $(LIB_SRC:%=$(FZ)/cover/%.d)

# PLANT_NAME is: source, what stands there, what is to stand there. The target is its name's
# beginning, or ring.
PLANTED := used-id used-length used-index ring-batch ring-order packed-id packed-length packed-batch packed-event config-steady net-csum net-removal gpu-width gpu-wait blk-cut blk-status
PLANT_used-id := lib/core/virtq_split.c|if (id > mask(vq))|if (id > 0x7fffffffu)
PLANT_used-length := lib/core/virtq.c|if (*len <= inlen)|if (*len <= 0x7fffffffu)
PLANT_used-index := lib/core/virtq_split.c|vq->vq_used_seen = idx;|vq->vq_used_seen = (uint16_t)(idx + 1);
PLANT_ring-batch := lib/core/virtq_split.c|vq->vq_batch = id + 1;|vq->vq_batch = id + 2;
PLANT_ring-order := lib/core/virtq_split.c|if (ahead >= (uint16_t)(vq->vq_used_seen - virtq_used_idx(vq)))|if (ahead >= vq->vq_size)
PLANT_packed-id := lib/core/virtq_packed.c|if (id >= vq->vq_size)|if (id > 0x7fffffffu)
PLANT_packed-length := lib/core/virtq.c|if (*len <= inlen)|if (*len <= 0x7fffffffu)
PLANT_packed-batch := lib/core/virtq_packed.c|vq->vq_batch = id + 1;|vq->vq_batch = id + 2;
PLANT_packed-event := lib/core/virtq_packed.c|(uint16_t)(off - vq->vq_size)|(uint16_t)(off - 0 * vq->vq_size)
PLANT_config-steady := lib/core/config.c|*steady = before == after|*steady = true
PLANT_net-csum := lib/device/net_data.c|(uint32_t)rx->rx_csum_start + rx->rx_csum_offset + 2 <=|(uint32_t)rx->rx_csum_start + rx->rx_csum_offset <= 70000 +
PLANT_net-removal := lib/core/virtio.c|dev->vd_lost = error != 0|dev->vd_lost = 0
PLANT_gpu-width := lib/device/gpu_fb.c|width > 0 && width <= PV_GPU_MAXWIDTH|width > 0
PLANT_gpu-wait := lib/device/gpu_command.c|gpu_wait_begin(&wait, GPU_TIMEOUT_NS)|gpu_wait_begin(&wait, 100 * GPU_TIMEOUT_NS)
PLANT_blk-cut := lib/device/blk_data.c|br->br_off = pl.pl_off|br->br_off = 0
PLANT_blk-status := lib/device/blk_data.c|part_end(bq, part, status_error(bq, status))|part_end(bq, part, 0 * status)

plant_target = $(or $(filter $(FUZZ_TARGETS),$(word 1,$(subst -, ,$(1)))),ring)
plant_source = $(word 1,$(subst |, ,$(PLANT_$(1))))

define plant_rules
$(FZ)/planted/$(1).c: $(call plant_source,$(1)) mk/fuzz.mk
	$(Q)mkdir -p $$(@D)
	$(Q)tool/plant '$(PLANT_$(1))' >$$@
$(FZ)/planted/$(1).o: $(FZ)/planted/$(1).c
	$(Q)clang $(FUZZ_CFLAGS) $(FUZZ_COVER) -iquote $(dir $(call plant_source,$(1))) -c -o $$@ $$<
$(FZ)/planted/$(1): $(FZ)/main-$(call plant_target,$(1)).o $(FZ)/planted/$(1).o $(FZ)/libscenes.a
	$$(call say,FUZZLD  $$@)clang $(FUZZ_CFLAGS) -fsanitize=fuzzer -o $$@ $$^
endef
$(foreach p,$(PLANTED),$(eval $(call plant_rules,$p)))

.PHONY: fuzz-targets fuzz-planted
fuzz-targets: $(FUZZ_TARGETS:%=$(FZ)/%)
fuzz-planted: $(PLANTED:%=$(FZ)/planted/%)
