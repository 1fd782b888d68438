/* import.c - see import.h: what was found as values, and how a source is recognised. */
#include "client/import_priv.h"

#include <stdarg.h>
#include <string.h>

#include "client/places.h"
#include "client/text.h"

static const char *const kind_names[RS_IMPORT_KIND_N] = {
	NULL, "thunderbird", "fetchmail", "getmail", "mpop", "claws", "mbox", "mboxo", "maildir"};

const char *rs_import_kind_name(enum rs_import_kind kind)
{
	return kind < RS_IMPORT_KIND_N ? kind_names[kind] : NULL;
}

enum rs_import_kind rs_import_kind_find(const char *name)
{
	for (int k = RS_IMPORT_ANY + 1; k < RS_IMPORT_KIND_N; k++) {
		if (g_ascii_strcasecmp(name, kind_names[k]) == 0)
			return (enum rs_import_kind)k;
	}
	return g_ascii_strcasecmp(name, "sylpheed") == 0 ? RS_IMPORT_CLAWS : RS_IMPORT_ANY;
}

/* --- values ----------------------------------------------------------------------------------- */

static void uid_clear(gpointer p)
{
	g_free(((struct rs_import_uid *)p)->uid);
}

static void account_free(gpointer p)
{
	struct rs_import_account *a = p;

	rs_account_free(a->account);
	rs_secret_destroy(&a->password);
	g_array_unref(a->uids);
	g_free(a->uids_file);
	g_ptr_array_unref(a->notes);
	g_free(a);
}

static void box_free(gpointer p)
{
	struct rs_import_box *b = p;

	g_free(b->path);
	g_free(b->folder);
	g_free(b->host);
	g_free(b->user);
	g_free(b);
}

struct rs_import *import_new(enum rs_import_kind kind)
{
	struct rs_import *i = g_new0(struct rs_import, 1);

	i->kind = kind;
	i->accounts = g_ptr_array_new_with_free_func(account_free);
	i->boxes = g_ptr_array_new_with_free_func(box_free);
	i->notes = g_ptr_array_new_with_free_func(g_free);
	return i;
}

void rs_import_free(struct rs_import *i)
{
	if (!i)
		return;
	g_ptr_array_unref(i->accounts);
	g_ptr_array_unref(i->boxes);
	g_ptr_array_unref(i->notes);
	g_free(i);
}

struct rs_import_account *import_account_add(struct rs_import *i)
{
	struct rs_import_account *a = g_new0(struct rs_import_account, 1);

	a->account = rs_account_new();
	a->uids = g_array_new(FALSE, FALSE, sizeof(struct rs_import_uid));
	g_array_set_clear_func(a->uids, uid_clear);
	a->notes = g_ptr_array_new_with_free_func(g_free);
	g_ptr_array_add(i->accounts, a);
	return a;
}

struct rs_import_box *import_box_add(
	struct rs_import *i, const char *path, const char *folder, enum rs_import_kind form)
{
	struct rs_import_box *b = g_new0(struct rs_import_box, 1);

	b->path = g_strdup(path);
	b->folder = g_strdup(folder);
	b->form = form;
	g_ptr_array_add(i->boxes, b);
	return b;
}

void import_note(GPtrArray *notes, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	g_ptr_array_add(notes, g_strdup_vprintf(fmt, ap));
	va_end(ap);
}

void import_set(struct rs_import_account *a, const char *key, const char *value)
{
	struct rs_err why;

	if (value && *value && rs_account_set(a->account, key, value, &why) < 0)
		import_note(a->notes, "%s = %s: %s", key, value, why.text);
}

void import_server(struct rs_import_account *a, const char *key, const char *host, guint port)
{
	bool bare = host && strchr(host, ':') && host[0] != '[';
	g_autofree char *where = NULL;

	if (!host || !*host)
		return;
	where = port ? g_strdup_printf(bare ? "[%s]:%u" : "%s:%u", host, port)
		     : g_strdup_printf(bare ? "[%s]" : "%s", host);
	import_set(a, key, where);
}

static bool is_here(const char *host)
{
	return strcmp(host, "localhost") == 0 || strcmp(host, "::1") == 0 ||
	       g_str_has_prefix(host, "127.");
}

void import_security(
	struct rs_import_account *a, const char *key, const char *host, enum rs_security found)
{
	static const char *const names[] = {"tls", "starttls", "none"};

	if (found == RS_SECURITY_NONE && host && !is_here(host)) {
		import_note(a->notes,
			_("it went to %s without TLS; here STARTTLS is demanded (where the server "
			  "has none: restante account edit NAME --security none)"),
			host);
		found = RS_SECURITY_STARTTLS;
	}
	import_set(a, key, names[found]);
}

void import_password(struct rs_import_account *a, const char *text)
{
	rs_secret_destroy(&a->password);
	if (text && *text && rs_secret_create(rs_slice_str(text), &a->password) < 0)
		a->password = NULL;
}

void import_uid(struct rs_import_account *a, const char *uid, gsize n, guint64 fetched_s)
{
	struct rs_import_uid u = {.fetched_s = fetched_s > G_MAXUINT32 ? 0 : (guint32)fetched_s};

	if (!n || n > IMPORT_UID_MAX)
		return;
	for (gsize i = 0; i < n; i++) {
		if ((guchar)uid[i] <= 0x20 || uid[i] == 0x7f)
			return;
	}
	u.uid = g_strndup(uid, n);
	g_array_append_val(a->uids, u);
}

char *import_state_read(struct rs_import_account *a, const char *path, gsize *n)
{
	struct rs_err why;
	char *text = NULL;
	size_t got = 0;
	int rc = rs_file_read(path, IMPORT_STATE_MAX, &text, &got, &why);

	g_free(a->uids_file);
	a->uids_file = g_strdup(path);
	if (rc == 0) {
		*n = got;
		return text;
	}
	if (rc != -RS_ENOENT)
		import_note(a->notes, "%s", why.text);
	return NULL;
}

void import_value_free(gpointer text)
{
	rs_wipe(text, strlen(text));
	g_free(text);
}

char *import_path(const char *text, const char *base)
{
	if (text[0] == '~' && (text[1] == '/' || !text[1]))
		return g_build_filename(g_get_home_dir(), text + 1, NULL);
	return g_canonicalize_filename(text, base);
}

/* --- recognising ------------------------------------------------------------------------------- */

static char *inside(const char *folder, const char *name)
{
	char *path = g_build_filename(folder, name, NULL);

	if (!g_file_test(path, G_FILE_TEST_IS_REGULAR))
		g_clear_pointer(&path, g_free);
	return path;
}

static bool is_maildir(const char *path)
{
	g_autofree char *cur = g_build_filename(path, "cur", NULL);

	return g_file_test(cur, G_FILE_TEST_IS_DIR);
}

/* A folder: the file in it that tells what it is; its kind. */
static enum rs_import_kind look_folder(const char *path, char **file)
{
	static const struct {
		const char *name;
		enum rs_import_kind kind;
	} rows[] = {
		{"prefs.js", RS_IMPORT_THUNDERBIRD},
		{"accountrc", RS_IMPORT_CLAWS},
		{".fetchmailrc", RS_IMPORT_FETCHMAIL},
		{"fetchmailrc", RS_IMPORT_FETCHMAIL},
		{"getmailrc", RS_IMPORT_GETMAIL},
		{".mpoprc", RS_IMPORT_MPOP},
	};

	for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
		*file = inside(path, rows[i].name);
		if (*file)
			return rows[i].kind;
	}
	return is_maildir(path) ? RS_IMPORT_MAILDIR : RS_IMPORT_ANY;
}

static bool has_word(const char *text, const char *word)
{
	for (const char *at = text; (at = strstr(at, word)); at++) {
		bool begins = at == text || !g_ascii_isalnum(at[-1]);

		if (begins && !g_ascii_isalnum(at[strlen(word)]))
			return true;
	}
	return false;
}

/* A file: by its name, else by its text. */
static enum rs_import_kind look_file(const char *path, const char *text)
{
	g_autofree char *base = g_path_get_basename(path);

	if (g_str_has_prefix(text, "From ") || g_str_has_suffix(base, ".mbox"))
		return RS_IMPORT_MBOX;
	if (strcmp(base, "prefs.js") == 0)
		return RS_IMPORT_THUNDERBIRD;
	if (strcmp(base, "accountrc") == 0 || strstr(text, "[Account: "))
		return RS_IMPORT_CLAWS;
	if (strstr(text, "[retriever]"))
		return RS_IMPORT_GETMAIL;
	if (has_word(text, "poll") || g_str_has_suffix(base, "fetchmailrc"))
		return RS_IMPORT_FETCHMAIL;
	if (has_word(text, "account") || has_word(text, "host") || strstr(base, "mpop"))
		return RS_IMPORT_MPOP;
	return RS_IMPORT_ANY;
}

static int not_known(const char *path, struct rs_err *err)
{
	return rs_err_set(err, RS_EINVAL,
		_("%s is not to be recognised; say what it is with --from: thunderbird, fetchmail, "
		  "getmail, mpop, claws, sylpheed, mbox, mboxo or maildir"),
		path);
}

static int not_that(const char *path, enum rs_import_kind kind, struct rs_err *err)
{
	return rs_err_set(
		err, RS_EINVAL, _("%s holds nothing of '%s'"), path, rs_import_kind_name(kind));
}

/* --- reading ------------------------------------------------------------------------------------ */

/* Its name as a folder: without the end .mbox. */
static char *box_name(const char *path)
{
	char *name = g_path_get_basename(path);

	if (g_str_has_suffix(name, ".mbox") && strlen(name) > 5)
		name[strlen(name) - 5] = '\0';
	return name;
}

static int read_config(struct rs_import *i, const char *path, const char *text, struct rs_err *err)
{
	switch (i->kind) {
	case RS_IMPORT_THUNDERBIRD:
		return import_thunderbird(i, path, text, err);
	case RS_IMPORT_FETCHMAIL:
		return import_fetchmail(i, path, text, err);
	case RS_IMPORT_GETMAIL:
		return import_getmail(i, path, text, err);
	case RS_IMPORT_MPOP:
		return import_mpop(i, path, text, err);
	case RS_IMPORT_CLAWS:
		return import_claws(i, path, text, err);
	case RS_IMPORT_ANY:
	case RS_IMPORT_MBOX:
	case RS_IMPORT_MBOXO:
	case RS_IMPORT_MAILDIR:
	case RS_IMPORT_KIND_N:
		break;
	}
	return not_known(path, err);
}

static bool is_mail(enum rs_import_kind kind)
{
	return kind == RS_IMPORT_MBOX || kind == RS_IMPORT_MBOXO || kind == RS_IMPORT_MAILDIR;
}

/* The file's beginning, for recognising it; an mbox may be huge. g_free it. */
static char *beginning(const char *path, struct rs_err *err)
{
	g_autoptr(GFile) file = g_file_new_for_path(path);
	g_autoptr(GError) error = NULL;
	g_autoptr(GFileInputStream) stream = g_file_read(file, NULL, &error);
	char *text = g_malloc0(65536);
	gsize n = 0;

	if (stream &&
		g_input_stream_read_all(G_INPUT_STREAM(stream), text, 65535, &n, NULL, &error))
		return text;
	g_free(text);
	(void)rs_err_set(err,
		g_error_matches(error, G_IO_ERROR, G_IO_ERROR_NOT_FOUND) ? RS_ENOENT : RS_EIO,
		_("cannot read %s: %s"), path, error->message);
	return NULL;
}

static int look(const char *path, enum rs_import_kind kind, struct rs_import *i, struct rs_err *err)
{
	g_autofree char *text = NULL;
	size_t n = 0;
	int rc;

	i->kind = kind;
	if (is_mail(kind)) {
		g_autofree char *name = box_name(path);

		(void)import_box_add(i, path, name, kind);
		return 0;
	}
	rc = rs_file_read(path, IMPORT_CONFIG_MAX, &text, &n, err);
	if (rc == 0 && strlen(text) != n)
		rc = rs_err_set(err, RS_EINVAL, _("%s is not a text file"), path);
	if (rc == 0)
		rc = read_config(i, path, text, err);
	if (text)
		rs_wipe(text, n); /* it may hold passwords */
	if (rc == 0 && !i->accounts->len && !i->boxes->len && !i->notes->len)
		rc = not_that(path, kind, err);
	return rc;
}

/* ~/.getmail has one file an account. */
static int look_getmail_folder(const char *path, struct rs_import *i, struct rs_err *err)
{
	g_autoptr(GDir) dir = g_dir_open(path, 0, NULL);
	const char *name;
	int rc = 0;

	i->kind = RS_IMPORT_GETMAIL;
	while (rc == 0 && dir && (name = g_dir_read_name(dir))) {
		g_autofree char *file = inside(path, name);
		g_autofree char *text = NULL;
		size_t n;

		if (!file || g_str_has_prefix(name, "oldmail-") || g_str_has_suffix(name, "~") ||
			rs_file_read(file, IMPORT_CONFIG_MAX, &text, &n, NULL) < 0)
			continue;
		if (strlen(text) == n && strstr(text, "[retriever]"))
			rc = import_getmail(i, file, text, err);
		rs_wipe(text, n);
	}
	return rc;
}

static int look_in(
	const char *path, enum rs_import_kind kind, struct rs_import *i, struct rs_err *err)
{
	g_autofree char *file = NULL;
	enum rs_import_kind found = look_folder(path, &file);
	int rc;

	if (kind == RS_IMPORT_GETMAIL ||
		(kind == RS_IMPORT_ANY && (found == RS_IMPORT_ANY || found == RS_IMPORT_GETMAIL))) {
		rc = look_getmail_folder(path, i, err);
		if (rc < 0 || i->accounts->len || i->notes->len)
			return rc;
		return kind ? not_that(path, kind, err) : not_known(path, err);
	}
	if (kind == RS_IMPORT_MPOP && !file)
		file = inside(path, "config");
	if (kind && kind != found && !(kind == RS_IMPORT_MPOP && file))
		return not_that(path, kind, err);
	return look(file ? file : path, kind ? kind : found, i, err);
}

int rs_import_look(
	const char *path, enum rs_import_kind kind, struct rs_import **out, struct rs_err *err)
{
	g_autofree char *full = import_path(path, NULL);
	struct rs_import *i = import_new(kind);
	g_autofree char *text = NULL;
	int rc = 0;

	if (g_file_test(full, G_FILE_TEST_IS_DIR)) {
		rc = look_in(full, kind, i, err);
	} else {
		text = beginning(full, err);
		if (!text)
			rc = -(int)err->kind;
		else if (!kind)
			kind = look_file(full, text);
		if (rc == 0)
			rc = kind ? look(full, kind, i, err) : not_known(full, err);
		if (text)
			rs_wipe(text, strlen(text));
	}
	if (rc < 0)
		rs_import_free(i);
	else
		*out = i;
	return rc;
}

/* --- usual places -------------------------------------------------------------------------------- */

static void add_if_there(GPtrArray *paths, char *path)
{
	if (g_file_test(path, G_FILE_TEST_EXISTS))
		g_ptr_array_add(paths, path);
	else
		g_free(path);
}

/* The profiles below it. */
static void add_profiles(GPtrArray *paths, const char *root)
{
	g_autoptr(GDir) dir = g_dir_open(root, 0, NULL);
	const char *name;

	while (dir && (name = g_dir_read_name(dir))) {
		g_autofree char *prefs = g_build_filename(root, name, "prefs.js", NULL);

		if (g_file_test(prefs, G_FILE_TEST_IS_REGULAR))
			g_ptr_array_add(paths, g_build_filename(root, name, NULL));
	}
}

char **rs_import_usual(void)
{
	static const char *const files[] = {".fetchmailrc", ".getmail", ".config/getmail",
		".mpoprc", ".config/mpop/config", ".claws-mail", ".sylpheed-2.0"};
	static const char *const roots[] = {".thunderbird", "snap/thunderbird/common/.thunderbird",
		".var/app/org.mozilla.Thunderbird/.thunderbird"};
	GPtrArray *paths = g_ptr_array_new();

	for (size_t i = 0; i < G_N_ELEMENTS(roots); i++) {
		g_autofree char *root = g_build_filename(g_get_home_dir(), roots[i], NULL);

		add_profiles(paths, root);
	}
	for (size_t i = 0; i < G_N_ELEMENTS(files); i++)
		add_if_there(paths, g_build_filename(g_get_home_dir(), files[i], NULL));
	g_ptr_array_add(paths, NULL);
	return (char **)g_ptr_array_free(paths, FALSE);
}
