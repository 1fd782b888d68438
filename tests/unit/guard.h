/* guard.h - octets whose first octet behind the end cannot be read: one octet too far is a crash,
 * with every compiler and without a sanitizer.
 *
 *     struct guard g;
 *     guard_init(&g, "abc", 3);      g.p[0..2] may be read and written, g.p[3] not
 *     guard_finish(&g); */
#ifndef RS_TESTS_UNIT_GUARD_H
#define RS_TESTS_UNIT_GUARD_H

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

struct guard {
	uint8_t *p; /* n octets, then the unreadable page */
	size_t n;
	uint8_t *map;
	size_t map_n;
};

static inline void guard_init(struct guard *g, const void *octets, size_t n)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	size_t body = (n + page - 1) / page * page;
	int prot = PROT_READ | PROT_WRITE;

	g->map_n = body + page;
	g->map = mmap(NULL, g->map_n, prot, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (g->map == MAP_FAILED || mprotect(g->map + body, page, PROT_NONE) < 0)
		abort();
	g->n = n;
	g->p = g->map + body - n;
	if (n)
		memcpy(g->p, octets, n);
}

static inline void guard_finish(struct guard *g)
{
	(void)munmap(g->map, g->map_n);
}

#endif
