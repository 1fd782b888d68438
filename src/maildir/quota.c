/* quota.c - see quota.h */
#include "maildir/quota.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <glib.h>
#include <stdio.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/num.h"
#include "maildir/folder.h"

#define LOCK_NAME "restante.quota.lock"
#define FILE_MODE 0600
#define FILE_MAX  5120u     /* Maildir++: a longer one is made anew */
#define OLD_S     (15 * 60) /* Maildir++: so old, a full mailbox is counted again */

/* The mailbox folder and the lock in it. */
struct box {
	struct rs_maildir m; /* root_fd and path only */
	int lock_fd;
};

static int box_open(
	struct box *b, const struct rs_fs *fs, const char *root, bool lock, struct rs_err *err)
{
	struct flock whole = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
	int rc = 0;

	*b = (struct box){.m.fs = fs, .lock_fd = -1};
	b->m.root_fd = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (b->m.root_fd < 0)
		return rs_maildir_fail(err, errno, "open the folder", root, NULL);
	b->m.path = g_strdup(root);
	if (!lock)
		return 0;
	b->lock_fd = fs->create(fs->ctx, b->m.root_fd, LOCK_NAME, O_RDWR | O_NOFOLLOW, FILE_MODE);
	if (b->lock_fd < 0)
		return rs_maildir_fail(err, -b->lock_fd, "open", root, LOCK_NAME);
	do {
		rc = fcntl(b->lock_fd, F_OFD_SETLKW, &whole);
	} while (rc < 0 && errno == EINTR);
	return rc < 0 ? rs_maildir_fail(err, errno, "lock", root, LOCK_NAME) : 0;
}

static void box_close(struct box *b)
{
	if (b->lock_fd >= 0)
		(void)b->m.fs->close(b->m.fs->ctx, b->lock_fd);
	if (b->m.root_fd >= 0)
		close(b->m.root_fd);
	g_free(b->m.path);
}

/* --- counting ------------------------------------------------------------------------------ */

static void count_file(int dir_fd, const char *file, struct rs_quota_use *use)
{
	struct rs_maildir_name name;
	struct stat st;

	rs_maildir_name_parse(rs_slice_str(file), &name);
	if (rs_slice_find(name.flags, 'T') < name.flags.n)
		return; /* marked as deleted */
	if (name.size == UINT64_MAX) {
		if (fstatat(dir_fd, file, &st, AT_SYMLINK_NOFOLLOW) < 0 || !S_ISREG(st.st_mode))
			return;
		name.size = (uint64_t)st.st_size;
	}
	if (name.size > INT64_MAX - use->octets)
		return; /* a name that lies cannot make the sum wrap */
	use->octets += name.size;
	use->messages++;
}

/* The messages of root_fd/`sub`; one that is not there has none. 0 or -errno. */
static int count_dir(int root_fd, const char *sub, struct rs_quota_use *use)
{
	int fd = openat(root_fd, sub, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	const struct dirent *e;
	int rc = 0;

	if (!dir) {
		rc = errno == ENOENT || errno == ENOTDIR ? 0 : -errno;
		if (fd >= 0)
			close(fd);
		return rc;
	}
	for (errno = 0; (e = readdir(dir)); errno = 0) {
		if (e->d_name[0] != '.' && e->d_type != DT_DIR)
			count_file(fd, e->d_name, use);
	}
	rc = -errno;
	closedir(dir);
	return rc;
}

static int count_folder(int root_fd, const char *prefix, struct rs_quota_use *use)
{
	g_autofree char *n = g_strconcat(prefix, "new", NULL);
	g_autofree char *c = g_strconcat(prefix, "cur", NULL);
	int rc = count_dir(root_fd, n, use);

	return rc < 0 ? rc : count_dir(root_fd, c, use);
}

static int count_all(const struct box *b, struct rs_quota_use *use, struct rs_err *err)
{
	int fd = openat(b->m.root_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	const struct dirent *e;
	int rc;

	*use = (struct rs_quota_use){.octets = 0};
	if (!dir) {
		rc = -errno;
		if (fd >= 0)
			close(fd);
		return rs_maildir_fail(err, -rc, "list", b->m.path, NULL);
	}
	rc = count_folder(b->m.root_fd, "", use);
	while (rc == 0 && (e = readdir(dir))) {
		g_autofree char *prefix = g_strconcat(e->d_name, "/", NULL);

		if (e->d_name[0] == '.' && strcmp(e->d_name, ".") != 0 &&
			strcmp(e->d_name, "..") != 0 && strcmp(e->d_name, ".Trash") != 0 &&
			e->d_type != DT_REG)
			rc = count_folder(b->m.root_fd, prefix, use);
	}
	closedir(dir);
	return rc < 0 ? rs_maildir_fail(err, -rc, "count the messages in", b->m.path, NULL) : 0;
}

/* --- the file ------------------------------------------------------------------------------ */

static char *head_of(const struct rs_quota *q)
{
	GString *head = g_string_new(NULL);

	if (q->octets_max)
		g_string_append_printf(head, "%" G_GUINT64_FORMAT "S", q->octets_max);
	if (q->messages_max)
		g_string_append_printf(
			head, "%s%" G_GUINT64_FORMAT "C", head->len ? "," : "", q->messages_max);
	return g_string_free(head, FALSE);
}

/* A word with an optional sign; moves behind it. */
static bool signed_word(struct rs_slice *rest, int64_t *out)
{
	struct rs_slice w = rs_slice_word(rest);
	bool minus = w.n && w.p[0] == '-';
	uint64_t v;

	if (minus)
		w = rs_slice_sub(w, 1, w.n);
	if (rs_num_u64(w, INT64_MAX / 4, &v) < 0)
		return false;
	*out = minus ? -(int64_t)v : (int64_t)v;
	return true;
}

static struct rs_slice line_of(struct rs_slice *rest)
{
	size_t n = rs_slice_find(*rest, '\n');
	struct rs_slice line = rs_slice_sub(*rest, 0, n);

	*rest = rs_slice_sub(*rest, n + 1, rest->n);
	return line;
}

bool rs_quota_parse(struct rs_slice text, const struct rs_quota *q, struct rs_quota_use *out)
{
	g_autofree char *want = head_of(q);
	struct rs_slice rest = text;
	int64_t octets = 0;
	int64_t messages = 0;
	unsigned lines = 0;

	if (text.n == 0 || text.p[text.n - 1] != '\n' ||
		!rs_slice_eq_str(rs_slice_trim(line_of(&rest)), want))
		return false;
	for (; rest.n; lines++) {
		struct rs_slice line = rs_slice_trim(line_of(&rest));
		int64_t o;
		int64_t m;

		if (!signed_word(&line, &o) || !signed_word(&line, &m) || line.n)
			return false;
		if (o > 0 ? octets > INT64_MAX / 2 - o : octets < -INT64_MAX / 2 - o)
			return false;
		octets += o;
		messages += m;
	}
	if (lines == 0 || octets < 0 || messages < 0)
		return false;
	out->octets = (uint64_t)octets;
	out->messages = (uint64_t)messages;
	return true;
}

/* What the file says; *again: it is short and fresh enough to be believed even when it says "full". */
static bool file_read(
	const struct box *b, const struct rs_quota *q, struct rs_quota_use *use, bool *sure)
{
	g_autofree char *text = NULL;
	struct stat st;
	size_t n;

	if (rs_maildir_slurp(&b->m, RS_QUOTA_NAME, FILE_MAX, &text, &n, NULL) < 0 ||
		!rs_quota_parse(rs_slice(text, n), q, use))
		return false;
	*sure = fstatat(b->m.root_fd, RS_QUOTA_NAME, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
		st.st_mtime > time(NULL) - OLD_S && strchr(text, '\n') &&
		strchr(strchr(text, '\n') + 1, '\n') == text + n - 1;
	return true;
}

static int file_make(
	const struct box *b, const struct rs_quota *q, struct rs_quota_use *use, struct rs_err *err)
{
	g_autofree char *head = head_of(q);
	g_autofree char *text = NULL;
	int rc = count_all(b, use, err);

	if (rc < 0)
		return rc;
	text = g_strdup_printf("%s\n%" G_GUINT64_FORMAT " %" G_GUINT64_FORMAT "\n", head,
		use->octets, use->messages);
	return rs_maildir_replace(&b->m, RS_QUOTA_NAME, rs_slice_str(text), false, err);
}

static int file_append(const struct box *b, const char *text, struct rs_err *err)
{
	const struct rs_fs *fs = b->m.fs;
	int fd = fs->create(
		fs->ctx, b->m.root_fd, RS_QUOTA_NAME, O_WRONLY | O_APPEND | O_NOFOLLOW, FILE_MODE);
	ssize_t n = fd < 0 ? fd : fs->write(fs->ctx, fd, text, strlen(text));

	if (fd >= 0)
		(void)fs->close(fs->ctx, fd);
	return n < 0 ? rs_maildir_fail(err, (int)-n, "write", b->m.path, RS_QUOTA_NAME) : 0;
}

/* --- the calls ----------------------------------------------------------------------------- */

static bool over(const struct rs_quota *q, const struct rs_quota_use *use, uint64_t more)
{
	return (q->octets_max && (more > q->octets_max || use->octets > q->octets_max - more)) ||
	       (q->messages_max && use->messages >= q->messages_max);
}

static int use_now(const struct box *b, const struct rs_quota *q, uint64_t more,
	struct rs_quota_use *use, struct rs_err *err)
{
	bool sure = false;

	if (!file_read(b, q, use, &sure) || (over(q, use, more) && !sure))
		return file_make(b, q, use, err);
	return 0;
}

/* What somebody holds: nobody else counts, takes or gives until it is settled. */
struct rs_quota_room {
	struct box box;
	uint64_t octets;
};

static void room_end(struct rs_quota_room **room)
{
	box_close(&(*room)->box);
	g_free(*room);
	*room = NULL;
}

int rs_quota_take(const struct rs_fs *fs, const char *root, const struct rs_quota *q,
	uint64_t octets, struct rs_quota_room **out, struct rs_err *err)
{
	struct rs_quota_room *room = NULL;
	struct rs_quota_use use;
	char line[64];
	int rc;

	if (!q->octets_max && !q->messages_max) {
		*out = NULL;
		return 0;
	}
	room = g_new0(struct rs_quota_room, 1);
	room->octets = octets;
	rc = box_open(&room->box, fs, root, true, err);
	if (rc == 0)
		rc = use_now(&room->box, q, octets, &use, err);
	if (rc == 0 && over(q, &use, octets))
		rc = rs_err_set(err, RS_ELIMIT,
			"over quota: %s holds %" G_GUINT64_FORMAT " octets in %" G_GUINT64_FORMAT
			" messages, and %" G_GUINT64_FORMAT " more do not fit",
			root, use.octets, use.messages, octets);
	(void)snprintf(line, sizeof(line), "%" G_GUINT64_FORMAT " 1\n", octets);
	if (rc ==
		0) /* before the message is there: what a crash leaves is too much, never too little */
		rc = file_append(&room->box, line, err);
	if (rc < 0)
		room_end(&room);
	else
		*out = room;
	return rc;
}

static void give(const struct box *b, struct rs_quota_use gone)
{
	char line[64];

	(void)snprintf(line, sizeof(line), "-%" G_GUINT64_FORMAT " -%" G_GUINT64_FORMAT "\n",
		gone.octets, gone.messages);
	if (gone.messages && faccessat(b->m.root_fd, RS_QUOTA_NAME, F_OK, 0) == 0)
		(void)file_append(b, line, NULL); /* else it is counted anew some day */
}

void rs_quota_settle(struct rs_quota_room **room, bool published)
{
	if (!*room)
		return;
	if (!published)
		give(&(*room)->box,
			(struct rs_quota_use){.octets = (*room)->octets, .messages = 1});
	room_end(room);
}

struct rs_quota_room *rs_quota_remove_begin(const struct rs_fs *fs, const char *root)
{
	g_autofree char *file = g_build_filename(root, RS_QUOTA_NAME, NULL);
	struct rs_quota_room *room;

	if (access(file, F_OK) != 0)
		return NULL;
	room = g_new0(struct rs_quota_room, 1);
	if (box_open(&room->box, fs, root, true, NULL) < 0)
		room_end(&room);
	return room;
}

void rs_quota_remove_end(struct rs_quota_room **room, struct rs_quota_use gone)
{
	if (!*room)
		return;
	give(&(*room)->box, gone);
	room_end(room);
}

int rs_quota_used(const struct rs_fs *fs, const char *root, const struct rs_quota *q, bool count,
	struct rs_quota_use *out, struct rs_err *err)
{
	struct rs_quota_use use;
	bool sure;
	struct box b;
	int rc = box_open(&b, fs, root, false, err);

	if (rc == 0 &&
		(count || !(q->octets_max || q->messages_max) || !file_read(&b, q, &use, &sure)))
		rc = count_all(&b, &use, err);
	box_close(&b);
	if (rc == 0)
		*out = use;
	return rc;
}

int rs_quota_rebuild(const struct rs_fs *fs, const char *root, const struct rs_quota *q,
	bool *changed, struct rs_err *err)
{
	struct rs_quota_use told = {.octets = UINT64_MAX};
	struct rs_quota_use use;
	struct box b;
	bool sure;
	int rc;

	*changed = false;
	if (!q->octets_max && !q->messages_max)
		return 0;
	rc = box_open(&b, fs, root, true, err);
	if (rc == 0) {
		(void)file_read(&b, q, &told, &sure);
		rc = file_make(&b, q, &use, err);
	}
	box_close(&b);
	if (rc == 0)
		*changed = told.octets != use.octets || told.messages != use.messages;
	return rc;
}
