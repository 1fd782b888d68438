/* Tokens, sets of keys and claims: what a stranger, or an issuer, may send. */
#include "tests/fuzz/fuzz.h"

#include <glib.h>

#include "base/err.h"
#include "server/jwt.h"

static const char keys[] = "{\"keys\":[{\"kty\":\"EC\",\"crv\":\"P-256\","
			   "\"x\":\"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU\","
			   "\"y\":\"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0\"}]}";

static void set(struct rs_slice in)
{
	struct rs_jwks *k = NULL;
	struct rs_err err;
	int rc = rs_jwks_parse(in, &k, &err);

	FUZZ_LAW(rc == 0 || rc == -RS_EINVAL);
	FUZZ_LAW(rc == 0 ? rs_jwks_n(k) > 0 : !k);
	rs_jwks_destroy(&k);
}

static void token(struct rs_slice in)
{
	struct rs_jwks *k = NULL;
	JsonObject *claims = NULL;
	struct rs_err err;
	int rc;

	FUZZ_LAW(rs_jwks_parse(rs_slice_str(keys), &k, &err) == 0);
	rc = rs_jwt_verify(k, in, &claims, &err);
	FUZZ_LAW(rc == 0 || rc == -RS_EAUTH || rc == -RS_ENOENT);
	FUZZ_LAW(rc != 0 || rs_jwt_is(in));
	if (rc == 0) /* only who has the key of RFC 7515 appendix A.3 can: its example */
		FUZZ_LAW(g_strcmp0(json_object_get_string_member_with_default(claims, "iss", ""),
				 "joe") == 0);
	g_clear_pointer(&claims, json_object_unref);
	rs_jwks_destroy(&k);
}

static void claims_of(struct rs_slice in)
{
	const struct rs_claims_rules rules = {.scope = "mail", .user_claim = "email"};
	g_autoptr(JsonObject) o = rs_json_object(in);
	g_autofree char *user = NULL;
	struct rs_err err;
	gint64 expires;

	if (!o)
		return;
	if (rs_claims_check(o, &rules, 1000, &user, &expires, &err) == 0)
		FUZZ_LAW(user && *user && expires > 1000);
	else
		FUZZ_LAW(!user && *err.text);
}

int LLVMFuzzerTestOneInput(const guint8 *data, gsize n)
{
	struct rs_slice in = rs_slice(data, n);
	guint8 what = fuzz_choice(&in) % 3;

	if (what == 0)
		set(in);
	else if (what == 1)
		token(in);
	else
		claims_of(in);
	return 0;
}
