/* library.c - see library.h. Folders and their listings, names for people, marks.
 * A folder is opened when it is first needed; what is known of its messages lives only as long as
 * one listing. */
#include "client/library.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "client/clean.h"
#include "client/header.h"
#include "client/places.h"
#include "client/text.h"
#include "maildir/maildir.h"

#define HEAD_FIRST 4096u  /* most headers fit */
#define HEAD_MAX   65536u /* what lies behind is not looked at for a listing */
#define LAST_MAX   (64u * 1024 * 1024)

struct folder {
	char *name;
	char *path;
	bool may_miss;             /* the inbox of an account: not there means empty */
	struct rs_maildir *opened; /* NULL before its first use */
};

struct rs_library {
	const struct rs_places *places;
	const GPtrArray *accounts;
	GPtrArray *folders; /* struct folder */
};

static void folder_free(void *p)
{
	struct folder *f = p;

	rs_maildir_destroy(&f->opened);
	g_free(f->name);
	g_free(f->path);
	g_free(f);
}

/* Its place; a path is there once only. */
static guint folder_add(struct rs_library *l, const char *name, const char *path, bool may_miss)
{
	struct folder *f;

	for (guint i = 0; i < l->folders->len; i++) {
		f = l->folders->pdata[i];
		if (strcmp(f->path, path) == 0)
			return i;
	}
	f = g_new0(struct folder, 1);
	f->name = rs_clean_line(name);
	f->path = g_strdup(path);
	f->may_miss = may_miss;
	g_ptr_array_add(l->folders, f);
	return l->folders->len - 1;
}

int rs_library_open(const struct rs_places *p, const GPtrArray *accounts, struct rs_library **out,
	struct rs_err *err)
{
	struct rs_library *l = g_new0(struct rs_library, 1);

	rs_mime_init();
	l->places = p;
	l->accounts = accounts;
	l->folders = g_ptr_array_new_with_free_func(folder_free);
	for (guint i = 0; i < accounts->len; i++) {
		const struct rs_account *a = accounts->pdata[i];

		(void)folder_add(l, a->name, a->maildir, true);
	}
	*out = l;
	return 0;
}

void rs_library_close(struct rs_library **l)
{
	if (!*l)
		return;
	g_ptr_array_unref((*l)->folders);
	g_free(*l);
	*l = NULL;
}

static int folder_open(struct folder *f, struct rs_err *err)
{
	return f->opened ? 0 : rs_maildir_open(rs_fs_posix(), f->path, 0, &f->opened, err);
}

/* --- one message ----------------------------------------------------------------------------- */

void rs_entry_free(struct rs_entry *e)
{
	if (!e)
		return;
	g_free(e->file);
	g_free(e->from);
	g_free(e->from_address);
	g_free(e->to);
	g_free(e->subject);
	g_free(e->message_id);
	g_free(e);
}

static void entry_free(void *e)
{
	rs_entry_free(e);
}

/* Consonants only: no digits (those are numbers), no words by chance. */
static const char letters[] = "bcdfghjkmnpqrstvwxz";

static void id_make(struct rs_slice unique, char id[RS_ENTRY_ID_N + 1])
{
	g_autoptr(GChecksum) sum = g_checksum_new(G_CHECKSUM_SHA256);
	guint8 digest[32];
	gsize digest_n = sizeof(digest);
	guint64 v = 0;

	g_checksum_update(sum, unique.p, (gssize)unique.n);
	g_checksum_get_digest(sum, digest, &digest_n);
	memcpy(&v, digest, sizeof(v));
	v = GUINT64_FROM_LE(v);
	for (guint i = 0; i < RS_ENTRY_ID_N; i++) {
		id[i] = letters[v % (sizeof(letters) - 1)];
		v /= sizeof(letters) - 1;
	}
	id[RS_ENTRY_ID_N] = '\0';
}

static struct rs_entry *entry_new(
	const struct rs_library *l, guint folder_at, const struct rs_maildir_entry *at)
{
	struct rs_entry *e = g_new0(struct rs_entry, 1);
	struct rs_maildir_name name;

	rs_maildir_name_parse(rs_slice_str(at->file), &name);
	id_make(name.unique, e->id);
	e->folder = ((struct folder *)l->folders->pdata[folder_at])->name;
	e->folder_at = folder_at;
	e->file = g_strdup(at->file);
	e->in_new = at->in_new;
	e->unread = at->in_new || rs_slice_find(name.flags, 'S') == name.flags.n;
	e->answered = rs_slice_find(name.flags, 'R') < name.flags.n;
	e->flagged = rs_slice_find(name.flags, 'F') < name.flags.n;
	e->size = name.size == UINT64_MAX ? 0 : name.size;
	e->date_s = (gint64)MIN(name.seconds, G_MAXINT32 * 100ull);
	return e;
}

/* The header of the message at `fd` (up to HEAD_MAX octets of it), owned; *n octets. */
static char *head_read(int fd, gsize *n)
{
	gsize room = HEAD_FIRST;
	char *head = g_malloc(room + 1);

	*n = 0;
	for (;;) {
		ssize_t k = pread(fd, head + *n, room - *n, (off_t)*n);

		if (k < 0 && errno == EINTR)
			continue;
		if (k <= 0)
			break;
		*n += (gsize)k;
		if (*n == HEAD_MAX || g_strstr_len(head, (gssize)*n, "\n\n") ||
			g_strstr_len(head, (gssize)*n, "\r\n\r\n"))
			break;
		if (*n == room) {
			room = HEAD_MAX;
			head = g_realloc(head, room + 1);
		}
	}
	head[*n] = '\0';
	return head;
}

int rs_library_read(struct rs_library *l, const struct rs_entry *e, struct rs_err *err)
{
	struct folder *f = l->folders->pdata[e->folder_at];
	const struct rs_maildir_entry at = {.file = e->file, .in_new = e->in_new};
	int rc = folder_open(f, err);

	return rc < 0 ? rc : rs_maildir_read_open(f->opened, &at, err);
}

/* Its date. What cannot be read keeps the time of its arrival. */
static void date_fill(struct rs_library *l, struct rs_entry *e)
{
	int fd = rs_library_read(l, e, NULL);
	g_autofree char *head = NULL;
	g_autofree char *date = NULL;
	struct stat st;
	gsize n;

	if (fd < 0)
		return;
	if ((!e->date_s || !e->size) && fstat(fd, &st) == 0) {
		e->date_s = e->date_s ? e->date_s : st.st_mtime;
		e->size = (guint64)st.st_size;
	}
	head = head_read(fd, &n);
	close(fd);
	date = rs_header_get(head, n, "Date");
	e->date_s = rs_header_date(date, e->date_s);
}

static char *field(const char *head, gsize n, const char *name)
{
	g_autofree char *raw = rs_header_get(head, n, name);

	return rs_header_text(raw);
}

void rs_library_fill(struct rs_library *l, struct rs_entry *e)
{
	struct rs_err err;
	int fd = rs_library_read(l, e, &err);
	g_autofree char *head = NULL;
	g_autofree char *from = NULL;
	g_autofree char *to = NULL;
	gsize n = 0;

	if (e->subject) {
		if (fd >= 0)
			close(fd);
		return;
	}
	if (fd >= 0) {
		head = head_read(fd, &n);
		close(fd);
	}
	from = rs_header_get(head ? head : "", n, "From");
	to = rs_header_get(head ? head : "", n, "To");
	e->from = rs_header_person(from, &e->from_address);
	e->to = rs_header_addresses(to);
	e->message_id = field(head ? head : "", n, "Message-ID");
	e->subject = fd >= 0 ? field(head, n, "Subject") : rs_clean_line(err.text);
}

/* --- listings -------------------------------------------------------------------------------- */

static int newest_first(const void *a, const void *b)
{
	const struct rs_entry *x = *(struct rs_entry *const *)a;
	const struct rs_entry *y = *(struct rs_entry *const *)b;

	if (x->date_s != y->date_s)
		return x->date_s < y->date_s ? 1 : -1;
	return -strverscmp(x->file, y->file); /* names of one second count upwards */
}

static int folder_list(struct rs_library *l, guint at, GPtrArray *out, struct rs_err *err)
{
	struct folder *f = l->folders->pdata[at];
	struct rs_maildir_list *list = NULL;
	int rc = folder_open(f, err);

	if (rc == -RS_ENOENT && f->may_miss)
		return 0;
	if (rc == 0)
		rc = rs_maildir_scan(f->opened, &list, err);
	if (rc < 0)
		return rc;
	for (size_t i = 0; i < rs_maildir_list_n(list); i++) {
		const struct rs_maildir_entry entry = rs_maildir_list_at(list, i);

		g_ptr_array_add(out, entry_new(l, at, &entry));
	}
	rs_maildir_list_destroy(&list);
	return 0;
}

/* What the person calls a folder: an account, a folder below mail/, a path. */
static guint folder_named(struct rs_library *l, const char *name)
{
	const struct rs_account *a = rs_accounts_find(l->accounts, name);
	g_autofree char *below = NULL;

	if (a)
		return folder_add(l, a->name, a->maildir, true);
	below = g_canonicalize_filename(name, l->places->mail_dir);
	if (!g_path_is_absolute(name) && !g_file_test(below, G_FILE_TEST_IS_DIR)) {
		g_autofree char *here = g_canonicalize_filename(name, NULL);

		if (g_file_test(here, G_FILE_TEST_IS_DIR))
			return folder_add(l, name, here, false);
	}
	return folder_add(l, name, below, false);
}

int rs_library_list(struct rs_library *l, const char *folder, GPtrArray **out, struct rs_err *err)
{
	g_autoptr(GPtrArray) list = g_ptr_array_new_with_free_func(entry_free);
	int rc = 0;

	if (folder)
		rc = folder_list(l, folder_named(l, folder), list, err);
	for (guint i = 0; !folder && rc == 0 && i < l->folders->len; i++) {
		if (((struct folder *)l->folders->pdata[i])->may_miss)
			rc = folder_list(l, i, list, err);
	}
	if (rc < 0)
		return rc;
	for (guint i = 0; i < list->len; i++)
		date_fill(l, list->pdata[i]);
	if (list->len)
		qsort(list->pdata, list->len, sizeof(list->pdata[0]), newest_first);
	*out = g_steal_pointer(&list);
	return 0;
}

/* --- names for people ------------------------------------------------------------------------ */

/* <data folder>/last-list: a line "ID PATH" for each number. */
static char *last_file(const struct rs_library *l)
{
	return g_build_filename(l->places->data_dir, "last-list", NULL);
}

void rs_library_remember(struct rs_library *l, const GPtrArray *entries)
{
	g_autofree char *file = last_file(l);
	g_autoptr(GString) text = g_string_new(NULL);

	for (guint i = 0; i < entries->len; i++) {
		const struct rs_entry *e = entries->pdata[i];
		const struct folder *f = l->folders->pdata[e->folder_at];

		g_string_append_printf(text, "%s %s\n", e->id, f->path);
	}
	(void)g_file_set_contents_full(
		file, text->str, (gssize)text->len, G_FILE_SET_CONTENTS_CONSISTENT, 0600, NULL);
}

/* Line number `word` (from 1) of the last listing: *id and the folder. */
static int number_find(struct rs_library *l, const char *word, char id[RS_ENTRY_ID_N + 1],
	guint *folder_at, struct rs_err *err)
{
	g_autofree char *file = last_file(l);
	g_autofree char *text = NULL;
	guint64 number = g_ascii_strtoull(word, NULL, 10);
	const char *line;
	size_t n;

	if (rs_file_read(file, LAST_MAX, &text, &n, err) < 0)
		return rs_err_set(err, RS_ENOENT,
			_("there is no listing that numbers could mean; run: restante list"));
	line = text;
	for (guint64 i = 1; line && i < number; i++) {
		line = strchr(line, '\n');
		line = line ? line + 1 : NULL;
	}
	n = line ? strcspn(line, "\n") : 0;
	if (!number || n < RS_ENTRY_ID_N + 2)
		return rs_err_set(err, RS_ENOENT,
			_("the last listing has no number %s; run: restante list"), word);
	memcpy(id, line, RS_ENTRY_ID_N);
	id[RS_ENTRY_ID_N] = '\0';
	text[line - text + (ptrdiff_t)n] = '\0';
	*folder_at = folder_add(l, line + RS_ENTRY_ID_N + 1, line + RS_ENTRY_ID_N + 1, true);
	return 0;
}

/* Folders that were listed by path: ids of their messages are found again. */
static void last_folders_add(struct rs_library *l)
{
	g_autofree char *file = last_file(l);
	g_autofree char *text = NULL;
	const char *before = "";
	size_t n;

	if (rs_file_read(file, LAST_MAX, &text, &n, NULL) < 0)
		return;
	for (char *line = text; *line;) {
		char *end = strchr(line, '\n');

		if (!end)
			return;
		*end = '\0';
		if (strlen(line) > RS_ENTRY_ID_N + 1 &&
			strcmp(line + RS_ENTRY_ID_N + 1, before) != 0) {
			before = line + RS_ENTRY_ID_N + 1;
			(void)folder_add(l, before, before, true);
		}
		line = end + 1;
	}
}

/* Messages of the folder whose id begins like `id`: the first into *out, their number. */
static guint folder_find(
	struct rs_library *l, guint folder_at, const char *id, struct rs_entry **out)
{
	g_autoptr(GPtrArray) list = g_ptr_array_new_with_free_func(entry_free);
	guint found = 0;

	if (folder_list(l, folder_at, list, NULL) < 0)
		return 0;
	for (guint i = 0; i < list->len; i++) {
		struct rs_entry *e = list->pdata[i];

		if (!g_str_has_prefix(e->id, id))
			continue;
		if (!found++ && !*out)
			*out = g_ptr_array_steal_index_fast(list, i--);
	}
	return found;
}

static bool is_number(const char *word)
{
	return *word && strspn(word, "0123456789") == strlen(word);
}

static int find_by_id(
	struct rs_library *l, const char *word, struct rs_entry **out, struct rs_err *err)
{
	guint found = 0;

	if (strlen(word) < RS_ENTRY_ID_MIN || strlen(word) > RS_ENTRY_ID_N ||
		strspn(word, letters) != strlen(word))
		return rs_err_set(err, RS_EINVAL,
			_("'%s' is neither a number of the last listing nor the id of a message"),
			word);
	last_folders_add(l);
	for (guint i = 0; i < l->folders->len; i++)
		found += folder_find(l, i, word, out);
	if (found == 1)
		return 0;
	rs_entry_free(g_steal_pointer(out));
	if (found)
		return rs_err_set(err, RS_EINVAL,
			_("%u messages have an id that begins with '%s'; give more of it"), found,
			word);
	return rs_err_set(err, RS_ENOENT,
		_("there is no message '%s'; restante list --ids shows which there are"), word);
}

int rs_library_find(
	struct rs_library *l, const char *word, struct rs_entry **out, struct rs_err *err)
{
	struct rs_entry *e = NULL;
	char id[RS_ENTRY_ID_N + 1];
	guint folder_at;
	int rc;

	if (!is_number(word)) {
		rc = find_by_id(l, word, &e, err);
	} else {
		rc = number_find(l, word, id, &folder_at, err);
		if (rc == 0 && !folder_find(l, folder_at, id, &e))
			rc = rs_err_set(err, RS_ENOENT,
				_("message %s of the last listing is not there any more"), word);
	}
	if (rc < 0)
		return rc;
	date_fill(l, e);
	*out = e;
	return 0;
}

/* --- marks ----------------------------------------------------------------------------------- */

/* The name in cur/ with flag S; flags stand in order of their letters. */
static char *read_name(const char *file)
{
	struct rs_maildir_name name;
	g_autofree char *flags = NULL;
	GString *out = g_string_new(NULL);
	bool done = false;

	rs_maildir_name_parse(rs_slice_str(file), &name);
	g_string_append_len(out, (const char *)name.base.p, (gssize)name.base.n);
	g_string_append(out, ":2,");
	flags = name.flags.n ? g_strndup((const char *)name.flags.p, name.flags.n) : g_strdup("");
	for (const char *c = flags; *c; c++) {
		if (!done && *c > 'S') {
			g_string_append_c(out, 'S');
			done = true;
		}
		g_string_append_c(out, *c);
	}
	if (!done)
		g_string_append_c(out, 'S');
	return g_string_free(out, FALSE);
}

int rs_library_mark_read(struct rs_library *l, struct rs_entry *e, struct rs_err *err)
{
	const struct folder *f = l->folders->pdata[e->folder_at];
	g_autofree char *name = read_name(e->file);
	g_autofree char *from = g_build_filename(f->path, e->in_new ? "new" : "cur", e->file, NULL);
	g_autofree char *to = g_build_filename(f->path, "cur", name, NULL);

	if (!e->unread)
		return 0;
	if (renameat2(AT_FDCWD, from, AT_FDCWD, to, RENAME_NOREPLACE) < 0 && errno != ENOENT)
		return rs_err_set(err, rs_err_kind_of_errno(errno),
			_("cannot mark the message in %s as read: %s"), f->path, g_strerror(errno));
	g_free(e->file);
	e->file = g_steal_pointer(&name);
	e->in_new = false;
	e->unread = false;
	return 0;
}
