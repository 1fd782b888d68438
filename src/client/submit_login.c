/* submit_login.c - AUTH of the client: the best mechanism that server, account and channel have in common. RFC 4954. */
#include "client/submit_priv.h"

#include "client/clean.h"
#include "client/text.h"
#include "sasl/sasl.h"

/* RFC 4954 section 4: the command with its initial response keeps the limit of a command line. */
#define INITIAL_MAX 350u

struct way {
	struct rs_sasl_client *sasl;
	GByteArray *exporter;
	GByteArray *end_point;
	struct rs_slice kept; /* an initial response that waits for the first challenge */
};

static void way_finish(struct way *w)
{
	rs_sasl_client_destroy(&w->sasl);
	g_clear_pointer(&w->exporter, g_byte_array_unref);
	g_clear_pointer(&w->end_point, g_byte_array_unref);
}

static struct rs_slice octets(const GByteArray *a)
{
	return a ? rs_slice(a->data, a->len) : rs_slice(NULL, 0);
}

static const char *choose(const struct rs_submit *s, const struct rs_submit_login *login,
	const char *mechs, const struct way *w)
{
	struct rs_sasl_means means = {.offered = mechs,
		.tls = rs_net_is_tls(s->net),
		.password = login->password != NULL,
		.token = login->token != NULL,
		.exporter = w->exporter != NULL,
		.end_point = w->end_point != NULL};
	const char *mech = rs_sasl_choose(&means);

	/* no TLS was chosen for this account by hand: then it is worth nothing to refuse */
	if (!mech && s->account->smtp_security == RS_SECURITY_NONE) {
		means.tls = true;
		mech = rs_sasl_choose(&means);
	}
	return mech;
}

static int cannot(const struct rs_submit *s, const char *mechs, struct rs_err *err)
{
	g_autofree char *clean = rs_clean_line(mechs);

	if (!*clean)
		return rs_err_set(err, RS_EAUTH,
			_("%s offers no login on port %u; check port and --smtp-security, or say "
			  "that it wants none with --smtp-no-auth"),
			s->where.host, s->where.port);
	return rs_err_set(err, RS_EAUTH,
		_("%s offers no way to log in that fits this account; it offers: %s"),
		s->where.host, clean);
}

static int begin(struct rs_submit *s, struct way *w, const char *mech, struct rs_err *err)
{
	struct rs_slice first = rs_slice(NULL, 0);
	int rc = rs_sasl_client_step(w->sasl, rs_slice(NULL, 0), &first);

	if (rc == 0 && first.p && first.n > INITIAL_MAX) {
		w->kept = first;
		first = rs_slice(NULL, 0);
	}
	if (rc == 0)
		rc = rs_smtpc_auth(s->engine, mech, first);
	return rc < 0 ? rs_err_set(err, RS_EAUTH,
				_("this user name or password cannot be sent to %s by %s"),
				s->where.host, mech)
		      : 0;
}

static int challenged(struct rs_submit *s, struct way *w, struct rs_slice said, struct rs_err *err)
{
	struct rs_slice answer = w->kept;
	int rc = 0;

	if (!answer.p)
		rc = rs_sasl_client_step(w->sasl, said, &answer);
	else if (said.n)
		rc = -RS_EPROTO;
	w->kept = rs_slice(NULL, 0);
	if (rc == 0 && !answer.p)
		answer = rs_slice("", 0);
	rc = rs_smtpc_sasl(s->engine, rc < 0 ? rs_slice(NULL, 0) : answer);
	return rc < 0 ? rs_err_set(err, RS_EAUTH, _("the login at %s cannot be answered"),
				s->where.host)
		      : 0;
}

static int refused(const struct rs_submit *s, const struct way *w, const struct rs_smtpc_event *ev,
	struct rs_err *err)
{
	g_autofree char *said = submit_words(ev);
	g_autofree char *why = rs_clean_line(rs_sasl_client_error(w->sasl));

	if (ev->code / 100 == 4)
		return rs_err_set(err, RS_ETEMP,
			_("%s cannot log %s in just now; try again later: %s"), s->where.host,
			s->account->smtp_user, said);
	if (s->account->oauth2)
		return rs_err_set(err, RS_EAUTH,
			_("%s does not accept the token of %s: %s%s%s; log in again: restante "
			  "account login %s"),
			s->where.host, s->account->smtp_user, said, *why ? "; " : "", why,
			s->account->name);
	return rs_err_set(err, RS_EAUTH,
		_("%s refused user name or password of %s: %s%s%s (some providers want a "
		  "password of its own for mail programs)"),
		s->where.host, s->account->smtp_user, said, *why ? "; " : "", why);
}

static int exchange(struct rs_submit *s, struct way *w, struct rs_err *err)
{
	struct rs_smtpc_event ev;
	int rc;

	for (;;) {
		rc = submit_event(s, &ev, err);
		if (rc < 0)
			return rc;
		if (ev.kind != RS_M_CHALLENGE)
			break;
		rc = challenged(s, w, ev.text, err);
		if (rc < 0)
			return rc;
	}
	if (ev.kind != RS_M_READY)
		return refused(s, w, &ev, err);
	if (!rs_sasl_client_succeeded(w->sasl))
		return rs_err_set(err, RS_EAUTH,
			_("%s did not prove that it knows your password; somebody else may answer "
			  "in its place, nothing was sent"),
			s->where.host);
	return 0;
}

int submit_login(struct rs_submit *s, const struct rs_submit_login *login, const char *mechs,
	struct rs_err *err)
{
	g_autofree char *offered = g_strdup(mechs);
	struct way w = {.exporter = rs_net_binding(s->net, true),
		.end_point = rs_net_binding(s->net, false)};
	struct rs_sasl_client_cfg cfg = {.user = rs_slice_str(s->account->smtp_user),
		.binding = {.exporter = octets(w.exporter), .end_point = octets(w.end_point)},
		.host = s->where.host,
		.port = s->where.port};
	g_autofree char *plus = NULL;
	int rc;

	cfg.mech = choose(s, login, offered, &w);
	if (!cfg.mech) {
		way_finish(&w);
		return cannot(s, offered, err);
	}
	plus = g_strdup_printf("%s-PLUS", cfg.mech);
	cfg.plus_offered = g_str_has_suffix(cfg.mech, "-PLUS") || rs_sasl_is_offered(offered, plus);
	if (g_str_has_prefix(cfg.mech, "XOAUTH") || g_str_has_prefix(cfg.mech, "OAUTH"))
		cfg.secret = rs_slice_str(login->token);
	else
		cfg.secret = rs_slice(login->password->octets, login->password->n);
	rc = rs_sasl_client_create(&cfg, &w.sasl);
	rc = rc < 0 ? cannot(s, offered, err) : begin(s, &w, cfg.mech, err);
	if (rc == 0)
		rc = exchange(s, &w, err);
	way_finish(&w);
	return rc;
}
