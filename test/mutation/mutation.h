/* SPDX-License-Identifier: ISC */
/*
 * What mutants are compiled into. tool/mutate writes lib/ out with every mutant
 * in its place at once; which of them is one is chosen when the program starts,
 * so that nothing is compiled or linked again:
 *
 *	MUTATION=n	the mutant's number; without it there is none
 *	MUTATION_SEEN=f	the file of struct mutation_seen, in which byte n becomes
 *			1 where mutant n would have made a difference: a test for
 *			which it never does need not be run for it
 *	MUTATION_TESTS=i:ms,...	run these tests of the program, in this order and
 *			until one fails, each for so many milliseconds of the
 *			CPU at most
 *	MUTATION_FAILED=fd	where the number of the one that failed is told
 *
 * A cmocka test runs in a process of its own, as it was begun: what an earlier
 * one left behind is nothing to it, and they can be run in any order.
 */
#ifndef MUTATION_H
#define MUTATION_H

#define MUTATION_MAX	8192

/* The first is of what is seen outside of tests, the others are of one each. */
struct mutation_seen {
	double		ms_seconds;
	char		ms_name[120];
	unsigned char	ms_seen[MUTATION_MAX];
};

/*
 * Whether mutant n is the one, asked where it would make a difference if
 * differs.
 */
int mutation_here(unsigned int n, int differs);

/* A condition, as if it were never true, or always. */
#define MUTATION_NEVER(n, condition) __extension__ ({			\
	int c_ = !!(condition);						\
	mutation_here((n), c_) ? 0 : c_;				\
})

#define MUTATION_ALWAYS(n, condition) __extension__ ({			\
	int c_ = !!(condition);						\
	mutation_here((n), !c_) ? 1 : c_;				\
})

/* A comparison, and its other one where both sides are equal. */
#define MUTATION_EDGE(n, left, op, other, right) __extension__ ({	\
	__auto_type l_ = (left);					\
	__auto_type r_ = (right);					\
	mutation_here((n), l_ == r_) ? l_ other r_ : l_ op r_;		\
})

/* The range of a sync, too short, or a line further on. */
#define MUTATION_SHORT(len)	((len) > 64 ? (len) - 64 : (len) / 2)
#define MUTATION_SHIFT(at)	((at) + 64)
#define MUTATION_SHIFT_FIELD(p)	((const void *)((const char *)(p) + 64))

#define MUTATION_COMPILER_BARRIER()	__asm__ volatile("" ::: "memory")

#endif /* MUTATION_H */
