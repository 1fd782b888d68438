/* fetch_names.c - old servers have no UIDL: then the names of messages are made of what does not change in
 * them, by TOP of all. It costs a header a message at each check; better than all of it. */
#include "client/fetch_priv.h"

#include <string.h>

struct naming {
	struct fetch_run *r;
	GByteArray *head;
	bool refused;
};

/* The digest where there is one, else of all octets of the header. */
static void name(struct naming *t, guint at)
{
	struct rs_digest d = rs_digest_of(t->head->data, t->head->len);
	g_autofree char *all =
		g_compute_checksum_for_data(G_CHECKSUM_SHA256, t->head->data, t->head->len);
	g_autofree char *text = NULL;
	struct rs_listed *m = fetch_listed(t->r, at);

	if (d.known) {
		g_autoptr(GString) hex = g_string_new("digest:");

		for (guint i = 0; i < RS_DIGEST_N; i++)
			g_string_append_printf(hex, "%02x", d.octets[i]);
		text = g_strdup(hex->str);
	} else {
		text = g_strdup_printf("header:%.32s", all);
	}
	m->uid_n = (guint32)strlen(text);
	m->uid_p = (const uint8_t *)g_string_chunk_insert(t->r->uids, text);
}

static int on_event(void *arg, guint i, const struct rs_pop3c_event *ev, struct rs_err *err)
{
	struct naming *t = arg;

	if (ev->kind == RS_C_OK)
		g_byte_array_set_size(t->head, 0);
	else if (ev->kind == RS_C_BODY && t->head->len < RS_DIGEST_HEADER_MAX)
		g_byte_array_append(t->head, ev->text.p,
			(guint)MIN(ev->text.n, RS_DIGEST_HEADER_MAX - t->head->len));
	else if (ev->kind == RS_C_END)
		name(t, i);
	else if (ev->kind == RS_C_ERR)
		t->refused = true;
	return 0;
}

static guint32 num(void *arg, guint i)
{
	const struct naming *t = arg;

	return fetch_listed(t->r, i)->num;
}

/* LIST: numbers and sizes. */
static int numbers(struct fetch_run *r, struct rs_err *err)
{
	struct rs_pop3c_event ev;
	int rc = rs_session_ask(r->session, RS_POP3_LIST, NULL, &ev, err);

	if (rc == 0 && ev.kind == RS_C_ERR)
		return -RS_ENOENT;
	g_array_set_size(r->listing, 0);
	while (rc == 0 && ev.kind != RS_C_END) {
		struct rs_listed m;

		rc = rs_session_event(r->session, &ev, err);
		if (rc < 0 || ev.kind != RS_C_LINE)
			continue;
		m = (struct rs_listed){.num = ev.num, .size = ev.size};
		if (m.num)
			g_array_append_val(r->listing, m);
		else
			r->whole = FALSE;
	}
	r->sized = rc == 0;
	return rc;
}

int fetch_names(struct fetch_run *r, struct rs_err *err)
{
	struct naming t = {.r = r};
	struct fetch_pipe pipe = {
		.verb = RS_POP3_TOP, .num = num, .more = " 0", .event = on_event, .arg = &t};
	int rc;

	if (rs_pop3c_caps(r->session->engine) & RS_CAP_UIDL)
		return -RS_ENOENT;
	rc = numbers(r, err);
	t.head = g_byte_array_new();
	pipe.n = r->listing->len;
	if (rc == 0)
		rc = fetch_pipe(r, &pipe, err);
	g_byte_array_unref(t.head);
	if (rc == 0 && t.refused) {
		g_array_set_size(r->listing, 0);
		rc = -RS_ENOENT;
	}
	return rc;
}
