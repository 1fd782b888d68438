/* store.c - the store role: sessions of the fronts on one side, a store (store.h) on the other.
 * It believes only auth about who may open what, and knows a session by (front, number).
 *
 * A session:
 *   OPEN --> OPENING --> OPENED --CLOSE, front lost--> gone (unlocked, nothing deleted)
 *   RCPT_OPEN … --> RECEIVING --DATA_END--> answered by DELIVERED --> gone
 * Facts: `drop` is set exactly in OPENED; a CLOSE that comes while OPENING is kept in mind and done
 *        when the store answers; `asked` holds what the store has not answered and goes with the
 *        session, because no callback comes after a close; after COMMIT nothing more is asked;
 *        messages for sessions that are not there are left alone: they crossed with the end of
 *        the session. */
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "server/log.h"
#include "server/mailbox.h"
#include "server/role.h"
#include "server/store.h"

#define READ_ROWS_MAX 256u /* rows of one READ                                             */
#define RCPTS_MAX     10000u
#define STOP_POLL_MS  20
#define OPEN_TRIES    5  /* more, where another process has the mailbox … */
#define OPEN_AGAIN_MS 20 /* … so long apart                               */

struct stores {
	struct rs_store *store;
	GHashTable *sessions; /* struct sess, keyed by itself */
	GHashTable *held;     /* mailbox -> struct sess that has it open */
	uv_timer_t wait;      /* for the last works when stopping */
};

struct sess {
	uint32_t front; /* key … */
	uint64_t id;
	struct rs_proc *proc;
	char *user;
	char *mailbox; /* of a POP3 session */
	struct rs_store_drop *drop;
	GQueue asked;     /* struct reading, struct writing: owned */
	unsigned tries_n; /* to open it */
	bool opening;
	bool deciding; /* COMMIT came */
	bool gone;     /* CLOSE or the front's end came while OPENING */
	/* delivery */
	GPtrArray *mailboxes; /* char * */
	GArray *rcpts;        /* uint32_t: the front's number of each mailbox */
	struct rs_store_deliv *deliv;
	bool ending; /* DATA_END came */
};

const char *rs_store_err_name(enum rs_store_err e)
{
	static const char *const names[RS_STORE_ERR_N] = {
		[RS_STORE_OK] = "ok",
		[RS_STORE_NOBOX] = "no-mailbox",
		[RS_STORE_INUSE] = "in-use",
		[RS_STORE_FULL] = "full",
		[RS_STORE_QUOTA] = "over-quota",
		[RS_STORE_TEMP] = "temporary",
		[RS_STORE_PERM] = "permanent",
		[RS_STORE_LOST] = "lock-lost",
		[RS_STORE_UNKNOWN] = "unknown",
		[RS_STORE_CORRUPT] = "corrupt",
		[RS_STORE_GONE] = "gone",
	};

	return e < RS_STORE_ERR_N ? names[e] : "?";
}

/* --- sessions ------------------------------------------------------------------------------ */

static guint sess_hash(gconstpointer p)
{
	const struct sess *s = p;

	return (guint)(s->id ^ s->id >> 32) ^ s->front;
}

static gboolean sess_equal(gconstpointer a, gconstpointer b)
{
	const struct sess *x = a;
	const struct sess *y = b;

	return x->id == y->id && x->front == y->front;
}

static void sess_free(gpointer p)
{
	struct sess *s = p;
	GList *link;
	struct stores *st = s->proc->arg;

	if (s->drop)
		st->store->ops->close(s->drop);
	if (s->mailbox && g_hash_table_lookup(st->held, s->mailbox) == s)
		g_hash_table_remove(st->held, s->mailbox);
	if (s->deliv && !s->ending)
		st->store->ops->deliv_abort(s->deliv);
	while ((link = g_queue_pop_head_link(&s->asked)))
		g_free(link->data);
	if (s->mailboxes)
		g_ptr_array_unref(s->mailboxes);
	if (s->rcpts)
		g_array_unref(s->rcpts);
	g_free(s->user);
	g_free(s->mailbox);
	g_free(s);
}

static struct sess *find(struct rs_proc *r, uint32_t front, uint64_t id)
{
	struct sess key = {.front = front, .id = id};

	return g_hash_table_lookup(((struct stores *)r->arg)->sessions, &key);
}

static struct sess *sess_new(struct rs_proc *r, uint32_t front, uint64_t id)
{
	struct sess *s = g_new0(struct sess, 1);

	s->front = front;
	s->id = id;
	s->proc = r;
	g_queue_init(&s->asked);
	g_hash_table_add(((struct stores *)r->arg)->sessions, s);
	return s;
}

/* Away with it; one that the store has not answered yet goes when it does. */
static void sess_end(struct sess *s)
{
	struct stores *st = s->proc->arg;

	s->gone = true;
	if (!s->opening && !s->ending)
		g_hash_table_remove(st->sessions, s);
}

/* What the store was asked for is told the session by its first member, and goes with it. */
static void asked_add(struct sess *s, GList *link, void *what)
{
	link->data = what;
	g_queue_push_tail_link(&s->asked, link);
}

static void asked_done(struct sess *s, GList *link)
{
	g_queue_unlink(&s->asked, link);
	g_free(link->data);
}

/* The link to its front; NULL when that died. */
static struct rs_link *front_of(const struct sess *s)
{
	return s->gone ? NULL : s->proc->fronts[s->front];
}

/* --- opening ------------------------------------------------------------------------------- */

/* The table as a memory file that nobody can change any more; -1. */
static int image_fd(struct rs_slice image)
{
	int fd = memfd_create("maildrop", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	for (size_t at = 0; fd >= 0 && at < image.n;) {
		ssize_t n = write(fd, image.p + at, image.n - at);

		if (n <= 0) {
			close(fd);
			return -1;
		}
		at += (size_t)n;
	}
	if (fd >= 0 && fcntl(fd, F_ADD_SEALS,
			       F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL) < 0) {
		close(fd);
		return -1;
	}
	return fd;
}

/* Days that hold for this mailbox. */
static uint32_t retention(const struct sess *s)
{
	struct rs_mailbox box;
	struct rs_err err;
	uint32_t days = s->proc->conf->rules.expire_days;

	if (rs_mailbox_parse(s->mailbox, &s->proc->conf->rules, &box, &err) == 0)
		days = box.rules.expire_days;
	rs_mailbox_finish(&box);
	return days;
}

static void on_opened(
	void *arg, enum rs_store_err err, struct rs_store_drop *drop, const char *why);

struct again {
	uv_timer_t timer;
	struct sess *sess; /* opening, so that it stays */
};

static void on_again_closed(uv_handle_t *h)
{
	g_free(h->data);
}

static void on_again(uv_timer_t *t)
{
	struct again *a = t->data;
	struct sess *s = a->sess;
	struct stores *st = s->proc->arg;

	uv_close((uv_handle_t *)t, on_again_closed);
	if (s->gone)
		on_opened(s, RS_STORE_TEMP, NULL, NULL);
	else
		st->store->ops->open(st->store, s->mailbox, on_opened, s);
}

/* Another process has the mailbox, not a session of ours. After a reload that is the store of before,
 * which may be about to close: the client has read its "+OK" and is here again. */
static bool may_be_closing(struct sess *s, enum rs_store_err err)
{
	const struct stores *st = s->proc->arg;
	struct again *a;

	if (err != RS_STORE_INUSE || s->gone || g_hash_table_contains(st->held, s->mailbox) ||
		s->tries_n++ == OPEN_TRIES)
		return false;
	a = g_new0(struct again, 1);
	a->sess = s;
	uv_timer_init(&s->proc->loop, &a->timer);
	a->timer.data = a;
	uv_timer_start(&a->timer, on_again, OPEN_AGAIN_MS, 0);
	return true;
}

static void on_opened(void *arg, enum rs_store_err err, struct rs_store_drop *drop, const char *why)
{
	struct sess *s = arg;
	struct stores *st = s->proc->arg;
	struct rs_slice image = {.n = 0};
	bool inlined = false;
	struct rs_link *l;
	int fd = -1;

	if (may_be_closing(s, err))
		return;
	s->opening = false;
	s->drop = drop;
	if (drop)
		g_hash_table_replace(st->held, s->mailbox, s); /* the key is of the session, too */
	l = front_of(s);
	if (!l) {
		sess_end(s);
		return;
	}
	if (err == RS_STORE_OK) {
		image = st->store->ops->image(drop);
		inlined = image.n <= RS_MSG_IMAGE_MAX;
		fd = inlined ? -1 : image_fd(image);
		err = fd < 0 && !inlined ? RS_STORE_TEMP : RS_STORE_OK;
	}
	if (err != RS_STORE_OK)
		rs_log(err == RS_STORE_INUSE ? RS_LOG_INFO : RS_LOG_ERROR, "open-failed", "id",
			rs_log_id(s->id), "user", s->user, "error", rs_store_err_name(err), "why",
			why, NULL);
	rs_link_begin(l, RS_MSG_OPENED);
	rs_link_u64(l, s->id);
	rs_link_u8(l, (uint8_t)err);
	rs_link_u64(l, image.n);
	rs_link_u32(l, err == RS_STORE_OK ? retention(s) : 0);
	rs_link_octets(l, rs_slice_str(s->user));
	rs_link_octets(l, inlined ? image : rs_slice(NULL, 0));
	if (fd >= 0)
		rs_link_fd(l, fd);
	rs_link_end(l);
	if (err != RS_STORE_OK)
		sess_end(s);
}

/* Somebody has this mailbox. A client that has read "+OK" to its QUIT may log in again at once, and
 * what auth says of that can be here before the CLOSE, which the front said first. */
static void catch_up_with_closes(struct rs_proc *r)
{
	for (uint32_t i = 0; i < r->fronts_n; i++) {
		if (r->fronts[i])
			rs_link_catch_up(r->fronts[i]);
	}
}

static bool on_open(struct rs_proc *r, struct rs_msg_in *m)
{
	struct stores *st = r->arg;
	uint32_t front = rs_msg_u32(m);
	uint64_t id = rs_msg_u64(m);
	struct rs_slice user = rs_msg_octets(m);
	struct rs_slice mailbox = rs_msg_octets(m);
	g_autofree char *path = g_strndup((const char *)mailbox.p, mailbox.n);
	struct sess *s;

	if (!rs_msg_end(m) || front >= RS_ROLE_PEERS_MAX || find(r, front, id))
		return false;
	if (g_hash_table_contains(st->held, path))
		catch_up_with_closes(r);
	s = sess_new(r, front, id);
	s->user = g_strndup((const char *)user.p, user.n);
	s->mailbox = g_steal_pointer(&path);
	s->opening = true;
	st->store->ops->open(st->store, s->mailbox, on_opened, s);
	return true;
}

/* --- reading ------------------------------------------------------------------------------- */

struct reading {
	GList link;
	struct sess *sess;
	uint32_t row;
};

static void on_read(void *arg, enum rs_store_err err, GBytes *octets, int fd, const char *why)
{
	struct reading *rd = arg;
	struct sess *s = rd->sess;
	struct rs_link *l = front_of(s);

	if (err != RS_STORE_OK)
		rs_log(RS_LOG_ERROR, "read-failed", "id", rs_log_id(s->id), "user", s->user,
			"message", rs_log_num(rd->row + 1u), "error", rs_store_err_name(err), "why",
			why, NULL);
	if (l) {
		rs_link_begin(l, RS_MSG_BODY);
		rs_link_u64(l, s->id);
		rs_link_u32(l, rd->row);
		rs_link_u8(l, (uint8_t)err);
		rs_link_u8(l, 1);
		rs_link_u64(l, 0);
		rs_link_bytes(l, octets);
		if (fd >= 0)
			rs_link_fd(l, fd);
		rs_link_end(l);
	} else if (fd >= 0) {
		close(fd);
	}
	asked_done(s, &rd->link);
}

static bool on_read_msg(struct rs_proc *r, uint32_t front, struct rs_msg_in *m)
{
	struct stores *st = r->arg;
	uint64_t id = rs_msg_u64(m);
	uint32_t first = rs_msg_u32(m);
	uint32_t n = rs_msg_u32(m);
	struct sess *s = find(r, front, id);
	uint32_t rows_n;

	if (!rs_msg_end(m) || n > READ_ROWS_MAX)
		return false;
	if (!s || !s->drop || s->deciding)
		return true;
	rows_n = ((const struct rs_drop_head *)(const void *)st->store->ops->image(s->drop).p)
			 ->rows_n;
	if (first > rows_n || n > rows_n - first)
		return false;
	for (uint32_t row = first; row < first + n; row++) {
		struct reading *rd = g_new(struct reading, 1);

		*rd = (struct reading){.sess = s, .row = row};
		asked_add(s, &rd->link, rd);
		st->store->ops->read(s->drop, row, RS_MSG_BODY_MAX, on_read, rd);
	}
	return true;
}

/* --- QUIT ---------------------------------------------------------------------------------- */

static void on_committed(void *arg, enum rs_store_err err, uint32_t left, const char *why)
{
	struct sess *s = arg;
	struct rs_link *l = front_of(s);

	if (err != RS_STORE_OK)
		rs_log(RS_LOG_ERROR, "removal-failed", "id", rs_log_id(s->id), "user", s->user,
			"error", rs_store_err_name(err), "why", why, NULL);
	if (!l)
		return;
	rs_link_begin(l, RS_MSG_COMMITTED);
	rs_link_u64(l, s->id);
	rs_link_u8(l, (uint8_t)err);
	rs_link_u32(l, left);
	rs_link_end(l);
}

static bool on_commit(struct rs_proc *r, uint32_t front, struct rs_msg_in *m)
{
	struct stores *st = r->arg;
	uint64_t id = rs_msg_u64(m);
	struct rs_slice marks = rs_msg_octets(m);
	struct sess *s = find(r, front, id);
	const struct rs_drop_head *head;

	if (!rs_msg_end(m))
		return false;
	if (!s || !s->drop || s->deciding)
		return true;
	head = (const void *)st->store->ops->image(s->drop).p;
	if (marks.n != rs_marks_n(head->rows_n))
		return false;
	s->deciding = true;
	st->store->ops->commit(s->drop, marks.p, on_committed, s);
	return true;
}

/* --- delivery ------------------------------------------------------------------------------ */

static bool on_rcpt_open(struct rs_proc *r, struct rs_msg_in *m)
{
	uint32_t front = rs_msg_u32(m);
	uint64_t id = rs_msg_u64(m);
	uint32_t rcpt = rs_msg_u32(m);
	struct rs_slice user = rs_msg_octets(m);
	struct rs_slice mailbox = rs_msg_octets(m);
	struct sess *s = find(r, front, id);
	struct rs_link *l;

	(void)user;
	if (!rs_msg_end(m) || front >= RS_ROLE_PEERS_MAX || (s && (s->drop || s->opening)))
		return false;
	if (!s) {
		s = sess_new(r, front, id);
		s->mailboxes = g_ptr_array_new_with_free_func(g_free);
		s->rcpts = g_array_new(FALSE, FALSE, sizeof(uint32_t));
	}
	if (s->mailboxes->len >= RCPTS_MAX || s->deliv)
		return false;
	g_ptr_array_add(s->mailboxes, g_strndup((const char *)mailbox.p, mailbox.n));
	g_array_append_val(s->rcpts, rcpt);
	l = front_of(s);
	if (!l)
		return true;
	rs_link_begin(l, RS_MSG_RCPT_READY);
	rs_link_u64(l, s->id);
	rs_link_u32(l, rcpt);
	rs_link_u8(l, RS_STORE_OK);
	rs_link_end(l);
	return true;
}

struct writing {
	GList link;
	struct sess *sess;
	uint32_t n;
};

static void on_written(void *arg, enum rs_store_err err, const char *why)
{
	struct writing *w = arg;
	struct rs_link *l = front_of(w->sess);

	/* an error stays with the delivery and is told by DELIVERED */
	if (l) {
		rs_link_begin(l, RS_MSG_DATA_ROOM);
		rs_link_u64(l, w->sess->id);
		rs_link_u32(l, w->n);
		rs_link_end(l);
	}
	asked_done(w->sess, &w->link);
}

static void deliv_open(struct sess *s)
{
	struct stores *st = s->proc->arg;

	if (!s->deliv)
		st->store->ops->deliv_open(st->store, (const char *const *)s->mailboxes->pdata,
			s->mailboxes->len, &s->deliv);
}

static bool on_data(struct rs_proc *r, uint32_t front, struct rs_msg_in *m)
{
	struct stores *st = r->arg;
	uint64_t id = rs_msg_u64(m);
	struct rs_slice octets = rs_msg_octets(m);
	struct sess *s = find(r, front, id);
	struct writing *w;

	if (!rs_msg_end(m) || octets.n > RS_MSG_INLINE_MAX)
		return false;
	if (!s || !s->mailboxes || s->ending)
		return true;
	deliv_open(s);
	w = g_new(struct writing, 1);
	*w = (struct writing){.sess = s, .n = (uint32_t)octets.n};
	asked_add(s, &w->link, w);
	st->store->ops->deliv_write(s->deliv, octets, on_written, w);
	return true;
}

static void on_delivered(void *arg, uint32_t mailbox, enum rs_store_err err, const char *why)
{
	struct sess *s = arg;
	struct rs_link *l = front_of(s);
	const char *path = g_ptr_array_index(s->mailboxes, mailbox);

	if (err != RS_STORE_OK)
		rs_log(RS_LOG_ERROR, "delivery-failed", "id", rs_log_id(s->id), "txn",
			rs_log_txn(s->id), "mailbox", path, "error", rs_store_err_name(err), "why",
			why, NULL);
	else
		rs_log(RS_LOG_INFO, "delivered", "id", rs_log_id(s->id), "txn", rs_log_txn(s->id),
			"mailbox", path, NULL);
	if (l) {
		rs_link_begin(l, RS_MSG_DELIVERED);
		rs_link_u64(l, s->id);
		rs_link_u32(l, g_array_index(s->rcpts, uint32_t, mailbox));
		rs_link_u8(l, (uint8_t)err);
		rs_link_end(l);
	}
	if (mailbox + 1 < s->mailboxes->len)
		return;
	s->ending = false;
	s->deliv = NULL; /* the store has destroyed it */
	sess_end(s);
}

static bool on_data_end(struct rs_proc *r, uint32_t front, struct rs_msg_in *m)
{
	struct stores *st = r->arg;
	uint64_t id = rs_msg_u64(m);
	struct sess *s = find(r, front, id);

	if (!rs_msg_end(m))
		return false;
	if (!s || !s->mailboxes || s->ending)
		return true;
	deliv_open(s);
	s->ending = true;
	st->store->ops->deliv_commit(s->deliv, on_delivered, s);
	return true;
}

/* --- the role ------------------------------------------------------------------------------ */

static bool on_end(struct rs_proc *r, uint32_t front, struct rs_msg_in *m)
{
	uint64_t id = rs_msg_u64(m);
	struct sess *s = find(r, front, id);

	if (s)
		sess_end(s);
	return rs_msg_end(m);
}

static bool store_message(struct rs_proc *r, enum rs_role peer, uint32_t index, struct rs_msg_in *m)
{
	if (peer == RS_ROLE_AUTH)
		return m->type == RS_MSG_OPEN ? on_open(r, m) : on_rcpt_open(r, m);
	switch ((int)m->type) {
	case RS_MSG_READ:
		return on_read_msg(r, index, m);
	case RS_MSG_COMMIT:
		return on_commit(r, index, m);
	case RS_MSG_DATA:
		return on_data(r, index, m);
	case RS_MSG_DATA_END:
		return on_data_end(r, index, m);
	case RS_MSG_CLOSE:
	case RS_MSG_DATA_DROP:
		return on_end(r, index, m);
	default:
		return false;
	}
}

static void end_sessions_of(struct rs_proc *r, uint32_t front, bool all)
{
	struct stores *st = r->arg;
	g_autoptr(GList) keys = g_hash_table_get_keys(st->sessions);

	for (GList *l = keys; l; l = l->next) {
		struct sess *s = l->data;

		if (all || s->front == front)
			sess_end(s);
	}
}

static void store_peer_gone(struct rs_proc *r, enum rs_role peer, uint32_t index)
{
	if (peer == RS_ROLE_FRONT)
		end_sessions_of(r, index, false);
}

static bool store_start(struct rs_proc *r)
{
	const struct rs_store_ops *ops =
		r->conf->store_type == RS_STORE_MEMORY ? &rs_store_memory : &rs_store_maildir;
	struct stores *st = g_new0(struct stores, 1);
	struct rs_err err;

	st->sessions = g_hash_table_new_full(sess_hash, sess_equal, sess_free, NULL);
	st->held = g_hash_table_new(g_str_hash, g_str_equal);
	uv_timer_init(&r->loop, &st->wait);
	r->arg = st;
	if (ops->start(&r->loop, r->conf, &st->store, &err) == 0)
		return true;
	rs_log(RS_LOG_ERROR, "store-not-started", "why", err.text, NULL);
	return false;
}

/* Fronts are told to stop as well and close their sessions; what is decided or on its way to the
 * disk is finished first, because the workers' jobs run to their end before the process leaves. */
static void on_wait(uv_timer_t *t)
{
	struct rs_proc *r = t->data;
	const struct stores *st = r->arg;

	if (g_hash_table_size(st->sessions) == 0)
		rs_role_leave(r, 0);
}

static void store_stop(struct rs_proc *r)
{
	struct stores *st = r->arg;

	st->wait.data = r;
	uv_timer_start(&st->wait, on_wait, STOP_POLL_MS, STOP_POLL_MS);
}

const struct rs_role_ops rs_store_ops_role = {
	.start = store_start,
	.message = store_message,
	.peer_gone = store_peer_gone,
	.stop = store_stop,
};
