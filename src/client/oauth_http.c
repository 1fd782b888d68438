/* oauth_http.c - one question to an issuer, by libcurl; and the JSON it answers with. */
#include <curl/curl.h>
#include <string.h>

#include "client/oauth_priv.h"
#include "client/text.h"

bool oauth_url_ok(const char *url)
{
	g_autoptr(GUri) uri = url ? g_uri_parse(url, G_URI_FLAGS_NONE, NULL) : NULL;
	const char *host = uri ? g_uri_get_host(uri) : NULL;
	const char *scheme = uri ? g_uri_get_scheme(uri) : NULL;

	if (!host || !*host || g_uri_get_userinfo(uri) || g_uri_get_fragment(uri))
		return false;
	if (strcmp(scheme, "https") == 0)
		return true;
	return strcmp(scheme, "http") == 0 &&
	       (strcmp(host, "localhost") == 0 || strcmp(host, "127.0.0.1") == 0 ||
		       strcmp(host, "::1") == 0);
}

void oauth_form_add(GString *form, const char *name, const char *value)
{
	g_autofree char *escaped = NULL;

	if (!value)
		return;
	escaped = g_uri_escape_string(value, NULL, FALSE);
	g_string_append_printf(form, "%s%s=%s", form->len ? "&" : "", name, escaped);
	rs_wipe(escaped, strlen(escaped));
}

static size_t on_body(char *p, size_t size, size_t n, void *arg)
{
	GString *body = arg;

	if (body->len + size * n > OAUTH_ANSWER_MAX)
		return 0;
	g_string_append_len(body, p, (gssize)(size * n));
	return size * n;
}

static int on_tick(void *arg, curl_off_t a, curl_off_t b, curl_off_t c, curl_off_t d)
{
	const struct oauth_http *h = arg;

	return h->cancel && g_cancellable_is_cancelled(h->cancel);
}

static int failed(const struct oauth_http *h, CURLcode code, struct rs_err *err)
{
	g_autoptr(GUri) uri = g_uri_parse(h->url, G_URI_FLAGS_NONE, NULL);
	const char *host = g_uri_get_host(uri);

	if (code == CURLE_ABORTED_BY_CALLBACK)
		return rs_err_set(err, RS_ETEMP, _("cancelled"));
	if (code == CURLE_PEER_FAILED_VERIFICATION)
		return rs_err_set(err, RS_ECERT,
			_("the certificate of %s does not verify, so nothing was sent to it"),
			host);
	if (code == CURLE_WRITE_ERROR)
		return rs_err_set(err, RS_EPROTO, _("%s answers with too much"), host);
	return rs_err_set(err, RS_ENET, _("cannot ask %s: %s"), host, curl_easy_strerror(code));
}

static void options(CURL *c, const struct oauth_http *h, GString *body, struct curl_slist *headers)
{
	curl_easy_setopt(c, CURLOPT_URL, h->url);
	curl_easy_setopt(c, CURLOPT_PROTOCOLS_STR, "https,http");
	curl_easy_setopt(c, CURLOPT_FOLLOWLOCATION, 0L);
	curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(c, CURLOPT_TIMEOUT, (long)OAUTH_HTTP_S);
	curl_easy_setopt(c, CURLOPT_USERAGENT, "restante/" RS_VERSION);
	curl_easy_setopt(c, CURLOPT_HTTPHEADER, headers);
	curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, on_body);
	curl_easy_setopt(c, CURLOPT_WRITEDATA, body);
	curl_easy_setopt(c, CURLOPT_NOPROGRESS, 0L);
	curl_easy_setopt(c, CURLOPT_XFERINFOFUNCTION, on_tick);
	curl_easy_setopt(c, CURLOPT_XFERINFODATA, h);
	if (h->ca_file)
		curl_easy_setopt(c, CURLOPT_CAINFO, h->ca_file);
	if (h->form || h->json)
		curl_easy_setopt(c, CURLOPT_POSTFIELDS, h->form ? h->form : h->json);
}

int oauth_http(const struct oauth_http *h, long *status, char **body, struct rs_err *err)
{
	GString *got = g_string_new(NULL);
	struct curl_slist *headers = curl_slist_append(NULL, "Accept: application/json");
	CURL *c = oauth_url_ok(h->url) ? curl_easy_init() : NULL;
	CURLcode code;
	int rc = 0;

	if (h->json)
		headers = curl_slist_append(headers, "Content-Type: application/json");
	if (!c) {
		rc = rs_err_set(err, RS_ECONFIG, _("'%s' is no https:// address"), h->url);
	} else {
		options(c, h, got, headers);
		code = curl_easy_perform(c);
		rc = code == CURLE_OK ? 0 : failed(h, code, err);
		curl_easy_getinfo(c, CURLINFO_RESPONSE_CODE, status);
	}
	curl_easy_cleanup(c);
	curl_slist_free_all(headers);
	if (rc == 0) {
		*body = g_string_free(got, FALSE);
		return 0;
	}
	rs_wipe(got->str, got->len);
	g_string_free(got, TRUE);
	return rc;
}

JsonObject *oauth_json(const char *text, JsonParser **parser)
{
	JsonNode *root;

	*parser = json_parser_new_immutable();
	if (json_parser_load_from_data(*parser, text, -1, NULL)) {
		root = json_parser_get_root(*parser);
		if (root && JSON_NODE_HOLDS_OBJECT(root))
			return json_node_get_object(root);
	}
	return NULL;
}

const char *oauth_json_text(JsonObject *o, const char *name)
{
	JsonNode *node = o ? json_object_get_member(o, name) : NULL;
	const char *text = node && JSON_NODE_HOLDS_VALUE(node) &&
					   json_node_get_value_type(node) == G_TYPE_STRING
				   ? json_node_get_string(node)
				   : NULL;

	return text && *text ? text : NULL;
}

gint64 oauth_json_number(JsonObject *o, const char *name, gint64 standard)
{
	JsonNode *node = o ? json_object_get_member(o, name) : NULL;

	if (!node || !JSON_NODE_HOLDS_VALUE(node))
		return standard;
	if (json_node_get_value_type(node) == G_TYPE_STRING) /* some issuers write "3600" */
		return g_ascii_strtoll(json_node_get_string(node), NULL, 10);
	return json_node_get_int(node);
}
