/* front_login.c - what all protocols of the front need for a login: which mechanisms can be used on this
 * connection, and what binds them to it. */
#include "base/secret.h"
#include "server/front.h"
#include "server/log.h"

#define DELAY_MAX_MS 60000 /* auth asks for less, auth_delay.h */

static char *list(const char *all, bool binding, bool certificate)
{
	g_auto(GStrv) names = g_strsplit(all, " ", -1);
	GString *out = g_string_new(NULL);

	for (char **name = names; *name; name++) {
		if ((g_str_has_suffix(*name, "-PLUS") && !binding) ||
			(g_str_equal(*name, "EXTERNAL") && !certificate))
			continue;
		g_string_append_printf(out, "%s%s", out->len ? " " : "", *name);
	}
	return g_string_free(out, FALSE);
}

void front_login_init(struct front *f)
{
	for (int binding = 0; binding < 2; binding++) {
		for (int certificate = 0; certificate < 2; certificate++)
			f->mechs[binding][certificate] =
				list(f->proc->conf->mechanisms, binding, certificate);
	}
}

static char *names_of(const struct rs_conn *c)
{
	const struct rs_conf *conf = c->front->proc->conf;

	return conf->client_ca ? rs_tls_peer_names(c->ssl, conf->client_name) : NULL;
}

const char *front_mechs(const struct rs_conn *c)
{
	g_autofree char *names = NULL;

	if (!c->ssl || c->shaking)
		return c->front->mechs[0][0];
	names = names_of(c);
	return c->front->mechs[rs_tls_binds(c->ssl)][names != NULL];
}

/* Before LOGIN of a first step: what auth must know of the connection for this mechanism. */
static void tell_channel(
	const struct rs_conn *c, struct rs_link *auth, uint64_t session, struct rs_slice mech)
{
	bool external = rs_slice_eq_str(mech, "EXTERNAL");
	bool scram = rs_slice_istarts(mech, "SCRAM-");
	bool plus =
		scram && mech.n > 5 && rs_slice_eq_str(rs_slice_sub(mech, mech.n - 5, 5), "-PLUS");
	uint8_t exporter[RS_TLS_BINDING_MAX];
	uint8_t end_point[RS_TLS_BINDING_MAX];
	g_autofree char *names = NULL;

	if (!c->ssl || (!external && !scram))
		return;
	names = external ? names_of(c) : NULL;
	rs_link_begin(auth, RS_MSG_CHANNEL);
	rs_link_u64(auth, session);
	rs_link_u8(auth, strstr(front_mechs(c), "-PLUS") != NULL);
	rs_link_octets(auth, rs_slice(exporter, plus ? rs_tls_exporter(c->ssl, exporter) : 0));
	rs_link_octets(auth, rs_slice(end_point, plus ? rs_tls_end_point(c->ssl, end_point) : 0));
	rs_link_octets(auth, rs_slice_str(names));
	rs_link_end(auth);
	rs_wipe(exporter, sizeof(exporter));
}

bool front_login_ask(struct front *f, uint64_t session, const struct front_login *ask)
{
	struct rs_link *l = f->proc->auth;

	if (!l)
		return false;
	if (ask->channel && ask->kind == RS_LOGIN_SASL && ask->first)
		tell_channel(ask->channel, l, session, ask->mech);
	rs_link_begin(l, RS_MSG_LOGIN);
	rs_link_u64(l, session);
	rs_link_u8(l, (uint8_t)ask->service);
	rs_link_u8(l, ask->tls);
	rs_link_u8(l, (uint8_t)ask->kind);
	rs_link_u8(l, ask->first);
	rs_link_u8(l, ask->has_secret);
	rs_link_octets(l, ask->mech);
	rs_link_octets(l, ask->user);
	rs_link_octets(l, ask->secret);
	rs_link_octets(l, rs_slice_str(ask->stamp));
	rs_link_octets(l, rs_slice_str(ask->peer));
	rs_link_end(l);
	return true;
}

bool front_login_refused(
	struct rs_msg_in *m, const struct front_tried *tried, struct front_refused *out)
{
	enum rs_pop3_code code = (enum rs_pop3_code)rs_msg_u8(m);
	uint32_t delay = rs_msg_u32(m);
	struct rs_slice known = rs_msg_octets(m);
	g_autofree char *user = g_strndup((const char *)known.p, known.n);

	if (!rs_msg_end(m) || code > RS_POP3_CODE_OTHER || delay > DELAY_MAX_MS)
		return false;
	*out = (struct front_refused){.code = code};
	rs_stats_login(tried->mech,
		code == RS_POP3_CODE_AUTH ? RS_STATS_LOGIN_REFUSED : RS_STATS_LOGIN_FAILED);
	if (code != RS_POP3_CODE_AUTH)
		return true;
	out->delay_ms = delay;
	rs_stats_add(RS_STAT_HELD_BACK, delay > 0);
	rs_log(RS_LOG_WARNING, "login-refused", "id", rs_log_id(tried->session), "txn",
		rs_log_txn(tried->session), "peer", tried->peer, "user", *user ? user : tried->user,
		"held-back-ms", delay ? rs_log_num(delay) : NULL, NULL);
	return true;
}

void front_login_gone(struct front *f, uint64_t session)
{
	struct rs_link *l = f->proc->auth;

	if (!l)
		return;
	rs_link_begin(l, RS_MSG_LOGIN_GONE);
	rs_link_u64(l, session);
	rs_link_end(l);
}
