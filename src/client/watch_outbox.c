/* watch_outbox.c - what waits in the Outbox goes out when its time has come, on a thread of its own. */
#include "client/outbox.h"
#include "client/watch_priv.h"

struct watch_outbox {
	struct rs_watch *w;
	const struct rs_places *places;
	GCancellable *cancel;
	GThread *thread; /* NULL: it is idle */
	GPtrArray *accounts;
	GHashTable
		*said; /* unique of a message -> why it is still here; the thread's while it runs */
};

/* On its way to the main thread. */
struct told {
	struct rs_watch *w;
	char *account;
	char *to;
	struct rs_err err;
};

static gboolean on_main(gpointer data)
{
	struct told *t = data;
	const struct rs_watch_event e = {.kind = RS_WATCH_SENT,
		.account = t->account,
		.to = t->to,
		.err = t->err.kind ? &t->err : NULL};

	watch_tell(t->w, &e);
	g_free(t->account);
	g_free(t->to);
	g_free(t);
	return G_SOURCE_REMOVE;
}

/* The same trouble once. */
static void on_told(void *arg, const struct rs_out_item *item, const struct rs_err *err)
{
	struct watch_outbox *o = arg;
	const struct rs_envelope *e = item->envelope;
	const char *before = g_hash_table_lookup(o->said, item->unique);
	struct told *t;

	if (err->kind && g_strcmp0(before, err->text) == 0)
		return;
	if (err->kind)
		g_hash_table_replace(o->said, g_strdup(item->unique), g_strdup(err->text));
	else
		g_hash_table_remove(o->said, item->unique);
	t = g_new0(struct told, 1);
	t->w = o->w;
	t->err = *err;
	if (e) {
		t->account = g_strdup(e->account);
		t->to = e->rcpts->len
				? g_strdup(((struct rs_submit_rcpt *)e->rcpts->pdata[0])->address)
				: NULL;
	}
	g_idle_add(on_main, t);
}

static gboolean on_done(gpointer data)
{
	struct watch_outbox *o = data;

	g_thread_join(o->thread);
	o->thread = NULL;
	g_clear_pointer(&o->accounts, g_ptr_array_unref);
	watch_outbox_ended(o->w);
	return G_SOURCE_REMOVE;
}

static gpointer flush_thread(gpointer data)
{
	struct watch_outbox *o = data;
	const struct rs_outbox_flush how = {.cancel = o->cancel, .told = on_told, .arg = o};
	struct rs_outbox *box = NULL;
	struct rs_err ignored; /* each message has told its own */

	if (rs_outbox_open(o->places, o->accounts, &box, &ignored) == 0)
		(void)!rs_outbox_flush(box, &how, &ignored);
	rs_outbox_close(&box);
	g_idle_add(on_done, o);
	return NULL;
}

void watch_outbox_flush(struct watch_outbox *o, GPtrArray *accounts)
{
	g_autofree char *folder = g_build_filename(o->places->mail_dir, "Outbox", NULL);

	if (o->thread || g_cancellable_is_cancelled(o->cancel) ||
		!g_file_test(folder, G_FILE_TEST_IS_DIR))
		return;
	o->accounts = g_ptr_array_ref(accounts);
	o->thread = g_thread_new("outbox", flush_thread, o);
}

bool watch_outbox_busy(const struct watch_outbox *o)
{
	return o->thread != NULL;
}

struct watch_outbox *watch_outbox_create(
	struct rs_watch *w, const struct rs_places *places, GCancellable *cancel)
{
	struct watch_outbox *o = g_new0(struct watch_outbox, 1);

	o->w = w;
	o->places = places;
	o->cancel = cancel;
	o->said = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
	return o;
}

void watch_outbox_destroy(struct watch_outbox **o)
{
	if (!*o)
		return;
	g_assert(!(*o)->thread);
	g_hash_table_unref((*o)->said);
	g_free(*o);
	*o = NULL;
}
