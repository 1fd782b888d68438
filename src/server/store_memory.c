/* store_memory.c - mail in plain memory: the model the other stores are compared with. Nothing
 * outlives the process. Every answer waits for the next turn of the loop, as store.h asks. */
#include <string.h>

#include "base/buf.h"
#include "proto/downgrade.h"
#include "server/mailbox.h"
#include "server/store.h"

#define MESSAGE_MAX (1u << 30)

struct message {
	GBytes *octets; /* wire form */
	char *uid;
};

struct box {
	GPtrArray *messages; /* struct message */
	bool locked;
};

struct memory_store {
	struct rs_store base;
	uv_idle_t idle; /* runs while answers wait */
	GQueue answers; /* struct answer */
	GHashTable *boxes;
	guint64 uid_next;
};

struct rs_store_drop {
	struct memory_store *store;
	struct box *box;
	GPtrArray *messages; /* the snapshot, in the table's order */
	GBytes *image;
};

struct rs_store_deliv {
	struct memory_store *store;
	char **mailboxes;
	uint32_t n;
	struct rs_buf octets;
	bool full;
};

/* --- answers ------------------------------------------------------------------------------- */

enum kind { PLAIN, OPENED, READ, COMMITTED, EACH };

struct answer {
	enum kind kind;
	void *owner; /* drop or delivery: an answer is dropped with it */
	enum rs_store_err err;
	uint32_t n;
	GBytes *octets;
	struct rs_store_drop *drop;
	union {
		rs_store_cb plain;
		rs_store_open_cb open;
		rs_store_read_cb read;
		rs_store_commit_cb commit;
		rs_store_each_cb each;
	} cb;
	void *arg;
};

static const char *words(enum rs_store_err e)
{
	return e == RS_STORE_OK ? NULL : rs_store_err_name(e);
}

static void answer_free(gpointer p)
{
	struct answer *a = p;

	if (a->octets)
		g_bytes_unref(a->octets);
	g_free(a);
}

static void answer_give(const struct answer *a)
{
	switch (a->kind) {
	case PLAIN:
		a->cb.plain(a->arg, a->err, words(a->err));
		break;
	case OPENED:
		a->cb.open(a->arg, a->err, a->drop, words(a->err));
		break;
	case READ:
		a->cb.read(a->arg, a->err, a->octets, -1, words(a->err));
		break;
	case COMMITTED:
		a->cb.commit(a->arg, a->err, 0, words(a->err));
		break;
	case EACH:
		a->cb.each(a->arg, a->n, a->err, words(a->err));
		break;
	}
}

static void on_idle(uv_idle_t *h)
{
	struct memory_store *s = h->data;
	struct answer *a = g_queue_pop_head(&s->answers);

	if (!a) {
		uv_idle_stop(h);
		return;
	}
	answer_give(a);
	answer_free(a);
}

static struct answer *answer_new(
	struct memory_store *s, enum kind kind, void *owner, enum rs_store_err err, void *arg)
{
	struct answer *a = g_new0(struct answer, 1);

	a->kind = kind;
	a->owner = owner;
	a->err = err;
	a->arg = arg;
	g_queue_push_tail(&s->answers, a);
	uv_idle_start(&s->idle, on_idle);
	return a;
}

static void answers_drop(struct memory_store *s, const void *owner)
{
	GList *next;

	for (GList *l = s->answers.head; l; l = next) {
		struct answer *a = l->data;

		next = l->next;
		if (a->owner != owner)
			continue;
		g_queue_delete_link(&s->answers, l);
		answer_free(a);
	}
}

/* --- boxes --------------------------------------------------------------------------------- */

static void message_free(gpointer p)
{
	struct message *m = p;

	g_bytes_unref(m->octets);
	g_free(m->uid);
	g_free(m);
}

static void box_free(gpointer p)
{
	struct box *b = p;

	g_ptr_array_unref(b->messages);
	g_free(b);
}

/* Its path and folder; the rules of a mailbox are not for this store. */
static char *box_key(const char *name)
{
	struct rs_rules defaults;
	struct rs_mailbox box;
	char *key = NULL;

	rs_rules_init(&defaults);
	if (rs_mailbox_parse(name, &defaults, &box, NULL) == 0)
		key = g_strconcat(box.path, box.folder ? "/." : NULL, box.folder, NULL);
	rs_mailbox_finish(&box);
	return key ? key : g_strdup(name);
}

static struct box *box_of(struct memory_store *s, const char *name)
{
	g_autofree char *key = box_key(name);
	struct box *b = g_hash_table_lookup(s->boxes, key);

	if (!b) {
		b = g_new0(struct box, 1);
		b->messages = g_ptr_array_new_with_free_func(message_free);
		g_hash_table_insert(s->boxes, g_steal_pointer(&key), b);
	}
	return b;
}

/* --- maildrops ----------------------------------------------------------------------------- */

static GBytes *image_of(const GPtrArray *messages)
{
	struct rs_drop_builder b;
	void *image;
	size_t n;

	rs_drop_builder_init(&b);
	for (guint i = 0; i < messages->len; i++) {
		const struct message *m = g_ptr_array_index(messages, i);
		struct rs_wire_count count;
		struct rs_ascii_size z;
		uint64_t ascii;
		gsize octets_n;
		const uint8_t *p = g_bytes_get_data(m->octets, &octets_n);

		rs_wire_count_init(&count);
		rs_wire_count_add(&count, p, octets_n);
		rs_ascii_size_init(&z);
		rs_ascii_size_add(&z, p, octets_n);
		ascii = rs_ascii_size_end(&z, rs_wire_count_end(&count));
		rs_ascii_size_finish(&z);
		if (rs_drop_builder_add(&b, rs_wire_count_end(&count), rs_slice_str(m->uid)) < 0 ||
			(ascii != rs_wire_count_end(&count) &&
				rs_drop_builder_ascii(&b, ascii) < 0))
			g_error("the memory store is full");
	}
	n = rs_drop_builder_image_n(&b);
	image = g_malloc(n);
	rs_drop_builder_image(&b, image);
	rs_drop_builder_finish(&b);
	return g_bytes_new_take(image, n);
}

static void memory_open(struct rs_store *base, const char *mailbox, rs_store_open_cb cb, void *arg)
{
	struct memory_store *s = (struct memory_store *)base;
	struct box *box = box_of(s, mailbox);
	struct rs_store_drop *d;
	struct answer *a;

	if (box->locked) {
		answer_new(s, OPENED, NULL, RS_STORE_INUSE, arg)->cb.open = cb;
		return;
	}
	d = g_new0(struct rs_store_drop, 1);
	d->store = s;
	d->box = box;
	d->messages = g_ptr_array_new();
	for (guint i = 0; i < box->messages->len; i++)
		g_ptr_array_add(d->messages, g_ptr_array_index(box->messages, i));
	d->image = image_of(d->messages);
	box->locked = true;
	a = answer_new(s, OPENED, d, RS_STORE_OK, arg);
	a->drop = d;
	a->cb.open = cb;
}

static struct rs_slice memory_image(const struct rs_store_drop *d)
{
	gsize n;
	const void *p = g_bytes_get_data(d->image, &n);

	return rs_slice(p, n);
}

static void memory_read(
	struct rs_store_drop *d, uint32_t row, size_t inline_max, rs_store_read_cb cb, void *arg)
{
	const struct message *m = g_ptr_array_index(d->messages, row);
	struct answer *a = answer_new(d->store, READ, d, RS_STORE_OK, arg);

	a->octets = g_bytes_ref(m->octets);
	a->cb.read = cb;
}

static void memory_commit(
	struct rs_store_drop *d, const uint8_t *marks, rs_store_commit_cb cb, void *arg)
{
	for (guint i = 0; i < d->messages->len; i++) {
		if (rs_marks_get(marks, i))
			g_ptr_array_remove(d->box->messages, g_ptr_array_index(d->messages, i));
	}
	g_ptr_array_set_size(d->messages, 0); /* those left are read no more after QUIT */
	answer_new(d->store, COMMITTED, d, RS_STORE_OK, arg)->cb.commit = cb;
}

static void memory_close(struct rs_store_drop *d)
{
	answers_drop(d->store, d);
	d->box->locked = false;
	g_ptr_array_unref(d->messages);
	g_bytes_unref(d->image);
	g_free(d);
}

/* --- delivery ------------------------------------------------------------------------------ */

static void memory_deliv_open(struct rs_store *base, const char *const *mailboxes, uint32_t n,
	struct rs_store_deliv **out)
{
	struct rs_store_deliv *d = g_new0(struct rs_store_deliv, 1);

	d->store = (struct memory_store *)base;
	d->n = n;
	d->mailboxes = g_new0(char *, n + 1);
	for (uint32_t i = 0; i < n; i++)
		d->mailboxes[i] = g_strdup(mailboxes[i]);
	rs_buf_init(&d->octets, MESSAGE_MAX);
	*out = d;
}

static void deliv_free(struct rs_store_deliv *d)
{
	rs_buf_finish(&d->octets);
	g_strfreev(d->mailboxes);
	g_free(d);
}

static void memory_deliv_write(
	struct rs_store_deliv *d, struct rs_slice octets, rs_store_cb cb, void *arg)
{
	d->full |= rs_buf_add(&d->octets, octets.p, octets.n) < 0;
	answer_new(d->store, PLAIN, d, d->full ? RS_STORE_FULL : RS_STORE_OK, arg)->cb.plain = cb;
}

static void memory_deliv_commit(struct rs_store_deliv *d, rs_store_each_cb each, void *arg)
{
	struct rs_slice s = rs_buf_slice(&d->octets);
	g_autoptr(GBytes) octets = g_bytes_new(s.p, s.n);

	for (uint32_t i = 0; i < d->n; i++) {
		struct message *m;
		struct answer *a = answer_new(
			d->store, EACH, NULL, d->full ? RS_STORE_FULL : RS_STORE_OK, arg);

		a->n = i;
		a->cb.each = each;
		if (d->full)
			continue;
		m = g_new0(struct message, 1);
		m->octets = g_bytes_ref(octets);
		m->uid = g_strdup_printf("m%" G_GUINT64_FORMAT, ++d->store->uid_next);
		g_ptr_array_add(box_of(d->store, d->mailboxes[i])->messages, m);
	}
	deliv_free(d);
}

static void memory_deliv_abort(struct rs_store_deliv *d)
{
	answers_drop(d->store, d);
	deliv_free(d);
}

/* --- the store ----------------------------------------------------------------------------- */

static int memory_start(
	uv_loop_t *loop, const struct rs_conf *conf, struct rs_store **out, struct rs_err *err)
{
	struct memory_store *s = g_new0(struct memory_store, 1);

	s->base.ops = &rs_store_memory;
	s->boxes = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, box_free);
	g_queue_init(&s->answers);
	uv_idle_init(loop, &s->idle);
	s->idle.data = s;
	*out = &s->base;
	return 0;
}

static void idle_closed(uv_handle_t *h)
{
	g_free(h->data);
}

static void memory_stop(struct rs_store *base)
{
	struct memory_store *s = (struct memory_store *)base;

	g_queue_clear_full(&s->answers, answer_free);
	g_hash_table_unref(s->boxes);
	uv_close((uv_handle_t *)&s->idle, idle_closed);
}

const struct rs_store_ops rs_store_memory = {
	.name = "memory",
	.start = memory_start,
	.stop = memory_stop,
	.deliv_open = memory_deliv_open,
	.deliv_write = memory_deliv_write,
	.deliv_commit = memory_deliv_commit,
	.deliv_abort = memory_deliv_abort,
	.open = memory_open,
	.image = memory_image,
	.read = memory_read,
	.commit = memory_commit,
	.close = memory_close,
};
