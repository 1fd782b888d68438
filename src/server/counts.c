/* counts.c - see counts.h
 *
 * A page: struct head, then slots_n slots for each enum rs_count. A key lives in one of the
 * COUNTS_WINDOW slots from its home on. A slot with key 0 was never used: who looks for a key may stop there;
 * one with n 0 is free for another key. */
#include "server/counts.h"

#include <fcntl.h>
#include <glib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"

#define SEALS         (F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL)
#define COUNTS_WINDOW 32u
#define BITS_MIN      8u
#define BITS_MAX      22u
#define BITS_NONE     17u /* no ceiling of connections: descriptors are one */

struct head {
	uint64_t seed; /* odd */
	uint32_t all;
	uint32_t reserved[13];
};

struct slot {
	uint64_t key;
	uint32_t n;
	uint32_t reserved;
};

struct rs_counts {
	struct head *head;
	struct slot *slots[RS_COUNT_N];
	unsigned bits; /* 1 << bits slots; from the file's size, not from what its owner says */
	uint64_t seed; /* as it was when the page was mapped */
};

static size_t size_of(unsigned bits)
{
	return sizeof(struct head) + RS_COUNT_N * sizeof(struct slot) * ((size_t)1 << bits);
}

static unsigned bits_for(uint32_t connections)
{
	unsigned bits = BITS_MIN;

	while (bits < BITS_MAX && UINT64_C(1) << bits < (uint64_t)connections * 2)
		bits++;
	return connections ? bits : BITS_NONE;
}

/* --- pages --------------------------------------------------------------------------------- */

static struct rs_counts *map(int fd, unsigned bits, int prot)
{
	void *at = mmap(NULL, size_of(bits), prot, MAP_SHARED, fd, 0);
	struct rs_counts *p;

	if (at == MAP_FAILED)
		return NULL;
	p = g_new0(struct rs_counts, 1);
	p->head = at;
	p->bits = bits;
	p->seed = p->head->seed | 1;
	for (unsigned i = 0; i < RS_COUNT_N; i++)
		p->slots[i] = (struct slot *)(p->head + 1) + ((size_t)i << bits);
	return p;
}

int rs_counts_create(uint32_t connections, int *fd, struct rs_counts **page)
{
	int f = memfd_create("counts", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	unsigned bits = bits_for(connections);
	uint64_t seed;

	if (f < 0)
		return -RS_EIO;
	if (getrandom(&seed, sizeof(seed), 0) != sizeof(seed) ||
		pwrite(f, &seed, sizeof(seed), 0) != sizeof(seed) ||
		ftruncate(f, (off_t)size_of(bits)) < 0 || fcntl(f, F_ADD_SEALS, SEALS) < 0 ||
		!(*page = map(f, bits, PROT_READ | PROT_WRITE))) {
		close(f);
		return -RS_EIO;
	}
	*fd = f;
	return 0;
}

int rs_counts_reader(int fd)
{
	g_autofree char *path = g_strdup_printf("/proc/self/fd/%d", fd);

	return open(path, O_RDONLY | O_CLOEXEC);
}

bool rs_counts_fits(const struct rs_counts *page, uint32_t connections)
{
	return page->bits == bits_for(connections);
}

struct rs_counts *rs_counts_map(int fd, bool write)
{
	struct rs_counts *page = NULL;
	int seals = fcntl(fd, F_GET_SEALS);
	unsigned bits = BITS_MIN;
	struct stat st;

	if (seals >= 0 && (seals & SEALS) == SEALS && fstat(fd, &st) == 0) {
		while (bits < BITS_MAX && (off_t)size_of(bits) < st.st_size)
			bits++;
		if ((off_t)size_of(bits) == st.st_size)
			page = map(fd, bits, write ? PROT_READ | PROT_WRITE : PROT_READ);
	}
	close(fd);
	return page;
}

void rs_counts_unmap(struct rs_counts **page)
{
	if (*page)
		(void)munmap((*page)->head, size_of((*page)->bits));
	g_free(*page);
	*page = NULL;
}

void rs_counts_clear(struct rs_counts *page, int fd)
{
	size_t head = sizeof(struct head);
	size_t n = size_of(page->bits);

	__atomic_store_n(&page->head->all, 0, __ATOMIC_SEQ_CST);
	/* gives the memory back too; readers find zeros, which is what there is now */
	if (fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)head,
		    (off_t)(n - head)) < 0)
		memset(page->head + 1, 0, n - head);
}

/* --- keys ---------------------------------------------------------------------------------- */

static struct slot *slot_at(const struct rs_counts *p, struct rs_count_who who, unsigned i)
{
	size_t home = (size_t)(who.key * p->seed >> (64 - p->bits));

	return &p->slots[who.what][(home + i) & (((size_t)1 << p->bits) - 1)];
}

/* The slot of a key; NULL: it has none. */
static struct slot *find(const struct rs_counts *p, struct rs_count_who who)
{
	for (unsigned i = 0; i < COUNTS_WINDOW; i++) {
		struct slot *s = slot_at(p, who, i);
		uint64_t key = __atomic_load_n(&s->key, __ATOMIC_ACQUIRE);

		if (key == who.key)
			return s;
		if (key == 0)
			return NULL;
	}
	return NULL;
}

static uint32_t get(const struct rs_counts *p, struct rs_count_who who)
{
	const struct slot *s = find(p, who);

	return s ? __atomic_load_n(&s->n, __ATOMIC_SEQ_CST) : 0;
}

/* Its slot, or a free one made its own; NULL: the window is full. Own page only. */
static struct slot *claim(struct rs_counts *p, struct rs_count_who who)
{
	struct slot *s = find(p, who);

	for (unsigned i = 0; !s && i < COUNTS_WINDOW; i++) {
		struct slot *free_one = slot_at(p, who, i);

		if (free_one->n == 0)
			s = free_one;
	}
	if (s)
		__atomic_store_n(&s->key, who.key, __ATOMIC_RELEASE);
	return s;
}

/* --- entering ------------------------------------------------------------------------------ */

bool rs_counts_enter(
	struct rs_counts *own, struct rs_counts *const *others, unsigned others_n, uint32_t max)
{
	uint64_t sum = __atomic_add_fetch(&own->head->all, 1, __ATOMIC_SEQ_CST);

	for (unsigned i = 0; max && i < others_n; i++) {
		if (others[i])
			sum += __atomic_load_n(&others[i]->head->all, __ATOMIC_SEQ_CST);
	}
	if (max == 0 || sum <= max)
		return true;
	rs_counts_leave(own);
	return false;
}

void rs_counts_leave(struct rs_counts *own)
{
	(void)__atomic_sub_fetch(&own->head->all, 1, __ATOMIC_SEQ_CST);
}

bool rs_counts_enter_as(struct rs_counts *own, struct rs_counts *const *others, unsigned others_n,
	struct rs_count_who who, uint32_t max)
{
	struct slot *s = claim(own, who);
	uint64_t sum;

	if (!s)
		return false;
	sum = __atomic_add_fetch(&s->n, 1, __ATOMIC_SEQ_CST);
	for (unsigned i = 0; max && i < others_n; i++) {
		/* a page without connections has no keys either */
		if (others[i] && __atomic_load_n(&others[i]->head->all, __ATOMIC_SEQ_CST))
			sum += get(others[i], who);
	}
	if (max == 0 || sum <= max)
		return true;
	rs_counts_leave_as(own, who);
	return false;
}

void rs_counts_leave_as(struct rs_counts *own, struct rs_count_who who)
{
	struct slot *s = find(own, who);

	if (s && s->n)
		(void)__atomic_sub_fetch(&s->n, 1, __ATOMIC_SEQ_CST);
}

uint64_t rs_counts_user(const char *name)
{
	g_autoptr(GChecksum) sum = g_checksum_new(G_CHECKSUM_SHA256);
	guint8 digest[32];
	gsize n = sizeof(digest);
	uint64_t key;

	g_checksum_update(sum, (const guchar *)name, -1);
	g_checksum_get_digest(sum, digest, &n);
	memcpy(&key, digest, sizeof(key));
	return key ? key : 1;
}
