# SPDX-License-Identifier: ISC
#
# The bench (bench/include/bench.h), with clang alone: build/traced/NAME a program each.
#
#	test/bench/test_*.c	cmocka programs, with the library traced
#	unit tests		once more, as they are, with the library traced
#
# Traced: each load and store of lib/ passes the sanitizer.

BH := $(B)/traced
BENCH_TRACE_CFLAGS := -fsanitize-coverage=edge,trace-loads,trace-stores \
	-Dmemcpy=bench_memcpy -Dmemmove=bench_memmove -Dmemset=bench_memset -Dmemcmp=bench_memcmp

# Every caller stands in a report's stacks, by its own frame.
BENCH_CFLAGS := $(HOST_CFLAGS) -fno-optimize-sibling-calls -fno-inline

BENCH_SRC := $(wildcard port/posix/*.c bench/*.c)
TRACED_OBJ := $(patsubst %,$(BH)/%.o,$(LIB_SRC))
BENCH_OBJ := $(patsubst %,$(B)/host/%.o,$(BENCH_SRC))
BENCH_TEST_SRC := $(wildcard test/bench/test_*.c)
BENCH_TEST := $(patsubst test/bench/%.c,$(BH)/%,$(BENCH_TEST_SRC))
BENCH_TEST_OBJ := $(patsubst test/bench/%,$(BH)/%.o,$(filter-out $(BENCH_TEST_SRC),$(wildcard test/bench/*.c))) \
	$(B)/host/test/conform/raw.c.o
# Those of the library; the guest's have nothing to be traced.
BENCH_UNIT := $(LIB_UNIT:%=$(BH)/unit/%)
DEPS += $(TRACED_OBJ:.o=.d) $(BENCH_TEST:%=%.c.d) $(BENCH_TEST_OBJ:.o=.d)

$(BH)/lib/%.c.o: lib/%.c mk/build.mk mk/host.mk mk/bench.mk
	$(call say,TRACECC $<)mkdir -p $(@D)
	$(Q)clang $(BENCH_CFLAGS) $(WARN) $(BENCH_TRACE_CFLAGS) -MMD -MP -c -o $@ $<

$(BH)/libtraced.a: $(TRACED_OBJ) $(BENCH_OBJ)
	$(call say,AR      $@)mkdir -p $(@D) && rm -f $@ && ar rcs $@ $^

# Mistakes for the tests to make: traced too.
$(BH)/careless.c.o: test/bench/careless.c mk/build.mk mk/host.mk mk/bench.mk
	$(call say,TRACECC $<)mkdir -p $(@D)
	$(Q)clang $(BENCH_CFLAGS) $(WARN) $(BENCH_TRACE_CFLAGS) -MMD -MP -MF $(@:.o=.d) -c -o $@ $<

$(BH)/%.c.o: test/bench/%.c mk/build.mk mk/host.mk mk/bench.mk
	$(call say,HOSTCC  $<)mkdir -p $(@D)
	$(Q)clang $(BENCH_CFLAGS) $(WARN) -MMD -MP -MF $(@:.o=.d) -c -o $@ $<

$(BENCH_TEST): $(BH)/%: $(BH)/%.c.o $(BENCH_TEST_OBJ) $(BH)/libtraced.a
	$(call say,HOSTLD  $@)clang $(HOST_CFLAGS) -o $@ $^ $(HOST_LIBS)

define bench_unit_rules
$(BH)/unit/$(1): $(patsubst %,$(B)/host/$(1).d/%.o,test/unit/$(1).c $(call unit_line,UNIT,test/unit/$(1).c)) $(BH)/libtraced.a
	$$(call say,HOSTLD  $$@)mkdir -p $$(@D)
	$(Q)clang $(HOST_CFLAGS) -o $$@ $$^ $(HOST_LIBS)
endef
$(foreach t,$(BENCH_UNIT),$(eval $(call bench_unit_rules,$(notdir $t))))

# Threads, under the sanitizer for them, which has to have compiled all that they run: test/threads,
# and what the unit test of vhost-user does with threads.
THREADS_CFLAGS := $(filter-out -fsanitize=% -fno-sanitize%,$(HOST_CFLAGS)) -fsanitize=thread
THREADS_OBJ := $(patsubst %,$(B)/threads/%.o,$(LIB_SRC) $(wildcard port/posix/*.c))
THREADS_TEST := $(wildcard test/threads/test_*.c)
THREADS := $(patsubst test/threads/%.c,$(BH)/%,$(THREADS_TEST)) $(BH)/test_threads_vhost
DEPS += $(THREADS_OBJ:.o=.d) $(patsubst %,$(B)/threads/%.d,$(THREADS_TEST) test/unit/test_vhost.c)

$(B)/threads/%.c.o: %.c mk/build.mk mk/host.mk mk/bench.mk
	$(call say,HOSTCC  $<)mkdir -p $(@D)
	$(Q)clang $(THREADS_CFLAGS) $(WARN) -MMD -MP -c -o $@ $<

$(B)/threads/lib.a: $(THREADS_OBJ)
	$(call say,AR      $@)rm -f $@ && ar rcs $@ $^

$(filter-out %_vhost,$(THREADS)): $(BH)/%: $(B)/threads/test/threads/%.c.o
$(BH)/test_threads_vhost: $(B)/threads/test/unit/test_vhost.c.o
$(THREADS): $(B)/threads/lib.a
	$(call say,HOSTLD  $@)mkdir -p $(@D)
	$(Q)clang $(THREADS_CFLAGS) -o $@ $(filter %.o,$^) $(filter %.a,$^) $(HOST_LIBS)

.PHONY: bench-tests
bench-tests: $(BENCH_TEST) $(BENCH_UNIT) $(THREADS) $(B)/bench $(BH)/bench $(B)/host/conform

# Planted violations against the strict model (test/conform), and drivers by hand.
CONFORM_OBJ := $(patsubst %,$(B)/host/%.o,$(wildcard test/conform/*.c))
DEPS += $(CONFORM_OBJ:.o=.d)

$(B)/host/conform: $(CONFORM_OBJ) $(B)/host/libparavane.a
	$(call say,HOSTLD  $@)clang $(HOST_CFLAGS) -o $@ $^

# The tool: every driver against every device model (bench/check).
CHECK_OBJ := $(patsubst %,$(B)/host/%.o,$(wildcard bench/check/*.c))
DEPS += $(CHECK_OBJ:.o=.d)

$(B)/bench: $(CHECK_OBJ) $(B)/host/libparavane.a
	$(call say,HOSTLD  $@)[ ! -d $@ ] || rm -r $@
	$(Q)clang $(HOST_CFLAGS) -o $@ $^

# The same over the traced library: slower, and each access is seen.
$(BH)/bench: $(CHECK_OBJ) $(BH)/libtraced.a
	$(call say,HOSTLD  $@)mkdir -p $(@D)
	$(Q)clang $(HOST_CFLAGS) -o $@ $^
