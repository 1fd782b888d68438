/* front_txn.c - a transaction of mail (front_mail.h), with a session number of its own towards auth, stores
 * and relay:
 *   MAIL -> RCPT: auth says no, or tells a store or the relay, which says READY -> … -> DATA: octets to
 *   each that has a recipient -> the relay: DATA_END -> RELAYED -> the stores: DATA_END -> one DELIVERED a recipient
 *   -> replies in order; of users one
 * Facts: `rcpts` has a row for each recipient the engine has accepted, in its order; who is in `used` hears
 *        DATA_END or DATA_DROP once; 250 is said only after DELIVERED ok (law 1), and after the relay's 250. */
#include "server/front_mail.h"

#include "server/log.h"

#define ANSWER_TIME_S 300 /* RFC 5321 section 4.5.3.2: what the sender waits at least */
#define RCPT_TIME_S   30  /* auth and store must have answered by then; else 421 */
#define RELAY_TIME_S  120 /* likewise where the relay is asked */

/* NULL: it is not there. */
static struct rs_link *link_of(const struct mail *p, uint32_t dest)
{
	return dest == MAIL_RELAY ? proc_of(p)->relay : proc_of(p)->stores[dest];
}

/* NULL where there is none, as the engine wants it. */
static const char *status_of(const struct rs_msg_answer *a)
{
	return a->status[0] ? a->status : NULL;
}

/* --- a transaction ------------------------------------------------------------------------- */

void front_txn_begin(struct mail *p, const struct rs_lmtps_event *ev)
{
	p->txn.id = front_txn_id(p->txn.conn);
	front_sess_add(p->txn.conn->front, &p->txn);
	g_free(p->sender);
	p->sender = g_strndup((const char *)ev->text.p, ev->text.n);
	p->utf8 = ev->utf8;
	g_array_set_size(p->rcpts, 0);
	memset(p->used, 0, sizeof(p->used));
	memset(p->ended, 0, sizeof(p->ended));
	memset(p->owed, 0, sizeof(p->owed));
	rs_buf_clear(&p->chunk);
	rs_mailfix_init(&p->fix);
	p->told_n = 0;
	p->relay_n = 0;
	p->relayed.code = 0;
	p->octets = 0;
	p->begun = p->ending = false;
}

static void drop(struct mail *p, uint32_t dest)
{
	struct rs_link *l = link_of(p, dest);

	if (p->used[dest] && !p->ended[dest] && l) {
		rs_link_begin(l, RS_MSG_DATA_DROP);
		rs_link_u64(l, p->txn.id);
		rs_link_end(l);
	}
	p->used[dest] = false;
	p->owed[dest] = 0;
}

void front_txn_end(struct mail *p)
{
	for (uint32_t i = 0; i < MAIL_DESTS_MAX; i++)
		drop(p, i);
	if (p->txn.id)
		front_sess_remove(p->txn.conn->front, &p->txn);
	p->txn.id = 0;
	p->ending = false;
	p->mail_asked = false;
	g_clear_pointer(&p->asked, g_free);
	rs_buf_clear(&p->chunk);
	rs_buf_shrink(&p->chunk);
}

void front_txn_rcpt(struct mail *p, struct rs_slice address)
{
	struct rs_link *l = proc_of(p)->auth;

	if (!l) {
		rs_lmtps_reply(p->engine, 451, "4.3.0", NULL);
		return;
	}
	g_free(p->asked);
	p->asked = g_strndup((const char *)address.p, address.n);
	rs_link_begin(l, RS_MSG_RCPT);
	rs_link_u64(l, p->txn.id);
	rs_link_u32(l, p->rcpts->len);
	rs_link_octets(l, address);
	rs_link_end(l);
	rs_conn_alive(p->txn.conn, p->submit ? RELAY_TIME_S : RCPT_TIME_S);
}

/* --- octets -------------------------------------------------------------------------------- */

static void send_to(struct mail *p, uint32_t dest, struct rs_slice octets)
{
	struct rs_link *l = link_of(p, dest);

	if (!p->used[dest] || !l || octets.n == 0)
		return;
	rs_link_begin(l, RS_MSG_DATA);
	rs_link_u64(l, p->txn.id);
	rs_link_octets(l, octets);
	rs_link_end(l);
	p->owed[dest] += (uint32_t)octets.n;
}

void front_txn_flush(struct mail *p)
{
	for (uint32_t i = 0; rs_buf_n(&p->chunk) && i < MAIL_DESTS_MAX; i++)
		send_to(p, i, rs_buf_slice(&p->chunk));
	rs_buf_clear(&p->chunk);
}

static void chunk_add(struct mail *p, const void *octets, size_t n)
{
	const uint8_t *at = octets;

	while (n) {
		size_t k = RS_MIN(n, rs_buf_room(&p->chunk));

		if (rs_buf_add(&p->chunk, at, k) < 0)
			g_error("out of memory"); /* the role ends and is started again */
		at += k;
		n -= k;
		if (rs_buf_room(&p->chunk) == 0)
			front_txn_flush(p);
	}
}

/* What stands in front. Return-Path is for final delivery: the relay does not get it. */
static void trace(struct mail *p)
{
	g_autofree char *delivered = front_trace_delivered(p);
	g_autofree char *received = front_trace_received(p);

	p->begun = true;
	if (!p->used[MAIL_RELAY]) {
		chunk_add(p, delivered, strlen(delivered));
	} else {
		for (uint32_t i = 0; i < MAIL_RELAY; i++)
			send_to(p, i, rs_slice_str(delivered));
	}
	chunk_add(p, received, strlen(received));
}

/* The header ends here. */
static void put_missing(struct mail *p)
{
	g_autofree char *fields = front_trace_missing(p, p->fix.has_date, p->fix.has_id);

	if (p->fix.cut)
		chunk_add(p, "\r\n", 2);
	chunk_add(p, fields, strlen(fields));
	if (p->fix.blank)
		chunk_add(p, "\r\n", 2);
}

static void body_fixed(struct mail *p, struct rs_slice octets)
{
	struct rs_slice span;
	enum rs_mailfix_step step;
	size_t used;

	while ((step = rs_mailfix(&p->fix, octets.p, octets.n, &used, &span)) != RS_MAILFIX_MORE) {
		if (step == RS_MAILFIX_INSERT)
			put_missing(p);
		else
			chunk_add(p, span.p, span.n);
		octets = rs_slice_sub(octets, used, octets.n);
	}
}

static void fix_end(struct mail *p)
{
	struct rs_slice span;
	enum rs_mailfix_step step;

	while ((step = rs_mailfix_end(&p->fix, &span)) != RS_MAILFIX_MORE) {
		if (step == RS_MAILFIX_INSERT)
			put_missing(p);
		else
			chunk_add(p, span.p, span.n);
	}
}

void front_txn_data_begin(struct mail *p)
{
	if (p->relay_n == 0) /* it has refused all it was asked for */
		drop(p, MAIL_RELAY);
	rs_lmtps_reply(p->engine, 354, NULL, NULL);
}

void front_txn_body(struct mail *p, struct rs_slice octets)
{
	if (!p->begun)
		trace(p);
	p->octets += octets.n;
	if (p->submit)
		body_fixed(p, octets);
	else
		chunk_add(p, octets.p, octets.n);
}

bool front_txn_window_open(const struct mail *p)
{
	for (uint32_t i = 0; i < MAIL_DESTS_MAX; i++) {
		if (p->used[i] && p->owed[i] + RS_MSG_INLINE_MAX > RS_MSG_DATA_WINDOW)
			return false;
	}
	return true;
}

static void end_at(struct mail *p, uint32_t dest)
{
	struct rs_link *l = link_of(p, dest);

	if (!p->used[dest] || p->ended[dest] || !l)
		return;
	p->ended[dest] = true;
	rs_link_begin(l, RS_MSG_DATA_END);
	rs_link_u64(l, p->txn.id);
	rs_link_end(l);
}

static void end_at_stores(struct mail *p)
{
	for (uint32_t i = 0; i < MAIL_RELAY; i++)
		end_at(p, i);
	rs_conn_alive(p->txn.conn, ANSWER_TIME_S);
}

void front_txn_data_end(struct mail *p)
{
	if (!p->begun)
		trace(p);
	if (p->submit)
		fix_end(p);
	front_txn_flush(p);
	p->ending = true;
	p->ended_ns = uv_hrtime();
	if (p->relay_n) {
		end_at(p, MAIL_RELAY);
		rs_conn_alive(p->txn.conn, ANSWER_TIME_S);
	} else {
		end_at_stores(p);
	}
}

/* --- results ------------------------------------------------------------------------------- */

/* What is said of a recipient; status and text are lent for ever. */
static unsigned result_of(const struct mail *p, int result, const char **status, const char **text)
{
	static const struct {
		unsigned code;
		const char *status;
		const char *text;
	} rows[RS_STORE_ERR_N] = {
		[RS_STORE_OK] = {250, "2.0.0", "Delivered"},
		[RS_STORE_NOBOX] = {550, "5.1.1", "No such mailbox here"},
		[RS_STORE_INUSE] = {451, "4.2.1", "The mailbox is busy"},
		[RS_STORE_FULL] = {452, "4.3.1", "No space left; try again later"},
		[RS_STORE_QUOTA] = {452, "4.2.2", "The mailbox is full; try again later"},
		[RS_STORE_TEMP] = {451, "4.3.0", "Temporary failure; try again later"},
		[RS_STORE_PERM] = {451, "4.3.5",
			"The mailbox cannot be written; the postmaster must mend it"},
		[RS_STORE_LOST] = {451, "4.3.0", "Temporary failure; try again later"},
		[RS_STORE_UNKNOWN] = {451, "4.3.0", "It may have been delivered; try again later"},
		[RS_STORE_CORRUPT] = {451, "4.3.5", "The mailbox is damaged"},
		[RS_STORE_GONE] = {451, "4.3.0", "Temporary failure; try again later"},
	};

	if (result == RS_STORE_QUOTA && proc_of(p)->conf->quota_permanent) {
		*status = "5.2.2";
		*text = "The mailbox is full";
		return 552;
	}
	*status = rows[result].status;
	*text = rows[result].text;
	return rows[result].code;
}

static void result_tell(struct mail *p, uint32_t i, int result)
{
	const char *status;
	const char *text;
	unsigned code = result_of(p, result, &status, &text);

	rs_stats_add(result == RS_STORE_OK ? RS_STAT_DELIVERED : RS_STAT_UNDELIVERED, 1);
	rs_lmtps_result(p->engine, i, code, status, text);
}

static void over(struct mail *p)
{
	rs_stats_add(RS_STAT_RECEIVED, 1);
	rs_stats_time(RS_STAT_DELIVERY_TIME, (uv_hrtime() - p->ended_ns) / 1000);
	rs_log(RS_LOG_INFO, "received", "id", rs_log_id(p->txn.id), "txn", rs_log_txn(p->txn.id),
		"peer", p->txn.conn->peer_text, "user", p->submit ? p->user : NULL, "from",
		p->sender, "recipients", rs_log_num(p->rcpts->len), "relayed",
		p->submit ? rs_log_num(p->relay_n) : NULL, "octets", rs_log_num(p->octets), NULL);
	front_txn_end(p);
}

/* One answer for all: yes, or who has not got it. */
static void tell_one(struct mail *p)
{
	g_autoptr(GString) missing = g_string_new(NULL);
	const char *status = "2.0.0";
	const char *text = "Sent";
	unsigned code = 250;
	guint missing_n = 0;
	guint ours_n = 0;

	for (guint i = 0; i < p->rcpts->len; i++) {
		const struct mail_rcpt *rcpt = front_txn_rcpt_at(p, i);

		if (rcpt->dest == MAIL_RELAY)
			continue;
		ours_n++;
		rs_stats_add(
			rcpt->result == RS_STORE_OK ? RS_STAT_DELIVERED : RS_STAT_UNDELIVERED, 1);
		if (rcpt->result == RS_STORE_OK)
			continue;
		if (missing_n++ == 0)
			code = result_of(p, rcpt->result, &status, &text);
		if (missing->len < 200)
			g_string_append_printf(
				missing, "%s%s", missing->len ? ", " : "", rcpt->address);
	}
	if (missing_n == 0 || (missing_n == ours_n && p->relay_n == 0)) {
		rs_lmtps_result(p->engine, 0, code, status, text);
		return;
	}
	g_string_prepend(missing, "Sent to all but ");
	g_string_append_printf(missing, " (%s); send it to them once more", text);
	rs_lmtps_result(p->engine, 0, code, status, missing->str);
}

/* Of users: the relay first, then the stores, then one answer. */
static void results_of_user(struct mail *p)
{
	bool all = true;

	if (p->relay_n && p->relayed.code == 0)
		return;
	if (p->relay_n && p->relayed.code / 100 != 2) { /* nobody has it; the stores forget it */
		rs_lmtps_result(p->engine, 0, p->relayed.code < 400 ? 451 : p->relayed.code,
			status_of(&p->relayed), p->relayed.text);
		over(p);
		return;
	}
	end_at_stores(p);
	for (guint i = 0; i < p->rcpts->len; i++) {
		const struct mail_rcpt *rcpt = front_txn_rcpt_at(p, i);

		all &= rcpt->dest == MAIL_RELAY || rcpt->result != MAIL_NO_RESULT;
	}
	if (!all)
		return;
	tell_one(p);
	over(p);
}

void front_txn_results(struct mail *p)
{
	if (!p->ending)
		return;
	if (p->submit) {
		results_of_user(p);
		return;
	}
	while (p->told_n < p->rcpts->len &&
		front_txn_rcpt_at(p, p->told_n)->result != MAIL_NO_RESULT) {
		result_tell(p, p->told_n, front_txn_rcpt_at(p, p->told_n)->result);
		p->told_n++;
	}
	if (p->told_n == p->rcpts->len)
		over(p);
}

/* --- messages ------------------------------------------------------------------------------ */

static bool on_rcpt_refused(struct mail *p, bool by_relay, struct rs_msg_in *m)
{
	uint32_t rcpt = rs_msg_u32(m);
	struct rs_msg_answer a;

	if (!rs_msg_answer(m, 400, &a) || !p->asked || rcpt != p->rcpts->len)
		return false;
	g_clear_pointer(&p->asked, g_free);
	p->used[MAIL_RELAY] |= by_relay; /* it waits for more, or the end */
	rs_lmtps_reply(p->engine, a.code, status_of(&a), a.text);
	return true;
}

static bool on_rcpt_ready(struct mail *p, uint32_t dest, struct rs_msg_in *m)
{
	uint32_t rcpt = rs_msg_u32(m);
	uint8_t err = rs_msg_u8(m);
	struct mail_rcpt row = {.dest = dest, .result = MAIL_NO_RESULT};

	if (!rs_msg_end(m) || !p->asked || rcpt != p->rcpts->len || err != RS_STORE_OK)
		return false;
	row.address = g_steal_pointer(&p->asked);
	g_array_append_val(p->rcpts, row);
	p->used[dest] = true;
	p->relay_n += dest == MAIL_RELAY;
	rs_lmtps_reply(p->engine, 250, "2.1.5", NULL);
	return true;
}

static bool on_delivered(struct mail *p, uint32_t dest, struct rs_msg_in *m)
{
	uint32_t rcpt = rs_msg_u32(m);
	uint8_t err = rs_msg_u8(m);

	if (!rs_msg_end(m) || rcpt >= p->rcpts->len || err >= RS_STORE_ERR_N || !p->ending ||
		front_txn_rcpt_at(p, rcpt)->dest != dest)
		return false;
	front_txn_rcpt_at(p, rcpt)->result = err;
	return true;
}

static bool on_room(struct mail *p, uint32_t dest, struct rs_msg_in *m)
{
	uint32_t n = rs_msg_u32(m);

	if (!rs_msg_end(m) || n > p->owed[dest])
		return false;
	p->owed[dest] -= n;
	return true;
}

static bool on_relayed(struct mail *p, struct rs_msg_in *m)
{
	return rs_msg_answer(m, 200, &p->relayed) && p->ended[MAIL_RELAY];
}

static bool txn_message(
	struct front_sess *s, enum rs_role peer, uint32_t index, struct rs_msg_in *m)
{
	struct mail *p = mail_of(s);
	uint32_t dest = peer == RS_ROLE_RELAY ? MAIL_RELAY : index;
	bool ok = false;

	if (m->type == RS_MSG_RCPT_REFUSED)
		ok = on_rcpt_refused(p, peer == RS_ROLE_RELAY, m);
	else if (m->type == RS_MSG_RCPT_READY)
		ok = on_rcpt_ready(p, dest, m);
	else if (m->type == RS_MSG_DATA_ROOM)
		ok = on_room(p, dest, m);
	else if (m->type == RS_MSG_DELIVERED)
		ok = on_delivered(p, dest, m);
	else if (m->type == RS_MSG_RELAYED)
		ok = on_relayed(p, m);
	else if (m->type == RS_MSG_MAIL_ANSWER)
		ok = front_submit_mail_answer(p, m);
	front_later(s->conn);
	return ok;
}

/* A store that has gone: what it had not said is not known. */
static void store_gone(struct mail *p, uint32_t store)
{
	for (guint i = 0; i < p->rcpts->len; i++) {
		struct mail_rcpt *r = front_txn_rcpt_at(p, i);

		if (r->dest == store && r->result == MAIL_NO_RESULT)
			r->result = p->ended[store] ? RS_STORE_UNKNOWN : RS_STORE_TEMP;
	}
	p->used[store] = false;
	p->owed[store] = 0;
}

static void relay_gone(struct mail *p)
{
	static const struct rs_msg_answer gone = {
		451, "4.3.0", "A part of the service is being started again; try again later"};

	if (p->relay_n && p->relayed.code == 0)
		p->relayed = gone;
	p->used[MAIL_RELAY] = false;
	p->owed[MAIL_RELAY] = 0;
}

static void txn_peer_gone(struct front_sess *s, enum rs_role peer, uint32_t index)
{
	struct mail *p = mail_of(s);

	/* The answer may never come. If it does all the same it must find no second question that it
	 * could be taken for: the sender comes back with another connection. */
	if (p->asked || p->mail_asked) {
		front_txn_end(p);
		rs_lmtps_abort(p->engine, "A part of the service is being started again");
	}
	if (peer == RS_ROLE_STORE)
		store_gone(p, index);
	else if (peer == RS_ROLE_RELAY)
		relay_gone(p);
	if (!s->conn->closing)
		front_mail_step(s->conn);
}

const struct front_sess_ops front_txn_ops = {.message = txn_message, .peer_gone = txn_peer_gone};
