/* envelope.c - see envelope.h */
#include "client/envelope.h"

#include <string.h>

#include "client/clean.h"
#include "client/text.h"

#define GROUP "envelope"

static const char *const state_names[] = {"queued", "sending", "unsure", "failed", "sent"};
static const char *const fate_names[] = {"waiting", "taken", "done", "refused"};

struct rs_envelope *rs_envelope_new(const char *account, const char *sender)
{
	struct rs_envelope *e = g_new0(struct rs_envelope, 1);

	e->account = g_strdup(account);
	e->sender = g_strdup(sender);
	e->rcpts = g_ptr_array_new_with_free_func(rs_submit_rcpt_free);
	return e;
}

void rs_envelope_free(struct rs_envelope *e)
{
	if (!e)
		return;
	g_free(e->account);
	g_free(e->sender);
	g_free(e->said);
	g_ptr_array_unref(e->rcpts);
	g_free(e);
}

/* Local parts may differ in case, domains never do. */
static bool same_address(const char *a, const char *b)
{
	const char *at = strrchr(a, '@');
	gsize local = at ? (gsize)(at - a) : strlen(a);

	return strncmp(a, b, local) == 0 && g_ascii_strcasecmp(a + local, b + local) == 0;
}

void rs_envelope_add(struct rs_envelope *e, const char *address)
{
	for (guint i = 0; i < e->rcpts->len; i++) {
		const struct rs_submit_rcpt *r = e->rcpts->pdata[i];

		if (same_address(r->address, address))
			return;
	}
	g_ptr_array_add(e->rcpts, rs_submit_rcpt_new(address));
}

guint rs_envelope_count(const struct rs_envelope *e, enum rs_submit_fate fate)
{
	guint n = 0;

	for (guint i = 0; i < e->rcpts->len; i++)
		n += ((const struct rs_submit_rcpt *)e->rcpts->pdata[i])->fate == fate;
	return n;
}

const char *rs_out_state_name(enum rs_out_state state)
{
	return state_names[state];
}

/* --- the file ------------------------------------------------------------------------------ */

static int corrupt(struct rs_err *err, const char *what)
{
	return rs_err_set(err, RS_ECORRUPT,
		_("the envelope of a message in the outbox is damaged: %s"), what);
}

static int word_of(const char *word, const char *const *names, guint n)
{
	for (guint i = 0; word && i < n; i++) {
		if (strcmp(word, names[i]) == 0)
			return (int)i;
	}
	return -1;
}

static int rcpt_parse(GKeyFile *f, const char *group, struct rs_envelope *e, struct rs_err *err)
{
	g_autofree char *address = g_key_file_get_string(f, group, "to", NULL);
	g_autofree char *fate = g_key_file_get_string(f, group, "state", NULL);
	int at = word_of(fate, fate_names, G_N_ELEMENTS(fate_names));
	struct rs_submit_rcpt *r;

	if (!address || !*address || at < 0 || e->rcpts->len >= RS_ENVELOPE_RCPTS_MAX)
		return corrupt(err, group);
	r = rs_submit_rcpt_new(address);
	r->fate = (enum rs_submit_fate)at;
	r->code = (guint)CLAMP(g_key_file_get_integer(f, group, "code", NULL), 0, 599);
	r->said = g_key_file_get_string(f, group, "said", NULL);
	g_ptr_array_add(e->rcpts, r);
	return 0;
}

static int fields_parse(GKeyFile *f, struct rs_envelope *e, struct rs_err *err)
{
	g_autofree char *state = g_key_file_get_string(f, GROUP, "state", NULL);
	int at = word_of(state, state_names, G_N_ELEMENTS(state_names));
	int tries = g_key_file_get_integer(f, GROUP, "tries", NULL);

	if (!e->account || !e->sender || at < 0)
		return corrupt(err, GROUP);
	e->state = (enum rs_out_state)at;
	e->all = g_key_file_get_boolean(f, GROUP, "all", NULL);
	e->queued_s = g_key_file_get_int64(f, GROUP, "queued", NULL);
	e->next_s = g_key_file_get_int64(f, GROUP, "next", NULL);
	e->tries = (guint)MAX(tries, 0);
	e->said = g_key_file_get_string(f, GROUP, "said", NULL);
	return 0;
}

int rs_envelope_parse(const char *text, gsize n, struct rs_envelope **out, struct rs_err *err)
{
	g_autoptr(GKeyFile) f = g_key_file_new();
	g_auto(GStrv) groups = NULL;
	struct rs_envelope *e;
	int rc;

	if (!g_key_file_load_from_data(f, text, n, G_KEY_FILE_NONE, NULL))
		return corrupt(err, GROUP);
	e = rs_envelope_new(NULL, NULL);
	e->account = g_key_file_get_string(f, GROUP, "account", NULL);
	e->sender = g_key_file_get_string(f, GROUP, "sender", NULL);
	rc = fields_parse(f, e, err);
	groups = g_key_file_get_groups(f, NULL);
	for (char **group = groups; rc == 0 && *group; group++) {
		if (strcmp(*group, GROUP) != 0)
			rc = rcpt_parse(f, *group, e, err);
	}
	if (rc == 0 && e->rcpts->len == 0)
		rc = corrupt(err, "to");
	if (rc < 0)
		rs_envelope_free(e);
	else
		*out = e;
	return rc;
}

static void set_text(GKeyFile *f, const char *group, const char *key, const char *value)
{
	g_autofree char *line = value ? rs_clean_line(value) : NULL;

	if (line)
		g_key_file_set_string(f, group, key, line);
}

char *rs_envelope_print(const struct rs_envelope *e)
{
	g_autoptr(GKeyFile) f = g_key_file_new();

	g_key_file_set_string(f, GROUP, "account", e->account);
	g_key_file_set_string(f, GROUP, "sender", e->sender);
	g_key_file_set_string(f, GROUP, "state", state_names[e->state]);
	g_key_file_set_boolean(f, GROUP, "all", e->all);
	g_key_file_set_int64(f, GROUP, "queued", e->queued_s);
	g_key_file_set_int64(f, GROUP, "next", e->next_s);
	g_key_file_set_integer(f, GROUP, "tries", (int)MIN(e->tries, 1000000u));
	set_text(f, GROUP, "said", e->said);
	for (guint i = 0; i < e->rcpts->len; i++) {
		const struct rs_submit_rcpt *r = e->rcpts->pdata[i];
		g_autofree char *group = g_strdup_printf("%u", i + 1);

		g_key_file_set_string(f, group, "to", r->address);
		g_key_file_set_string(f, group, "state", fate_names[r->fate]);
		if (r->code)
			g_key_file_set_integer(f, group, "code", (int)r->code);
		set_text(f, group, "said", r->said);
	}
	return g_key_file_to_data(f, NULL, NULL);
}

gint64 rs_envelope_pause_s(guint tries)
{
	static const gint64 pauses[] = {60, 300, 900, 1800};

	return tries && tries <= G_N_ELEMENTS(pauses) ? pauses[tries - 1] : 3600;
}
