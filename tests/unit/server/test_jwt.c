/* Tokens: the examples of the RFCs, keys that are none, claims. What is refused of forged ones:
 * it_oauth.py. RFC 7515 appendix A, 7517, 7519, 8037. */
#include "tests/unit/test.h"

#include "server/jwt.h"

#define KEYS                                                                                       \
	"{\"keys\":[{\"kty\":\"EC\",\"crv\":\"P-256\",\"kid\":\"ec\","                             \
	"\"x\":\"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU\","                                   \
	"\"y\":\"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0\"},"                                  \
	"{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"11qYAYKxCrfVS_"                              \
	"7TyWQHOg7hcvPapiMlrwIaaPcHURo\"},"                                                        \
	"{\"kty\":\"RSA\",\"e\":\"AQAB\",\"n\":\""                                                 \
	"ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt" \
	"0Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSX" \
	"ndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5" \
	"IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ\"}]}"

#define JOE                                                                                        \
	"eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0" \
	"cnVlfQ"

static const char *const es256 = "eyJhbGciOiJFUzI1NiJ9." JOE
				 ".DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSA"
				 "pmWQxfKTUJqPP3-Kg6NU1Q";
static const char *const rs256 =
	"eyJhbGciOiJSUzI1NiJ9." JOE
	".cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W"
	"2Fp5jujGbds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkS"
	"jtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnv"
	"Wh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw";
/* its payload is no JSON: the signature is looked at first */
static const char *const eddsa =
	"eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc.hgyY0il_MGCjP0JzlnLWG1PPOt7-09PG"
	"cvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg";

static struct rs_jwks *keys_of(const char *json)
{
	struct rs_jwks *k = NULL;
	struct rs_err err;

	assert_int_equal(rs_jwks_parse(rs_slice_str(json), &k, &err), 0);
	return k;
}

static void jwt__the_examples_of_the_rfcs(void **state)
{
	struct rs_jwks *k = keys_of(KEYS);
	JsonObject *claims = NULL;
	struct rs_err err;

	assert_int_equal(rs_jwks_n(k), 3);
	assert_int_equal(rs_jwt_verify(k, rs_slice_str(es256), &claims, &err), 0);
	assert_string_equal(json_object_get_string_member(claims, "iss"), "joe");
	json_object_unref(claims);
	assert_int_equal(rs_jwt_verify(k, rs_slice_str(rs256), &claims, &err), 0);
	json_object_unref(claims);
	assert_int_equal(rs_jwt_verify(k, rs_slice_str(eddsa), &claims, &err), -RS_EAUTH);
	assert_string_equal(err.text, "it holds no claims");
	rs_jwks_destroy(&k);
}

/* Every octet of a token counts. */
static void jwt__no_octet_may_change(void **state)
{
	struct rs_jwks *k = keys_of(KEYS);
	size_t n = strlen(es256);
	JsonObject *claims = NULL;
	struct rs_err err;

	for (size_t i = 0; i < n; i++) {
		g_autofree char *text = g_strdup(es256);

		text[i] = text[i] == 'A' ? 'B' : 'A';
		if (rs_jwt_verify(k, rs_slice_str(text), &claims, &err) == 0)
			fail_msg("octet %zu", i);
		if (rs_jwt_verify(k, rs_slice(es256, i), &claims, &err) == 0)
			fail_msg("cut at %zu", i);
	}
	rs_jwks_destroy(&k);
}

static void jwt__sets_without_a_key_are_refused(void **state)
{
	static const char *const rows[] = {"", "{}", "[]", "{\"keys\":{}}", "{\"keys\":[]}",
		"{\"keys\":[1,null,[]]}", "{\"keys\":[{\"kty\":\"oct\",\"k\":\"c2VjcmV0\"}]}",
		/* a point that is not on the curve */
		"{\"keys\":[{\"kty\":\"EC\",\"crv\":\"P-256\","
		"\"x\":\"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU\","
		"\"y\":\"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a1\"}]}",
		/* RSA of 512 bits */
		"{\"keys\":[{\"kty\":\"RSA\",\"e\":\"AQAB\",\"n\":\"1g4R___________________________"
		"_______"
		"____________________________________________________w\"}]}",
		/* for encryption */
		"{\"keys\":[{\"kty\":\"OKP\",\"use\":\"enc\",\"crv\":\"Ed25519\","
		"\"x\":\"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo\"}]}"};
	struct rs_jwks *k = NULL;
	struct rs_err err;

	for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
		if (rs_jwks_parse(rs_slice_str(rows[i]), &k, &err) != -RS_EINVAL)
			fail_msg("%s", rows[i]);
		assert_null(k);
	}
}

static void jwt__json_that_is_deep_is_not_parsed(void **state)
{
	g_autofree char *open = g_strnfill(50000, '[');
	g_autofree char *text = g_strdup_printf("{\"a\":%s", open);

	assert_null(rs_json_object(rs_slice_str(text)));
	assert_null(rs_json_object(rs_slice_str("[]")));
	assert_null(rs_json_object(rs_slice_str("{\"a\":\"\xff\"}")));
	assert_null(rs_json_object(rs_slice(NULL, 0)));
}

static void jwt__claims(void **state)
{
	static const struct {
		const char *json;
		const char *user; /* NULL: refused */
		int64_t expires;
	} rows[] = {
		{"{\"email\":\"a@x\",\"iss\":\"i\",\"aud\":\"m\",\"scope\":\"p q\",\"exp\":1001}",
			"a@x", 1001},
		{"{\"email\":\"a@x\",\"iss\":\"i\",\"aud\":[\"n\",\"m\"],\"scp\":[\"q\"]}", "a@x",
			INT64_MAX},
		{"{\"email\":\"a@x\",\"iss\":\"i\",\"aud\":\"m\",\"scope\":\"q\",\"exp\":1000}",
			NULL, 0},
		{"{\"email\":\"a@x\",\"iss\":\"i\",\"aud\":\"m\",\"scope\":\"q\",\"exp\":1000.5}",
			NULL, 0},
		{"{\"email\":\"a@x\",\"iss\":\"i\",\"aud\":\"m\",\"scope\":\"q\",\"exp\":\"2000\"}",
			NULL, 0},
		{"{\"email\":\"a@x\",\"iss\":\"i\",\"aud\":\"m\",\"scope\":\"q\",\"exp\":[2000]}",
			NULL, 0},
		{"{\"email\":\"a@x\",\"iss\":\"i\",\"aud\":\"m\",\"scope\":\"q\",\"nbf\":1060}",
			"a@x", INT64_MAX},
		{"{\"email\":\"a@x\",\"iss\":\"i\",\"aud\":\"m\",\"scope\":\"q\",\"nbf\":1061}",
			NULL, 0},
		{"{\"email\":\"a@x\",\"iss\":\"j\",\"aud\":\"m\",\"scope\":\"q\"}", NULL, 0},
		{"{\"email\":\"a@x\",\"aud\":\"m\",\"scope\":\"q\"}", NULL, 0},
		{"{\"email\":\"a@x\",\"iss\":\"i\",\"aud\":\"mm\",\"scope\":\"q\"}", NULL, 0},
		{"{\"email\":\"a@x\",\"iss\":\"i\",\"aud\":[1,null],\"scope\":\"q\"}", NULL, 0},
		{"{\"email\":\"a@x\",\"iss\":\"i\",\"aud\":\"m\",\"scope\":\"qq pq\"}", NULL, 0},
		{"{\"email\":\"a@x\",\"email_verified\":false,\"iss\":\"i\",\"aud\":\"m\","
		 "\"scope\":\"q\"}",
			NULL, 0},
		{"{\"email\":\"a@x\",\"email_verified\":\"true\",\"iss\":\"i\",\"aud\":\"m\","
		 "\"scope\":\"q\"}",
			"a@x", INT64_MAX},
		{"{\"email\":\"\",\"iss\":\"i\",\"aud\":\"m\",\"scope\":\"q\"}", NULL, 0},
		{"{\"email\":7,\"iss\":\"i\",\"aud\":\"m\",\"scope\":\"q\"}", NULL, 0},
	};
	const struct rs_claims_rules rules = {
		.issuer = "i", .audience = "m", .scope = "q", .user_claim = "email"};

	for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
		g_autoptr(JsonObject) o = rs_json_object(rs_slice_str(rows[i].json));
		g_autofree char *user = NULL;
		struct rs_err err;
		int64_t expires;
		int rc;

		assert_non_null(o);
		rc = rs_claims_check(o, &rules, 1000, &user, &expires, &err);
		if (rc != (rows[i].user ? 0 : -RS_EAUTH) || g_strcmp0(user, rows[i].user) != 0 ||
			(user && expires != rows[i].expires))
			fail_msg("row %zu", i);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(jwt__the_examples_of_the_rfcs),
		cmocka_unit_test(jwt__no_octet_may_change),
		cmocka_unit_test(jwt__sets_without_a_key_are_refused),
		cmocka_unit_test(jwt__json_that_is_deep_is_not_parsed),
		cmocka_unit_test(jwt__claims),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
