/* import_mail.c - the mail of an mbox or a Maildir into a folder. The name of a message here holds a digest of its octets,
 * so that it is known again wherever it was moved to; hence the two readings: the first one learns the digests, the second
 * one writes what is new. A batch is made durable, then moved in. */
#include "client/import.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "client/header.h"
#include "client/import_mbox.h"
#include "client/text.h"
#include "maildir/maildir.h"

#define DIGEST_N     32u /* hexadecimal digits of SHA-256, enough to tell messages apart */
#define HEAD_MAX     65536u
#define PIECE        65536u
#define BATCH_N      256u
#define BATCH_OCTETS (64u << 20)
#define DEPTH_MAX    8

enum state { ITEM_WANTED, ITEM_LEFT };

struct item {
	char digest[DIGEST_N + 1];
	gint64 date_s;
	enum state state;
};

struct ready {
	struct rs_deliv *deliv;
	char flags[8];
};

struct work {
	const struct rs_import_mail *m;
	struct rs_import_mail_done *out;
	struct rs_err *err;
	GHashTable *known; /* digests, owned */
	GArray *items;     /* struct item, in the order of the source */
	guint at;          /* second reading: the item at hand */
	bool second;
	GChecksum *sum;     /* of the message at hand */
	GByteArray *head;   /* its beginning */
	gint64 otherwise_s; /* its time where its header has none */
	unsigned flags;     /* that its file name tells */
	struct rs_maildir *into;
	struct rs_deliv *deliv;
	GArray *batch; /* struct ready */
	guint64 batch_octets;
	guint64 done;
	guint64 total;
};

/* --- what is here already ----------------------------------------------------------------------------- */

static void note_file(GHashTable *known, const char *name)
{
	const char *at = strstr(name, ".I");

	if (at && strspn(at + 2, "0123456789abcdef") == DIGEST_N)
		g_hash_table_add(known, g_strndup(at + 2, DIGEST_N));
}

static void note_below(GHashTable *known, const char *path, int depth)
{
	g_autoptr(GDir) dir = depth < DEPTH_MAX ? g_dir_open(path, 0, NULL) : NULL;
	const char *name;

	while (dir && (name = g_dir_read_name(dir))) {
		g_autofree char *below = NULL;

		note_file(known, name);
		if (strchr(name, ',')) /* a message, not a folder: saves a look at each */
			continue;
		below = g_build_filename(path, name, NULL);
		if (g_file_test(below, G_FILE_TEST_IS_DIR) &&
			!g_file_test(below, G_FILE_TEST_IS_SYMLINK))
			note_below(known, below, depth + 1);
	}
}

/* --- batches ------------------------------------------------------------------------------------------- */

static int batch_sync(struct work *w)
{
	int rc = 0;

	if (w->batch->len > 4)
		return rs_maildir_sync_all(w->into, w->err);
	for (guint i = 0; i < w->batch->len && rc == 0; i++)
		rc = rs_deliv_sync(g_array_index(w->batch, struct ready, i).deliv, w->err);
	return rc;
}

static int batch_end(struct work *w)
{
	guint n = 0;
	int rc = w->batch->len ? batch_sync(w) : 0;

	for (guint i = 0; i < w->batch->len; i++) {
		struct ready *r = &g_array_index(w->batch, struct ready, i);

		if (rc == 0)
			rc = rs_deliv_publish_to(r->deliv, w->into, r->flags, w->err);
		n += rc == 0;
		rs_deliv_destroy(&r->deliv);
	}
	if (rc == 0 && w->batch->len)
		rc = rs_maildir_sync(w->into, w->err);
	if (rc == 0 && w->batch->len)
		rc = rs_maildir_sync_cur(w->into, w->err);
	w->out->new_n += n;
	g_array_set_size(w->batch, 0);
	w->batch_octets = 0;
	return rc;
}

/* In the order of letters, as the Maildir rules say. */
static void flags_put(unsigned flags, char out[8])
{
	static const struct {
		unsigned bit;
		char letter;
	} rows[] = {{RS_MBOX_DRAFT, 'D'}, {RS_MBOX_FLAGGED, 'F'}, {RS_MBOX_PASSED, 'P'},
		{RS_MBOX_ANSWERED, 'R'}, {RS_MBOX_SEEN, 'S'}};
	guint n = 0;

	for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
		if (flags & rows[i].bit)
			out[n++] = rows[i].letter;
	}
	out[n] = '\0';
}

/* --- messages as they come -------------------------------------------------------------------------------- */

static int changed(struct work *w)
{
	return rs_err_set(w->err, RS_ETEMP,
		_("%s was changed while it was read (is the other program running?); run the "
		  "import "
		  "again"),
		w->m->path);
}

static int on_begin(void *arg)
{
	struct work *w = arg;
	const struct item *item;
	g_autofree char *unique = NULL;

	g_checksum_reset(w->sum);
	g_byte_array_set_size(w->head, 0);
	if (!w->second)
		return 0;
	if (w->at >= w->items->len)
		return changed(w);
	item = &g_array_index(w->items, struct item, w->at);
	if (item->state != ITEM_WANTED)
		return 0;
	unique = g_strdup_printf("%" G_GINT64_FORMAT ".I%s.import", item->date_s, item->digest);
	return rs_deliv_begin(w->into, unique, &w->deliv, w->err);
}

static int on_octets(void *arg, const char *p, size_t n)
{
	struct work *w = arg;

	g_checksum_update(w->sum, (const guchar *)p, (gssize)n);
	if (!w->second && w->head->len < HEAD_MAX)
		g_byte_array_append(
			w->head, (const guint8 *)p, (guint)MIN(n, HEAD_MAX - w->head->len));
	return w->deliv ? rs_deliv_write(w->deliv, p, n, w->err) : 0;
}

/* First reading: is it wanted? */
static int learn(struct work *w, unsigned flags)
{
	g_autofree char *date = rs_header_get((const char *)w->head->data, w->head->len, "Date");
	struct item item = {
		.state = ITEM_LEFT, .date_s = MAX(rs_header_date(date, w->otherwise_s), 0)};

	g_strlcpy(item.digest, g_checksum_get_string(w->sum), sizeof(item.digest));
	if (flags & RS_MBOX_DELETED) {
		w->out->gone_n++;
	} else if (g_hash_table_contains(w->known, item.digest)) {
		w->out->known_n++;
	} else {
		g_hash_table_add(w->known, g_strdup(item.digest));
		item.state = ITEM_WANTED;
		if (w->m->dry_run)
			w->out->new_n++;
	}
	g_array_append_val(w->items, item);
	return 0;
}

static int on_end(void *arg, unsigned flags)
{
	struct work *w = arg;
	struct ready r = {.deliv = NULL};
	int rc;

	flags |= w->flags;
	if (!w->second)
		return learn(w, flags);
	if (!g_str_has_prefix(g_checksum_get_string(w->sum),
		    g_array_index(w->items, struct item, w->at++).digest))
		return changed(w);
	if (!w->deliv)
		return 0;
	rc = rs_deliv_finish(w->deliv, w->err);
	if (rc < 0)
		return rc;
	w->batch_octets += rs_deliv_size(w->deliv);
	rs_deliv_park(w->deliv);
	r.deliv = g_steal_pointer(&w->deliv);
	flags_put(flags, r.flags);
	g_array_append_val(w->batch, r);
	return w->batch->len >= BATCH_N || w->batch_octets >= BATCH_OCTETS ? batch_end(w) : 0;
}

/* --- the sources --------------------------------------------------------------------------------------------- */

static int read_file(struct work *w, int fd, struct rs_mbox *box)
{
	g_autofree char *piece = g_malloc(PIECE);
	ssize_t n = 1;
	int rc = 0;

	while (rc == 0 && n) {
		if (w->m->cancel && g_cancellable_is_cancelled(w->m->cancel))
			return rs_err_set(w->err, RS_ETEMP,
				_("stopped; what was brought is whole, and running it again brings "
				  "the rest"));
		n = read(fd, piece, PIECE);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return rs_err_set(w->err, rs_err_kind_of_errno(errno),
				_("cannot read %s: %s"), w->m->path, g_strerror(errno));
		rc = n ? rs_mbox_feed(box, piece, (size_t)n) : rs_mbox_end(box);
		w->done += (guint64)n;
		if (w->m->progress)
			w->m->progress(w->m->progress_arg, w->done, w->total);
	}
	if (rc == -RS_EINVAL)
		return rs_err_set(w->err, RS_EINVAL,
			_("%s is not an mbox: it does not begin with a line 'From … hh:mm:ss … "
			  "year'"),
			w->m->path);
	return rc;
}

static struct rs_mbox *box_new(struct work *w, enum rs_mbox_form form)
{
	const struct rs_mbox_sink sink = {
		.begin = on_begin, .octets = on_octets, .end = on_end, .arg = w};

	return rs_mbox_new(form, &sink);
}

static int read_mbox(struct work *w)
{
	struct rs_mbox *box = box_new(w, w->m->form == RS_IMPORT_MBOXO ? RS_MBOX_O : RS_MBOX_RD);
	int fd = open(w->m->path, O_RDONLY | O_CLOEXEC);
	struct stat st = {.st_size = 0};
	int rc;

	if (fd < 0 || fstat(fd, &st) < 0) {
		rc = rs_err_set(w->err, rs_err_kind_of_errno(errno), _("cannot read %s: %s"),
			w->m->path, g_strerror(errno));
	} else {
		w->total = (guint64)st.st_size * (w->m->dry_run ? 1 : 2);
		rc = read_file(w, fd, box);
	}
	if (fd >= 0)
		close(fd);
	rs_mbox_free(box);
	return rc;
}

static unsigned flags_of(const char *name)
{
	const char *at = strstr(name, ":2,");
	unsigned flags = 0;

	for (at = at ? at + 3 : ""; *at; at++) {
		flags |= *at == 'D' ? RS_MBOX_DRAFT : 0;
		flags |= *at == 'F' ? RS_MBOX_FLAGGED : 0;
		flags |= *at == 'P' ? RS_MBOX_PASSED : 0;
		flags |= *at == 'R' ? RS_MBOX_ANSWERED : 0;
		flags |= *at == 'S' ? RS_MBOX_SEEN : 0;
		flags |= *at == 'T' ? RS_MBOX_DELETED : 0;
	}
	return flags;
}

/* One file of a Maildir. One that is gone or cannot be read harms only itself. */
static int read_message(struct work *w, const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct rs_mbox *box;
	struct stat st;
	int rc;

	if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode)) {
		struct item item = {.state = ITEM_LEFT};

		if (fd >= 0)
			close(fd);
		if (!w->second) {
			w->out->bad_n++;
			g_array_append_val(w->items, item);
			return 0;
		}
		return g_array_index(w->items, struct item, w->at++).state == ITEM_WANTED
			       ? changed(w)
			       : 0;
	}
	w->flags = flags_of(path);
	w->otherwise_s = st.st_mtime;
	box = box_new(w, RS_MBOX_SINGLE);
	rc = read_file(w, fd, box);
	rs_mbox_free(box);
	close(fd);
	return rc;
}

static gint by_name(gconstpointer a, gconstpointer b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static int read_maildir(struct work *w, GPtrArray *files)
{
	static const char *const subs[] = {"cur", "new"};
	int rc = 0;

	for (size_t i = 0; i < 2 && !w->second; i++) {
		g_autofree char *sub = g_build_filename(w->m->path, subs[i], NULL);
		g_autoptr(GDir) dir = g_dir_open(sub, 0, NULL);
		const char *name;

		if (!dir && i == 0)
			return rs_err_set(w->err, RS_EINVAL,
				_("%s is not a Maildir: it has no folder cur"), w->m->path);
		while (dir && (name = g_dir_read_name(dir))) {
			if (name[0] != '.')
				g_ptr_array_add(files, g_build_filename(sub, name, NULL));
		}
	}
	if (!w->second)
		g_ptr_array_sort(files, by_name);
	for (guint i = 0; i < files->len && rc == 0; i++)
		rc = read_message(w, files->pdata[i]);
	return rc;
}

static int read_all(struct work *w, GPtrArray *files)
{
	int rc = w->m->form == RS_IMPORT_MAILDIR ? read_maildir(w, files) : read_mbox(w);

	if (rc == 0 && w->second && w->at != w->items->len)
		rc = changed(w);
	return rc;
}

static bool nothing_wanted(const struct work *w)
{
	for (guint i = 0; i < w->items->len; i++) {
		if (g_array_index(w->items, struct item, i).state == ITEM_WANTED)
			return false;
	}
	return true;
}

static int second_reading(struct work *w, GPtrArray *files)
{
	struct rs_err late;
	int rc = rs_maildir_open(rs_fs_posix(), w->m->into, RS_MAILDIR_CREATE, &w->into, w->err);

	if (rc < 0)
		return rc;
	w->second = true;
	rc = read_all(w, files);
	rs_deliv_destroy(&w->deliv); /* half a message is none */
	if (rc < 0)
		w->err = &late; /* the reason why it stopped is the one to be told */
	if (batch_end(w) < 0 && rc == 0)
		rc = -(int)w->err->kind;
	rs_maildir_destroy(&w->into);
	return rc;
}

int rs_import_mail(
	const struct rs_import_mail *m, struct rs_import_mail_done *out, struct rs_err *err)
{
	struct work w = {
		.m = m, .out = out, .err = err, .otherwise_s = g_get_real_time() / G_USEC_PER_SEC};
	g_autoptr(GPtrArray) files = g_ptr_array_new_with_free_func(g_free);
	int rc;

	*out = (struct rs_import_mail_done){.new_n = 0};
	rs_mime_init();
	w.known = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	w.items = g_array_new(FALSE, FALSE, sizeof(struct item));
	w.batch = g_array_new(FALSE, FALSE, sizeof(struct ready));
	w.sum = g_checksum_new(G_CHECKSUM_SHA256);
	w.head = g_byte_array_new();
	note_below(w.known, m->into, 0);
	if (m->mail)
		note_below(w.known, m->mail, 0);
	rc = read_all(&w, files);
	if (rc == 0 && !m->dry_run && !nothing_wanted(&w))
		rc = second_reading(&w, files);
	g_hash_table_unref(w.known);
	g_array_unref(w.items);
	g_array_unref(w.batch);
	g_checksum_free(w.sum);
	g_byte_array_unref(w.head);
	return rc;
}
