/* claims.c - what a token says, signed (RFC 7519 section 4.1) or told by its issuer (RFC 7662 section 2.2):
 * for whom, from whom, until when; see jwt.h. */
#include <string.h>

#include "server/jwt_int.h"

/* A date, or `none` where there is none; false: it is no number. */
static bool date(JsonObject *o, const char *name, int64_t none, int64_t *out)
{
	JsonNode *n = json_object_get_member(o, name);

	*out = none;
	if (!n || JSON_NODE_HOLDS_NULL(n))
		return true;
	if (!JSON_NODE_HOLDS_VALUE(n))
		return false;
	if (json_node_get_value_type(n) == G_TYPE_DOUBLE) {
		double v = json_node_get_double(n);

		*out = v >= 0 && v < 1e15 ? (int64_t)v : 0;
		return v >= 0;
	}
	*out = json_node_get_int(n);
	return json_node_get_value_type(n) == G_TYPE_INT64;
}

/* A string, or an array that has it. */
static bool is_or_has(JsonObject *o, const char *name, const char *want)
{
	JsonNode *n = json_object_get_member(o, name);
	JsonArray *all;

	if (!n || !JSON_NODE_HOLDS_ARRAY(n))
		return g_strcmp0(jwt_text(o, name), want) == 0;
	all = json_node_get_array(n);
	for (guint i = 0; i < json_array_get_length(all); i++) {
		JsonNode *one = json_array_get_element(all, i);

		if (JSON_NODE_HOLDS_VALUE(one) && json_node_get_value_type(one) == G_TYPE_STRING &&
			strcmp(json_node_get_string(one), want) == 0)
			return true;
	}
	return false;
}

/* Words of "scope" (RFC 6749 section 3.3), or an array in "scope" or "scp", as some write it. */
static bool has_scope(JsonObject *o, const char *want)
{
	const char *const names[] = {"scope", "scp"};

	for (size_t i = 0; i < G_N_ELEMENTS(names); i++) {
		struct rs_slice rest = rs_slice_str(jwt_text(o, names[i]));

		while (rest.n) {
			if (rs_slice_eq_str(rs_slice_word(&rest), want))
				return true;
		}
		if (is_or_has(o, names[i], want))
			return true;
	}
	return false;
}

static int times(JsonObject *o, bool must_expire, int64_t now, int64_t *expires, struct rs_err *err)
{
	int64_t not_before;
	int64_t issued;

	if (!date(o, "exp", INT64_MAX, expires) || !date(o, "nbf", 0, &not_before) ||
		!date(o, "iat", 0, &issued))
		return rs_err_set(err, RS_EAUTH, "its times are no numbers");
	if (must_expire && *expires == INT64_MAX)
		return rs_err_set(err, RS_EAUTH, "it has no end (exp)");
	if (*expires <= now)
		return rs_err_set(err, RS_EAUTH, "it is over (exp)");
	if (not_before > now + RS_CLAIMS_SKEW_S || issued > now + RS_CLAIMS_SKEW_S)
		return rs_err_set(err, RS_EAUTH, "it is not valid yet (nbf, iat)");
	return 0;
}

/* An address that nobody has proved to be his is not one to go by. */
static bool unverified(JsonObject *o, const char *claim)
{
	JsonNode *n = json_object_get_member(o, "email_verified");

	if (strcmp(claim, "email") != 0 || !n)
		return false;
	if (JSON_NODE_HOLDS_VALUE(n) && json_node_get_value_type(n) == G_TYPE_BOOLEAN)
		return !json_node_get_boolean(n);
	return g_strcmp0(jwt_text(o, "email_verified"), "true") != 0;
}

int rs_claims_check(JsonObject *claims, const struct rs_claims_rules *rules, int64_t now,
	char **user, int64_t *expires, struct rs_err *err)
{
	const char *name = jwt_text(claims, rules->user_claim);
	int rc = times(claims, rules->must_expire, now, expires, err);

	if (rc < 0)
		return rc;
	if (rules->issuer && g_strcmp0(jwt_text(claims, "iss"), rules->issuer) != 0)
		return rs_err_set(err, RS_EAUTH, "it is of another issuer (iss)");
	if (rules->audience && !is_or_has(claims, "aud", rules->audience))
		return rs_err_set(err, RS_EAUTH, "it is for somebody else (aud)");
	if (rules->scope && !has_scope(claims, rules->scope))
		return rs_err_set(err, RS_EAUTH, "it is for something else (scope)");
	if (!name || !*name)
		return rs_err_set(err, RS_EAUTH, "it names no user (%s)", rules->user_claim);
	if (unverified(claims, rules->user_claim))
		return rs_err_set(err, RS_EAUTH, "its address is not verified (email_verified)");
	*user = g_strdup(name);
	return 0;
}
