/* fetch_pipe.c - many commands of one kind, as many in flight as the window lets. */
#include "client/fetch_priv.h"

#include "client/text.h"

#define COMMAND_MAX 24u /* octets of "RETR 4294967295" and its end, and what stands behind */

bool fetch_pipe_room(const struct fetch_run *r)
{
	return rs_pop3c_pending(r->session->engine) < RS_SESSION_WINDOW / COMMAND_MAX;
}

static int send_more(
	struct fetch_run *r, const struct fetch_pipe *p, guint *sent, struct rs_err *err)
{
	while (*sent < p->n && fetch_pipe_room(r)) {
		char words[48];
		int rc;

		g_snprintf(words, sizeof(words), "%u%s", p->num(p->arg, *sent),
			p->more ? p->more : "");
		rc = rs_pop3c_send(r->session->engine, p->verb, *sent, words);
		if (rc == -RS_EBUSY)
			return 0;
		if (rc < 0)
			return rs_err_set(err, (enum rs_err_kind) - rc, _("out of memory"));
		(*sent)++;
	}
	if (*sent == p->n && p->quit && !r->quit_sent)
		r->quit_sent = rs_pop3c_send(r->session->engine, RS_POP3_QUIT, 0, NULL) == 0;
	return 0;
}

int fetch_pipe(struct fetch_run *r, const struct fetch_pipe *p, struct rs_err *err)
{
	bool multi = rs_pop3_verbs[p->verb].multi;
	guint answered = 0;
	guint sent = 0;
	int rc = 0;

	while (answered < p->n && rc == 0) {
		struct rs_pop3c_event ev;

		rc = send_more(r, p, &sent, err);
		if (rc == 0)
			rc = rs_session_event(r->session, &ev, err);
		if (rc < 0)
			return rc;
		if (ev.kind == RS_C_ERR || ev.kind == RS_C_END || (ev.kind == RS_C_OK && !multi))
			answered++;
		rc = p->event(p->arg, ev.tag, &ev, err);
	}
	return rc;
}
