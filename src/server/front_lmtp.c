/* front_lmtp.c - mail in: the LMTP engine (proto/lmtps.h) between a connection and the roles.
 *
 * A transaction (its own session number towards auth and stores):
 *   MAIL -> RCPT: auth says no, or tells a store, which says READY -> … -> DATA: octets to every
 *   store that has a recipient -> DATA_END -> one DELIVERED a recipient -> replies in order
 * Facts: `rcpts` has a row for each recipient the engine has accepted, in its order; a store that is
 *        in `used` hears DATA_END or DATA_DROP once; 250 is said only after DELIVERED ok (law 1).
 *
 * The trace fields (RFC 5321 section 4.4) are put in front here, once for all recipients, so that
 * one body serves them all; Delivered-To only where there is a single recipient. */
#include <string.h>
#include <time.h>

#include "server/front.h"
#include "server/log.h"
#include "server/stats.h"

#define ANSWER_TIME_S 300 /* RFC 5321 section 4.5.3.2: what the sender waits at least */
#define RCPT_TIME_S   30  /* auth and store must have answered by then; else 421 */
#define NO_RESULT     (-1)

struct rcpt {
	uint32_t store;
	int result; /* enum rs_store_err, or NO_RESULT */
	char *address;
};

struct lmtp {
	struct front_sess sess; /* first; its id is the transaction's, 0 while there is none */
	struct rs_lmtps_cfg cfg;
	struct rs_lmtps *engine;
	char *helo;
	char *sender;
	char *asked;   /* address of the RCPT that waits for its answer */
	GArray *rcpts; /* struct rcpt */
	bool used[RS_ROLE_PEERS_MAX];
	uint32_t owed[RS_ROLE_PEERS_MAX]; /* octets a store has not taken yet */
	struct rs_buf chunk;              /* DATA on its way, up to RS_MSG_INLINE_MAX */
	uint32_t told_n;                  /* results told */
	uint64_t octets;
	uint64_t ended_ns; /* when the end of DATA came */
	bool begun;        /* trace fields are out */
	bool ending;       /* DATA_END is out */
	bool stepping;
};

static void step(struct rs_conn *c);

static struct rs_proc *proc_of(const struct lmtp *p)
{
	return p->sess.conn->front->proc;
}

static struct rcpt *rcpt_at(const struct lmtp *p, guint i)
{
	return &g_array_index(p->rcpts, struct rcpt, i);
}

static void rcpt_clear(gpointer r)
{
	g_free(((struct rcpt *)r)->address);
}

/* --- a transaction ------------------------------------------------------------------------- */

static void txn_begin(struct lmtp *p, struct rs_slice sender)
{
	p->sess.id = front_txn_id(p->sess.conn);
	front_sess_add(p->sess.conn->front, &p->sess);
	g_free(p->sender);
	p->sender = g_strndup((const char *)sender.p, sender.n);
	g_array_set_size(p->rcpts, 0);
	memset(p->used, 0, sizeof(p->used));
	memset(p->owed, 0, sizeof(p->owed));
	rs_buf_clear(&p->chunk);
	p->told_n = 0;
	p->octets = 0;
	p->begun = p->ending = false;
}

/* Over; stores that were told of it and have not delivered forget it. */
static void txn_end(struct lmtp *p)
{
	for (uint32_t i = 0; i < RS_ROLE_PEERS_MAX; i++) {
		struct rs_link *l = proc_of(p)->stores[i];

		if (!p->used[i] || p->ending || !l)
			continue;
		rs_link_begin(l, RS_MSG_DATA_DROP);
		rs_link_u64(l, p->sess.id);
		rs_link_end(l);
	}
	memset(p->used, 0, sizeof(p->used));
	if (p->sess.id)
		front_sess_remove(p->sess.conn->front, &p->sess);
	p->sess.id = 0;
	p->ending = false;
	g_clear_pointer(&p->asked, g_free);
	rs_buf_clear(&p->chunk);
	rs_buf_shrink(&p->chunk);
}

static void ask_rcpt(struct lmtp *p, struct rs_slice address)
{
	struct rs_link *l = proc_of(p)->auth;

	if (!l) {
		rs_lmtps_reply(p->engine, 451, "4.3.0", NULL);
		return;
	}
	g_free(p->asked);
	p->asked = g_strndup((const char *)address.p, address.n);
	rs_link_begin(l, RS_MSG_RCPT);
	rs_link_u64(l, p->sess.id);
	rs_link_u32(l, p->rcpts->len);
	rs_link_octets(l, address);
	rs_link_end(l);
	rs_conn_alive(p->sess.conn, RCPT_TIME_S);
}

/* --- octets -------------------------------------------------------------------------------- */

static void chunk_send(struct lmtp *p)
{
	struct rs_slice s = rs_buf_slice(&p->chunk);

	for (uint32_t i = 0; s.n && i < RS_ROLE_PEERS_MAX; i++) {
		struct rs_link *l = proc_of(p)->stores[i];

		if (!p->used[i] || !l)
			continue;
		rs_link_begin(l, RS_MSG_DATA);
		rs_link_u64(l, p->sess.id);
		rs_link_octets(l, s);
		rs_link_end(l);
		p->owed[i] += (uint32_t)s.n;
	}
	rs_buf_clear(&p->chunk);
}

static void chunk_add(struct lmtp *p, const void *octets, size_t n)
{
	const uint8_t *at = octets;

	while (n) {
		size_t k = RS_MIN(n, rs_buf_room(&p->chunk));

		if (rs_buf_add(&p->chunk, at, k) < 0)
			g_error("out of memory"); /* the role ends and is started again */
		at += k;
		n -= k;
		if (rs_buf_room(&p->chunk) == 0)
			chunk_send(p);
	}
}

/* One-line text for a header: what a stranger said, without what could end the line. */
static char *header_word(const char *s)
{
	char *word = g_strdup(s ? s : "unknown");

	for (char *c = word; *c; c++) {
		if ((guchar)*c < 0x20 || *c == 0x7f || *c == '(' || *c == ')')
			*c = '_';
	}
	return word;
}

static void trace_fields(struct lmtp *p)
{
	g_autoptr(GString) h = g_string_new(NULL);
	g_autoptr(GDateTime) now = g_date_time_new_now_utc();
	g_autofree char *date = g_date_time_format(now, "%H:%M:%S +0000");
	g_autofree char *helo = header_word(p->helo);
	static const char days[] = "MonTueWedThuFriSatSun";
	static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
	int day = g_date_time_get_day_of_week(now) - 1;
	int month = g_date_time_get_month(now) - 1;

	g_string_append_printf(h, "Return-Path: <%s>\r\n", p->sender);
	if (p->rcpts->len == 1)
		g_string_append_printf(h, "Delivered-To: %s\r\n", rcpt_at(p, 0)->address);
	g_string_append_printf(h,
		"Received: from %s (%s)\r\n\tby %s (Restante) with LMTP\r\n\tid "
		"%016" G_GINT64_MODIFIER "x; %.3s, %d %.3s %d %s\r\n",
		helo, p->sess.conn->peer_text, p->cfg.hostname, p->sess.id, days + 3 * day,
		g_date_time_get_day_of_month(now), months + 3 * month, g_date_time_get_year(now),
		date);
	chunk_add(p, h->str, h->len);
	p->begun = true;
}

/* May more of the message be taken? Not while a store has a full window unread. */
static bool window_open(const struct lmtp *p)
{
	for (uint32_t i = 0; i < RS_ROLE_PEERS_MAX; i++) {
		if (p->used[i] && p->owed[i] + RS_MSG_INLINE_MAX > RS_MSG_DATA_WINDOW)
			return false;
	}
	return true;
}

static void data_end(struct lmtp *p)
{
	if (!p->begun)
		trace_fields(p);
	chunk_send(p);
	p->ending = true;
	p->ended_ns = uv_hrtime();
	for (uint32_t i = 0; i < RS_ROLE_PEERS_MAX; i++) {
		struct rs_link *l = proc_of(p)->stores[i];

		if (!p->used[i] || !l)
			continue;
		rs_link_begin(l, RS_MSG_DATA_END);
		rs_link_u64(l, p->sess.id);
		rs_link_end(l);
	}
	rs_conn_alive(p->sess.conn, ANSWER_TIME_S);
}

/* --- results ------------------------------------------------------------------------------- */

static void result_tell(struct lmtp *p, uint32_t i, int result)
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

	rs_stats_add(result == RS_STORE_OK ? RS_STAT_DELIVERED : RS_STAT_UNDELIVERED, 1);
	if (result == RS_STORE_QUOTA && proc_of(p)->conf->quota_permanent)
		rs_lmtps_result(p->engine, i, 552, "5.2.2", "The mailbox is full");
	else
		rs_lmtps_result(
			p->engine, i, rows[result].code, rows[result].status, rows[result].text);
}

/* Tell what is known, in the order of the recipients. */
static void results_tell(struct lmtp *p)
{
	while (p->ending && p->told_n < p->rcpts->len &&
		rcpt_at(p, p->told_n)->result != NO_RESULT) {
		result_tell(p, p->told_n, rcpt_at(p, p->told_n)->result);
		p->told_n++;
	}
	if (p->ending && p->told_n == p->rcpts->len) {
		rs_stats_add(RS_STAT_RECEIVED, 1);
		rs_stats_time(RS_STAT_DELIVERY_TIME, (uv_hrtime() - p->ended_ns) / 1000);
		rs_log(RS_LOG_INFO, "received", "id", rs_log_id(p->sess.id), "txn",
			rs_log_txn(p->sess.id), "peer", p->sess.conn->peer_text, "from", p->sender,
			"recipients", rs_log_num(p->rcpts->len), "octets", rs_log_num(p->octets),
			NULL);
		txn_end(p);
	}
}

/* --- messages ------------------------------------------------------------------------------ */

static bool on_rcpt_refused(struct lmtp *p, struct rs_msg_in *m)
{
	uint32_t rcpt = rs_msg_u32(m);
	uint16_t code = rs_msg_u16(m);
	struct rs_slice status = rs_msg_octets(m);
	struct rs_slice text = rs_msg_octets(m);
	char status_text[16];
	char words[256];

	if (!rs_msg_end(m) || !p->asked || rcpt != p->rcpts->len || code < 400 || code > 599 ||
		rs_slice_copy(status, status_text, sizeof(status_text)) < 0 ||
		rs_slice_copy(text, words, sizeof(words)) < 0)
		return false;
	g_clear_pointer(&p->asked, g_free);
	rs_lmtps_reply(p->engine, code, status_text, words);
	return true;
}

static bool on_rcpt_ready(struct lmtp *p, uint32_t store, struct rs_msg_in *m)
{
	uint32_t rcpt = rs_msg_u32(m);
	uint8_t err = rs_msg_u8(m);
	struct rcpt row = {.store = store, .result = NO_RESULT};

	if (!rs_msg_end(m) || !p->asked || rcpt != p->rcpts->len || err != RS_STORE_OK)
		return false;
	row.address = g_steal_pointer(&p->asked);
	g_array_append_val(p->rcpts, row);
	p->used[store] = true;
	rs_lmtps_reply(p->engine, 250, "2.1.5", NULL);
	return true;
}

static bool on_delivered(struct lmtp *p, uint32_t store, struct rs_msg_in *m)
{
	uint32_t rcpt = rs_msg_u32(m);
	uint8_t err = rs_msg_u8(m);

	if (!rs_msg_end(m) || rcpt >= p->rcpts->len || err >= RS_STORE_ERR_N || !p->ending ||
		rcpt_at(p, rcpt)->store != store)
		return false;
	rcpt_at(p, rcpt)->result = err;
	return true;
}

static bool on_room(struct lmtp *p, uint32_t store, struct rs_msg_in *m)
{
	uint32_t n = rs_msg_u32(m);

	if (!rs_msg_end(m) || n > p->owed[store])
		return false;
	p->owed[store] -= n;
	return true;
}

static bool lmtp_message(
	struct front_sess *s, enum rs_role peer, uint32_t index, struct rs_msg_in *m)
{
	struct lmtp *p = (struct lmtp *)s;
	bool ok = false;

	if (m->type == RS_MSG_RCPT_REFUSED)
		ok = on_rcpt_refused(p, m);
	else if (m->type == RS_MSG_RCPT_READY)
		ok = on_rcpt_ready(p, index, m);
	else if (m->type == RS_MSG_DATA_ROOM)
		ok = on_room(p, index, m);
	else if (m->type == RS_MSG_DELIVERED)
		ok = on_delivered(p, index, m);
	if (!s->conn->closing)
		step(s->conn);
	return ok;
}

static void lmtp_peer_gone(struct front_sess *s, enum rs_role peer, uint32_t index)
{
	struct lmtp *p = (struct lmtp *)s;

	if (p->asked) { /* the answer may never come */
		g_clear_pointer(&p->asked, g_free);
		rs_lmtps_reply(p->engine, 451, "4.3.0", NULL);
	}
	for (guint i = 0; peer == RS_ROLE_STORE && i < p->rcpts->len; i++) {
		struct rcpt *r = rcpt_at(p, i);

		if (r->store == index && r->result == NO_RESULT)
			r->result = p->ending ? RS_STORE_UNKNOWN : RS_STORE_TEMP;
	}
	if (peer == RS_ROLE_STORE) {
		p->used[index] = false;
		p->owed[index] = 0;
	}
	if (!s->conn->closing)
		step(s->conn);
}

static const struct front_sess_ops sess_ops = {
	.message = lmtp_message, .peer_gone = lmtp_peer_gone};

/* --- stepping ------------------------------------------------------------------------------ */

static void on_event(struct lmtp *p, const struct rs_lmtps_event *ev)
{
	switch (ev->kind) {
	case RS_L_HELO:
		g_free(p->helo);
		p->helo = g_strndup((const char *)ev->text.p, ev->text.n);
		break;
	case RS_L_MAIL:
		txn_end(p);
		txn_begin(p, ev->text);
		rs_lmtps_reply(p->engine, 250, "2.1.0", NULL);
		break;
	case RS_L_RCPT:
		ask_rcpt(p, ev->text);
		break;
	case RS_L_DATA:
		rs_lmtps_reply(p->engine, 354, NULL, NULL);
		break;
	case RS_L_BODY:
		if (!p->begun)
			trace_fields(p);
		p->octets += ev->text.n;
		chunk_add(p, ev->text.p, ev->text.n);
		break;
	case RS_L_END:
		data_end(p);
		break;
	case RS_L_TOO_BIG:
	case RS_L_RESET:
		txn_end(p);
		break;
	case RS_L_AUTH:
	case RS_L_START_TLS:
		break; /* not offered on LMTP */
	}
}

static bool flush(struct lmtp *p)
{
	size_t n = rs_conn_write(p->sess.conn, rs_lmtps_out(p->engine));

	if (n)
		rs_lmtps_sent(p->engine, n);
	return n > 0;
}

/* False: nothing more can be done now. */
static bool round_once(struct lmtp *p)
{
	struct rs_conn *c = p->sess.conn;
	struct rs_slice in = rs_buf_slice(&c->in);
	struct rs_lmtps_event ev;
	enum rs_step s;
	size_t used;

	results_tell(p);
	if (!window_open(p))
		return false;
	s = rs_lmtps_recv(p->engine, in.p, in.n, &used, &ev);
	if (s == RS_EVENT)
		on_event(p, &ev); /* before the input moves: a BODY is borrowed from it */
	if (used) {
		rs_buf_consume(&c->in, used);
		rs_conn_alive(c, rs_lmtps_idle_s(p->engine));
	}
	if (s == RS_CLOSED || s == RS_FAILED) {
		(void)flush(p);
		if (rs_lmtps_out(p->engine).n == 0 || c->closing)
			rs_conn_close(c, true);
		return false;
	}
	return s == RS_EVENT || flush(p) || used > 0;
}

static void step(struct rs_conn *c)
{
	struct lmtp *p = c->driver;

	if (p->stepping || c->closing)
		return;
	p->stepping = true;
	while (!c->closing && round_once(p))
		continue;
	if (!c->closing) {
		chunk_send(p); /* what came in one read goes on in one message */
		(void)flush(p);
	}
	p->stepping = false;
	if (c->closing)
		return;
	if (c->eof && !p->ending && !p->asked && window_open(p))
		rs_conn_close(c, true);
	else
		rs_conn_read(c, window_open(p));
	rs_buf_shrink(&c->in);
}

static void on_gone(struct rs_conn *c)
{
	struct lmtp *p = c->driver;

	(void)rs_lmtps_eof(p->engine);
}

static void on_free(struct rs_conn *c)
{
	struct lmtp *p = c->driver;

	rs_log(RS_LOG_INFO, "disconnect", "id", rs_log_id(c->id), "peer", c->peer_text,
		"transactions", rs_log_num(c->txn_n), "in", rs_log_num(c->octets_in), "out",
		rs_log_num(c->octets_out), NULL);
	txn_end(p);
	rs_lmtps_destroy(&p->engine);
	rs_buf_finish(&p->chunk);
	g_array_unref(p->rcpts);
	g_free(p->helo);
	g_free(p->sender);
	g_free(p);
}

static void on_idle(struct rs_conn *c)
{
	struct lmtp *p = c->driver;

	if (p->ending || c->writing) {
		rs_conn_close(c, false);
		return;
	}
	rs_lmtps_abort(p->engine, "Nothing happened for too long");
	step(c);
}

static void on_stop(struct rs_conn *c)
{
	struct lmtp *p = c->driver;
	bool late = uv_now(&c->front->proc->loop) >= c->front->stop_by_ms;

	if (!late && p->sess.id) /* a message on its way may still be taken in */
		return;
	rs_lmtps_abort(p->engine, "The service is being stopped");
	step(c);
	if (late && !c->closing)
		rs_conn_close(c, false);
}

static void no_tls(struct rs_conn *c)
{
}

static void on_about(const struct rs_conn *c, struct rs_conn_about *out)
{
	const struct lmtp *p = c->driver;

	out->messages = (uint32_t)c->txn_n;
	out->user = "";
	if (p->ending)
		out->state = "delivering";
	else
		out->state = p->sess.id ? "receiving" : "idle";
}

static void on_kick(struct rs_conn *c, const char *why)
{
	struct lmtp *p = c->driver;

	rs_log(RS_LOG_INFO, "kicked", "id", rs_log_id(c->id), NULL);
	if (c->writing) {
		rs_conn_close(c, false);
		return;
	}
	rs_lmtps_abort(p->engine, why);
	step(c);
}

static const struct rs_conn_ops conn_ops = {
	.step = step,
	.tls_up = no_tls,
	.gone = on_gone,
	.free = on_free,
	.idle = on_idle,
	.stop = on_stop,
	.about = on_about,
	.kick = on_kick,
};

void front_lmtp_begin(struct rs_conn *c)
{
	const struct rs_conf *conf = c->front->proc->conf;
	struct lmtp *p = g_new0(struct lmtp, 1);

	p->sess = (struct front_sess){.conn = c, .ops = &sess_ops};
	p->cfg.hostname = conf->hostname;
	p->cfg.mechs = "";
	p->cfg.limits = rs_lmtps_limits_default;
	p->cfg.limits.size_max = conf->message_size;
	if (rs_lmtps_create(&p->cfg, &p->engine) < 0) {
		g_free(p);
		rs_conn_close(c, false);
		return;
	}
	p->rcpts = g_array_new(FALSE, TRUE, sizeof(struct rcpt));
	g_array_set_clear_func(p->rcpts, rcpt_clear);
	rs_buf_init(&p->chunk, RS_MSG_INLINE_MAX);
	c->driver = p;
	c->ops = &conn_ops;
	rs_log(RS_LOG_INFO, "connect", "id", rs_log_id(c->id), "peer", c->peer_text, "service",
		rs_service_name(c->service), NULL);
	rs_conn_alive(c, rs_lmtps_idle_s(p->engine));
	step(c);
}
