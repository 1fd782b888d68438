/* fuzz_discover.c - what providers (and whoever answers for them) publish: autoconfig XML, PACC, SRV records. What is
 * accepted can be an account's, and is one. */
#include "client/discover_parse.h"
#include "tests/fuzz/fuzz.h"

#define ADDRESS "anna@example.org"

static void law_found(struct rs_found *f)
{
	struct rs_account *a = rs_account_new();
	g_autofree char *host = NULL;
	struct rs_err err;

	FUZZ_LAW(f->pop3.host && rs_found_host_ok(f->pop3.host) && f->pop3.port);
	FUZZ_LAW(f->pop3.user);
	FUZZ_LAW(!f->smtp.host || (rs_found_host_ok(f->smtp.host) && f->smtp.port));
	if (rs_found_apply(f, a, &err) == 0) {
		FUZZ_LAW(a->pop3_port == f->pop3.port && strcmp(a->pop3_host, f->pop3.host) == 0);
		FUZZ_LAW(a->pop3_security == f->pop3.security);
	}
	rs_account_free(a);
	rs_found_free(f);
}

static void xml(const char *text, gsize n)
{
	struct rs_found *f = NULL;
	int rc = rs_found_read_xml(text, n, ADDRESS, &f);

	FUZZ_LAW((rc == 0) == (f != NULL));
	if (f)
		law_found(f);
}

/* Behind its own digest, so that the document is looked at. */
static void pacc(const char *text, gsize n)
{
	g_autoptr(GChecksum) sum = g_checksum_new(G_CHECKSUM_SHA256);
	g_autofree char *base64 = NULL;
	g_autofree char *txt = NULL;
	guint8 digest[32];
	gsize digest_n = sizeof(digest);
	struct rs_found *f = NULL;

	g_checksum_update(sum, (const guchar *)text, (gssize)n);
	g_checksum_get_digest(sum, digest, &digest_n);
	base64 = g_base64_encode(digest, digest_n);
	txt = g_strdup_printf("v=UAAC1; a=sha256; d=%s", base64);
	const char *const good[] = {"v=spf1", txt, NULL};
	const char *const none[] = {"v=UAAC1; a=sha256; d=", NULL};

	FUZZ_LAW(rs_found_read_pacc(text, n, none, ADDRESS, &f) < 0 && !f);
	if (rs_found_read_pacc(text, n, good, ADDRESS, &f) == 0)
		law_found(f);
}

/* Lines "PORT TARGET", four records in turn. */
static void srv(const char *text, gsize n)
{
	g_autofree char *copy = g_strndup(text, n);
	g_auto(GStrv) lines = g_strsplit(copy, "\n", 64);
	GArray *rows[4];
	struct rs_found *f = NULL;

	for (guint i = 0; i < 4; i++)
		rows[i] = g_array_new(FALSE, FALSE, sizeof(struct rs_name_srv));
	for (guint i = 0; lines[i]; i++) {
		char *blank = strchr(lines[i], ' ');
		struct rs_name_srv row = {.port = (guint16)strtoul(lines[i], NULL, 10)};

		row.target = blank ? blank + 1 : lines[i];
		g_array_append_val(rows[i % 4], row);
	}
	if (rs_found_read_srv((const GArray *const *)rows, ADDRESS, &f) == 0)
		law_found(f);
	for (guint i = 0; i < 4; i++)
		g_array_unref(rows[i]);
}

int LLVMFuzzerTestOneInput(const guint8 *data, gsize n)
{
	static void (*const readers[])(const char *text, gsize n) = {xml, pacc, srv};
	struct rs_slice in = rs_slice(data, n);
	guint8 what = fuzz_choice(&in);

	readers[what % G_N_ELEMENTS(readers)](in.n ? (const char *)in.p : "", in.n);
	return 0;
}
