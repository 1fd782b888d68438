/* submit_mail.c - one message to its recipients. Contract: submit.h.
 *
 *   MAIL, RCPT … (pipelined as deep as the server allows) --> nobody taken: RSET
 *         --> DATA --354--> the octets --> before_dot --> the final dot --> its answer
 *   An end before the final dot: nobody has it. Behind it, until the answer: unsure. */
#include "client/submit_priv.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "client/submit_octets.h"
#include "client/text.h"

/* RFC 5321 section 4.5.3.2.6: behind the final dot a server may think ten times as long as elsewhere. */
#define DOT_PATIENCE 10u
#define PIECE        16384u

/* --- recipients ---------------------------------------------------------------------------- */

/* One transaction under way. */
struct txn {
	struct rs_submit *s;
	struct rs_submit_mail *m;
	const struct rs_octets *octets;
	guint next;   /* the next recipient to be told */
	guint open;   /* commands unanswered           */
	guint taken;  /* recipients in it               */
	bool refused; /* MAIL was                       */
	bool full;    /* the server takes no more in one transaction: another follows */
	bool utf8;
};

/* As it goes over the wire: the domain in ASCII where that is possible. Owned. */
static char *wire_address(const char *address)
{
	const char *at = strrchr(address, '@');
	g_autofree char *domain = at ? g_hostname_to_ascii(at + 1) : NULL;

	if (!at || !domain || g_str_is_ascii(at + 1))
		return g_strdup(address);
	return g_strdup_printf("%.*s@%s", (int)(at - address), address, domain);
}

static void settle(struct rs_submit_rcpt *r, enum rs_submit_fate fate, guint code, char *said)
{
	r->fate = fate;
	r->code = code;
	g_free(r->said);
	r->said = said;
}

/* Nobody who was taken has it after all. */
static void taken_become(
	struct rs_submit_mail *m, enum rs_submit_fate fate, const struct rs_smtpc_event *ev)
{
	for (guint i = 0; i < m->rcpts->len; i++) {
		struct rs_submit_rcpt *r = m->rcpts->pdata[i];

		if (r->fate == RS_SUBMIT_TAKEN && ev)
			settle(r, fate, ev->code, submit_words(ev));
		else if (r->fate == RS_SUBMIT_TAKEN)
			r->fate = fate;
	}
}

static void rcpt_answered(struct txn *t, const struct rs_smtpc_event *ev)
{
	struct rs_submit_rcpt *r = t->m->rcpts->pdata[ev->tag];
	guint class = ev->code / 100;

	if (t->refused) /* MAIL was: this is only its echo */
		return;
	if (class == 2) {
		settle(r, RS_SUBMIT_TAKEN, ev->code, submit_words(ev));
		t->taken++;
	} else if (t->taken && (ev->code == 452 || ev->code == 552)) {
		/* RFC 5321 section 4.5.3.1.10: too many for one transaction */
		settle(r, RS_SUBMIT_WAITING, ev->code, submit_words(ev));
		t->full = true;
	} else {
		settle(r, class == 4 ? RS_SUBMIT_WAITING : RS_SUBMIT_REFUSED, ev->code,
			submit_words(ev));
	}
}

/* Tell as many recipients as the engine takes now. 0 or a negative kind that ends the session. */
static int rcpts_send(struct txn *t, struct rs_err *err)
{
	for (; t->next < t->m->rcpts->len; t->next++) {
		struct rs_submit_rcpt *r = t->m->rcpts->pdata[t->next];
		g_autofree char *wire = wire_address(r->address);
		int rc;

		if (r->fate != RS_SUBMIT_WAITING)
			continue;
		if (!g_str_is_ascii(wire) && !t->utf8) {
			settle(r, RS_SUBMIT_REFUSED, 0,
				g_strdup_printf(_("%s cannot send to addresses with such letters"),
					t->s->where.host));
			continue;
		}
		rc = rs_smtpc_rcpt(t->s->engine, t->next, rs_slice_str(wire));
		if (rc == -RS_EBUSY)
			return 0;
		if (rc == -RS_EINVAL)
			settle(r, RS_SUBMIT_REFUSED, 0, g_strdup(_("this is no address")));
		else if (rc < 0)
			return submit_broke(t->s, err);
		else
			t->open++;
	}
	return 0;
}

static int mail_refused(const struct txn *t, const struct rs_smtpc_event *ev, struct rs_err *err)
{
	g_autofree char *said = submit_words(ev);

	if (ev->code == 530)
		return rs_err_set(err, RS_EAUTH,
			_("%s wants a login before it takes mail; give the account one with "
			  "--smtp-user: %s"),
			t->s->where.host, said);
	return rs_err_set(err, ev->code / 100 == 4 ? RS_ETEMP : RS_EINVAL,
		_("%s does not take mail from %s: %s"), t->s->where.host,
		*t->m->sender ? t->m->sender : "<>", said);
}

/* An answer to MAIL or RCPT. */
static int answered(struct txn *t, const struct rs_smtpc_event *ev, struct rs_err *err)
{
	t->open--;
	if (ev->code == 421) {
		g_autofree char *said = submit_words(ev);

		t->s->over = true;
		return rs_err_set(
			err, RS_ETEMP, _("%s ends the session: %s"), t->s->where.host, said);
	}
	if (ev->kind == RS_M_RCPT)
		rcpt_answered(t, ev);
	if (ev->kind != RS_M_MAIL || ev->code / 100 == 2)
		return 0;
	t->refused = true;
	t->next = t->m->rcpts->len;
	return mail_refused(t, ev, err);
}

/* RFC 6531: letters beyond ASCII in an address, or in the header as they are. */
static bool needs_utf8(const struct txn *t, const char *sender)
{
	if (t->octets->utf8_head || !g_str_is_ascii(sender))
		return true;
	for (guint i = 0; i < t->m->rcpts->len; i++) {
		const struct rs_submit_rcpt *r = t->m->rcpts->pdata[i];
		g_autofree char *wire = wire_address(r->address);

		if (!g_str_is_ascii(wire))
			return true;
	}
	return false;
}

static int mail_send(struct txn *t, struct rs_err *err)
{
	guint32 caps = rs_smtpc_caps(t->s->engine);
	guint32 flags = t->octets->eight_bit && (caps & RS_SMTPC_CAP_8BITMIME) ? RS_SMTPC_8BIT : 0;
	guint64 max = rs_smtpc_size_max(t->s->engine);
	g_autofree char *wire = wire_address(t->m->sender);
	int rc;

	if (max && t->octets->wire > max) {
		g_autofree char *is = g_format_size(t->octets->wire);
		g_autofree char *may = g_format_size(max);

		return rs_err_set(err, RS_EINVAL,
			_("the message has %s, %s takes at most %s; send less, or in parts"), is,
			t->s->where.host, may);
	}
	t->utf8 = needs_utf8(t, wire) && (caps & RS_SMTPC_CAP_SMTPUTF8);
	if (!g_str_is_ascii(wire) && !t->utf8)
		return rs_err_set(err, RS_EINVAL, _("%s takes no sender with such letters: %s"),
			t->s->where.host, t->m->sender);
	if (t->utf8)
		flags |= RS_SMTPC_UTF8;
	rc = rs_smtpc_mail(t->s->engine, rs_slice_str(wire), flags, t->octets->wire);
	if (rc == -RS_EINVAL)
		return rs_err_set(
			err, RS_EINVAL, _("'%s' is no address of a sender"), t->m->sender);
	t->open = 1;
	return rc < 0 ? submit_broke(t->s, err) : 0;
}

static int envelope(struct txn *t, struct rs_err *err)
{
	struct rs_smtpc_event ev;
	int said = 0; /* of MAIL; what it pipelined is heard out first */
	int rc = mail_send(t, err);

	while (rc == 0) {
		rc = rcpts_send(t, err);
		if (rc < 0 || t->open == 0)
			break;
		rc = submit_event(t->s, &ev, said < 0 ? NULL : err);
		if (rc == 0)
			rc = answered(t, &ev, said < 0 ? NULL : err);
		if (rc < 0 && t->refused && said == 0 && !t->s->over) {
			said = rc;
			rc = 0;
		}
	}
	return said < 0 ? said : rc;
}

/* --- the message --------------------------------------------------------------------------- */

static int put(struct txn *t, const char *p, gsize n, struct rs_smtpc_event *ev, bool *came,
	struct rs_err *err)
{
	int rc = 0;

	while (rc == 0 && !*came) {
		gsize used = rs_smtpc_body(t->s->engine, (const uint8_t *)p, n);

		p += used;
		n -= used;
		if (n == 0 && rs_smtpc_out(t->s->engine).n < PIECE)
			break;
		rc = submit_turn(t->s, ev, came, err);
	}
	return rc;
}

/* Everything but the final dot, and out of our hands. *came: the server did not want to hear it all. */
static int body(struct txn *t, struct rs_smtpc_event *ev, bool *came, struct rs_err *err)
{
	g_autofree char *buf = g_malloc(PIECE);
	guint64 at = t->octets->body_at;
	int rc = put(t, t->octets->head->str, t->octets->head->len, ev, came, err);

	while (rc == 0 && !*came) {
		ssize_t k = pread(t->m->fd, buf, PIECE, (off_t)at);

		if (k < 0 && errno == EINTR)
			continue;
		if (k < 0) {
			t->s->over = true; /* without its dot it is no message for anybody */
			return rs_err_set(err, RS_EIO, _("a message cannot be read again: %s"),
				g_strerror(errno));
		}
		if (k == 0)
			break;
		at += (guint64)k;
		rc = put(t, buf, (gsize)k, ev, came, err);
	}
	while (rc == 0 && !*came && rs_smtpc_out(t->s->engine).n)
		rc = submit_turn(t->s, ev, came, err);
	return rc;
}

/* The message is the server's, or it is not. */
static void verdict(struct txn *t, const struct rs_smtpc_event *ev)
{
	enum rs_submit_fate fate = RS_SUBMIT_REFUSED;

	if (ev->code / 100 == 2)
		fate = RS_SUBMIT_DONE;
	else if (ev->code / 100 == 4)
		fate = RS_SUBMIT_WAITING;
	taken_become(t->m, fate, ev);
	if (ev->code == 421)
		t->s->over = true;
}

static int dot(struct txn *t, struct rs_smtpc_event *ev, struct rs_err *err)
{
	struct rs_submit *s = t->s;
	int rc = t->m->before_dot ? t->m->before_dot(t->m->data, err) : 0;

	if (rc < 0) {
		s->over = true;
		return rc;
	}
	t->m->unsure = true;
	s->where.timeout_s *= DOT_PATIENCE;
	rs_net_set_timeout(s->net, s->where.timeout_s);
	while (!rs_smtpc_end(s->engine) && rc == 0)
		rc = -RS_ELIMIT; /* cannot be: all is out */
	if (rc == 0)
		rc = submit_event(s, ev, err);
	s->where.timeout_s = s->account->timeout_s;
	rs_net_set_timeout(s->net, s->where.timeout_s);
	if (rc == 0)
		t->m->unsure = false;
	return rc;
}

static int message(struct txn *t, struct rs_err *err)
{
	struct rs_smtpc_event ev;
	bool came = false;
	int rc = 0;

	if (rs_smtpc_data(t->s->engine) < 0)
		return submit_broke(t->s, err);
	rc = submit_event(t->s, &ev, err);
	if (rc == 0 && ev.code / 100 == 2) /* a yes to a message that it has not seen */
		return submit_broke(t->s, err);
	if (rc == 0 && ev.code != 354) {
		verdict(t, &ev);
		return 0;
	}
	if (rc == 0)
		rc = body(t, &ev, &came, err);
	if (rc == 0 && !came)
		rc = dot(t, &ev, err);
	else if (rc == 0)
		t->s->over = true; /* it has answered in the middle */
	if (rc == 0)
		verdict(t, &ev);
	return rc;
}

static int reset(struct txn *t, struct rs_err *err)
{
	struct rs_smtpc_event ev;

	taken_become(t->m, RS_SUBMIT_WAITING, NULL);
	if (rs_smtpc_reset(t->s->engine) < 0)
		return submit_broke(t->s, err);
	return submit_event(t->s, &ev, err);
}

static bool anybody_refused(const struct rs_submit_mail *m)
{
	for (guint i = 0; i < m->rcpts->len; i++) {
		const struct rs_submit_rcpt *r = m->rcpts->pdata[i];

		if (r->fate == RS_SUBMIT_REFUSED || r->fate == RS_SUBMIT_WAITING)
			return true;
	}
	return false;
}

int rs_submit_mail(struct rs_submit *s, struct rs_submit_mail *m, struct rs_err *err)
{
	struct rs_octets octets;
	struct txn t;
	int rc = rs_octets_look(m->fd, &octets, err);

	m->unsure = false;
	if (rc < 0)
		return rc;
	do {
		t = (struct txn){.s = s, .m = m, .octets = &octets};
		rc = envelope(&t, err);
		if (rc == 0 && t.full && m->all)
			rc = rs_err_set(err, RS_ETEMP,
				_("%s takes only %u recipients of one message"), s->where.host,
				t.taken);
		if (rc == 0 && (t.taken == 0 || (m->all && anybody_refused(m))))
			rc = reset(&t, err);
		else if (rc == 0)
			rc = message(&t, err);
	} while (rc == 0 && t.full && t.taken && !m->all && rs_submit_alive(s));
	if (!m->unsure)
		taken_become(m, RS_SUBMIT_WAITING, NULL);
	rs_octets_finish(&octets);
	return rc;
}
