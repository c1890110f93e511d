# SPDX-License-Identifier: ISC
#
# The library once more, in other ways, under the tests that it has:
#
#	build/mutation	with all mutants in it (test/mutation/mutation.h, tool/mutate)
#	build/coverage	counting what is reached (tool/coverage)
#
# In each, host/ has the unit tests (unit/), the tool of `make check` and that of conformance;
# traced/, of the mutants alone, also the bench's own tests.

MU := $(B)/mutation
MU_SRC := $(LIB_SRC:%=$(MU)/%)
MU_CFLAGS := -w -iquote .
MU_UNIT := $(notdir $(BENCH_UNIT))
# What has no queue is seen as well without tracing.
MU_TRACED_UNIT := $(filter-out test_pci test_mmio,$(MU_UNIT))
MU_PROGRAM := check conform
MU_TRACED := $(notdir $(BENCH_TEST))
MU_OBJ := $(MU)/mutation.o $(MU_SRC:$(MU)/%=$(MU)/host/%.o) $(MU_SRC:$(MU)/%=$(MU)/traced/%.o)
DEPS += $(MU_OBJ:.o=.d)

# Written anew is only what is another.
$(MU)/written: $(wildcard lib/*/*.[ch]) test/mutation/mutants.py tool/mutate mk/mutation.mk
	$(call say,MUTATE  lib)mkdir -p $(@D)
	$(Q)tool/mutate --write $(MU) && touch $@

$(MU_SRC): $(MU)/written
	@:

$(MU)/host/%.c.o: $(MU)/%.c mk/build.mk mk/host.mk mk/mutation.mk
	$(call say,HOSTCC  $<)mkdir -p $(@D)
	$(Q)clang $(HOST_CFLAGS) $(MU_CFLAGS) -MMD -MP -c -o $@ $<

$(MU)/traced/%.c.o: $(MU)/%.c mk/build.mk mk/host.mk mk/bench.mk mk/mutation.mk
	$(call say,TRACECC $<)mkdir -p $(@D)
	$(Q)clang $(BENCH_CFLAGS) $(BENCH_TRACE_CFLAGS) $(MU_CFLAGS) -MMD -MP -c -o $@ $<

$(MU)/mutation.o: test/mutation/mutation.c mk/host.mk
	$(call say,HOSTCC  $<)mkdir -p $(@D)
	$(Q)clang $(HOST_CFLAGS) $(WARN) -MMD -MP -c -o $@ $<

$(MU)/host/lib.a $(MU)/traced/lib.a: $(MU)/%/lib.a: $(LIB_SRC:%=$(MU)/$$*/%.o) $(MU)/mutation.o $(BENCH_OBJ)
	$(call say,AR      $@)rm -f $@ && ar rcs $@ $^

CV := $(B)/coverage
CV_FLAGS := -fprofile-instr-generate -fcoverage-mapping
CV_OBJ := $(LIB_SRC:%=$(CV)/host/%.o)
DEPS += $(CV_OBJ:.o=.d)

$(CV)/host/%.c.o: %.c mk/build.mk mk/host.mk mk/mutation.mk
	$(call say,HOSTCC  $<)mkdir -p $(@D)
	$(Q)clang $(HOST_CFLAGS) $(CV_FLAGS) $(WARN) -MMD -MP -c -o $@ $<

$(CV)/host/lib.a: $(CV_OBJ) $(BENCH_OBJ)
	$(call say,AR      $@)rm -f $@ && ar rcs $@ $^

# $(1) the directory with lib.a, $(2) flags to link with
define library_programs
$(foreach t,$(MU_UNIT),$(call library_program,$(1)/unit/$t,$(patsubst %,$(B)/host/$t.d/%.o,test/unit/$t.c $(call unit_line,UNIT,test/unit/$t.c)),$(1)/lib.a,$(2)))
$(call library_program,$(1)/check,$(CHECK_OBJ),$(1)/lib.a,$(2))
$(call library_program,$(1)/conform,$(CONFORM_OBJ),$(1)/lib.a,$(2))
endef

# $(1) the program, $(2) its objects, $(3) the library, $(4) flags
define library_program
$(1): $(2) $(3)
	$$(call say,HOSTLD  $$@)mkdir -p $$(@D)
	$(Q)clang $(HOST_CFLAGS) $(4) -o $$@ $$^ $(HOST_LIBS)

endef

$(eval $(call library_programs,$(MU)/host,))
$(eval $(call library_programs,$(MU)/traced,))
$(eval $(call library_programs,$(CV)/host,-fprofile-instr-generate))
$(foreach t,$(notdir $(BENCH_TEST)),$(eval $(call library_program,$(MU)/traced/$t,$(BH)/$t.c.o $(BENCH_TEST_OBJ),$(MU)/traced/lib.a,)))

# What the tools run, and how they know of it.
MUTATION_PROGRAM := $(MU_UNIT:%=$(MU)/host/unit/%) $(MU_PROGRAM:%=$(MU)/host/%) \
	$(MU_TRACED_UNIT:%=$(MU)/traced/unit/%) $(MU_TRACED:%=$(MU)/traced/%)
COVERAGE_PROGRAM := $(MU_UNIT:%=$(CV)/host/unit/%) $(MU_PROGRAM:%=$(CV)/host/%)

.PHONY: mutation-tests coverage-tests
mutation-tests: $(MUTATION_PROGRAM)
	@printf '%s\n' $(MUTATION_PROGRAM) >$(MU)/programs
coverage-tests: $(COVERAGE_PROGRAM)
	@printf '%s\n' $(COVERAGE_PROGRAM) >$(CV)/programs
