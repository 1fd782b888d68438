/* discover.c - the steps of a search and who wins: see discover.h */
#include "client/discover_priv.h"

#include <curl/curl.h>
#include <string.h>

#include "client/providers.h"
#include "client/text.h"

/* --- the steps: NULL, or what was found ---------------------------------------------------------- */

static struct rs_found *from_xml(
	const struct discover_run *r, enum rs_found_from from, const char *url, bool trusted)
{
	g_autofree char *address = NULL;
	GString *body = discover_get(r, url);
	struct rs_found *f = NULL;

	if (!body)
		return NULL;
	if (rs_found_read_xml(body->str, body->len, r->d->address, &f) == 0) {
		f->from = from;
		f->source = g_strdup(url);
		f->trusted = trusted;
	}
	g_string_free(body, TRUE);
	return f;
}

static struct rs_found *step_autoconfig(const struct discover_run *r)
{
	g_autofree char *address = g_uri_escape_string(r->d->address, NULL, FALSE);
	g_autofree char *url = g_strdup_printf(
		"https://autoconfig.%s/mail/config-v1.1.xml?emailaddress=%s", r->domain, address);

	return from_xml(r, RS_FOUND_AUTOCONFIG, url, true);
}

static struct rs_found *step_well_known(const struct discover_run *r)
{
	g_autofree char *url = g_strdup_printf(
		"https://%s/.well-known/autoconfig/mail/config-v1.1.xml", r->domain);

	return from_xml(r, RS_FOUND_WELL_KNOWN, url, true);
}

static struct rs_found *from_database(
	const struct discover_run *r, const char *domain, enum rs_found_from from)
{
	g_autofree char *url = NULL;

	if (!r->d->database)
		return NULL;
	url = g_strconcat(r->d->database, domain, NULL);
	return from_xml(r, from, url, from == RS_FOUND_DATABASE);
}

static struct rs_found *step_database(const struct discover_run *r)
{
	return from_database(r, r->domain, RS_FOUND_DATABASE);
}

static struct rs_found *step_pacc(const struct discover_run *r)
{
	g_autofree char *name = g_strdup_printf("_ua-auto-config.%s", r->domain);
	g_autofree char *url = g_strdup_printf(
		"https://ua-auto-config.%s/.well-known/user-agent-configuration.json", r->domain);
	g_auto(GStrv) txt = rs_names_txt(name, r->stop);
	GString *body = txt && *txt ? discover_get(r, url) : NULL;
	struct rs_found *f = NULL;

	if (!body)
		return NULL;
	if (rs_found_read_pacc(body->str, body->len, (const char *const *)txt, r->d->address, &f) ==
		0) {
		f->source = g_strdup(url);
		f->trusted = true;
	}
	g_string_free(body, TRUE);
	return f;
}

static struct rs_found *step_srv(const struct discover_run *r)
{
	static const char *const services[4] = {"pop3s", "pop3", "submissions", "submission"};
	GArray *rows[4];
	struct rs_found *f = NULL;

	for (guint i = 0; i < 4; i++)
		rows[i] = rs_names_srv(services[i], r->domain, r->stop);
	if (rs_found_read_srv((const GArray *const *)rows, r->d->address, &f) == 0)
		f->source = g_strdup_printf("_pop3s._tcp.%s", r->domain);
	for (guint i = 0; i < 4; i++)
		g_array_unref(rows[i]);
	return f;
}

/* "example.net" of "mx1.mail.example.net"; what stands before a suffix such as co.uk counts, too. */
static char *registered(const char *host)
{
	static const char *const second[] = {"co", "com", "net", "org", "ac", "gov", "ne", "or"};
	g_auto(GStrv) labels = g_strsplit(host, ".", -1);
	guint n = g_strv_length(labels);
	guint keep = 2;

	if (n < 2)
		return NULL;
	for (guint i = 0; n >= 3 && strlen(labels[n - 1]) == 2 && i < G_N_ELEMENTS(second); i++) {
		if (g_ascii_strcasecmp(labels[n - 2], second[i]) == 0)
			keep = 3;
	}
	return g_strjoinv(".", labels + (n - keep));
}

static struct rs_found *from_mx_host(const struct discover_run *r, const char *host)
{
	const struct rs_provider *p = rs_provider_of_mx(host);
	struct rs_found *f = p ? rs_provider_found(p, r->d->address) : NULL;
	g_autofree char *domain = NULL;
	g_autofree char *url = NULL;

	if (f) {
		g_free(f->source);
		f->from = RS_FOUND_MX;
		f->source = g_strdup(host);
		f->trusted = false;
		return f;
	}
	domain = p ? NULL : registered(host);
	if (!domain || g_ascii_strcasecmp(domain, r->domain) == 0)
		return NULL;
	url = g_strdup_printf("https://autoconfig.%s/mail/config-v1.1.xml", domain);
	f = from_xml(r, RS_FOUND_MX_CONFIG, url, false);
	return f ? f : from_database(r, domain, RS_FOUND_MX_DATABASE);
}

static struct rs_found *step_mx(const struct discover_run *r)
{
	g_autoptr(GPtrArray) hosts = rs_names_mx(r->domain, r->stop);

	return hosts->len ? from_mx_host(r, hosts->pdata[0]) : NULL;
}

/* In the order of worth. */
static struct rs_found *(*const steps[])(const struct discover_run *r) = {step_pacc,
	step_autoconfig, step_well_known, step_database, step_srv, step_mx, discover_probe};

#define STEPS_N G_N_ELEMENTS(steps)

/* --- side by side -------------------------------------------------------------------------------- */

struct step {
	const struct discover_run *run;
	guint at;
	GAsyncQueue *done; /* of struct step, as they end */
	struct rs_found *found;
	bool ended;
};

static gpointer step_run(gpointer data)
{
	struct step *s = data;

	s->found = steps[s->at](s->run);
	g_async_queue_push(s->done, s);
	return NULL;
}

/* Nothing better than what is there can come any more. */
static bool decided(const struct step *all)
{
	for (guint i = 0; i < STEPS_N; i++) {
		if (!all[i].ended)
			return false;
		if (all[i].found)
			return true;
	}
	return true;
}

static void wait_for(struct step *all, GAsyncQueue *done, const struct rs_discover *d)
{
	gint64 end_us = g_get_monotonic_time() + (gint64)d->limit_s * G_USEC_PER_SEC;

	while (!decided(all)) {
		gint64 left_us = end_us - g_get_monotonic_time();
		struct step *s = NULL;

		if (left_us > 0 && !g_cancellable_is_cancelled(d->cancel))
			s = g_async_queue_timeout_pop(done, (guint64)MIN(left_us, 100000));
		else
			return;
		if (s)
			s->ended = true;
	}
}

static struct rs_found *side_by_side(struct discover_run *r)
{
	struct step all[STEPS_N];
	GThread *threads[STEPS_N];
	g_autoptr(GAsyncQueue) done = g_async_queue_new();
	struct rs_found *best = NULL;

	for (guint i = 0; i < STEPS_N; i++) {
		all[i] = (struct step){.run = r, .at = i, .done = done};
		threads[i] = g_thread_new("discover", step_run, &all[i]);
	}
	wait_for(all, done, r->d);
	g_cancellable_cancel(r->stop);
	for (guint i = 0; i < STEPS_N; i++) {
		g_thread_join(threads[i]);
		if (!best)
			best = all[i].found;
		else
			rs_found_free(all[i].found);
	}
	return best;
}

/* --- the whole ----------------------------------------------------------------------------------- */

static int none_found(const char *domain, struct rs_err *err)
{
	return rs_err_set(err, RS_ENOENT,
		_("nothing says which servers %s has; ask the provider for its POP3 server, and "
		  "give it "
		  "with --pop3 HOST"),
		domain);
}

static int built_in(
	const struct rs_provider *p, const char *address, struct rs_found **out, struct rs_err *err)
{
	g_autofree char *hint = NULL;

	*out = rs_provider_found(p, address);
	if (*out)
		return 0;
	hint = rs_provider_hint(p);
	return rs_err_set(err, RS_ECONFIG, "%s", hint);
}

int rs_discover_run(const struct rs_discover *d, struct rs_found **out, struct rs_err *err)
{
	static gsize once;
	const char *sign = strrchr(d->address, '@');
	g_autofree char *ascii = sign ? g_hostname_to_ascii(sign + 1) : NULL;
	g_autofree char *domain = ascii ? g_ascii_strdown(ascii, -1) : NULL;
	struct discover_run r = {.d = d, .domain = domain};
	const struct rs_provider *known;

	if (!domain || !rs_found_host_ok(domain))
		return rs_err_set(err, RS_EINVAL,
			_("%s is not a mail address such as anna@example.org"), d->address);
	known = rs_provider_of_domain(domain);
	if (known)
		return built_in(known, d->address, out, err);
	if (g_once_init_enter(&once)) {
		(void)curl_global_init(CURL_GLOBAL_DEFAULT);
		g_once_init_leave(&once, 1);
	}
	r.stop = g_cancellable_new();
	*out = side_by_side(&r);
	g_object_unref(r.stop);
	if (*out)
		return 0;
	if (g_cancellable_is_cancelled(d->cancel))
		return rs_err_set(err, RS_ETEMP, _("stopped; nothing was lost"));
	return none_found(domain, err);
}
