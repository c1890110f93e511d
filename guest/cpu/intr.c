/* SPDX-License-Identifier: ISC */
/* Handlers, routing and counters of interrupts, over either controller. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "gic.h"
#include "intr.h"
#include "kmem.h"
#include "log.h"
#include "machine.h"
#include "cpuvar.h"

struct line;

struct intr {
	struct intr	*i_next;
	struct line	*i_line;
	bool		(*i_fn)(void *);
	void		*i_arg;
	const char	*i_name;
	int		i_flags;
	uint64_t	i_claimed;
};

/* One INTID that has handlers, or had. */
struct line {
	struct intr	*l_handlers;
	uint32_t	l_intid;
	int		l_flags;
	unsigned	l_cpu;
	unsigned	l_unclaimed;	/* in a row */
	bool		l_masked;
	uint64_t	l_count[MAXCPUS];
};

#define NLINES		(GIC_MAXINTID + LPI_COUNT)

static struct line *lines[NLINES];
static struct gic *gic;
static uint64_t spurious;
static uint32_t ppis_on;	/* for CPUs that start later */

static int
line_index(uint32_t intid)
{
	if (gic != NULL && intid < gic->g_lines)
		return (int)intid;
	if (intid >= LPI_BASE && intid < LPI_BASE + LPI_COUNT)
		return (int)(GIC_MAXINTID + intid - LPI_BASE);
	return -1;
}

static struct line *
line_of(uint32_t intid)
{
	int i = line_index(intid);

	return i < 0 ? NULL : lines[i];
}

bool
intr_context(void)
{
	struct cpu *c = curcpu();

	return c != NULL && c->c_intr_depth != 0;
}

uint64_t
intr_spurious(void)
{
	return spurious;
}

struct ppi_request {
	uint32_t	pr_intid;
	bool		pr_on;
	bool		pr_edge;
};

static void
set_ppi(void *arg)
{
	struct ppi_request *pr = arg;

	if (pr->pr_on && pr->pr_intid >= 16)
		gic->g_trigger(pr->pr_intid, pr->pr_edge);
	if (pr->pr_intid >= 16)
		gic->g_enable(pr->pr_intid, pr->pr_on);
}

static void
enable_private(uint32_t intid, bool on, bool edge)
{
	struct ppi_request pr = { intid, on, edge };

	if (on)
		ppis_on |= 1u << intid;
	else
		ppis_on &= ~(1u << intid);
	for (unsigned i = 0; i < cpu_count(); i++)
		cpu_call(i, set_ppi, &pr);
}

static void
enable(struct line *l, bool on)
{
	if (l->l_intid < 32)
		enable_private(l->l_intid, on,
		    (l->l_flags & INTR_EDGE) != 0);
	else if (l->l_intid < LPI_BASE)
		gic->g_enable(l->l_intid, on);
	else
		its_enable(l->l_intid, on);
}

void
intr_mask(uint32_t intid)
{
	struct line *l = line_of(intid);

	if (l != NULL)
		enable(l, false);
}

void
intr_unmask(uint32_t intid)
{
	struct line *l = line_of(intid);

	if (l == NULL || l->l_handlers == NULL)
		return;
	l->l_unclaimed = 0;
	l->l_masked = false;
	enable(l, true);
}

int
intr_route(uint32_t intid, unsigned cpu)
{
	struct line *l = line_of(intid);
	int error = 0;

	if (l == NULL || cpu >= cpu_count())
		return EINVAL;
	if (intid < 32)
		return 0;
	if (intid >= LPI_BASE)
		error = its_route(intid, cpu);
	else
		gic->g_route(intid, &cpus[cpu]);
	if (error == 0)
		l->l_cpu = cpu;
	return error;
}

int
intr_raise(uint32_t intid)
{
	if (line_of(intid) == NULL)
		return EINVAL;
	if (intid >= LPI_BASE)
		return its_pend(intid);
	if (intid < 32)
		return ENOTSUP;
	gic->g_pend(intid, true);
	return 0;
}

static int
line_get(uint32_t intid, int flags, struct line **lp)
{
	int i = line_index(intid);
	struct line *l;

	if (gic == NULL)
		return ENXIO;
	if (i < 0 || (intid >= LPI_BASE && !its_owns(intid)))
		return EINVAL;
	l = lines[i];
	if (l == NULL) {
		l = kzalloc(sizeof(*l));
		if (l == NULL)
			return ENOMEM;
		l->l_intid = intid;
		lines[i] = l;
	}
	if (l->l_handlers != NULL &&
	    (!(flags & l->l_flags & INTR_SHARED) || l->l_flags != flags))
		return EBUSY;
	*lp = l;
	return 0;
}

/* With its first handler. */
static int
line_begin(struct line *l, int flags, unsigned cpu)
{
	const uint32_t intid = l->l_intid;
	int error;

	l->l_flags = flags;
	l->l_unclaimed = 0;
	l->l_masked = false;
	memset(l->l_count, 0, sizeof(l->l_count));
	if (intid >= 32 && intid < LPI_BASE) {
		gic->g_trigger(intid, (flags & INTR_EDGE) != 0);
		/* What came while nobody listened is nobody's. */
		gic->g_pend(intid, false);
	}
	error = intr_route(intid, cpu);
	if (error == 0)
		enable(l, true);
	return error;
}

int
intr_establish(uint32_t intid, int flags, unsigned cpu, bool (*fn)(void *),
    void *arg, const char *name, struct intr **cookie)
{
	struct line *l = NULL;
	struct intr *in;
	bool first;
	int error;

	error = line_get(intid, flags, &l);
	if (error)
		return error;
	if (intid >= 32 && cpu >= cpu_count())
		return EINVAL;
	in = kzalloc(sizeof(*in));
	if (in == NULL)
		return ENOMEM;
	in->i_line = l;
	in->i_fn = fn;
	in->i_arg = arg;
	in->i_name = name;
	in->i_flags = flags;
	first = l->l_handlers == NULL;
	in->i_next = l->l_handlers;
	__atomic_store_n(&l->l_handlers, in, __ATOMIC_RELEASE);
	error = first ? line_begin(l, flags, cpu) : 0;
	if (error) {
		l->l_handlers = NULL;
		kfree(in);
		return error;
	}
	if (cookie != NULL)
		*cookie = in;
	return 0;
}

static void
nothing(void *arg)
{
	(void)arg;
}

void
intr_disestablish(struct intr *in)
{
	struct line *l = in->i_line;
	struct intr **p;

	for (p = &l->l_handlers; *p != in; p = &(*p)->i_next)
		if (*p == NULL)
			return;
	if (l->l_handlers == in && in->i_next == NULL)
		enable(l, false);
	__atomic_store_n(p, in->i_next, __ATOMIC_RELEASE);
	/* What another CPU was in the middle of has ended after this. */
	for (unsigned i = 0; i < cpu_count(); i++)
		if (i != cpu_id())
			cpu_call(i, nothing, NULL);
	kfree(in);
}

static void
unclaimed(struct line *l)
{
	if ((l->l_flags & INTR_EDGE) != 0 || ++l->l_unclaimed < INTR_STORM)
		return;
	l->l_masked = true;
	l->l_unclaimed = 0;
	gic->g_enable(l->l_intid, false);
	klog(LOG_WARN, "intr: %u is stuck and nobody's: masked", l->l_intid);
}

static void
take(uint32_t intid, unsigned cpu)
{
	struct line *l = line_of(intid);
	bool claimed = false;

	if (l == NULL || l->l_handlers == NULL) {
		/* Nobody wants it: see that it does not come again. */
		spurious++;
		if (intid >= 16 && intid < LPI_BASE)
			gic->g_enable(intid, false);
		return;
	}
	l->l_count[cpu]++;
	for (struct intr *in = __atomic_load_n(&l->l_handlers,
	    __ATOMIC_ACQUIRE); in != NULL; in = in->i_next) {
		if (in->i_fn(in->i_arg)) {
			in->i_claimed++;
			claimed = true;
		}
	}
	if (claimed)
		l->l_unclaimed = 0;
	else
		unclaimed(l);
}

void
intr_dispatch(void)
{
	struct cpu *c = curcpu();
	uint32_t iar, intid;

	c->c_intr_depth++;
	for (;;) {
		iar = gic->g_ack();
		intid = iar & 0xffffff;
		if (gic == &gicv2)
			intid &= 0x3ff;
		if (intid >= GIC_SPURIOUS && intid < LPI_BASE)
			break;
		take(intid, c->c_index);
		gic->g_eoi(iar);
	}
	c->c_intr_depth--;
}

void
sgi_send(unsigned cpu, unsigned sgi)
{
	if (gic == NULL || cpu >= MAXCPUS || sgi > 15)
		return;
	dsb(ishst);
	gic->g_sgi(&cpus[cpu], sgi);
}

static void
stat_of(const struct line *l, const struct intr *in, struct intr_stat *is)
{
	memset(is, 0, sizeof(*is));
	is->is_name = in->i_name;
	is->is_intid = l->l_intid;
	is->is_cpu = l->l_cpu;
	is->is_count = in->i_claimed;
	is->is_masked = l->l_masked;
	memcpy(is->is_percpu, l->l_count, sizeof(is->is_percpu));
}

static const struct intr *
nth(const struct line *l, unsigned n)
{
	const struct intr *in = l != NULL ? l->l_handlers : NULL;

	while (in != NULL && n-- > 0)
		in = in->i_next;
	return in;
}

void
intr_walk(void (*fn)(const struct intr_stat *, void *), void *arg)
{
	struct intr_stat is;
	const struct intr *in;

	/* fn may wait, and handlers go meanwhile: each from the front anew. */
	for (unsigned i = 0; i < NLINES; i++)
		for (unsigned n = 0; (in = nth(lines[i], n)) != NULL; n++) {
			stat_of(lines[i], in, &is);
			fn(&is, arg);
		}
}

uint64_t
intr_count(uint32_t intid)
{
	struct line *l = line_of(intid);
	uint64_t n = 0;

	for (unsigned i = 0; l != NULL && i < MAXCPUS; i++)
		n += __atomic_load_n(&l->l_count[i], __ATOMIC_RELAXED);
	return n;
}

void
intr_describe(char *buf, size_t len)
{
	if (gic == NULL) {
		snprintf(buf, len, "no interrupt controller");
		return;
	}
	snprintf(buf, len, "%s, %u interrupts%s, %u v2m frame%s", gic->g_name,
	    gic->g_lines, its_present() ? ", ITS" : "", msi_frames(),
	    msi_frames() == 1 ? "" : "s");
}

int
intr_prepare_cpu(struct cpu *c)
{
	return gic == NULL ? ENXIO : gic->g_prepare(c);
}

void
intr_init(void)
{
	struct gic *g = NULL;
	int error = ENXIO;

	if (machine.m_gic.mg_version == 2)
		g = &gicv2;
	else if (machine.m_gic.mg_version >= 3)
		g = &gicv3;
	if (g != NULL)
		error = g->g_init(g);
	if (error == 0 && g == &gicv3)
		its_init();
	if (error == 0)
		error = g->g_prepare(&cpus[0]);
	if (error)
		panic("no interrupt controller that works: version %u",
		    machine.m_gic.mg_version);
	gic = g;
	intr_init_cpu();
	msi_init();
}

void
intr_init_cpu(void)
{
	gic->g_init_cpu(curcpu());
	for (uint32_t i = 16; i < 32; i++)
		if (ppis_on & 1u << i) {
			gic->g_trigger(i, lines[i] != NULL &&
			    (lines[i]->l_flags & INTR_EDGE) != 0);
			gic->g_enable(i, true);
		}
}
