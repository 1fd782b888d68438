/* oauth_device.c - logging in on another device (RFC 8628): a short code to type, and asking until it was. */
#include <string.h>

#include "client/oauth_priv.h"
#include "client/text.h"

#define INTERVAL_S     5
#define INTERVAL_MAX_S 60
#define SLOWER_S       5 /* RFC 8628 section 3.5 */

struct code {
	char *device;
	gint64 interval_s;
	gint64 end_us;
};

/* Shows the code; *out what to ask with. */
static int code_get(const struct rs_account *a, const struct oauth_server *s,
	const struct rs_oauth_ask *ask, struct code *out, struct rs_err *err)
{
	g_autoptr(GString) form = g_string_new(NULL);
	g_autofree char *body = NULL;
	struct oauth_http h = {.ca_file = a->ca_file, .cancel = ask->cancel, .url = s->device};
	JsonParser *parser = NULL;
	JsonObject *o;
	const char *address;
	long status = 0;
	int rc;

	oauth_form_add(form, "client_id", s->client_id);
	oauth_form_add(form, "scope", s->scope);
	h.form = form->str;
	rc = oauth_http(&h, &status, &body, err);
	if (rc < 0)
		return rc;
	o = oauth_json(body, &parser);
	address = oauth_json_text(o, "verification_uri");
	if (!address) /* older than the RFC */
		address = oauth_json_text(o, "verification_url");
	if (!address || !oauth_json_text(o, "device_code") || !oauth_json_text(o, "user_code")) {
		rc = rs_err_set(err, RS_EPROTO, _("%s gave no code to type (%s)"), s->issuer,
			oauth_json_text(o, "error") ? oauth_json_text(o, "error")
						    : _("without a reason"));
	} else {
		gint64 lasts_s = CLAMP(oauth_json_number(o, "expires_in", 600), 1, 3600);

		out->device = g_strdup(oauth_json_text(o, "device_code"));
		out->interval_s =
			CLAMP(oauth_json_number(o, "interval", INTERVAL_S), 1, INTERVAL_MAX_S);
		out->end_us = g_get_monotonic_time() + lasts_s * G_USEC_PER_SEC;
		ask->type(ask->arg, address, oauth_json_text(o, "user_code"),
			oauth_json_text(o, "verification_uri_complete"));
	}
	g_object_unref(parser);
	return rc;
}

/* False: cancelled. */
static bool pause_for(gint64 s, GCancellable *cancel)
{
	gint64 end_us = g_get_monotonic_time() + s * G_USEC_PER_SEC;

	while (g_get_monotonic_time() < end_us) {
		if (cancel && g_cancellable_is_cancelled(cancel))
			return false;
		g_usleep(100000);
	}
	return true;
}

/* 1: not yet. */
static int ask_once(const struct rs_account *a, const struct oauth_server *s,
	const struct rs_oauth_ask *ask, struct code *code, struct oauth_tokens *out,
	struct rs_err *err)
{
	g_autoptr(GString) form = g_string_new(NULL);
	g_autofree char *error = NULL;
	int rc;

	oauth_form_add(form, "grant_type", "urn:ietf:params:oauth:grant-type:device_code");
	oauth_form_add(form, "device_code", code->device);
	oauth_form_add(form, "client_id", s->client_id);
	oauth_form_add(form, "client_secret", s->client_secret);
	rc = oauth_tokens_ask(a, ask->cancel, s, form->str, out, &error, err);
	if (rc == -RS_ENET) /* a turn that failed is no answer */
		return 1;
	if (rc != -RS_EAUTH)
		return rc;
	if (strcmp(error, "slow_down") == 0)
		code->interval_s += SLOWER_S;
	if (strcmp(error, "slow_down") == 0 || strcmp(error, "authorization_pending") == 0)
		return 1;
	if (strcmp(error, "access_denied") == 0)
		return rs_err_set(err, RS_EAUTH, _("the login was refused there"));
	if (strcmp(error, "expired_token") == 0)
		return rs_err_set(err, RS_ETEMP, _("the code was not typed in time; try again"));
	return rc;
}

int oauth_device(const struct rs_account *a, const struct oauth_server *s,
	const struct rs_oauth_ask *ask, struct oauth_tokens *out, struct rs_err *err)
{
	struct code code = {.device = NULL};
	int rc;

	if (!s->device)
		return rs_err_set(err, RS_ECONFIG,
			_("%s gives out no codes for other devices; log in on a computer with a "
			  "browser"),
			s->issuer);
	rc = code_get(a, s, ask, &code, err);
	if (rc == 0)
		rc = 1;
	while (rc == 1) {
		if (!pause_for(code.interval_s, ask->cancel))
			rc = rs_err_set(err, RS_ETEMP, _("cancelled"));
		else if (g_get_monotonic_time() > code.end_us)
			rc = rs_err_set(
				err, RS_ETEMP, _("the code was not typed in time; try again"));
		else
			rc = ask_once(a, s, ask, &code, out, err);
	}
	if (code.device)
		rs_wipe(code.device, strlen(code.device));
	g_free(code.device);
	return rc;
}
