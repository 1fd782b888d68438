/* oauth.c - see oauth.h. */
#include "sasl/oauth.h"

#include <glib.h>

#include "base/err.h"
#include "base/utf8.h"
#include "sasl/scram_int.h"

#define SEP 0x01 /* between and behind the pairs */

/* b64token of RFC 6750 section 2.1. */
static bool token_ok(struct rs_slice s)
{
	size_t n = s.n;

	while (n && s.p[n - 1] == '=')
		n--;
	for (size_t i = 0; i < n; i++) {
		if (!g_ascii_isalnum(s.p[i]) && !strchr("-._~+/", s.p[i]))
			return false;
	}
	return n > 0;
}

/* "Bearer TOKEN"; empty: none was given. */
static int bearer(struct rs_slice value, struct rs_slice *token)
{
	*token = rs_slice(NULL, 0);
	if (value.n == 0)
		return 0;
	if (!rs_slice_istarts(value, "Bearer "))
		return -RS_EPROTO;
	*token = rs_slice_trim(rs_slice_sub(value, 7, value.n));
	if (token->n > RS_SASL_TOKEN_MAX)
		return -RS_ELIMIT;
	return token_ok(*token) ? 0 : -RS_EPROTO;
}

/* "key=value" pairs, each ended by SEP, and one more SEP behind the last. Keys that are not ours
 * (host, port, mthd …) are passed over; a key of ours may come once. */
static int pairs(struct rs_slice rest, const char *const keys[2], struct rs_slice out[2])
{
	bool seen[2] = {false, false};

	while (rest.n && rest.p[0] != SEP) {
		size_t n = rs_slice_find(rest, SEP);
		struct rs_slice pair = rs_slice_sub(rest, 0, n);
		size_t equals = rs_slice_find(pair, '=');

		if (n == rest.n || equals == 0 || equals == pair.n)
			return -RS_EPROTO;
		for (int i = 0; i < 2; i++) {
			if (!keys[i] || !rs_slice_eq_str(rs_slice_sub(pair, 0, equals), keys[i]))
				continue;
			if (seen[i])
				return -RS_EPROTO;
			seen[i] = true;
			out[i] = rs_slice_sub(pair, equals + 1, pair.n);
		}
		rest = rs_slice_sub(rest, n + 1, rest.n);
	}
	return rest.n == 1 ? 0 : -RS_EPROTO;
}

/* "n,a=user,": of OAUTHBEARER, which has no channel binding ("y" is fine, "p=" is not). */
static int gs2(struct rs_slice *in, char user[256])
{
	struct rs_slice value;

	if (in->n < 2 || (in->p[0] != 'n' && in->p[0] != 'y') || in->p[1] != ',')
		return -RS_EPROTO;
	*in = rs_slice_sub(*in, 2, in->n);
	if (in->n && in->p[0] == ',') {
		*in = rs_slice_sub(*in, 1, in->n);
		return 0;
	}
	if (!scram_attr(in, 'a', &value) || in->n == 0)
		return -RS_EPROTO;
	return scram_name_decode(value, user, 256);
}

int oauth_parse(enum oauth_form form, struct rs_slice in, char user[256], struct rs_slice *token)
{
	static const char *const keys[2][2] = {{"auth", NULL}, {"auth", "user"}};
	struct rs_slice out[2] = {{NULL, 0}, {NULL, 0}};
	int rc = 0;

	user[0] = '\0';
	if (form == OAUTH_BEARER) {
		rc = gs2(&in, user);
		if (rc == 0 && (in.n == 0 || in.p[0] != SEP))
			rc = -RS_EPROTO;
		in = rs_slice_sub(in, 1, in.n);
	}
	if (rc == 0)
		rc = pairs(in, keys[form], out);
	if (rc == 0 && form == OAUTH_XOAUTH2 &&
		(out[1].n == 0 || !rs_utf8_valid(out[1]) || rs_slice_copy(out[1], user, 256) < 0))
		rc = -RS_EPROTO;
	return rc == 0 ? bearer(out[0], token) : rc;
}

/* "n,a=user,^A" and, for those who serve many, where we think we are. */
static int bearer_head(struct rs_slice user, const char *host, unsigned port, struct rs_buf *to)
{
	int rc = rs_buf_add_str(to, user.n ? "n,a=" : "n,");

	if (rc == 0 && user.n)
		rc = scram_name_encode(user, to);
	if (rc == 0)
		rc = rs_buf_add_str(to, ",\x01");
	if (rc == 0 && host)
		rc = rs_buf_addf(to, "host=%s\x01", host);
	return rc == 0 && port ? rs_buf_addf(to, "port=%u\x01", port) : rc;
}

static int xoauth2_head(struct rs_slice user, struct rs_buf *to)
{
	int rc = rs_buf_add_str(to, "user=");

	if (rc == 0)
		rc = rs_buf_add(to, user.p, user.n);
	return rc == 0 ? rs_buf_add_str(to, "\x01") : rc;
}

int oauth_message(enum oauth_form form, struct rs_slice user, struct rs_slice token,
	const char *host, unsigned port, struct rs_buf *to)
{
	int rc;

	if (!token_ok(token) || rs_slice_find(user, 0) != user.n ||
		rs_slice_find(user, SEP) != user.n)
		return -RS_EINVAL;
	rc = form == OAUTH_BEARER ? bearer_head(user, host, port, to) : xoauth2_head(user, to);
	if (rc == 0)
		rc = rs_buf_add_str(to, "auth=Bearer ");
	if (rc == 0)
		rc = rs_buf_add(to, token.p, token.n);
	return rc == 0 ? rs_buf_add_str(to, "\x01\x01") : rc;
}

/* Text of the configuration as a JSON string; what would need an escape is left out. */
static int add_json(struct rs_buf *to, const char *key, const char *value)
{
	if (!value || strpbrk(value, "\"\\\n\r\t"))
		return 0;
	return rs_buf_addf(to, ",\"%s\":\"%s\"", key, value);
}

int oauth_error(enum oauth_form form, bool token_given, const char *scope,
	const char *configuration, struct rs_buf *to)
{
	const char *status = token_given ? "invalid_token" : "invalid_request";
	int rc;

	if (form == OAUTH_XOAUTH2)
		rc = rs_buf_add_str(to, "{\"status\":\"401\",\"schemes\":\"bearer\"");
	else
		rc = rs_buf_addf(to, "{\"status\":\"%s\"", status);
	if (rc == 0)
		rc = add_json(to, "scope", scope);
	if (rc == 0 && form == OAUTH_BEARER)
		rc = add_json(to, "openid-configuration", configuration);
	return rc == 0 ? rs_buf_add_str(to, "}") : rc;
}
