/* userdb_table.c - see userdb_table.h
 *
 * Facts: every line of `text` ends with NUL, its name is in lower case; a slot is 0 (free) or
 *        TAG bits of the name's hash and the offset of its line + 1; slots are at least twice the lines,
 *        a power of two; who looks goes on from slot to slot until a free one. */
#include "server/userdb_table.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "server/userdb_int.h"

#define FIELDS_MAX  8
#define OFFSET_BITS 40
#define OFFSET_MASK ((UINT64_C(1) << OFFSET_BITS) - 1)
#define FILE_MAX    (OFFSET_MASK - 1)
#define SLOTS_MIN   16u

struct rs_user_table {
	char *text;
	size_t text_n;
	size_t room; /* of text */
	uint64_t *slots;
	size_t slots_n;
	size_t users_n;
	struct rs_password_mix *mix;
};

/* --- the state of a file ------------------------------------------------------------------- */

static struct rs_file_id id_of(const struct stat *st)
{
	return (struct rs_file_id){.mtime = st->st_mtim,
		.size = st->st_size,
		.inode = st->st_ino,
		.device = st->st_dev};
}

int rs_file_id_now(const char *path, struct rs_file_id *out, struct rs_err *err)
{
	struct stat st;

	if (stat(path, &st) < 0)
		return rs_err_set(
			err, RS_ECONFIG, "cannot read the users: %s: %s", path, g_strerror(errno));
	*out = id_of(&st);
	return 0;
}

bool rs_file_id_same(const struct rs_file_id *a, const struct rs_file_id *b)
{
	return a->size == b->size && a->inode == b->inode && a->device == b->device &&
	       a->mtime.tv_sec == b->mtime.tv_sec && a->mtime.tv_nsec == b->mtime.tv_nsec;
}

/* --- one line ------------------------------------------------------------------------------ */

/* The key=value part of a line, NULL: it has none. */
static const char *keys_of(const char *line)
{
	for (int i = 1; line && i < FIELDS_MAX; i++) {
		line = strchr(line, ':');
		line = line ? line + 1 : NULL;
	}
	return line && *line ? line : NULL;
}

static const char *set_keys(struct rs_user *u, const char *keys)
{
	g_auto(GStrv) list = g_strsplit(keys, " ", -1);
	const char *why = NULL;

	for (char **k = list; *k && !why; k++) {
		char *value = strchr(*k, '=');

		if (value)
			*value++ = '\0';
		if (**k)
			why = rs_user_set(u, g_str_has_prefix(*k, "userdb_") ? *k + 7 : *k,
				value ? value : "");
	}
	return why;
}

/* A user of a line that check_line has found in order. */
static struct rs_user *user_of(const char *line, const char **why)
{
	const char *password = strchr(line, ':') + 1;
	const char *keys = keys_of(line);
	struct rs_user *u = g_new0(struct rs_user, 1);

	u->name = g_strndup(line, (gsize)(password - 1 - line));
	u->password = g_strndup(password, strcspn(password, ":"));
	u->pop3 = u->smtp = TRUE;
	*why = keys ? set_keys(u, keys) : NULL;
	return u;
}

/* NULL, or what is wrong; the name is in lower case afterwards. */
static const char *check_line(char *line)
{
	struct rs_user *u = NULL;
	char name[256];
	size_t n = strcspn(line, ":");
	const char *why = NULL;

	if (!line[n])
		return "user:password is wanted";
	if (rs_user_name_clean(rs_slice(line, n), name) < 0)
		return "that cannot be a user name";
	memcpy(line, name, n);
	if (keys_of(line))
		u = user_of(line, &why);
	rs_user_free(u);
	return why;
}

/* --- the slots ----------------------------------------------------------------------------- */

static uint64_t hash_of(const char *name, size_t n)
{
	uint64_t h = UINT64_C(0xcbf29ce484222325); /* FNV-1a, stirred */

	for (size_t i = 0; i < n; i++)
		h = (h ^ (uint8_t)name[i]) * UINT64_C(0x100000001b3);
	h ^= h >> 32;
	h *= UINT64_C(0xd6e8feb86659fd93);
	return h ^ h >> 32;
}

/* The slot of `name`, or the free one where it would stand. */
static uint64_t *slot_of(const struct rs_user_table *t, const char *name, size_t n)
{
	uint64_t h = hash_of(name, n);

	for (size_t i = h & (t->slots_n - 1);; i = (i + 1) & (t->slots_n - 1)) {
		uint64_t *slot = &t->slots[i];
		const char *line;

		if (!*slot)
			return slot;
		if (((*slot ^ h) & ~OFFSET_MASK) != 0)
			continue;
		line = t->text + (*slot & OFFSET_MASK) - 1;
		if (strncmp(line, name, n) == 0 && line[n] == ':')
			return slot;
	}
}

static void grow(struct rs_user_table *t)
{
	struct rs_user_table bigger = *t;

	bigger.slots_n = t->slots_n ? t->slots_n * 2 : SLOTS_MIN;
	bigger.slots = g_new0(uint64_t, bigger.slots_n);
	for (size_t i = 0; i < t->slots_n; i++) {
		const char *line = t->text + (t->slots[i] & OFFSET_MASK) - 1;

		if (t->slots[i])
			*slot_of(&bigger, line, strcspn(line, ":")) = t->slots[i];
	}
	g_free(t->slots);
	*t = bigger;
}

static void count_password(struct rs_user_table *t, char *field)
{
	char *end = field + strcspn(field, ":");
	char c = *end;

	*end = '\0';
	rs_password_mix_add(t->mix, field);
	*end = c;
}

static const char *take_line(struct rs_user_table *t, char *line)
{
	const char *why = check_line(line);
	size_t n = strcspn(line, ":");
	uint64_t *slot;

	if (why)
		return why;
	if (t->slots_n < (t->users_n + 1) * 2)
		grow(t);
	slot = slot_of(t, line, n);
	if (*slot)
		return "this user is there already";
	*slot = (hash_of(line, n) & ~OFFSET_MASK) | (uint64_t)(line - t->text + 1);
	t->users_n++;
	count_password(t, line + n + 1);
	return NULL;
}

/* --- the file ------------------------------------------------------------------------------ */

/* The whole of it into t->text, with a NUL behind. One octet more than expected is asked for, so that
 * the end is seen without making room for nothing. */
static int read_all(int fd, size_t expected, struct rs_user_table *t)
{
	ssize_t n = 1;

	t->room = expected + 2;
	t->text = g_malloc(t->room);
	while (n > 0 && t->text_n < FILE_MAX) {
		if (t->text_n + 1 == t->room) { /* has grown meanwhile */
			t->room += t->room / 2 + 4096;
			t->text = g_realloc(t->text, t->room);
		}
		n = read(fd, t->text + t->text_n, t->room - 1 - t->text_n);
		t->text_n += n > 0 ? (size_t)n : 0;
	}
	t->text[t->text_n] = '\0';
	return n < 0 ? -1 : 0;
}

static int parse(struct rs_user_table *t, const char *path, struct rs_err *err)
{
	char *end = t->text + t->text_n;
	unsigned line_n = 0;

	for (char *line = t->text, *next; line < end; line = next) {
		char *stop = memchr(line, '\n', (size_t)(end - line));
		const char *why = NULL;

		stop = stop ? stop : end;
		next = stop + 1;
		line_n++;
		*stop = '\0';
		if (strlen(line) != (size_t)(stop - line))
			return rs_err_set(err, RS_ECONFIG, "%s:%u: a NUL is in it", path, line_n);
		g_strchomp(line);
		if (*line && *line != '#')
			why = take_line(t, line);
		if (why)
			return rs_err_set(err, RS_ECONFIG, "%s:%u: %s", path, line_n, why);
	}
	return 0;
}

int rs_user_table_read(
	const char *path, struct rs_user_table **out, struct rs_file_id *id, struct rs_err *err)
{
	struct rs_user_table *t = g_new0(struct rs_user_table, 1);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct stat st;
	int rc = 0;

	t->mix = rs_password_mix_new();
	if (fd < 0 || fstat(fd, &st) < 0 || read_all(fd, (size_t)st.st_size, t) < 0)
		rc = rs_err_set(
			err, RS_ECONFIG, "cannot read the users: %s: %s", path, g_strerror(errno));
	else
		*id = id_of(&st);
	if (fd >= 0)
		close(fd);
	if (rc == 0)
		grow(t);
	if (rc == 0)
		rc = parse(t, path, err);
	if (rc < 0)
		rs_user_table_destroy(&t);
	else
		*out = t;
	return rc;
}

int rs_user_table_parse(const char *path, const void *octets, size_t n, struct rs_user_table **out,
	struct rs_err *err)
{
	struct rs_user_table *t = g_new0(struct rs_user_table, 1);
	int rc;

	t->mix = rs_password_mix_new();
	t->room = n + 1;
	t->text_n = n;
	t->text = g_malloc0(t->room);
	if (n)
		memcpy(t->text, octets, n);
	grow(t);
	rc = parse(t, path, err);
	if (rc < 0)
		rs_user_table_destroy(&t);
	else
		*out = t;
	return rc;
}

void rs_user_table_destroy(struct rs_user_table **t)
{
	if (!*t)
		return;
	if ((*t)->text)
		rs_wipe((*t)->text, (*t)->text_n);
	rs_password_mix_unref((*t)->mix);
	g_free((*t)->text);
	g_free((*t)->slots);
	g_free(*t);
	*t = NULL;
}

/* --- asking -------------------------------------------------------------------------------- */

struct rs_password_mix *rs_user_table_mix(const struct rs_user_table *t)
{
	return t->mix;
}

size_t rs_user_table_n(const struct rs_user_table *t)
{
	return t->users_n;
}

size_t rs_user_table_octets(const struct rs_user_table *t)
{
	return t->room + t->slots_n * sizeof(*t->slots);
}

struct rs_user *rs_user_table_find(const struct rs_user_table *t, const char *name)
{
	uint64_t slot = *slot_of(t, name, strlen(name));
	const char *why;

	return slot ? user_of(t->text + (slot & OFFSET_MASK) - 1, &why) : NULL;
}

static int by_name(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

void rs_user_table_each(
	const struct rs_user_table *t, void (*fn)(void *arg, const struct rs_user *u), void *arg)
{
	g_autofree const char **lines = g_new(const char *, t->users_n + 1);
	size_t n = 0;

	for (size_t i = 0; i < t->slots_n; i++) {
		if (t->slots[i])
			lines[n++] = t->text + (t->slots[i] & OFFSET_MASK) - 1;
	}
	qsort(lines, n, sizeof(*lines), by_name);
	for (size_t i = 0; i < n; i++) {
		const char *why;
		struct rs_user *u = user_of(lines[i], &why);

		fn(arg, u);
		rs_user_free(u);
	}
}
