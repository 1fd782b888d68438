/* autoconfig.c - see autoconfig.h: which document a request asks for. */
#include "server/autoconfig.h"

#include <string.h>

#include "base/err.h"

#define ADDRESS_MAX 320u /* 64 + 1 + 255 */

#define XML_TYPE  "text/xml; charset=utf-8"
#define TEXT_TYPE "text/plain; charset=utf-8"
/* An hour: what changes here are ports and names, and those rarely. */
#define CACHED    "Cache-Control: public, max-age=3600\r\n"
#define NEVER     "Cache-Control: no-store\r\n"

struct doc {
	const struct rs_conf *conf;
	const struct rs_http_req *req;
	GString *body;
	struct rs_http_answer answer;
};

static void refuse(struct doc *d, guint status, const char *field, const char *why)
{
	d->answer.status = status;
	d->answer.type = TEXT_TYPE;
	d->answer.field = field;
	g_string_append(d->body, why);
}

static void not_here(struct doc *d)
{
	refuse(d, 404, NEVER, "There is nothing here.\n");
}

/* --- one function a document --------------------------------------------------------------- */

static void config_v1(struct doc *d)
{
	char address[ADDRESS_MAX];
	int rc = rs_http_query(d->req->query, "emailaddress", address, sizeof(address));
	const char *domain =
		d->conf->autoconfig_domains ? d->conf->autoconfig_domains[0] : d->conf->hostname;

	if (rc == 0) {
		if (!rs_card_address_ok(d->conf, address)) {
			not_here(d);
			return;
		}
		domain = strrchr(address, '@') + 1;
	} else if (rc == -RS_EINVAL) {
		refuse(d, 400, NEVER, "The query cannot be read.\n");
		return;
	}
	rs_autoconfig_xml(d->body, d->conf, domain);
	d->answer.type = XML_TYPE;
	d->answer.field = CACHED;
}

static void mobile(struct doc *d)
{
	char address[ADDRESS_MAX];

	if (rs_http_query(d->req->query, "email", address, sizeof(address)) < 0) {
		refuse(d, 400, NEVER, "Say whose profile: /email.mobileconfig?email=ADDRESS\n");
		return;
	}
	if (!rs_card_address_ok(d->conf, address) || !rs_mobileconfig(d->body, d->conf, address)) {
		not_here(d);
		return;
	}
	d->answer.type = "application/x-apple-aspen-config";
	d->answer.field =
		NEVER "Content-Disposition: attachment; filename=\"email.mobileconfig\"\r\n";
}

static void pacc(struct doc *d)
{
	rs_pacc_json(d->body, d->conf);
	d->answer.type = "application/json";
	d->answer.field = CACHED;
}

/* What Outlook sends: the text of the element EMailAddress. GMarkup knows no entities but the five and reads no
 * DTD, so that nothing in it can grow. */
struct pox {
	char address[ADDRESS_MAX];
	bool wanted; /* inside of EMailAddress */
	bool many;
};

static void pox_start(GMarkupParseContext *c, const char *name, const char **names,
	const char **values, gpointer arg, GError **error)
{
	struct pox *p = arg;

	p->wanted = strcmp(name, "EMailAddress") == 0;
	p->many |= p->wanted && p->address[0];
}

static void pox_end(GMarkupParseContext *c, const char *name, gpointer arg, GError **error)
{
	((struct pox *)arg)->wanted = false;
}

static void pox_text(
	GMarkupParseContext *c, const char *text, gsize n, gpointer arg, GError **error)
{
	struct pox *p = arg;
	g_autofree char *copy = g_strstrip(g_strndup(text, n));

	if (!p->wanted || !*copy)
		return;
	if (p->address[0] || strlen(copy) >= sizeof(p->address))
		p->many = true;
	else
		g_strlcpy(p->address, copy, sizeof(p->address));
}

static bool pox_address(struct rs_slice body, struct pox *p)
{
	static const GMarkupParser parser = {
		.start_element = pox_start, .end_element = pox_end, .text = pox_text};
	g_autoptr(GMarkupParseContext) c =
		g_markup_parse_context_new(&parser, (GMarkupParseFlags)0, p, NULL);

	return body.n &&
	       g_markup_parse_context_parse(c, (const char *)body.p, (gssize)body.n, NULL) &&
	       g_markup_parse_context_end_parse(c, NULL) && p->address[0] && !p->many;
}

static void pox(struct doc *d)
{
	struct pox p = {.wanted = false};
	bool good = pox_address(d->req->body, &p) && rs_card_address_ok(d->conf, p.address);

	rs_autodiscover_xml(d->body, d->conf, good ? p.address : NULL);
	d->answer.type = XML_TYPE;
	d->answer.field = NEVER;
}

static const struct {
	const char *path;
	bool any_case;
	bool post;
	void (*make)(struct doc *d);
} docs[] = {
	{"/mail/config-v1.1.xml", false, false, config_v1},
	{"/.well-known/autoconfig/mail/config-v1.1.xml", false, false, config_v1},
	{"/.well-known/user-agent-configuration.json", false, false, pacc},
	{"/email.mobileconfig", false, false, mobile},
	{"/autodiscover/autodiscover.xml", true, true, pox},
};

static void route(struct doc *d)
{
	const struct rs_http_req *req = d->req;
	bool get = rs_slice_eq_str(req->method, "GET") || rs_slice_eq_str(req->method, "HEAD");

	d->answer.head = rs_slice_eq_str(req->method, "HEAD");
	for (gsize i = 0; i < G_N_ELEMENTS(docs); i++) {
		if (docs[i].any_case ? !rs_slice_ieq_str(req->path, docs[i].path)
				     : !rs_slice_eq_str(req->path, docs[i].path))
			continue;
		if (docs[i].post ? rs_slice_eq_str(req->method, "POST") : get)
			docs[i].make(d);
		else
			refuse(d, 405, docs[i].post ? "Allow: POST\r\n" : "Allow: GET, HEAD\r\n",
				"Not in this way.\n");
		return;
	}
	not_here(d);
}

guint rs_autoconfig_answer(const struct rs_conf *conf, enum rs_http_step step,
	const struct rs_http_req *req, GString *out)
{
	g_autoptr(GString) body = g_string_new(NULL);
	struct doc d = {.conf = conf, .req = req, .body = body, .answer = {.status = 200}};

	if (step == RS_HTTP_REQUEST)
		route(&d);
	else if (step == RS_HTTP_TOO_LARGE)
		refuse(&d, 413, NEVER, "The request is too large.\n");
	else if (step == RS_HTTP_UNSUPPORTED)
		refuse(&d, 501, NEVER, "A transfer coding is not understood here.\n");
	else
		refuse(&d, 400, NEVER, "This is no request of HTTP/1.1.\n");
	d.answer.body = rs_slice(body->str, body->len);
	rs_http_answer(out, &d.answer);
	return d.answer.status;
}
