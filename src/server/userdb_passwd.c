/* userdb_passwd.c - the passwd-file: see userdb.h. Read whole into one table; read again when the
 * file has changed. A file that became wrong is told once and the old table stays in use. */
#include "server/userdb.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "server/mailbox.h"

#define PREFIX     "passwd-file:"
#define FIELDS_MAX 8

struct rs_userdb {
	char *path;
	GHashTable *users; /* name -> struct rs_user */
	struct timespec mtime;
	off_t size;
	ino_t inode;
};

static void user_free(gpointer p)
{
	struct rs_user *u = p;

	rs_wipe(u->password, strlen(u->password));
	g_free(u->name);
	g_free(u->password);
	g_free(u->maildir);
	g_free(u->rules);
	g_free(u);
}

/* --- one line ------------------------------------------------------------------------------ */

static const char *extra(struct rs_user *u, const char *field)
{
	const char *eq = strchr(field, '=');
	g_autofree char *key = g_strndup(field, eq ? (gsize)(eq - field) : strlen(field));
	const char *value = eq ? eq + 1 : "";
	const char *name = g_str_has_prefix(key, "userdb_") ? key + 7 : key;

	if (rs_rules_is_key(name)) {
		return rs_user_rule_add(u, name, value);
	} else if (strcmp(name, "maildir") == 0) {
		if (value[0] != '/')
			return "maildir= is not an absolute path";
		g_free(u->maildir);
		u->maildir = g_strdup(value);
	} else if (strcmp(name, "pop3") == 0) {
		u->pop3 = strcmp(value, "no") != 0;
	} else if (strcmp(name, "smtp") == 0) {
		u->smtp = strcmp(value, "no") != 0;
	} else if (strcmp(name, "disabled") == 0 || strcmp(name, "nologin") == 0) {
		u->disabled = strcmp(value, "no") != 0;
	}
	return NULL; /* other keys are Dovecot's and none of our business */
}

static const char *parse_line(const char *line, struct rs_user **out)
{
	g_auto(GStrv) f = g_strsplit(line, ":", FIELDS_MAX);
	guint n = g_strv_length(f);
	g_auto(GStrv) keys = n == FIELDS_MAX ? g_strsplit(f[FIELDS_MAX - 1], " ", -1) : NULL;
	struct rs_user *u;
	char name[256];
	const char *why = NULL;

	if (n < 2)
		return "user:password is wanted";
	if (rs_user_name_clean(rs_slice_str(f[0]), name) < 0)
		return "that cannot be a user name";
	u = g_new0(struct rs_user, 1);
	u->name = g_strdup(name);
	u->password = g_strdup(f[1]);
	u->pop3 = u->smtp = TRUE;
	for (char **k = keys; k && *k && !why; k++)
		why = **k ? extra(u, *k) : NULL;
	if (why)
		user_free(u);
	else
		*out = u;
	return why;
}

static bool is_user_line(const char *line)
{
	return *line && *line != '#';
}

/* --- the file ------------------------------------------------------------------------------ */

static int read_file(const char *path, GHashTable **out, struct rs_err *err)
{
	g_autoptr(GHashTable) users =
		g_hash_table_new_full(g_str_hash, g_str_equal, NULL, user_free);
	g_autoptr(GError) error = NULL;
	g_autofree char *text = NULL;
	guint line_n = 0;
	gsize n;

	if (!g_file_get_contents(path, &text, &n, &error))
		return rs_err_set(err, RS_ECONFIG, "cannot read the users: %s", error->message);
	for (char *line = text, *next; line; line = next) {
		struct rs_user *u;
		const char *why;

		next = strchr(line, '\n');
		if (next)
			*next++ = '\0';
		line_n++;
		g_strchomp(line);
		if (!is_user_line(line))
			continue;
		why = parse_line(line, &u);
		if (why)
			return rs_err_set(err, RS_ECONFIG, "%s:%u: %s", path, line_n, why);
		if (!g_hash_table_replace(users, u->name, u))
			return rs_err_set(
				err, RS_ECONFIG, "%s:%u: this user is there already", path, line_n);
	}
	*out = g_steal_pointer(&users);
	return 0;
}

static bool changed(const struct rs_userdb *db, const struct stat *st)
{
	return st->st_size != db->size || st->st_ino != db->inode ||
	       st->st_mtim.tv_sec != db->mtime.tv_sec || st->st_mtim.tv_nsec != db->mtime.tv_nsec;
}

int rs_userdb_refresh(struct rs_userdb *db, struct rs_err *err)
{
	GHashTable *users;
	struct stat st;
	int rc;

	if (stat(db->path, &st) < 0)
		return rs_err_set(err, RS_ECONFIG, "cannot read the users: %s: %s", db->path,
			g_strerror(errno));
	if (db->users && !changed(db, &st))
		return 0;
	db->size = st.st_size;
	db->inode = st.st_ino;
	db->mtime = st.st_mtim;
	rc = read_file(db->path, &users, err);
	if (rc < 0)
		return rc;
	if (db->users)
		g_hash_table_unref(db->users);
	db->users = users;
	return 0;
}

static const char *path_of(const char *spec)
{
	return g_str_has_prefix(spec, PREFIX) ? spec + strlen(PREFIX) : NULL;
}

int rs_userdb_open(const char *spec, struct rs_userdb **out, struct rs_err *err)
{
	struct rs_userdb *db;
	int rc;

	if (!path_of(spec))
		return rs_err_set(
			err, RS_ECONFIG, "[auth] users: '%s' is not passwd-file:/PATH", spec);
	db = g_new0(struct rs_userdb, 1);
	db->path = g_strdup(path_of(spec));
	rc = rs_userdb_refresh(db, err);
	if (rc < 0)
		rs_userdb_destroy(&db);
	else
		*out = db;
	return rc;
}

void rs_userdb_destroy(struct rs_userdb **db)
{
	if (!*db)
		return;
	if ((*db)->users)
		g_hash_table_unref((*db)->users);
	g_free((*db)->path);
	g_free(*db);
	*db = NULL;
}

const struct rs_user *rs_userdb_find(struct rs_userdb *db, const char *name)
{
	return g_hash_table_lookup(db->users, name);
}

static int by_name(gconstpointer a, gconstpointer b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

void rs_userdb_each(struct rs_userdb *db, void (*fn)(void *arg, const struct rs_user *u), void *arg)
{
	guint n;
	g_autofree gpointer *names = g_hash_table_get_keys_as_array(db->users, &n);

	qsort(names, n, sizeof(*names), by_name);
	for (guint i = 0; i < n; i++)
		fn(arg, g_hash_table_lookup(db->users, names[i]));
}

/* --- changing ------------------------------------------------------------------------------ */

static int fail(struct rs_err *err, const char *doing, const char *path)
{
	return rs_err_set(err, rs_err_kind_of_errno(errno), "cannot %s %s: %s", doing, path,
		g_strerror(errno));
}

/* One writer at a time, over all processes. *fd is closed by the caller. */
static int lock_file(const char *path, int *fd, struct rs_err *err)
{
	g_autofree char *name = g_strdup_printf("%s.lock", path);
	struct flock whole = {.l_type = F_WRLCK, .l_whence = SEEK_SET};

	*fd = open(name, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (*fd < 0)
		return fail(err, "lock", name);
	if (fcntl(*fd, F_OFD_SETLKW, &whole) == 0)
		return 0;
	close(*fd);
	return fail(err, "lock", name);
}

/* Owner and mode of the old file stay. */
static int write_new(const char *tmp, const char *path, const GString *text)
{
	struct stat st;
	int fd = open(tmp, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
	int rc = fd < 0 ? -1 : 0;

	if (rc == 0 && stat(path, &st) == 0) {
		rc = fchmod(fd, st.st_mode & 07777);
		if (rc == 0 && geteuid() == 0)
			rc = fchown(fd, st.st_uid, st.st_gid);
	}
	for (size_t at = 0; rc == 0 && at < text->len;) {
		ssize_t n = write(fd, text->str + at, text->len - at);

		if (n < 0)
			rc = -1;
		else
			at += (size_t)n;
	}
	if (rc == 0)
		rc = fsync(fd);
	if (fd >= 0)
		close(fd);
	return rc;
}

static int sync_dir_of(const char *path)
{
	g_autofree char *dir = g_path_get_dirname(path);
	int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int rc = fd < 0 ? -1 : fsync(fd);

	if (fd >= 0)
		close(fd);
	return rc;
}

static int replace(const char *path, const GString *text, struct rs_err *err)
{
	g_autofree char *tmp = g_strdup_printf("%s.tmp", path);

	if (write_new(tmp, path, text) < 0 || rename(tmp, path) < 0) {
		int rc = fail(err, "write", path);

		(void)unlink(tmp);
		return rc;
	}
	return sync_dir_of(path) < 0 ? fail(err, "make durable", path) : 0;
}

static bool line_is(const char *line, const char *name)
{
	g_autofree char *user = g_strndup(line, strcspn(line, ":"));
	char clean[256];

	return is_user_line(line) && rs_user_name_clean(rs_slice_str(user), clean) == 0 &&
	       strcmp(clean, name) == 0;
}

/* The file's text without the line of `name`; *found says whether there was one. A file that is there
 * and cannot be read is an error: it would be replaced by what was not read. */
static int text_without(
	const char *path, const char *name, GString *text, bool *found, struct rs_err *err)
{
	g_autoptr(GError) error = NULL;
	g_autofree char *old = NULL;
	g_auto(GStrv) lines = NULL;

	*found = false;
	if (!g_file_get_contents(path, &old, NULL, &error)) {
		if (g_error_matches(error, G_FILE_ERROR, G_FILE_ERROR_NOENT))
			return 0; /* not there yet */
		return rs_err_set(err, RS_EIO, "cannot read the users: %s", error->message);
	}
	lines = g_strsplit(old, "\n", -1);
	for (char **l = lines; *l; l++) {
		if (line_is(*l, name))
			*found = true;
		else if (**l || l[1])
			g_string_append_printf(text, "%s\n", *l);
	}
	return 0;
}

/* add: `password` is the field; NULL removes. */
static int change(const char *spec, const char *name, const char *password, struct rs_err *err)
{
	const char *path = path_of(spec);
	g_autoptr(GString) text = g_string_new(NULL);
	bool found;
	int lock;
	int rc;

	if (!path)
		return rs_err_set(
			err, RS_ECONFIG, "[auth] users: '%s' is not passwd-file:/PATH", spec);
	if (password && strpbrk(password, ":\r\n"))
		return rs_err_set(err, RS_EINVAL,
			"a ':' or a line end cannot stand in the users file: hash the password");
	rc = lock_file(path, &lock, err);
	if (rc < 0)
		return rc;
	rc = text_without(path, name, text, &found, err);
	if (rc < 0) {
		close(lock);
		return rc;
	}
	if (password && found)
		rc = rs_err_set(err, RS_EEXIST, "%s is there already", name);
	else if (!password && !found)
		rc = rs_err_set(err, RS_ENOENT, "there is no user %s", name);
	if (password)
		g_string_append_printf(text, "%s:%s::::::\n", name, password);
	if (rc == 0)
		rc = replace(path, text, err);
	close(lock);
	return rc;
}

int rs_userdb_add(const char *spec, const char *name, const char *password, struct rs_err *err)
{
	return change(spec, name, password, err);
}

int rs_userdb_remove(const char *spec, const char *name, struct rs_err *err)
{
	return change(spec, name, NULL, err);
}
