/* metrics.c - see metrics.h */
#include "server/metrics.h"

#include <string.h>

#include "server/msg.h"

enum kind { COUNTER, GAUGE, HISTOGRAM, INFO };

/* A label's values: those of an enum, by name. */
struct label {
	const char *name;
	unsigned n;
	const char *(*value)(unsigned i);
};

static const char *service_value(unsigned i)
{
	return rs_service_name((enum rs_service)i);
}

static const char *role_value(unsigned i)
{
	return i == RS_ROLE_MASTER || i >= RS_ROLE_N ? NULL : rs_role_name((enum rs_role)i);
}

static const char *mech_value(unsigned i)
{
	static const char *const names[RS_STATS_MECH_N] = {"PASS", "APOP", "PLAIN", "LOGIN",
		"SCRAM-SHA-1", "SCRAM-SHA-1-PLUS", "SCRAM-SHA-256", "SCRAM-SHA-256-PLUS", "XOAUTH2",
		"OAUTHBEARER", "EXTERNAL", "other"};

	return names[i];
}

static const char *result_value(unsigned i)
{
	static const char *const names[RS_STATS_LOGIN_N] = {"ok", "refused", "failed"};

	return names[i];
}

static const char *ceiling_value(unsigned i)
{
	static const char *const names[RS_STATS_TURNED_N] = {"connections",
		"connections-per-address", "connections-per-user", "handshakes", "pre-login-octets",
		"slow-reader"};

	return names[i];
}

static const struct label by_ceiling = {"ceiling", RS_STATS_TURNED_N, ceiling_value};
static const struct label by_service = {"service", RS_SERVICE_N, service_value};
static const struct label by_role = {"role", RS_STATS_ROLES_N, role_value};
static const struct label by_mech = {"mechanism", RS_STATS_MECH_N, mech_value};
static const struct label by_result = {"result", RS_STATS_LOGIN_N, result_value};

static const struct family {
	const char *name;
	enum kind kind;
	unsigned first;
	const struct label *label;
	const struct label *label2; /* of what has two, the one that turns faster */
	const char *help;
} families[] = {
	{"restante_start_time_seconds", GAUGE, RS_STAT_STARTED, NULL, NULL,
		"When the service was started, in unix time."},
	{"restante_connections", COUNTER, RS_STAT_CONNECTIONS, &by_service, NULL,
		"Connections accepted."},
	{"restante_open_connections", GAUGE, RS_STAT_OPEN, &by_service, NULL,
		"Connections that are open."},
	{"restante_connections_turned_away", COUNTER, RS_STAT_TURNED_AWAY, &by_ceiling, NULL,
		"Connections over a ceiling."},
	{"restante_accept_pauses", COUNTER, RS_STAT_NO_DESCRIPTORS, NULL, NULL,
		"Times that accepting was paused because no descriptor was left."},
	{"restante_proxy_header_errors", COUNTER, RS_STAT_PROXY_BAD, NULL, NULL,
		"Connections of trusted balancers without a right PROXY header."},
	{"restante_tls_handshakes", COUNTER, RS_STAT_TLS_OK, NULL, NULL, "TLS handshakes done."},
	{"restante_tls_resumed", COUNTER, RS_STAT_TLS_RESUMED, NULL, NULL,
		"TLS handshakes that resumed a session."},
	{"restante_tls_failures", COUNTER, RS_STAT_TLS_FAILED, NULL, NULL,
		"TLS handshakes that failed."},
	{"restante_received_octets", COUNTER, RS_STAT_OCTETS_IN, NULL, NULL,
		"Octets that clients sent."},
	{"restante_sent_octets", COUNTER, RS_STAT_OCTETS_OUT, NULL, NULL,
		"Octets sent to clients."},
	{"restante_logins", COUNTER, RS_STAT_LOGINS, &by_mech, &by_result,
		"POP3 logins: ok, refused (wrong user or password), failed (for another reason)."},
	{"restante_logins_held_back", COUNTER, RS_STAT_HELD_BACK, NULL, NULL,
		"Refusals that were held back, because others were before them."},
	{"restante_sessions", GAUGE, RS_STAT_SESSIONS, NULL, NULL,
		"POP3 sessions that are logged in."},
	{"restante_messages_retrieved", COUNTER, RS_STAT_RETRIEVED, NULL, NULL,
		"Messages sent to clients."},
	{"restante_messages_deleted", COUNTER, RS_STAT_DELETED, NULL, NULL,
		"Messages deleted by clients."},
	{"restante_messages_received", COUNTER, RS_STAT_RECEIVED, NULL, NULL,
		"Messages that came in."},
	{"restante_deliveries", COUNTER, RS_STAT_DELIVERED, NULL, NULL,
		"Deliveries into mailboxes, one a recipient."},
	{"restante_delivery_failures", COUNTER, RS_STAT_UNDELIVERED, NULL, NULL,
		"Deliveries that failed or were refused after the message came, one a recipient."},
	{"restante_relayed_messages", COUNTER, RS_STAT_RELAYED, NULL, NULL,
		"Messages that the relay took."},
	{"restante_relay_refusals", COUNTER, RS_STAT_RELAY_REFUSED, NULL, NULL,
		"Messages that the relay refused, or could not be given."},
	{"restante_relay_connections", COUNTER, RS_STAT_RELAY_CONNECTIONS, NULL, NULL,
		"Connections made to the relay."},
	{"restante_relay_failures", COUNTER, RS_STAT_RELAY_FAILED, NULL, NULL,
		"Connections to the relay that failed, or were refused."},
	{"restante_maildrop_failures", COUNTER, RS_STAT_OPEN_FAILED, NULL, NULL,
		"Maildrops that could not be opened, those in use among them."},
	{"restante_log_errors", COUNTER, RS_STAT_LOG_ERRORS, NULL, NULL, "Errors in the log."},
	{"restante_log_warnings", COUNTER, RS_STAT_LOG_WARNINGS, NULL, NULL,
		"Warnings in the log."},
	{"restante_reloads", COUNTER, RS_STAT_RELOADS, NULL, NULL, "Reloads done."},
	{"restante_reloads_refused", COUNTER, RS_STAT_RELOADS_REFUSED, NULL, NULL,
		"Reloads refused because of the configuration."},
	{"restante_role_restarts", COUNTER, RS_STAT_RESTARTS, &by_role, NULL,
		"Processes that ended and were started again."},
	{"restante_login_duration_seconds", HISTOGRAM, RS_STAT_LOGIN_TIME, NULL, NULL,
		"From the password to the open maildrop, of logins that went well."},
	{"restante_commit_duration_seconds", HISTOGRAM, RS_STAT_COMMIT_TIME, NULL, NULL,
		"From QUIT to the durable decision, of sessions that deleted."},
	{"restante_delivery_duration_seconds", HISTOGRAM, RS_STAT_DELIVERY_TIME, NULL, NULL,
		"From the end of a message to its results."},
};

static void head(GString *out, const struct family *f)
{
	static const char *const kinds[] = {"counter", "gauge", "histogram", "info"};

	g_string_append_printf(
		out, "# TYPE %s %s\n# HELP %s %s\n", f->name, kinds[f->kind], f->name, f->help);
}

static void histogram(GString *out, const struct family *f, const struct rs_stats *sum)
{
	uint64_t n = 0;

	for (unsigned i = 0; i < RS_STATS_TIMES_N; i++) {
		char bound[G_ASCII_DTOSTR_BUF_SIZE] = "+Inf";

		if (i < RS_STATS_TIMES_N - 1)
			g_ascii_formatd(bound, sizeof(bound), "%.3f", rs_stats_times_s[i]);
		n += sum->rows[f->first + i];
		g_string_append_printf(
			out, "%s_bucket{le=\"%s\"} %" G_GUINT64_FORMAT "\n", f->name, bound, n);
	}
	g_string_append_printf(out, "%s_count %" G_GUINT64_FORMAT "\n", f->name, n);
	g_string_append_printf(out, "%s_sum %" G_GUINT64_FORMAT ".%06u\n", f->name,
		sum->rows[f->first + RS_STATS_TIMES_N] / 1000000,
		(unsigned)(sum->rows[f->first + RS_STATS_TIMES_N] % 1000000));
}

static void sample(GString *out, const struct family *f, const char *value, const char *value2,
	uint64_t number)
{
	g_string_append_printf(out, "%s%s", f->name, f->kind == COUNTER ? "_total" : "");
	if (value)
		g_string_append_printf(out, "{%s=\"%s\"", f->label->name, value);
	if (value2)
		g_string_append_printf(out, ",%s=\"%s\"", f->label2->name, value2);
	g_string_append_printf(out, "%s %" G_GUINT64_FORMAT "\n", value ? "}" : "", number);
}

static void plain(GString *out, const struct family *f, const struct rs_stats *sum)
{
	unsigned n2 = f->label2 ? f->label2->n : 1;

	if (!f->label) {
		sample(out, f, NULL, NULL, sum->rows[f->first]);
		return;
	}
	for (unsigned i = 0; i < f->label->n; i++) {
		const char *value = f->label->value(i);

		for (unsigned k = 0; value && k < n2; k++)
			sample(out, f, value, f->label2 ? f->label2->value(k) : NULL,
				sum->rows[f->first + i * n2 + k]);
	}
}

void rs_metrics_text(GString *out, const struct rs_stats *sum)
{
	static const struct family info = {"restante_build", INFO, 0, NULL, NULL, "The program."};

	head(out, &info);
	g_string_append(out, "restante_build_info{version=\"" RS_VERSION "\"} 1\n");
	for (size_t i = 0; i < G_N_ELEMENTS(families); i++) {
		head(out, &families[i]);
		if (families[i].kind == HISTOGRAM)
			histogram(out, &families[i], sum);
		else
			plain(out, &families[i], sum);
	}
	g_string_append(out, "# EOF\n");
}

/* --- HTTP ---------------------------------------------------------------------------------- */

enum rs_metrics_http rs_metrics_request(struct rs_slice in)
{
	struct rs_http_req req;
	enum rs_http_step step = rs_http_read(in, &req);

	if (step == RS_HTTP_MORE)
		return RS_METRICS_MORE;
	if (step != RS_HTTP_REQUEST)
		return RS_METRICS_BAD;
	if (!rs_slice_eq_str(req.method, "GET") && !rs_slice_eq_str(req.method, "HEAD"))
		return RS_METRICS_NOT_ALLOWED;
	if (!rs_slice_eq_str(req.path, "/metrics"))
		return RS_METRICS_NOT_FOUND;
	return req.method.n == 3 ? RS_METRICS_GET : RS_METRICS_HEAD;
}

void rs_metrics_answer(GString *out, enum rs_metrics_http what, const struct rs_stats *sum)
{
	static const guint status[] = {
		[RS_METRICS_GET] = 200,
		[RS_METRICS_HEAD] = 200,
		[RS_METRICS_NOT_FOUND] = 404,
		[RS_METRICS_NOT_ALLOWED] = 405,
		[RS_METRICS_MORE] = 408,
		[RS_METRICS_BAD] = 400,
	};
	bool found = status[what] == 200;
	g_autoptr(GString) body = g_string_new(NULL);
	struct rs_http_answer a = {.status = status[what],
		.type = found ? RS_METRICS_TYPE : "text/plain; charset=utf-8",
		.field = what == RS_METRICS_NOT_ALLOWED ? "Allow: GET, HEAD\r\n"
							: "Cache-Control: no-store\r\n",
		.head = what == RS_METRICS_HEAD};

	if (found)
		rs_metrics_text(body, sum);
	else
		g_string_append(body, "Only GET /metrics is here.\n");
	a.body = rs_slice(body->str, body->len);
	rs_http_answer(out, &a);
}
