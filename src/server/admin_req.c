/* admin_req.c - see admin_req.h */
#include "server/admin_req.h"

#include <json-glib/json-glib.h>
#include <string.h>

#include "server/msg.h"
#include "server/userdb.h"

#define ID_DIGITS 11u

const char *rs_admin_do_name(enum rs_admin_do what)
{
	static const char *const names[RS_ADMIN_DO_N] = {
		[RS_ADMIN_STATUS] = "status",
		[RS_ADMIN_SESSIONS] = "sessions",
		[RS_ADMIN_KICK] = "kick",
		[RS_ADMIN_UNLOCK] = "unlock",
		[RS_ADMIN_RELOAD] = "reload",
	};

	return names[what];
}

const char *rs_admin_code_name(enum rs_admin_code code)
{
	static const char *const names[RS_ADMIN_CODE_N] = {
		[RS_ADMIN_OK] = "ok",
		[RS_ADMIN_BAD] = "request",
		[RS_ADMIN_NOT_YOU] = "permission",
		[RS_ADMIN_CONFIG] = "configuration",
		[RS_ADMIN_BUSY] = "busy",
	};

	return names[code];
}

bool rs_admin_id(const char *text, uint64_t *out)
{
	char *end;

	if (strlen(text) != ID_DIGITS || strspn(text, "0123456789abcdef") != ID_DIGITS)
		return false;
	*out = g_ascii_strtoull(text, &end, 16) << RS_MSG_TXN_BITS;
	return true;
}

static int bad(struct rs_err *err, const char *why)
{
	return rs_err_set(err, RS_EINVAL, "the request %s", why);
}

static int set_do(struct rs_admin_req *r, const char *text, struct rs_err *err)
{
	for (unsigned i = 0; i < RS_ADMIN_DO_N; i++) {
		if (strcmp(text, rs_admin_do_name((enum rs_admin_do)i)) == 0) {
			r->what = (enum rs_admin_do)i;
			return 0;
		}
	}
	return bad(err, "asks for something that is not known");
}

static int set_field(struct rs_admin_req *r, const char *name, const char *text, struct rs_err *err)
{
	if (strcmp(name, "do") == 0)
		return set_do(r, text, err);
	if (strcmp(name, "id") == 0)
		return rs_admin_id(text, &r->id) ? 0
						 : bad(err, "has an id that is not one: eleven hex "
							    "digits, as sessions shows it");
	if (strcmp(name, "address") == 0)
		return rs_user_name_clean(rs_slice_str(text), r->address) == 0
			       ? 0
			       : bad(err, "has an address that no user can have");
	return bad(err, "has a field that is not known");
}

/* Nothing of what is asked is nested, and nothing stands behind it: looked at before a parser that
 * recurses, and that does not mind what follows, is. */
static bool one_object(struct rs_slice line)
{
	bool cr = line.n && line.p[line.n - 1] == '\r';
	struct rs_slice s = rs_slice_trim(rs_slice_sub(line, 0, line.n - cr));

	for (size_t i = 1; i < s.n; i++) {
		if (s.p[i] == '{' || s.p[i] == '[')
			return false;
	}
	return s.n >= 2 && s.p[0] == '{' && s.p[s.n - 1] == '}';
}

static int read_object(JsonObject *o, struct rs_admin_req *r, struct rs_err *err)
{
	g_autoptr(GList) names = json_object_get_members(o);
	int rc = 0;

	for (GList *l = names; l && rc == 0; l = l->next) {
		JsonNode *n = json_object_get_member(o, l->data);

		if (json_node_get_value_type(n) != G_TYPE_STRING)
			rc = bad(err, "has a value that is not a text");
		else
			rc = set_field(r, l->data, json_node_get_string(n), err);
	}
	return rc;
}

int rs_admin_req_parse(struct rs_slice line, struct rs_admin_req *out, struct rs_err *err)
{
	g_autoptr(JsonParser) parser = json_parser_new();
	struct rs_admin_req r = {.what = RS_ADMIN_DO_N, .id = 0};
	JsonNode *root;
	int rc;

	if (line.n > RS_ADMIN_LINE_MAX || !one_object(line) ||
		!g_utf8_validate((const char *)line.p, (gssize)line.n, NULL) ||
		!json_parser_load_from_data(parser, (const char *)line.p, (gssize)line.n, NULL))
		return bad(err, "is not a JSON object");
	root = json_parser_get_root(parser);
	if (!root || !JSON_NODE_HOLDS_OBJECT(root))
		return bad(err, "is not a JSON object");
	rc = read_object(json_node_get_object(root), &r, err);
	if (rc < 0)
		return rc;
	if (r.what == RS_ADMIN_DO_N)
		return bad(err, "does not say what to do");
	if ((r.what == RS_ADMIN_KICK) != (r.id != 0))
		return bad(
			err, r.id ? "has an id where none belongs" : "needs the id of a session");
	if ((r.what == RS_ADMIN_UNLOCK) != (r.address[0] != '\0'))
		return bad(err,
			r.address[0] ? "has an address where none belongs" : "needs an address");
	*out = r;
	return 0;
}
