/* recent.c - see recent.h */
#include "maildir/recent.h"

#include <glib.h>
#include <string.h>
#include <sys/vfs.h>

struct entry {
	GList link;     /* in `order`; data is the entry */
	GBytes *octets; /* of the index */
	bool quick;
	char path[];
};

static GMutex mutex;
static GHashTable *entries; /* path of the entry -> struct entry */
static GQueue order;        /* the one used last at the end */
static size_t octets_n;     /* of all */

/* Numbers of statfs(2). A file system over a network or in another program may wait for it. */
static bool is_local(int fd)
{
	static const uint32_t here[] = {
		0xef53,     /* ext2, ext3, ext4 */
		0x58465342, /* xfs */
		0x9123683e, /* btrfs */
		0x2fc12fc1, /* zfs */
		0xf2f52010, /* f2fs */
		0xca451a4e, /* bcachefs */
		0x01021994, /* tmpfs */
	};
	struct statfs st;

	if (fstatfs(fd, &st) < 0)
		return false;
	for (size_t i = 0; i < G_N_ELEMENTS(here); i++) {
		if ((uint32_t)st.f_type == here[i])
			return true;
	}
	return false;
}

static size_t octets_of(const struct entry *e)
{
	return sizeof(*e) + strlen(e->path) + 1 + g_bytes_get_size(e->octets);
}

static void drop(struct entry *e)
{
	octets_n -= octets_of(e);
	g_queue_unlink(&order, &e->link);
	g_hash_table_remove(entries, e->path);
	g_bytes_unref(e->octets);
	g_free(e);
}

static struct entry *find(const char *path)
{
	return entries ? g_hash_table_lookup(entries, path) : NULL;
}

bool rs_recent_get(const char *path, struct rs_index *out, bool *quick)
{
	GBytes *octets = NULL;
	struct entry *e;

	g_mutex_lock(&mutex);
	e = find(path);
	if (e) {
		octets = g_bytes_ref(e->octets);
		*quick = e->quick;
		g_queue_unlink(&order, &e->link);
		g_queue_push_tail_link(&order, &e->link);
	}
	g_mutex_unlock(&mutex);
	return octets && rs_index_of_bytes(octets, out) == 0;
}

void rs_recent_put(const char *path, int fd, struct rs_index *x)
{
	struct entry *e = g_malloc0(sizeof(*e) + strlen(path) + 1);
	struct entry *before;

	memcpy(e->path, path, strlen(path) + 1);
	e->link.data = e;
	e->quick = is_local(fd);
	e->octets = rs_index_bytes(x);
	g_mutex_lock(&mutex);
	if (!entries)
		entries = g_hash_table_new(g_str_hash, g_str_equal);
	before = find(path);
	if (before)
		drop(before);
	g_hash_table_insert(entries, e->path, e);
	g_queue_push_tail_link(&order, &e->link);
	octets_n += octets_of(e);
	while (order.length > RS_RECENT_MAX || octets_n > RS_RECENT_OCTETS_MAX)
		drop(g_queue_peek_head(&order));
	g_mutex_unlock(&mutex);
}

void rs_recent_forget(const char *path)
{
	struct entry *e;

	g_mutex_lock(&mutex);
	e = find(path);
	if (e)
		drop(e);
	g_mutex_unlock(&mutex);
}
