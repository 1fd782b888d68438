/* auth_submit.c - who has logged in to send mail, and what he may send. See auth_int.h.
 *
 * A row is for a connection of a front on which somebody has logged in; it lives until LOGIN_GONE, or the front's
 * end. All that a front says about mail of that connection is measured by it: a front that was broken into can send
 * for those only who are logged in there now. The rate is kept a user, by a bucket that fills in an hour. */
#include "server/auth_int.h"

#include <string.h>

#define BUCKETS_MAX 100000u /* then those that are full again are forgotten */
#define HOUR_US     (3600 * (gint64)G_USEC_PER_SEC)

struct bucket {
	double tokens;
	gint64 at_us;
};

static guint row_hash(gconstpointer p)
{
	const struct auth_submitter *s = p;

	return (guint)(s->conn ^ s->conn >> 32) ^ s->front;
}

static gboolean row_equal(gconstpointer a, gconstpointer b)
{
	const struct auth_submitter *x = a;
	const struct auth_submitter *y = b;

	return x->conn == y->conn && x->front == y->front;
}

static void row_free(gpointer p)
{
	struct auth_submitter *s = p;

	g_free(s->user);
	g_free(s->senders);
	g_free(s->sender);
	g_free(s);
}

void auth_submit_init(struct auth *a)
{
	a->submitters = g_hash_table_new_full(row_hash, row_equal, NULL, row_free);
	a->buckets = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
}

struct auth_submitter *auth_submit_find(struct auth *a, uint32_t front, uint64_t session)
{
	struct auth_submitter key = {.front = front, .conn = session & ~RS_MSG_TXN_MASK};

	return g_hash_table_lookup(a->submitters, &key);
}

void auth_submit_forget(struct auth *a, uint32_t front, uint64_t session)
{
	struct auth_submitter *s = auth_submit_find(a, front, session);

	if (s && session == s->conn)
		g_hash_table_remove(a->submitters, s);
}

static gboolean is_of_front(gpointer key, gpointer value, gpointer front)
{
	return ((struct auth_submitter *)key)->front == GPOINTER_TO_UINT(front);
}

void auth_submit_front_gone(struct auth *a, uint32_t front)
{
	(void)g_hash_table_foreach_remove(a->submitters, is_of_front, GUINT_TO_POINTER(front));
}

void auth_submit_admit(struct rs_proc *r, const struct auth_exchange *e, const struct rs_user *u)
{
	struct auth *a = r->arg;
	struct rs_link *l = r->fronts[e->front];
	struct auth_submitter *s;

	if (e->service != RS_SERVICE_SASL) { /* that mail does not come by here */
		s = g_new0(struct auth_submitter, 1);
		s->front = e->front;
		s->conn = e->session & ~RS_MSG_TXN_MASK;
		s->user = g_strdup(u->name);
		s->senders = g_strdup(u->senders);
		g_hash_table_replace(a->submitters, s, s);
	}
	if (!l)
		return;
	rs_link_begin(l, RS_MSG_LOGGED_IN);
	rs_link_u64(l, e->session);
	rs_link_octets(l, rs_slice_str(u->name));
	rs_link_end(l);
}

/* --- the sender ---------------------------------------------------------------------------- */

/* "@example.org" all of a domain, "*" anybody, else an address. */
static bool listed(const char *senders, const char *name)
{
	g_auto(GStrv) rows = g_strsplit(senders, ",", -1);
	const char *at = strrchr(name, '@');

	for (char **row = rows; *row; row++) {
		if (strcmp(*row, "*") == 0 || g_ascii_strcasecmp(*row, name) == 0 ||
			(at && (*row)[0] == '@' && g_ascii_strcasecmp(*row, at) == 0))
			return true;
	}
	return false;
}

/* A user without a domain has the address of that name in each domain that is ours. */
static bool is_own(const struct rs_conf *c, const char *user, const char *name)
{
	const char *at = strrchr(name, '@');
	gsize n = at ? (gsize)(at - name) : 0;

	if (strcmp(user, name) == 0)
		return true;
	return at && !strchr(user, '@') && strlen(user) == n && strncmp(user, name, n) == 0 &&
	       (rs_conf_is_local_domain(c, at + 1) || g_ascii_strcasecmp(at + 1, c->hostname) == 0);
}

bool auth_submit_owns(
	const struct rs_conf *c, const char *user, const char *senders, struct rs_slice sender)
{
	char folder[RS_FOLDER_NAME_MAX + 1];
	char name[256];

	if (sender.n == 0) /* reports of having read a message have none: RFC 8098 section 3 */
		return true;
	if (rs_user_name_clean(sender, name) < 0)
		return false;
	if (is_own(c, user, name) || (senders && listed(senders, name)))
		return true;
	if (!rs_user_name_split(name, folder, true))
		return false;
	return is_own(c, user, name) || (senders && listed(senders, name));
}

static void mail_answer(
	struct rs_link *l, uint64_t session, unsigned code, const char *status, const char *text)
{
	rs_link_begin(l, RS_MSG_MAIL_ANSWER);
	rs_link_u64(l, session);
	rs_link_u16(l, (uint16_t)code);
	rs_link_octets(l, rs_slice_str(status));
	rs_link_octets(l, rs_slice_str(text));
	rs_link_end(l);
}

bool auth_on_mail(struct rs_proc *r, uint32_t front, struct rs_msg_in *m)
{
	struct rs_link *l = r->fronts[front];
	uint64_t session = rs_msg_u64(m);
	uint8_t flags = rs_msg_u8(m);
	uint64_t size = rs_msg_u64(m);
	struct rs_slice sender = rs_msg_octets(m);
	struct auth_submitter *s;

	if (!rs_msg_end(m))
		return false;
	s = auth_submit_find(r->arg, front, session);
	if (!s) {
		mail_answer(l, session, 530, "5.7.0", "Log in first");
		return true;
	}
	s->txn = 0;
	if (!auth_submit_owns(r->conf, s->user, s->senders, sender)) {
		rs_log(RS_LOG_WARNING, "sender-refused", "id", rs_log_id(session), "txn",
			rs_log_txn(session), "user", s->user, "cure",
			"send-as= of the user, if it is right", NULL);
		mail_answer(l, session, 553, "5.7.1", "This sender does not belong to your login");
		return true;
	}
	s->txn = session;
	s->flags = flags;
	s->size = size;
	g_free(s->sender);
	s->sender = g_strndup((const char *)sender.p, sender.n);
	mail_answer(l, session, 250, "2.1.0", "OK");
	return true;
}

/* --- the rate ------------------------------------------------------------------------------ */

static gboolean is_full(gpointer key, gpointer value, gpointer arg)
{
	const struct bucket *b = value;

	return g_get_monotonic_time() - b->at_us > HOUR_US;
}

bool auth_submit_rate(struct rs_proc *r, const char *user)
{
	struct auth *a = r->arg;
	double max = r->conf->submission_rate;
	gint64 now = g_get_monotonic_time();
	struct bucket *b = g_hash_table_lookup(a->buckets, user);

	if (r->conf->submission_rate == 0)
		return true;
	if (!b) {
		if (g_hash_table_size(a->buckets) >= BUCKETS_MAX)
			(void)g_hash_table_foreach_remove(a->buckets, is_full, NULL);
		b = g_new0(struct bucket, 1);
		*b = (struct bucket){.tokens = max, .at_us = now};
		g_hash_table_insert(a->buckets, g_strdup(user), b);
	}
	b->tokens = MIN(max, b->tokens + max * (double)(now - b->at_us) / (double)HOUR_US);
	b->at_us = now;
	if (b->tokens < 1)
		return false;
	b->tokens -= 1;
	return true;
}
