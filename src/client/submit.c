/* submit.c - see submit.h The session: connection, TLS, login. A message: submit_mail.c. */
#include "client/submit_priv.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "client/clean.h"
#include "client/text.h"

struct rs_submit_rcpt *rs_submit_rcpt_new(const char *address)
{
	struct rs_submit_rcpt *r = g_new0(struct rs_submit_rcpt, 1);

	r->address = g_strdup(address);
	return r;
}

void rs_submit_rcpt_free(void *rcpt)
{
	struct rs_submit_rcpt *r = rcpt;

	if (!r)
		return;
	g_free(r->address);
	g_free(r->said);
	g_free(r);
}

/* --- events -------------------------------------------------------------------------------- */

char *submit_words(const struct rs_smtpc_event *ev)
{
	g_autofree char *text = g_strndup(ev->text.n ? (const char *)ev->text.p : "", ev->text.n);
	g_autofree char *clean = rs_clean_line(text);

	if (ev->code == 0)
		return g_steal_pointer(&clean);
	return g_strdup_printf("%u%s%.*s%s%s", ev->code, ev->status.n ? " " : "", (int)ev->status.n,
		(const char *)ev->status.p, *clean ? " " : "", clean);
}

int submit_broke(struct rs_submit *s, struct rs_err *err)
{
	const struct rs_err *why = rs_smtpc_error(s->engine);

	s->over = true;
	if (why->kind == RS_EPROTO)
		return rs_err_set(err, RS_EPROTO, _("%s does not speak SMTP as it should: %s"),
			s->where.host, why->text);
	return rs_err_set(err, RS_ENET, _("%s closed the connection in the middle; try again"),
		s->where.host);
}

int submit_turn(struct rs_submit *s, struct rs_smtpc_event *ev, bool *came, struct rs_err *err)
{
	struct rs_net_in in = {.buf = s->buf, .max = sizeof(s->buf)};
	enum rs_step step;
	size_t written;
	size_t used;
	int rc;

	step = rs_smtpc_recv(s->engine, s->rest.p, s->rest.n, &used, ev);
	s->rest = rs_slice_sub(s->rest, used, s->rest.n);
	*came = step == RS_EVENT;
	if (*came)
		return 0;
	if (step != RS_MORE)
		return submit_broke(s, err);
	rc = rs_net_exchange(s->net, rs_smtpc_out(s->engine), &written, &in, err);
	if (rc < 0) {
		s->over = true;
		return rc;
	}
	rs_smtpc_sent(s->engine, written);
	s->rest = rs_slice(s->buf, in.got);
	if (in.ended) {
		(void)rs_smtpc_eof(s->engine);
		return submit_broke(s, err);
	}
	return 0;
}

int submit_event(struct rs_submit *s, struct rs_smtpc_event *ev, struct rs_err *err)
{
	bool came = false;
	int rc = 0;

	while (rc == 0 && !came)
		rc = submit_turn(s, ev, &came, err);
	return rc;
}

/* --- the session --------------------------------------------------------------------------- */

/* RFC 5321 section 4.1.3: who has no name of its own in the DNS says its address. */
static char *hello_name(const struct rs_net *n)
{
	struct sockaddr_storage at = {0};
	socklen_t size = sizeof(at);
	char text[INET6_ADDRSTRLEN] = "";

	if (getsockname(rs_net_fd(n), (struct sockaddr *)&at, &size) == 0) {
		if (at.ss_family == AF_INET &&
			inet_ntop(AF_INET, &((struct sockaddr_in *)&at)->sin_addr, text,
				sizeof(text)))
			return g_strdup_printf("[%s]", text);
		if (at.ss_family == AF_INET6 &&
			inet_ntop(AF_INET6, &((struct sockaddr_in6 *)&at)->sin6_addr, text,
				sizeof(text)))
			return g_strdup_printf("[IPv6:%s]", text);
	}
	return g_strdup("localhost");
}

static int refused(struct rs_submit *s, const struct rs_smtpc_event *ev, struct rs_err *err)
{
	g_autofree char *said = submit_words(ev);

	s->over = true;
	if (ev->code == 0) /* our own refusal: no STARTTLS there */
		return rs_err_set(err, RS_EPROTO,
			_("%s offers no TLS on port %u, so nothing was sent; try --smtp-security "
			  "tls with port 465"),
			s->where.host, s->where.port);
	return rs_err_set(err, ev->code / 100 == 4 ? RS_ETEMP : RS_EPROTO,
		_("%s does not want this session: %s"), s->where.host, said);
}

static int start_tls(struct rs_submit *s, struct rs_err *err)
{
	int rc = 0;

	if (rs_smtpc_tls_up(s->engine, s->rest.n) == RS_FAILED)
		return submit_broke(s, err);
	/* what the engine says now belongs under TLS */
	rc = rs_net_start_tls(s->net, err);
	if (rc == -RS_EPROTO)
		return rs_err_set(err, RS_EPROTO, _("TLS with %s on port %u fails: %s"),
			s->where.host, s->where.port, err ? err->detail : "");
	return rc;
}

static int begin(struct rs_submit *s, const struct rs_submit_login *login, struct rs_err *err)
{
	struct rs_smtpc_event ev;
	int rc = submit_event(s, &ev, err);

	if (rc == 0 && ev.kind == RS_M_START_TLS) {
		rc = start_tls(s, err);
		if (rc == 0)
			rc = submit_event(s, &ev, err);
	}
	if (rc == 0 && ev.kind != RS_M_LOGIN)
		rc = refused(s, &ev, err);
	if (rc == 0 && s->account->smtp_user) {
		g_autofree char *mechs =
			g_strndup(ev.text.n ? (const char *)ev.text.p : "", ev.text.n);

		rc = submit_login(s, login, mechs, err);
	} else if (rc == 0 && rs_smtpc_no_auth(s->engine) < 0) {
		rc = submit_broke(s, err);
	}
	s->ready = rc == 0;
	return rc;
}

static int connect_to(struct rs_submit *s, struct rs_err *err)
{
	int rc = rs_net_open(&s->where, &s->net, err);

	if (rc == -RS_EPROTO)
		return rs_err_set(err, RS_EPROTO,
			_("%s does not speak TLS on port %u; check the port, or take "
			  "--smtp-security starttls"),
			s->where.host, s->where.port);
	if (rc < 0)
		return rc;
	s->hello = hello_name(s->net);
	s->cfg = (struct rs_smtpc_cfg){
		.hostname = s->hello, .flags = RS_SMTPC_SASL, .limits = rs_smtpc_limits_default};
	if (s->where.tls_at_once)
		s->cfg.flags |= RS_SMTPC_TLS;
	else if (s->account->smtp_security == RS_SECURITY_STARTTLS)
		s->cfg.flags |= RS_SMTPC_STARTTLS;
	if (rs_smtpc_create(&s->cfg, &s->engine) < 0)
		return rs_err_set(err, RS_ENOMEM, _("out of memory"));
	return 0;
}

/* One certificate for both servers where both are one host. */
const char *rs_submit_pin(const struct rs_account *a)
{
	if (a->smtp_pin_sha256)
		return a->smtp_pin_sha256;
	return g_ascii_strcasecmp(a->smtp_host, a->pop3_host) == 0 ? a->pin_sha256 : NULL;
}

int rs_submit_open(const struct rs_account *a, const struct rs_submit_login *login,
	GCancellable *cancel, struct rs_submit **out, struct rs_err *err)
{
	struct rs_submit *s;
	int rc;

	if (!a->smtp_host)
		return rs_err_set(err, RS_ECONFIG,
			_("account '%s' has no server for sending: mail can be read with it, not "
			  "sent; give it one with: restante account edit %s --smtp HOST"),
			a->name, a->name);
	s = g_new0(struct rs_submit, 1);
	s->account = a;
	s->where = (struct rs_net_where){.host = a->smtp_host,
		.port = a->smtp_port,
		.tls_at_once = a->smtp_security == RS_SECURITY_TLS,
		.ca_file = a->ca_file,
		.pin_sha256 = rs_submit_pin(a),
		.timeout_s = a->timeout_s,
		.cancel = cancel,
		.seen = login ? login->seen : NULL};
	rc = connect_to(s, err);
	if (rc == 0)
		rc = begin(s, login, err);
	if (rc < 0)
		rs_submit_close(&s);
	else
		*out = s;
	return rc;
}

bool rs_submit_alive(const struct rs_submit *s)
{
	return s->ready && !s->over;
}

void rs_submit_close(struct rs_submit **s)
{
	struct rs_err ignored; /* the mail has gone, or has not; a goodbye changes nothing */

	if (!*s)
		return;
	if (rs_submit_alive(*s) && rs_smtpc_quit((*s)->engine) == 0 &&
		rs_net_write((*s)->net, rs_smtpc_out((*s)->engine), &ignored) < 0)
		(*s)->over = true;
	rs_smtpc_destroy(&(*s)->engine);
	rs_net_close(&(*s)->net);
	g_free((*s)->hello);
	g_free(*s);
	*s = NULL;
}
