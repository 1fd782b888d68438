/* relay_txn.c - a transaction of the relay role, see relay.h.
 *
 *   RELAY_OPEN: (connection) -> MAIL, RCPT -> RCPT_READY or RCPT_REFUSED each, with the relay's own words
 *   DATA: -> DATA -> 354 -> octets, DATA_ROOM as they go -> DATA_END: "." -> RELAYED
 * Facts: a recipient is in `waiting` until it is answered once; `answer` is the first refusal of all, and final;
 *        RELAYED is said once, behind DATA_END, and only with 250 when the relay has said it. */
#include "server/relay.h"

#include <string.h>

#include "server/log.h"
#include "server/stats.h"

struct relay_rcpt {
	uint32_t rcpt;
	bool sent;
	char *address;
};

static void rcpt_clear(gpointer p)
{
	g_free(((struct relay_rcpt *)p)->address);
}

struct relay_txn *relay_txn_new(struct relay *r, uint32_t front, uint64_t id)
{
	struct relay_txn *t = g_new0(struct relay_txn, 1);

	t->relay = r;
	t->front = front;
	t->id = id;
	t->waiting = g_array_new(FALSE, FALSE, sizeof(struct relay_rcpt));
	g_array_set_clear_func(t->waiting, rcpt_clear);
	rs_buf_init(&t->pending, RS_MSG_DATA_WINDOW);
	return t;
}

void relay_txn_free(gpointer p)
{
	struct relay_txn *t = p;
	bool clean = !t->data_sent || (t->answer.code && !t->going) || t->answer.code / 100 == 2;

	/* half a message cannot be taken back but by an end of the connection without its last dot */
	if (t->conn)
		relay_conn_release(t->conn, clean, t->mail_sent && t->answer.code / 100 != 2);
	g_array_unref(t->waiting);
	rs_buf_finish(&t->pending);
	g_free(t->sender);
	g_free(t);
}

static struct rs_link *front_of(const struct relay_txn *t)
{
	return t->relay->proc->fronts[t->front];
}

/* --- answers ------------------------------------------------------------------------------- */

static void answer_set(struct rs_msg_answer *a, const struct rs_smtpc_event *ev)
{
	size_t n = RS_MIN(ev->text.n, sizeof(a->text) - 1);

	a->code = ev->code;
	if (rs_slice_copy(ev->status, a->status, sizeof(a->status)) < 0)
		a->status[0] = '\0';
	memcpy(a->text, ev->text.p ? ev->text.p : (const uint8_t *)"", n);
	a->text[n] = '\0';
	for (char *c = a->text; *c; c++) {
		if ((guchar)*c < 0x20 || *c == 0x7f)
			*c = ' ';
	}
}

static void answer_own(struct rs_msg_answer *a, unsigned code, const char *status, const char *text)
{
	a->code = code;
	g_strlcpy(a->status, status, sizeof(a->status));
	g_strlcpy(a->text, text, sizeof(a->text));
}

static void rcpt_refuse(const struct relay_txn *t, uint32_t rcpt, const struct rs_msg_answer *a)
{
	struct rs_link *l = front_of(t);

	if (!l)
		return;
	rs_link_begin(l, RS_MSG_RCPT_REFUSED);
	rs_link_u64(l, t->id);
	rs_link_u32(l, rcpt);
	rs_link_answer(l, a);
	rs_link_end(l);
}

static void rcpt_ready(struct relay_txn *t, uint32_t rcpt)
{
	struct rs_link *l = front_of(t);

	t->accepted_n++;
	if (!l)
		return;
	rs_link_begin(l, RS_MSG_RCPT_READY);
	rs_link_u64(l, t->id);
	rs_link_u32(l, rcpt);
	rs_link_u8(l, 0);
	rs_link_end(l);
}

/* All that wait hear the one refusal. */
static void refuse_waiting(struct relay_txn *t)
{
	for (guint i = 0; i < t->waiting->len; i++)
		rcpt_refuse(t, g_array_index(t->waiting, struct relay_rcpt, i).rcpt, &t->answer);
	g_array_set_size(t->waiting, 0);
}

/* Octets that the front sent are done with. */
static void room(struct relay_txn *t, size_t n)
{
	struct rs_link *l = front_of(t);

	if (!l || n == 0)
		return;
	rs_link_begin(l, RS_MSG_DATA_ROOM);
	rs_link_u64(l, t->id);
	rs_link_u32(l, (uint32_t)n);
	rs_link_end(l);
}

/* The message's fate is told, and the transaction is over. */
static void tell_result(struct relay_txn *t)
{
	struct rs_link *l = front_of(t);
	bool ok = t->answer.code / 100 == 2;

	rs_stats_add(ok ? RS_STAT_RELAYED : RS_STAT_RELAY_REFUSED, 1);
	rs_log(ok ? RS_LOG_INFO : RS_LOG_WARNING, ok ? "relayed" : "relay-refused", "id",
		rs_log_id(t->id), "txn", rs_log_txn(t->id), "from", t->sender, "recipients",
		rs_log_num(t->accepted_n), "octets", rs_log_num(t->octets), "code",
		rs_log_num(t->answer.code), "reply", t->answer.text, NULL);
	if (l) {
		rs_link_begin(l, RS_MSG_RELAYED);
		rs_link_u64(l, t->id);
		rs_link_answer(l, &t->answer);
		rs_link_end(l);
	}
	g_hash_table_remove(t->relay->txns, t);
}

/* --- towards the relay --------------------------------------------------------------------- */

/* What the relay's extensions do not carry. False: `answer` says so. */
static bool fits(struct relay_txn *t, const struct rs_smtpc *e)
{
	uint64_t max = rs_smtpc_size_max(e);

	if (t->flags & RS_MSG_MAIL_UTF8 && !(rs_smtpc_caps(e) & RS_SMTPC_CAP_SMTPUTF8))
		answer_own(&t->answer, 553, "5.6.7", "The relay does not take SMTPUTF8");
	else if (t->flags & RS_MSG_MAIL_8BIT && !(rs_smtpc_caps(e) & RS_SMTPC_CAP_8BITMIME))
		answer_own(&t->answer, 554, "5.6.3", "The relay does not take 8BITMIME");
	else if (max && t->size > max)
		answer_own(&t->answer, 552, "5.3.4", "The message is larger than the relay takes");
	return t->answer.code == 0;
}

static int push_mail(struct relay_txn *t, struct rs_smtpc *e)
{
	uint32_t flags = (t->flags & RS_MSG_MAIL_8BIT ? RS_SMTPC_8BIT : 0) |
			 (t->flags & RS_MSG_MAIL_UTF8 ? RS_SMTPC_UTF8 : 0);
	int rc;

	if (t->mail_sent || !fits(t, e))
		return 0;
	rc = rs_smtpc_mail(e, rs_slice_str(t->sender), flags, t->size);
	t->mail_sent = rc == 0;
	if (rc == -RS_EINVAL)
		answer_own(&t->answer, 553, "5.1.7", "The relay cannot be told this sender");
	return rc;
}

static void push_rcpts(struct relay_txn *t, struct rs_smtpc *e)
{
	static const struct rs_msg_answer bad = {
		553, "5.1.3", "The relay cannot be told this recipient"};

	for (guint i = 0; i < t->waiting->len; i++) {
		struct relay_rcpt *rcpt = &g_array_index(t->waiting, struct relay_rcpt, i);
		int rc = rcpt->sent ? 0 : rs_smtpc_rcpt(e, rcpt->rcpt, rs_slice_str(rcpt->address));

		if (rc == -RS_EINVAL) {
			rcpt_refuse(t, rcpt->rcpt, &bad);
			g_array_remove_index(t->waiting, i--);
		} else if (rc < 0) {
			return;
		} else {
			rcpt->sent = true;
		}
	}
}

static void push_octets(struct relay_txn *t, struct rs_smtpc *e)
{
	struct rs_slice s = rs_buf_slice(&t->pending);
	size_t n = s.n ? rs_smtpc_body(e, s.p, s.n) : 0;

	rs_buf_consume(&t->pending, n);
	room(t, n);
	if (t->whole && rs_buf_n(&t->pending) == 0 && !t->ended)
		t->ended = rs_smtpc_end(e);
}

void relay_txn_push(struct relay_txn *t)
{
	struct rs_smtpc *e = t->conn ? relay_conn_engine(t->conn) : NULL;

	if (!e)
		return;
	if (t->answer.code == 0 && push_mail(t, e) == 0 && t->answer.code == 0)
		push_rcpts(t, e);
	if (t->answer.code)
		refuse_waiting(t);
	if (t->answer.code == 0 && t->data_begun && !t->data_sent && t->waiting->len == 0)
		t->data_sent = rs_smtpc_data(e) == 0;
	if (t->going && t->answer.code == 0)
		push_octets(t, e);
}

/* --- from the relay ------------------------------------------------------------------------ */

static void on_rcpt(struct relay_txn *t, const struct rs_smtpc_event *ev)
{
	struct rs_msg_answer a = {.code = 0};

	for (guint i = 0; i < t->waiting->len; i++) {
		if (g_array_index(t->waiting, struct relay_rcpt, i).rcpt != ev->tag)
			continue;
		answer_set(&a, ev);
		if (ev->code / 100 == 2)
			rcpt_ready(t, ev->tag);
		else
			rcpt_refuse(t, ev->tag, &a);
		g_array_remove_index(t->waiting, i);
		return;
	}
}

/* No more of the message is wanted. */
static void on_final(struct relay_txn *t, const struct rs_smtpc_event *ev)
{
	size_t held = rs_buf_n(&t->pending);

	answer_set(&t->answer, ev);
	t->going = ev->kind == RS_M_DONE &&
		   !t->ended; /* half a message: the connection is of no use */
	rs_buf_clear(&t->pending);
	room(t, held);
	if (t->whole)
		tell_result(t);
}

void relay_txn_event(struct relay_txn *t, const struct rs_smtpc_event *ev)
{
	t->told |= ev->kind != RS_M_RESET;
	switch (ev->kind) {
	case RS_M_MAIL:
		if (ev->code / 100 != 2) {
			answer_set(&t->answer, ev);
			refuse_waiting(t);
		}
		break;
	case RS_M_RCPT:
		on_rcpt(t, ev);
		break;
	case RS_M_DATA:
		if (ev->code == 354)
			t->going = true;
		else
			on_final(t, ev);
		break;
	case RS_M_DONE:
		on_final(t, ev);
		break;
	case RS_M_START_TLS:
	case RS_M_READY:
	case RS_M_LOGIN:
	case RS_M_CHALLENGE:
	case RS_M_REFUSED:
	case RS_M_RESET:
		break;
	}
}

/* With another connection, where the relay has not said a word yet; false: there is none. */
static bool begin_anew(struct relay_txn *t)
{
	t->conn = relay_conn_take(t->relay, t);
	if (!t->conn)
		return false;
	t->mail_sent = false;
	for (guint i = 0; i < t->waiting->len; i++)
		g_array_index(t->waiting, struct relay_rcpt, i).sent = false;
	relay_conn_step(t->conn);
	return true;
}

void relay_txn_lost(struct relay_txn *t, const struct rs_msg_answer *why, bool stale)
{
	size_t held = rs_buf_n(&t->pending);

	t->conn = NULL;
	if (stale && !t->told && t->answer.code == 0 && begin_anew(t))
		return;
	if (t->answer.code == 0)
		t->answer = *why;
	refuse_waiting(t);
	rs_buf_clear(&t->pending);
	room(t, held);
	if (t->whole)
		tell_result(t);
}

/* --- from auth and the front --------------------------------------------------------------- */

void relay_txn_rcpt(struct relay_txn *t, uint32_t rcpt, struct rs_slice address)
{
	struct relay_rcpt row = {
		.rcpt = rcpt, .address = g_strndup((const char *)address.p, address.n)};

	g_array_append_val(t->waiting, row);
	if (!t->conn && t->answer.code == 0) {
		t->conn = relay_conn_take(t->relay, t);
		if (!t->conn)
			answer_own(&t->answer, 451, "4.3.2",
				"Too many messages are on their way to the relay; try again later");
	}
	if (t->answer.code)
		refuse_waiting(t);
	else
		relay_conn_step(t->conn);
}

bool relay_txn_data(struct relay_txn *t, struct rs_slice octets)
{
	if (octets.n > rs_buf_room(&t->pending))
		return false;
	t->data_begun = true;
	t->octets += octets.n;
	if (t->answer.code) {
		room(t, octets.n);
		return true;
	}
	if (rs_buf_add(&t->pending, octets.p, octets.n) < 0)
		g_error("out of memory"); /* the role ends and is started again */
	relay_conn_step(t->conn);
	return true;
}

void relay_txn_end(struct relay_txn *t)
{
	t->data_begun = t->whole = true;
	if (t->answer.code)
		tell_result(t);
	else
		relay_conn_step(t->conn);
}
