/* discover_https.c - one document by HTTPS: see discover_priv.h. libcurl; stopped within 50 ms. */
#include "client/discover_priv.h"

#include <curl/curl.h>
#include <string.h>

#include "client/names.h"

#define REDIRECTS_MAX 3L
#define POLL_MS       50

static size_t take(char *octets, size_t one, size_t n, void *data)
{
	GString *body = data;

	if (body->len + n > RS_DISCOVER_DOCUMENT_MAX)
		return 0;
	g_string_append_len(body, octets, (gssize)n);
	return n;
}

/* For tests: where the file of names turns this URL's host. False: there is no such host. */
static bool turn(CURL *c, const char *url, struct curl_slist **list)
{
	g_autoptr(GUri) uri = g_uri_parse(url, G_URI_FLAGS_NONE, NULL);
	gint port = uri && g_uri_get_port(uri) > 0 ? g_uri_get_port(uri) : 443;
	g_autofree char *host = NULL;
	g_autofree char *entry = NULL;
	guint16 to;

	if (!uri || !rs_names_connect(g_uri_get_host(uri), (guint16)port, &host, &to))
		return false;
	entry = g_strdup_printf("%s:%d:%s:%u", g_uri_get_host(uri), port, host, to);
	*list = curl_slist_append(NULL, entry);
	(void)curl_easy_setopt(c, CURLOPT_CONNECT_TO, *list);
	return true;
}

static void options(CURL *c, const struct discover_run *r, const char *url, GString *body)
{
	(void)curl_easy_setopt(c, CURLOPT_URL, url);
	(void)curl_easy_setopt(c, CURLOPT_PROTOCOLS_STR, "https");
	(void)curl_easy_setopt(c, CURLOPT_REDIR_PROTOCOLS_STR, "https");
	(void)curl_easy_setopt(c, CURLOPT_FOLLOWLOCATION, rs_names_testing() ? 0L : 1L);
	(void)curl_easy_setopt(c, CURLOPT_MAXREDIRS, REDIRECTS_MAX);
	(void)curl_easy_setopt(c, CURLOPT_FAILONERROR, 1L);
	(void)curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L);
	(void)curl_easy_setopt(c, CURLOPT_QUICK_EXIT, 1L);
	(void)curl_easy_setopt(c, CURLOPT_TIMEOUT, (long)r->d->limit_s);
	(void)curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, take);
	(void)curl_easy_setopt(c, CURLOPT_WRITEDATA, body);
	if (r->d->ca_file)
		(void)curl_easy_setopt(c, CURLOPT_CAINFO, r->d->ca_file);
}

/* Until it has ended or is stopped. True: it came whole, with a good status. */
static bool perform(CURLM *m, GCancellable *stop)
{
	int running = 1;
	int left;
	CURLMsg *told;

	while (running) {
		if (g_cancellable_is_cancelled(stop) || curl_multi_perform(m, &running) != CURLM_OK)
			return false;
		if (running && curl_multi_poll(m, NULL, 0, POLL_MS, NULL) != CURLM_OK)
			return false;
	}
	told = curl_multi_info_read(m, &left);
	return told && told->msg == CURLMSG_DONE && told->data.result == CURLE_OK;
}

GString *discover_get(const struct discover_run *r, const char *url)
{
	CURL *c = curl_easy_init();
	CURLM *m = curl_multi_init();
	GString *body = g_string_new(NULL);
	struct curl_slist *turned = NULL;
	bool ok = c && m && (!rs_names_testing() || turn(c, url, &turned));

	if (ok) {
		options(c, r, url, body);
		ok = curl_multi_add_handle(m, c) == CURLM_OK && perform(m, r->stop);
		(void)curl_multi_remove_handle(m, c);
	}
	curl_easy_cleanup(c);
	(void)curl_multi_cleanup(m);
	curl_slist_free_all(turned);
	if (ok)
		return body;
	g_string_free(body, TRUE);
	return NULL;
}
