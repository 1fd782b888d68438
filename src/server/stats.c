/* stats.c - see stats.h */
#include "server/stats.h"

#include <fcntl.h>
#include <string.h>
#include <strings.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"
#include "server/msg.h"

#define SEALS (F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL)

G_STATIC_ASSERT(RS_ROLE_N <= RS_STATS_ROLES_N);

const double rs_stats_times_s[] = {0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 10, 60};

static struct rs_stats unshared; /* until a page is given */
static struct rs_stats *mine = &unshared;

static struct rs_stats *map(int fd, int prot)
{
	void *p = mmap(NULL, sizeof(struct rs_stats), prot, MAP_SHARED, fd, 0);

	return p == MAP_FAILED ? NULL : p;
}

int rs_stats_create(int *fd, struct rs_stats **page)
{
	int f = memfd_create("stats", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	if (f < 0)
		return -RS_EIO;
	if (ftruncate(f, sizeof(struct rs_stats)) < 0 || fcntl(f, F_ADD_SEALS, SEALS) < 0 ||
		!(*page = map(f, PROT_READ | PROT_WRITE))) {
		close(f);
		return -RS_EIO;
	}
	*fd = f;
	return 0;
}

struct rs_stats *rs_stats_map(int fd, bool write)
{
	struct rs_stats *page = NULL;
	int seals = fcntl(fd, F_GET_SEALS);
	struct stat st;

	/* one that could shrink would kill whoever reads it */
	if (seals >= 0 && (seals & SEALS) == SEALS && fstat(fd, &st) == 0 &&
		st.st_size == sizeof(*page))
		page = map(fd, write ? PROT_READ | PROT_WRITE : PROT_READ);
	close(fd);
	return page;
}

void rs_stats_unmap(struct rs_stats **page)
{
	if (*page)
		(void)munmap(*page, sizeof(**page));
	*page = NULL;
}

void rs_stats_use(struct rs_stats *page)
{
	rs_stats_sum(page, mine);
	mine = page;
}

static void put(struct rs_stats *page, unsigned row, uint64_t v)
{
	__atomic_store_n(&page->rows[row], v, __ATOMIC_RELAXED);
}

static uint64_t get(const struct rs_stats *page, unsigned row)
{
	return __atomic_load_n(&page->rows[row], __ATOMIC_RELAXED);
}

void rs_stats_add(unsigned row, uint64_t n)
{
	(void)__atomic_fetch_add(&mine->rows[row], n, __ATOMIC_RELAXED);
}

void rs_stats_sub(unsigned row, uint64_t n)
{
	(void)__atomic_fetch_sub(&mine->rows[row], n, __ATOMIC_RELAXED);
}

void rs_stats_beat(void)
{
	(void)__atomic_fetch_add(&mine->beats, 1, __ATOMIC_RELAXED);
}

uint64_t rs_stats_beats(const struct rs_stats *page)
{
	return __atomic_load_n(&page->beats, __ATOMIC_RELAXED);
}

void rs_stats_time(unsigned first, uint64_t us)
{
	unsigned i = 0;

	while (i < RS_STATS_TIMES_N - 1 && (double)us > rs_stats_times_s[i] * 1e6)
		i++;
	rs_stats_add(first + i, 1);
	rs_stats_add(first + RS_STATS_TIMES_N, us);
}

void rs_stats_login(enum rs_stats_mech mech, enum rs_stats_login result)
{
	rs_stats_add(
		RS_STAT_LOGINS + (unsigned)mech * (unsigned)RS_STATS_LOGIN_N + (unsigned)result, 1);
}

enum rs_stats_mech rs_stats_mech_of(struct rs_slice name)
{
	static const char *const names[] = {
		[RS_STATS_PLAIN] = "PLAIN",
		[RS_STATS_LOGIN] = "LOGIN",
		[RS_STATS_SCRAM_SHA_1] = "SCRAM-SHA-1",
		[RS_STATS_SCRAM_SHA_1_PLUS] = "SCRAM-SHA-1-PLUS",
		[RS_STATS_SCRAM_SHA_256] = "SCRAM-SHA-256",
		[RS_STATS_SCRAM_SHA_256_PLUS] = "SCRAM-SHA-256-PLUS",
		[RS_STATS_XOAUTH2] = "XOAUTH2",
		[RS_STATS_OAUTHBEARER] = "OAUTHBEARER",
		[RS_STATS_EXTERNAL] = "EXTERNAL",
	};

	for (unsigned i = RS_STATS_PLAIN; i <= RS_STATS_EXTERNAL; i++) {
		if (strlen(names[i]) == name.n &&
			strncasecmp(names[i], (const char *)name.p, name.n) == 0)
			return (enum rs_stats_mech)i;
	}
	return RS_STATS_OTHER_MECH;
}

void rs_stats_ended(struct rs_stats *page)
{
	for (unsigned i = 0; i < RS_SERVICE_N; i++)
		put(page, RS_STAT_OPEN + i, 0);
	put(page, RS_STAT_SESSIONS, 0);
}

void rs_stats_sum(struct rs_stats *sum, const struct rs_stats *page)
{
	for (unsigned i = 0; i < RS_STAT_N; i++)
		put(sum, i, get(sum, i) + get(page, i));
}
