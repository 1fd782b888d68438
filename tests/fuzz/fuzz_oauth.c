/* fuzz_oauth.c - what an issuer and a browser say to the mail program: metadata, tokens, the request that comes back. */
#include "client/oauth_priv.h"
#include "tests/fuzz/fuzz.h"

#define ISSUER "https://login.example.org"

static void metadata(const char *text)
{
	struct oauth_server s = {.issuer = NULL};
	struct rs_err err;
	int rc = oauth_metadata_read(ISSUER, text, &s, &err);

	FUZZ_LAW(rc == 0 || rc == -RS_EPROTO);
	FUZZ_LAW(rc < 0 || (oauth_url_ok(s.token) && (s.authorize || s.device)));
	oauth_server_finish(&s);
}

static void tokens(const char *text)
{
	struct oauth_tokens t = {.access = NULL};
	char *error = NULL;
	int rc = oauth_tokens_read(text, 1000, &t, &error);

	FUZZ_LAW(rc == 0 || rc == -RS_EPROTO || (rc == -RS_EAUTH && error));
	FUZZ_LAW(rc < 0 || (*t.access && !strpbrk(t.access, "\001\r\n ") && t.expires_s >= 0));
	oauth_tokens_finish(&t);
	g_free(error);
}

static void request(const char *text)
{
	char *code = NULL;
	int rc = oauth_loop_parse(text, "state-of-ours", &code);

	FUZZ_LAW(rc == 0 || code);
	FUZZ_LAW(rc == 0 || strstr(text, "state"));
	g_free(code);
}

int LLVMFuzzerTestOneInput(const guint8 *data, gsize n)
{
	static void (*const readers[])(const char *text) = {metadata, tokens, request};
	struct rs_slice in = rs_slice(data, n);
	guint8 what = fuzz_choice(&in);
	g_autofree char *text = g_strndup(in.n ? (const char *)in.p : "", in.n);

	readers[what % G_N_ELEMENTS(readers)](text);
	return 0;
}
