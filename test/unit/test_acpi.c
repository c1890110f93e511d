/* SPDX-License-Identifier: ISC */
/* UNIT: guest/firmware/acpi.c guest/firmware/machine.c */
/*
 * The ACPI tables that the packaged QEMU and its UEFI firmware make, dumped
 * when this runs: read right, and harmless in each of their truncations and
 * single-bit errors, with the checksum wrong or put right again.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "machine.h"
#include "machine_check.h"

#define MAXREGIONS	32

/* Memory: each table alone in an allocation of just its size. */
struct region {
	uint64_t	 r_pa;
	uint32_t	 r_len;
	uint8_t		*r_data;
};

struct dump {
	uint64_t	 d_rsdp;
	unsigned	 d_n;
	struct region	 d_region[MAXREGIONS];
};

static struct machine m;
static struct dump gicv2_dump, gicv3_dump;

static const void *
map(void *arg, uint64_t pa, size_t len)
{
	const struct dump *d = arg;
	unsigned i;

	for (i = 0; i < d->d_n; i++) {
		const struct region *r = &d->d_region[i];

		if (pa >= r->r_pa && pa - r->r_pa <= r->r_len &&
		    len <= r->r_len - (pa - r->r_pa))
			return r->r_data + (pa - r->r_pa);
	}
	return NULL;
}

static int
dump_load(struct dump *d, const char *options)
{
	char path[] = "/tmp/paravane-acpi-XXXXXX", cmd[256];
	int fd = mkstemp(path);
	FILE *f;

	if (fd < 0)
		return -1;
	close(fd);
	snprintf(cmd, sizeof(cmd), "test/unit/acpi-dump %s %s", path, options);
	if (system(cmd) != 0 || (f = fopen(path, "r")) == NULL)
		return -1;
	if (fread(&d->d_rsdp, 8, 1, f) != 1)
		return -1;
	for (d->d_n = 0; d->d_n < MAXREGIONS; d->d_n++) {
		struct region *r = &d->d_region[d->d_n];

		if (fread(&r->r_pa, 8, 1, f) != 1 ||
		    fread(&r->r_len, 4, 1, f) != 1)
			break;
		r->r_data = malloc(r->r_len);
		if (r->r_data == NULL ||
		    fread(r->r_data, 1, r->r_len, f) != r->r_len)
			return -1;
	}
	fclose(f);
	unlink(path);
	return d->d_n > 4 ? 0 : -1;
}

static int
setup(void **state)
{
	(void)state;
	if (dump_load(&gicv2_dump, "-M virt,gic-version=2 -smp 2") != 0)
		return -1;
	return dump_load(&gicv3_dump, "-M virt,gic-version=3 -smp 3");
}

static void
dump_free(struct dump *d)
{
	while (d->d_n > 0)
		free(d->d_region[--d->d_n].r_data);
}

static int
teardown(void **state)
{
	(void)state;
	dump_free(&gicv2_dump);
	dump_free(&gicv3_dump);
	return 0;
}

static int
parse(struct dump *d)
{
	int error = machine_from_acpi(&m, d->d_rsdp, map, d);

	assert_true(check_machine(&m));
	if (error != 0)
		assert_true(m.m_notes[0] != '\0');
	return error;
}

static void
gicv2(void **state)
{
	(void)state;
	assert_int_equal(parse(&gicv2_dump), 0);
	assert_string_equal(m.m_notes, "");
	assert_string_equal(m.m_tables, 
	    " FACP/6/276 APIC/4/252 PPTT/2/116 GTDT/2/96 MCFG/1/60 SPCR/2/80 "
	    "DBG2/0/87 IORT/3/128");
	assert_int_equal(m.m_ncpus, 2);
	assert_int_equal(m.m_cpu[1].mc_mpidr, 1);
	assert_int_equal(m.m_cpu[1].mc_enable, MACHINE_ENABLE_PSCI);
	assert_int_equal(m.m_psci.mp_conduit, MACHINE_PSCI_HVC);
	assert_int_equal(m.m_gic.mg_version, 2);
	assert_int_equal(m.m_gic.mg_dist, 0x8000000);
	assert_int_equal(m.m_gic.mg_cpu, 0x8010000);
	assert_int_equal(m.m_gic.mg_nv2m, 1);
	assert_int_equal(m.m_gic.mg_v2m[0].mv_base, 0x8020000);
	assert_int_equal(m.m_gic.mg_v2m[0].mv_intid_base, 80);
	assert_int_equal(m.m_gic.mg_v2m[0].mv_intid_count, 64);
	assert_int_equal(m.m_timer.mt_virt.mi_intid, 27);
	assert_int_equal(m.m_timer.mt_phys.mi_intid, 30);
	assert_int_equal(m.m_uart.mu_base, 0x9000000);
	assert_int_equal(m.m_uart.mu_intr.mi_intid, 33);
	assert_int_equal(m.m_nhosts, 1);
	assert_int_equal(m.m_host[0].mh_ecam, UINT64_C(0x4010000000));
	assert_int_equal(m.m_host[0].mh_bus_last, 255);
	assert_int_equal(m.m_host[0].mh_msi, MACHINE_MSI_V2M);
}

static void
gicv3(void **state)
{
	(void)state;
	assert_int_equal(parse(&gicv3_dump), 0);
	assert_string_equal(m.m_notes, "");
	assert_int_equal(m.m_ncpus, 3);
	assert_int_equal(m.m_gic.mg_version, 3);
	assert_int_equal(m.m_gic.mg_nredist, 1);
	assert_int_equal(m.m_gic.mg_redist[0].mr_base, 0x80a0000);
	assert_int_equal(m.m_gic.mg_nits, 1);
	assert_int_equal(m.m_gic.mg_its[0].mi_base, 0x8080000);
	assert_int_equal(m.m_host[0].mh_msi, MACHINE_MSI_ITS);
}

static void checksum_fix(struct region *);

static void
put(struct region *r, uint32_t off, uint64_t v, unsigned width)
{
	memcpy(r->r_data + off, &v, width);
}

static struct region *
table_new(struct dump *d, const char *signature, uint32_t len)
{
	struct region *r = &d->d_region[d->d_n];

	r->r_pa = 0x10000 + 0x1000 * d->d_n++;
	r->r_len = len;
	r->r_data = calloc(1, len);
	memcpy(r->r_data, signature, strlen(signature));
	put(r, 4, len, 4);
	return r;
}

/*
 * The tables of a machine as Apple's hypervisor makes it, by what is on record:
 * redistributors by processor, SMC, no SPCR.
 */
static void
apple(void **state)
{
	struct dump d = { 0x10000, 0, { { 0, 0, NULL } } };
	struct region *rsdp, *xsdt, *madt, *fadt, *gtdt;
	uint32_t i, at = 44;

	(void)state;
	rsdp = table_new(&d, "RSD PTR ", 36);
	xsdt = table_new(&d, "XSDT", 36 + 3 * 8);
	madt = table_new(&d, "APIC", 44 + 24 + 2 * 80 + 24);
	fadt = table_new(&d, "FACP", 276);
	gtdt = table_new(&d, "GTDT", 104);
	memcpy(rsdp->r_data + 4, "PTR ", 4);	/* where others have a length */
	put(rsdp, 15, 2, 1);
	put(rsdp, 20, 36, 4);
	put(rsdp, 24, xsdt->r_pa, 8);
	put(xsdt, 36, madt->r_pa, 8);
	put(xsdt, 44, fadt->r_pa, 8);
	put(xsdt, 52, gtdt->r_pa, 8);
	put(madt, at, 0x180c, 2);
	put(madt, at + 8, 0x10000000, 8);
	put(madt, at + 20, 3, 1);
	at += 24;
	for (i = 0; i < 2; i++, at += 80) {
		put(madt, at, 0x500b, 2);
		put(madt, at + 12, 1, 4);
		put(madt, at + 60, 0x10010000 + 0x20000 * i, 8);
		put(madt, at + 68, i, 8);
	}
	put(madt, at, 0x180d, 2);
	put(madt, at + 8, 0x1fff0000, 8);
	put(fadt, 129, 1, 2);
	put(gtdt, 56, 30, 4);
	put(gtdt, 64, 27, 4);
	for (i = 0; i < d.d_n; i++)
		checksum_fix(&d.d_region[i]);

	assert_int_equal(parse(&d), 0);
	assert_string_equal(m.m_notes, "");
	assert_int_equal(m.m_ncpus, 2);
	assert_int_equal(m.m_gic.mg_version, 3);
	assert_int_equal(m.m_gic.mg_nredist, 1);
	assert_int_equal(m.m_gic.mg_redist[0].mr_base, 0x10010000);
	assert_int_equal(m.m_gic.mg_redist[0].mr_size, 0x40000);
	assert_int_equal(m.m_gic.mg_v2m[0].mv_base, 0x1fff0000);
	assert_int_equal(m.m_gic.mg_v2m[0].mv_intid_count, 0);
	assert_int_equal(m.m_psci.mp_conduit, MACHINE_PSCI_SMC);
	assert_int_equal(m.m_timer.mt_virt.mi_intid, 27);
	assert_int_equal(m.m_uart.mu_base, 0);
	while (d.d_n > 0)
		free(d.d_region[--d.d_n].r_data);
}

/*
 * Make the sum right again; the RSDP has one of its first 20 bytes, and one of
 * all.
 */
static void
checksum_fix(struct region *r)
{
	bool rsdp = memcmp(r->r_data, "RSD PTR", 7) == 0;
	uint32_t at = rsdp ? 8 : 9, len = rsdp ? 20 : r->r_len, i;
	uint8_t sum = 0;

	if (len > r->r_len || at >= r->r_len)
		return;
	for (i = 0; i < len; i++)
		sum = (uint8_t)(sum + r->r_data[i]);
	r->r_data[at] = (uint8_t)(r->r_data[at] - sum);
	for (i = 0, sum = 0; rsdp && i < r->r_len; i++)
		sum = (uint8_t)(sum + r->r_data[i]);
	if (rsdp && r->r_len > 32)
		r->r_data[32] = (uint8_t)(r->r_data[32] - sum);
}

static void
flip_region(struct dump *d, struct region *r)
{
	uint8_t *whole = malloc(r->r_len);
	uint32_t bit;

	assert_non_null(whole);
	memcpy(whole, r->r_data, r->r_len);
	for (bit = 0; bit < r->r_len * 8; bit++) {
		r->r_data[bit / 8] ^= (uint8_t)(1 << bit % 8);
		parse(d);
		/*
		 * One wrong bit never goes unseen, but in what we don't read.
		 */
		if (bit / 8 < 32 || memcmp(whole, "RSD PTR", 7) != 0)
			assert_true(m.m_notes[0] != '\0');
		checksum_fix(r);
		parse(d);
		memcpy(r->r_data, whole, r->r_len);
	}
	free(whole);
	assert_int_equal(parse(d), 0);
}

static void
flipped(void **state)
{
	struct dump *dumps[] = { &gicv2_dump, &gicv3_dump };
	unsigned i, j;

	(void)state;
	for (i = 0; i < 2; i++)
		for (j = 0; j < dumps[i]->d_n; j++)
			flip_region(dumps[i], &dumps[i]->d_region[j]);
}

/*
 * The memory ends within the table: with the length as it was, and with one
 * that says so.
 */
static void
truncate_region(struct dump *d, struct region *r)
{
	struct region whole = *r;
	uint32_t n;

	for (n = 0; n < whole.r_len; n++) {
		r->r_len = n;
		r->r_data = malloc(n == 0 ? 1 : n);
		assert_non_null(r->r_data);
		memcpy(r->r_data, whole.r_data, n);
		parse(d);
		assert_true(m.m_notes[0] != '\0');
		if (n >= 10 && memcmp(r->r_data, "RSD PTR", 7) != 0) {
			memcpy(r->r_data + 4, &n, 4);
			checksum_fix(r);
			parse(d);
		}
		free(r->r_data);
	}
	*r = whole;
	assert_int_equal(parse(d), 0);
}

static void
truncated(void **state)
{
	unsigned i;

	(void)state;
	for (i = 0; i < gicv2_dump.d_n; i++)
		truncate_region(&gicv2_dump, &gicv2_dump.d_region[i]);
	for (i = 0; i < gicv3_dump.d_n; i++)
		truncate_region(&gicv3_dump, &gicv3_dump.d_region[i]);
}

static void
nothing_there(void **state)
{
	struct dump none = { 0x1000, 0, { { 0, 0, NULL } } };

	(void)state;
	assert_int_equal(parse(&none), EINVAL);
	assert_int_equal(machine_from_acpi(&m, 0, map, &none), EINVAL);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(gicv2),
		cmocka_unit_test(gicv3),
		cmocka_unit_test(apple),
		cmocka_unit_test(flipped),
		cmocka_unit_test(truncated),
		cmocka_unit_test(nothing_there),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
