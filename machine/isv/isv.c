/* SPDX-License-Identifier: ISC */

/*
 * A TCG plug-in for QEMU that watches every access to a device, and reports
 * those whose instruction leaves a hypervisor without a syndrome (ISV = 0).
 *
 *	qemu-system-aarch64 -plugin isv.so,out=FILE[,all=on][,from=ADDR] ...
 *
 * FILE gets one line a site, where a site is an instruction at an address:
 *
 *	offender pc=0x... word=0x... form=F fault=R count=N pa=0x... size=N \
 *	    dir=load|store dev=NAME asm=TEXT
 *
 * F is a form of form.h; R says what is wrong: "form", "unaligned" or both
 * joined by a comma. Address, size, direction and device are of the first
 * access. With from=ADDR only instructions at that address and above count: a
 * kernel's, say, but not firmware's. With all=on, sites that are in order
 * follow as "site" lines. Then
 *
 *	maintenance pc=0x... word=0x... count=N asm=TEXT
 *
 * for every cache maintenance instruction that ran (QEMU tells no address for
 * these, so where they may stand is a matter for a check of the program's
 * text), and last, always,
 *
 *	summary accesses=N sites=N offenders=N maintenance=N unknown=N
 *
 * "unknown" counts accesses whose physical address QEMU did not give. A file
 * without the last line is a run that did not end by itself.
 */

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <qemu-plugin.h>

#include "form.h"

#define HASH_SIZE	4096
#define FAULT_FORM	1
#define FAULT_UNALIGNED	2

struct site {
	struct site	*next;
	uint64_t	 pc;
	uint32_t	 word;
	enum isv_form	 form;
	char		*text;		/* disassembly, or NULL */
	uint64_t	 count;		/* device accesses */
	uint64_t	 runs;		/* of cache maintenance */
	unsigned int	 faults;
	uint64_t	 pa;		/* of the first access; so below */
	unsigned int	 size;
	bool		 store;
	const char	*device;
};

QEMU_PLUGIN_EXPORT int qemu_plugin_version = QEMU_PLUGIN_VERSION;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct site *sites[HASH_SIZE];
static uint64_t accesses, unknown;
static char *out_path;
static bool list_all;
static uint64_t from;

static struct site *
site_get(struct qemu_plugin_insn *insn, uint32_t word)
{
	uint64_t pc = qemu_plugin_insn_vaddr(insn);
	struct site **head = &sites[(pc >> 2) % HASH_SIZE], *s;

	pthread_mutex_lock(&lock);
	for (s = *head; s != NULL; s = s->next)
		if (s->pc == pc && s->word == word)
			break;
	if (s == NULL) {
		s = calloc(1, sizeof(*s));
		if (s == NULL)
			abort();
		s->pc = pc;
		s->word = word;
		s->form = isv_form(word);
		s->text = qemu_plugin_insn_disas(insn);
		s->next = *head;
		*head = s;
	}
	pthread_mutex_unlock(&lock);
	return s;
}

static void
on_access(unsigned int vcpu, qemu_plugin_meminfo_t info, uint64_t va,
    void *arg)
{
	struct qemu_plugin_hwaddr *hw = qemu_plugin_get_hwaddr(info, va);
	unsigned int size = 1u << qemu_plugin_mem_size_shift(info);
	struct site *s = arg;

	(void)vcpu;
	if (hw != NULL && !qemu_plugin_hwaddr_is_io(hw))
		return;
	pthread_mutex_lock(&lock);
	if (hw == NULL) {
		unknown++;
	} else {
		accesses++;
		if (s->count++ == 0) {
			s->pa = qemu_plugin_hwaddr_phys_addr(hw);
			s->size = size;
			s->store = qemu_plugin_mem_is_store(info);
			s->device = qemu_plugin_hwaddr_device_name(hw);
		}
		if (!isv_form_ok(s->form))
			s->faults |= FAULT_FORM;
		if (va & (size - 1))
			s->faults |= FAULT_UNALIGNED;
	}
	pthread_mutex_unlock(&lock);
}

static void
on_maintenance(unsigned int vcpu, void *arg)
{
	struct site *s = arg;

	(void)vcpu;
	pthread_mutex_lock(&lock);
	s->runs++;
	pthread_mutex_unlock(&lock);
}

static void
on_translate(qemu_plugin_id_t id, struct qemu_plugin_tb *tb)
{
	size_t i, n = qemu_plugin_tb_n_insns(tb);

	(void)id;
	for (i = 0; i < n; i++) {
		struct qemu_plugin_insn *insn = qemu_plugin_tb_get_insn(tb, i);
		enum isv_form form;
		uint32_t word;

		if (qemu_plugin_insn_size(insn) != sizeof(word) ||
		    qemu_plugin_insn_vaddr(insn) < from)
			continue;
		memcpy(&word, qemu_plugin_insn_data(insn), sizeof(word));
		form = isv_form(word);
		if (form == ISV_NONE)
			continue;
		if (form == ISV_MAINTENANCE)
			qemu_plugin_register_vcpu_insn_exec_cb(insn,
			    on_maintenance, QEMU_PLUGIN_CB_NO_REGS,
			    site_get(insn, word));
		/* DC ZVA stores, so that it is an access as well */
		qemu_plugin_register_vcpu_mem_cb(insn, on_access,
		    QEMU_PLUGIN_CB_NO_REGS, QEMU_PLUGIN_MEM_RW,
		    site_get(insn, word));
	}
}

static void
print_site(FILE *f, const char *what, const struct site *s)
{
	static const char *const fault[] = {
		"none", "form", "unaligned", "form,unaligned"
	};

	fprintf(f, "%s pc=0x%llx word=0x%08x form=%s fault=%s count=%llu "
	    "pa=0x%llx size=%u dir=%s dev=%s asm=%s\n", what,
	    (unsigned long long)s->pc, s->word, isv_form_name(s->form),
	    fault[s->faults], (unsigned long long)s->count,
	    (unsigned long long)s->pa, s->size, s->store ? "store" : "load",
	    s->device, s->text == NULL ? "?" : s->text);
}

static void
print_maintenance(FILE *f, const struct site *s)
{
	fprintf(f, "maintenance pc=0x%llx word=0x%08x count=%llu asm=%s\n",
	    (unsigned long long)s->pc, s->word, (unsigned long long)s->runs,
	    s->text == NULL ? "?" : s->text);
}

enum kind { OFFENDER, GOOD, MAINTENANCE };

static enum kind
site_kind(const struct site *s)
{
	if (s->faults != 0)
		return OFFENDER;
	return s->form == ISV_MAINTENANCE ? MAINTENANCE : GOOD;
}

static unsigned int
report(FILE *f, enum kind kind)
{
	unsigned int i, n = 0;
	struct site *s;

	for (i = 0; i < HASH_SIZE; i++) {
		for (s = sites[i]; s != NULL; s = s->next) {
			if (s->count + s->runs == 0 || site_kind(s) != kind)
				continue;
			n++;
			if (kind == OFFENDER)
				print_site(f, "offender", s);
			else if (kind == MAINTENANCE)
				print_maintenance(f, s);
			else if (list_all)
				print_site(f, "site", s);
		}
	}
	return n;
}

static void
on_exit_(qemu_plugin_id_t id, void *arg)
{
	unsigned int bad, good, maintenance;
	FILE *f;

	(void)id;
	(void)arg;
	f = fopen(out_path, "w");
	if (f == NULL) {
		perror(out_path);
		return;
	}
	pthread_mutex_lock(&lock);
	bad = report(f, OFFENDER);
	good = report(f, GOOD);
	maintenance = report(f, MAINTENANCE);
	fprintf(f, "summary accesses=%llu sites=%u offenders=%u "
	    "maintenance=%u unknown=%llu\n", (unsigned long long)accesses,
	    bad + good, bad, maintenance, (unsigned long long)unknown);
	pthread_mutex_unlock(&lock);
	if (fclose(f) != 0)
		perror(out_path);
}

QEMU_PLUGIN_EXPORT int
qemu_plugin_install(qemu_plugin_id_t id, const qemu_info_t *info, int argc,
    char **argv)
{
	int i;

	if (strcmp(info->target_name, "aarch64") != 0) {
		fprintf(stderr, "isv: only for aarch64\n");
		return -1;
	}
	for (i = 0; i < argc; i++) {
		if (strncmp(argv[i], "out=", 4) == 0)
			out_path = strdup(argv[i] + 4);
		else if (strcmp(argv[i], "all=on") == 0)
			list_all = true;
		else if (strncmp(argv[i], "from=", 5) == 0)
			from = strtoull(argv[i] + 5, NULL, 0);
		else {
			fprintf(stderr, "isv: %s: no such option\n", argv[i]);
			return -1;
		}
	}
	if (out_path == NULL) {
		fprintf(stderr, "isv: out=FILE is needed\n");
		return -1;
	}
	qemu_plugin_register_vcpu_tb_trans_cb(id, on_translate);
	qemu_plugin_register_atexit_cb(id, on_exit_, NULL);
	return 0;
}
