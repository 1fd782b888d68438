/* discover_probe.c - servers of common names: see discover_priv.h. Each is asked on a thread of its own: TLS (at
 * once, or after STLS / STARTTLS) with a certificate for that name that verifies, and the greeting of its protocol.
 * No user name and no password leaves. */
#include "client/discover_priv.h"

#include <string.h>

#include "client/net.h"

#define LINE_MAX_N 4096u

/* In the order of preference; "" is the domain itself. */
static const char *const pop3_names[] = {"pop", "pop3", "mail", ""};
static const char *const smtp_names[] = {"smtp", "mail", ""};

struct probe {
	const struct discover_run *run;
	char *host;
	guint16 port;
	enum rs_security security;
	bool smtp;
	bool there;
	GThread *thread;
};

/* One line, read octet by octet so that nothing behind it is taken away from TLS. */
static bool line_read(struct rs_net *net, char line[LINE_MAX_N])
{
	size_t n = 0;

	while (n + 1 < LINE_MAX_N) {
		struct rs_net_in in = {.buf = line + n, .max = 1};
		size_t written;

		if (rs_net_exchange(net, rs_slice(NULL, 0), &written, &in, NULL) < 0 || in.ended)
			return false;
		n += in.got;
		if (n && line[n - 1] == '\n') {
			line[n] = '\0';
			return true;
		}
	}
	return false;
}

/* The last line of a reply: "250 x" behind "250-x". */
static bool reply_ok(struct rs_net *net, const char *ok)
{
	char line[LINE_MAX_N];
	guint lines = 0;

	do {
		if (!line_read(net, line) || ++lines > 64 || !g_str_has_prefix(line, ok))
			return false;
	} while (ok[0] != '+' && line[3] == '-');
	return true;
}

static bool ask(struct rs_net *net, const char *command, const char *ok)
{
	return rs_net_write(net, rs_slice_str(command), NULL) == 0 && reply_ok(net, ok);
}

static bool talk(const struct probe *p, struct rs_net *net)
{
	if (!reply_ok(net, p->smtp ? "220" : "+OK"))
		return false;
	if (p->security == RS_SECURITY_TLS)
		return true;
	if (p->smtp && !ask(net, "EHLO localhost\r\n", "250"))
		return false;
	return ask(net, p->smtp ? "STARTTLS\r\n" : "STLS\r\n", p->smtp ? "220" : "+OK") &&
	       rs_net_start_tls(net, NULL) == 0;
}

static gpointer probe_run(gpointer data)
{
	struct probe *p = data;
	const struct rs_net_where where = {.host = p->host,
		.port = p->port,
		.tls_at_once = p->security == RS_SECURITY_TLS,
		.ca_file = p->run->d->ca_file,
		.timeout_s = p->run->d->limit_s,
		.cancel = p->run->stop};
	struct rs_net *net = NULL;

	p->there = rs_net_open(&where, &net, NULL) == 0 && talk(p, net);
	rs_net_close(&net);
	return NULL;
}

static void probe_clear(gpointer data)
{
	g_free(((struct probe *)data)->host);
}

/* TLS from the first octet at all names, then STARTTLS at all names. */
static void add(GArray *probes, const struct discover_run *r, bool smtp)
{
	const char *const *names = smtp ? smtp_names : pop3_names;
	size_t n = smtp ? G_N_ELEMENTS(smtp_names) : G_N_ELEMENTS(pop3_names);

	for (guint later = 0; later < 2; later++) {
		for (size_t i = 0; i < n; i++) {
			struct probe p = {.run = r, .smtp = smtp};

			p.security = later ? RS_SECURITY_STARTTLS : RS_SECURITY_TLS;
			p.port = smtp ? (later ? 587 : 465) : (later ? 110 : 995);
			p.host = g_strdup_printf(
				"%s%s%s", names[i], *names[i] ? "." : "", r->domain);
			g_array_append_val(probes, p);
		}
	}
}

/* The first of its kind that is there. */
static void take(struct rs_found_server *s, const GArray *probes, bool smtp, const char *user)
{
	for (guint i = 0; i < probes->len; i++) {
		const struct probe *p = &g_array_index(probes, struct probe, i);

		if (!p->there || p->smtp != smtp)
			continue;
		*s = (struct rs_found_server){.host = g_strdup(p->host),
			.port = p->port,
			.security = p->security,
			.user = g_strdup(user),
			.password = true};
		return;
	}
}

struct rs_found *discover_probe(const struct discover_run *r)
{
	g_autoptr(GArray) probes = g_array_new(FALSE, FALSE, sizeof(struct probe));
	struct rs_found *f = rs_found_new(RS_FOUND_PROBE, r->domain);

	g_array_set_clear_func(probes, probe_clear);
	add(probes, r, false);
	add(probes, r, true);
	for (guint i = 0; i < probes->len; i++) {
		struct probe *p = &g_array_index(probes, struct probe, i);

		p->thread = g_thread_new("probe", probe_run, p);
	}
	for (guint i = 0; i < probes->len; i++)
		g_thread_join(g_array_index(probes, struct probe, i).thread);
	take(&f->pop3, probes, false, r->d->address);
	take(&f->smtp, probes, true, r->d->address);
	f->trusted = true; /* names in the domain, certificates that verify */
	if (f->pop3.host)
		return f;
	rs_found_free(f);
	return NULL;
}
