/* userdb_edit.c - see userdb_edit.h */
#include "server/userdb_edit.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "server/user_app.h"
#include "server/userdb.h"
#include "server/userdb_int.h"

#define PREFIX   "passwd-file:"
#define FIELDS_N 8u

static const char *path_of(const char *spec)
{
	return g_str_has_prefix(spec, PREFIX) ? spec + strlen(PREFIX) : NULL;
}

/* --- the file ------------------------------------------------------------------------------ */

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

/* --- one line ------------------------------------------------------------------------------ */

struct line {
	char *field[FIELDS_N - 1]; /* user, password, … shell; owned */
	GPtrArray *keys;           /* of char *, owned */
};

static void line_parse(struct line *l, const char *text, size_t n)
{
	g_autofree char *copy = g_strndup(text, n);
	g_auto(GStrv) f = g_strsplit(g_strchomp(copy), ":", (gint)FIELDS_N);
	guint fields_n = g_strv_length(f);
	g_auto(GStrv) keys = fields_n == FIELDS_N ? g_strsplit(f[FIELDS_N - 1], " ", -1) : NULL;

	for (unsigned i = 0; i < FIELDS_N - 1; i++)
		l->field[i] = g_strdup(i < fields_n ? f[i] : "");
	l->keys = g_ptr_array_new_with_free_func(g_free);
	for (char **k = keys; k && *k; k++) {
		if (**k)
			g_ptr_array_add(l->keys, g_strdup(*k));
	}
}

static void line_finish(struct line *l)
{
	for (unsigned i = 0; i < FIELDS_N - 1; i++)
		g_free(l->field[i]);
	g_ptr_array_unref(l->keys);
}

static void line_print(const struct line *l, GString *to)
{
	for (unsigned i = 0; i < FIELDS_N - 1; i++)
		g_string_append_printf(to, "%s:", l->field[i]);
	for (guint i = 0; i < l->keys->len; i++)
		g_string_append_printf(
			to, "%s%s", i ? " " : "", (const char *)g_ptr_array_index(l->keys, i));
	g_string_append_c(to, '\n');
}

/* What follows "key=" in the `i`th key of the line, "" for a key alone; NULL: it is another key. */
static const char *key_value(const struct line *l, guint i, const char *key)
{
	const char *text = g_ptr_array_index(l->keys, i);
	size_t n = strlen(key);

	if (g_str_has_prefix(text, "userdb_"))
		text += 7;
	if (strncmp(text, key, n) != 0 || (text[n] && text[n] != '='))
		return NULL;
	return text[n] ? text + n + 1 : text + n;
}

/* Would the user file be in order with this key in it, and mean something? A ':' in a value is no
 * divider: the keys are the last field. */
static int key_check(const char *key, struct rs_err *err)
{
	struct rs_user *u = g_new0(struct rs_user, 1);
	g_auto(GStrv) parts = g_strsplit(key, "=", 2);
	const char *why = strpbrk(key, " \t\r\n") || !parts[0] || !*parts[0]
				  ? "is not key=value without blanks"
				  : rs_user_set(u, parts[0], parts[1] ? parts[1] : "");

	if (!why && !rs_user_key_known(parts[0]))
		why = "is no key of an account (restanted.conf(5), [auth] users)";
	rs_user_free(u);
	return why ? rs_err_set(err, RS_EINVAL, "'%s' of a user: %s", key, why) : 0;
}

/* --- the line in its file ------------------------------------------------------------------ */

/* What is done to the line of one user. 0, or an error: then the file stays as it is. */
typedef int (*edit_fn)(struct line *l, const void *arg, struct rs_err *err);

enum edit_kind { EDIT_ADD, EDIT_CHANGE, EDIT_REMOVE };

struct edit {
	enum edit_kind kind;
	edit_fn fn; /* not of REMOVE */
	const void *arg;
};

/* Is this the line of `name`? */
static bool line_is(const char *line, size_t n, const char *name)
{
	const char *colon = memchr(line, ':', n);
	char clean[256];

	return colon && *line != '#' &&
	       rs_user_name_clean(rs_slice(line, (size_t)(colon - line)), clean) == 0 &&
	       strcmp(clean, name) == 0;
}

/* Where the line of `name` is in `text`, up to and with its line end; false: it has none. */
static bool find_line(const char *text, const char *name, size_t *from, size_t *to)
{
	for (const char *line = text, *next; *line; line = next) {
		const char *stop = strchr(line, '\n');

		next = stop ? stop + 1 : line + strlen(line);
		if (line_is(line, (size_t)(next - line), name)) {
			*from = (size_t)(line - text);
			*to = (size_t)(next - text);
			return true;
		}
	}
	return false;
}

static int edit_text(GString *text, const char *name, const struct edit *e, struct rs_err *err)
{
	g_autoptr(GString) made = g_string_new(NULL);
	struct line l = {.keys = NULL};
	size_t from = text->len;
	size_t to = text->len;
	bool found = find_line(text->str, name, &from, &to);
	int rc = 0;

	if (found && e->kind == EDIT_ADD)
		return rs_err_set(err, RS_EEXIST, "%s is there already", name);
	if (!found && e->kind != EDIT_ADD)
		return rs_err_set(err, RS_ENOENT, "there is no user %s", name);
	if (e->kind == EDIT_REMOVE) {
		g_string_erase(text, (gssize)from, (gssize)(to - from));
		return 0;
	}
	if (!found && text->len && text->str[text->len - 1] != '\n')
		g_string_append_c(made, '\n');
	line_parse(&l, found ? text->str + from : name, found ? to - from : strlen(name));
	rc = e->fn(&l, e->arg, err);
	if (rc == 0) {
		line_print(&l, made);
		g_string_erase(text, (gssize)from, (gssize)(to - from));
		g_string_insert_len(text, (gssize)from, made->str, (gssize)made->len);
	}
	rs_wipe(made->str, made->len);
	line_finish(&l);
	return rc;
}

/* A file that is there and cannot be read is an error: it would be replaced by what was not read. */
static int read_text(const char *path, GString *text, struct rs_err *err)
{
	g_autoptr(GError) error = NULL;
	g_autofree char *old = NULL;
	gsize n;

	if (!g_file_get_contents(path, &old, &n, &error)) {
		if (g_error_matches(error, G_FILE_ERROR, G_FILE_ERROR_NOENT))
			return 0; /* not there yet */
		return rs_err_set(err, RS_EIO, "cannot read the users: %s", error->message);
	}
	if (strlen(old) != n)
		return rs_err_set(err, RS_EINVAL, "%s: a NUL is in it", path);
	g_string_append_len(text, old, (gssize)n);
	rs_wipe(old, n);
	return 0;
}

static int edit(const char *spec, const char *name, const struct edit *e, struct rs_err *err)
{
	const char *path = path_of(spec);
	g_autoptr(GString) text = g_string_new(NULL);
	int lock;
	int rc;

	if (!path)
		return rs_err_set(err, RS_ECONFIG,
			"[auth] users: %s is not passwd-file:/PATH; users of another database are "
			"changed there",
			spec);
	rc = lock_file(path, &lock, err);
	if (rc < 0)
		return rc;
	rc = read_text(path, text, err);
	if (rc == 0)
		rc = edit_text(text, name, e, err);
	if (rc == 0)
		rc = replace(path, text, err);
	rs_wipe(text->str, text->len);
	close(lock);
	return rc;
}

/* --- the changes --------------------------------------------------------------------------- */

static int put_password(struct line *l, const void *arg, struct rs_err *err)
{
	const char *field = arg;

	if (strpbrk(field, ":\r\n"))
		return rs_err_set(err, RS_EINVAL,
			"a ':' or a line end cannot stand in the users file: hash the password");
	g_free(l->field[1]);
	l->field[1] = g_strdup(field);
	return 0;
}

struct added {
	const char *password;
	char *const *keys;
};

static int put_new(struct line *l, const void *arg, struct rs_err *err)
{
	const struct added *a = arg;
	int rc = put_password(l, a->password, err);

	for (char *const *k = a->keys; k && *k && rc == 0; k++) {
		rc = key_check(*k, err);
		g_ptr_array_add(l->keys, g_strdup(*k));
	}
	return rc;
}

int rs_userdb_add(const char *spec, const char *name, const char *password_field, char *const *keys,
	struct rs_err *err)
{
	struct added a = {.password = password_field, .keys = keys};

	return edit(spec, name, &(struct edit){.kind = EDIT_ADD, .fn = put_new, .arg = &a}, err);
}

int rs_userdb_remove(const char *spec, const char *name, struct rs_err *err)
{
	return edit(spec, name, &(struct edit){.kind = EDIT_REMOVE}, err);
}

int rs_userdb_set_password(
	const char *spec, const char *name, const char *password_field, struct rs_err *err)
{
	struct edit e = {.kind = EDIT_CHANGE, .fn = put_password, .arg = password_field};

	return edit(spec, name, &e, err);
}

static void take_key(struct line *l, const char *key)
{
	for (guint i = l->keys->len; i-- > 0;) {
		if (key_value(l, i, key))
			g_ptr_array_remove_index(l->keys, i);
	}
}

static int put_key(struct line *l, const char *text, struct rs_err *err)
{
	g_auto(GStrv) parts = g_strsplit(text, "=", 2);
	bool take = parts[0] && parts[1] && !*parts[1];
	int rc = 0;

	if (!parts[0] || !parts[1])
		return rs_err_set(err, RS_EINVAL, "'%s' is not KEY=VALUE", text);
	if (strcmp(parts[0], "app") == 0)
		return rs_err_set(err, RS_EINVAL,
			"app passwords are made by user password --app and ended by --revoke");
	if (strcmp(parts[0], "disabled") == 0 || strcmp(parts[0], "nologin") == 0)
		return rs_err_set(err, RS_EINVAL, "that is what user disable and user enable do");
	if (!take || !rs_user_key_known(parts[0]))
		rc = key_check(text, err);
	if (rc < 0)
		return rc;
	take_key(l, parts[0]);
	if (!take)
		g_ptr_array_add(l->keys, g_strdup(text));
	return 0;
}

static int put_keys(struct line *l, const void *arg, struct rs_err *err)
{
	int rc = 0;

	for (char *const *k = arg; *k && rc == 0; k++)
		rc = put_key(l, *k, err);
	return rc;
}

int rs_userdb_set_keys(const char *spec, const char *name, char *const *keys, struct rs_err *err)
{
	return edit(
		spec, name, &(struct edit){.kind = EDIT_CHANGE, .fn = put_keys, .arg = keys}, err);
}

struct disabling {
	bool disabled;
	bool *was;
};

static int put_disabled(struct line *l, const void *arg, struct rs_err *err)
{
	const struct disabling *d = arg;

	*d->was = false;
	for (guint i = l->keys->len; i-- > 0;) {
		const char *a = key_value(l, i, "nologin");
		const char *b = key_value(l, i, "disabled");

		if (!a && !b)
			continue;
		*d->was = *d->was || strcmp(a ? a : b, "no") != 0;
		g_ptr_array_remove_index(l->keys, i);
	}
	if (d->disabled)
		g_ptr_array_add(l->keys, g_strdup("nologin"));
	return 0;
}

int rs_userdb_set_disabled(
	const char *spec, const char *name, bool disabled, bool *was, struct rs_err *err)
{
	struct disabling d = {.disabled = disabled, .was = was};
	struct edit e = {.kind = EDIT_CHANGE, .fn = put_disabled, .arg = &d};

	return edit(spec, name, &e, err);
}

/* The app password of the name that `text` begins with; false: none. */
static bool find_app(const struct line *l, const char *text, guint *at, guint *apps_n)
{
	size_t n = strcspn(text, ",");
	bool found = false;

	*apps_n = 0;
	for (guint i = 0; i < l->keys->len; i++) {
		const char *app = key_value(l, i, "app");

		if (!app)
			continue;
		(*apps_n)++;
		if (strcspn(app, ",") == n && strncmp(app, text, n) == 0) {
			found = true;
			*at = i;
		}
	}
	return found;
}

static int put_app(struct line *l, const void *arg, struct rs_err *err)
{
	const char *text = arg;
	guint apps_n;
	guint at;

	if (find_app(l, text, &at, &apps_n))
		return rs_err_set(err, RS_EEXIST,
			"%s has an app password '%.*s' already; revoke it first, or take another "
			"name",
			l->field[0], (int)strcspn(text, ","), text);
	if (apps_n >= RS_APPS_MAX)
		return rs_err_set(err, RS_ELIMIT, "%s has %u app passwords, more cannot be",
			l->field[0], apps_n);
	g_ptr_array_add(l->keys, g_strconcat("app=", text, NULL));
	return 0;
}

int rs_userdb_app_add(const char *spec, const char *name, const char *text, struct rs_err *err)
{
	return edit(
		spec, name, &(struct edit){.kind = EDIT_CHANGE, .fn = put_app, .arg = text}, err);
}

static int take_app(struct line *l, const void *arg, struct rs_err *err)
{
	const char *app = arg;
	guint apps_n;
	guint at;

	if (!find_app(l, app, &at, &apps_n))
		return rs_err_set(err, RS_ENOENT, "%s has no app password '%s'", l->field[0], app);
	g_ptr_array_remove_index(l->keys, at);
	return 0;
}

int rs_userdb_app_remove(const char *spec, const char *name, const char *app, struct rs_err *err)
{
	return edit(
		spec, name, &(struct edit){.kind = EDIT_CHANGE, .fn = take_app, .arg = app}, err);
}
