/* What strangers say in a login: clients to our server, servers to our client. One message a line. */
#include "tests/fuzz/fuzz.h"

#include <glib.h>

#include "base/err.h"
#include "base/utf8.h"
#include "sasl/sasl.h"

#define KEY "0123456789abcdef0123456789abcdef"

static const char *const mechs[] = {"PLAIN", "LOGIN", "EXTERNAL", "SCRAM-SHA-1", "SCRAM-SHA-1-PLUS",
	"SCRAM-SHA-256", "SCRAM-SHA-256-PLUS", "OAUTHBEARER", "XOAUTH2", "CRAM-MD5"};

static struct rs_slice line(struct rs_slice *rest)
{
	size_t n = rs_slice_find(*rest, '\n');
	struct rs_slice out = rs_slice_sub(*rest, 0, n);

	*rest = rs_slice_sub(*rest, n + 1, rest->n);
	return out.n ? out : rs_slice("", 0);
}

/* What the owner learns is fit to be used. */
static void check_facts(const struct rs_sasl_server *s, enum rs_sasl_step step)
{
	struct rs_slice user = rs_sasl_server_user(s);
	struct rs_slice secret = rs_sasl_server_secret(s);

	FUZZ_LAW(rs_slice_find(user, 0) == user.n && rs_slice_find(secret, 0) == secret.n);
	if (step == RS_SASL_PASSWORD)
		FUZZ_LAW(user.n > 0 && secret.n > 0);
	if (step == RS_SASL_KEYS)
		FUZZ_LAW(user.n > 0 && user.n < 256 && rs_utf8_valid(user));
	if (step == RS_SASL_TOKEN)
		FUZZ_LAW(secret.n <= RS_SASL_TOKEN_MAX && user.n < 256 && rs_utf8_valid(user) &&
			 rs_slice_graphic(secret));
}

static void server(struct rs_slice in, const char *mech)
{
	struct rs_sasl_server_cfg cfg = {.nonce = "server",
		.plus_offered = true,
		.binding = {.exporter = {(const guint8 *)KEY, 32},
			.end_point = {(const guint8 *)KEY, 32}}};
	struct rs_scram_keys keys = {.iterations = 4096, .salt_n = 16};
	struct rs_sasl_server *s = NULL;
	enum rs_sasl_step step = RS_SASL_CHALLENGE;
	struct rs_slice out;

	if (rs_sasl_server_create(mech, &cfg, &s) < 0)
		return; /* CRAM-MD5: the client's only */
	for (int i = 0; i < 5 && step == RS_SASL_CHALLENGE; i++) {
		step = rs_sasl_server_step(s, line(&in), &out);
		check_facts(s, step);
		keys.key_n = rs_scram_key_n(rs_sasl_server_hash(s));
		if (step == RS_SASL_KEYS) {
			step = rs_sasl_server_keys(s, &keys, false, &out);
		} else if (step == RS_SASL_TOKEN) {
			step = rs_sasl_server_refused(s, "mail", NULL, &out);
			FUZZ_LAW(step == RS_SASL_CHALLENGE && rs_slice_graphic(out));
		}
		FUZZ_LAW(step != RS_SASL_PROVEN); /* nobody has the password */
	}
	rs_sasl_server_destroy(&s);
}

static void client(struct rs_slice in, const char *mech)
{
	struct rs_sasl_client_cfg cfg = {.mech = mech,
		.user = rs_slice_str("anna"),
		.secret = rs_slice_str("secret"),
		.nonce = "client",
		.binding = {.exporter = {(const guint8 *)KEY, 32}}};
	struct rs_sasl_client *c = NULL;
	struct rs_slice out;
	int rc;

	FUZZ_LAW(rs_sasl_client_create(&cfg, &c) == 0);
	rc = rs_sasl_client_step(c, rs_slice(NULL, 0), &out);
	for (int i = 0; i < 5 && rc == 0; i++)
		rc = rs_sasl_client_step(c, line(&in), &out);
	FUZZ_LAW(rc == -RS_EPROTO || rc == 0);
	if (g_str_has_prefix(mech, "SCRAM"))
		FUZZ_LAW(!rs_sasl_client_succeeded(c)); /* nobody has the password */
	FUZZ_LAW(rs_sasl_client_error(c));
	rs_sasl_client_destroy(&c);
}

int LLVMFuzzerTestOneInput(const guint8 *data, gsize n)
{
	struct rs_slice in = rs_slice(data, n);
	guint8 side = fuzz_choice(&in);
	const char *mech = mechs[fuzz_choice(&in) % G_N_ELEMENTS(mechs)];

	if (side % 2 == 0)
		server(in, mech);
	else
		client(in, mech);
	return 0;
}
