/* outbox_flush.c - sending what is in the Outbox: one session an account, message by message. The states are drawn in
 * envelope.h; here each change of one is made durable before what it announces is done. */
#include "client/outbox_priv.h"

#include <string.h>
#include <unistd.h>

#include "client/clean.h"
#include "client/oauth.h"
#include "client/text.h"

/* One run over the outbox. */
struct flush {
	struct rs_outbox *o;
	const struct rs_outbox_flush *how;
	struct rs_submit *session;        /* NULL: none open */
	const struct rs_account *account; /* of the session  */
	struct rs_secret *password;
	GHashTable *down;         /* accounts whose server cannot be reached now: name -> words */
	struct rs_out_item *item; /* under way */
};

static gint64 now_s(void)
{
	return g_get_real_time() / G_USEC_PER_SEC;
}

/* --- the session --------------------------------------------------------------------------- */

static void session_end(struct flush *f)
{
	rs_submit_close(&f->session);
	rs_secret_destroy(&f->password);
	f->account = NULL;
}

/* What the account logs in with. */
static int credentials(struct flush *f, const struct rs_account *a, struct rs_submit_login *login,
	struct rs_err *err)
{
	int rc;

	*login = (struct rs_submit_login){.password = NULL};
	if (!a->smtp_host || !a->smtp_user)
		return 0;
	rc = rs_account_password(f->o->places, a, &f->password, err);
	if (rc == 0 && a->oauth2)
		login->token = (const char *)f->password->octets;
	else if (rc == 0)
		login->password = f->password;
	return rc;
}

static int again(struct flush *f, const struct rs_account *a, struct rs_err *err)
{
	struct rs_submit_login login = {.password = NULL};
	struct rs_secret *token = NULL;
	int rc = rs_oauth_token(f->o->places, a, f->password, &token, err);

	if (rc < 0)
		return rc;
	rs_secret_destroy(&f->password);
	f->password = token;
	login.token = (const char *)token->octets;
	return rs_submit_open(a, &login, f->how->cancel, &f->session, err);
}

static int session_for(struct flush *f, const struct rs_account *a, struct rs_err *err)
{
	struct rs_submit_login login;
	const char *down = g_hash_table_lookup(f->down, a->name);
	int rc;

	if (f->session && f->account == a && rs_submit_alive(f->session))
		return 0;
	if (down)
		return rs_err_set(err, RS_ETEMP, "%s", down);
	session_end(f);
	rc = credentials(f, a, &login, err);
	if (rc == 0)
		rc = rs_submit_open(a, &login, f->how->cancel, &f->session, err);
	if (rc == -RS_EAUTH && login.token) /* not over, and not taken: one more is got, once */
		rc = again(f, a, err);
	if (rc == 0)
		f->account = a;
	else
		g_hash_table_insert(f->down, g_strdup(a->name), g_strdup(err->text));
	return rc;
}

/* --- one message --------------------------------------------------------------------------- */

/* Of rs_submit_mail: the intent. From here on a crash leaves it unsure. */
static int before_dot(void *data, struct rs_err *err)
{
	struct flush *f = data;
	int rc;

	f->item->envelope->state = RS_OUT_DOT;
	rc = outbox_envelope_save(f->o, f->item, err);
	outbox_step(f->o, "the final dot");
	return rc;
}

static void say(struct rs_envelope *e, const char *text)
{
	g_free(e->said);
	e->said = text ? rs_clean_line(text) : NULL;
}

static void refuse_all(struct rs_envelope *e, const char *said)
{
	for (guint i = 0; i < e->rcpts->len; i++) {
		struct rs_submit_rcpt *r = e->rcpts->pdata[i];

		if (r->fate != RS_SUBMIT_WAITING)
			continue;
		r->fate = RS_SUBMIT_REFUSED;
		if (!r->said)
			r->said = g_strdup(said);
	}
}

/* The words of the first recipient of that fate. */
static const char *words_of(const struct rs_envelope *e, enum rs_submit_fate fate)
{
	for (guint i = 0; i < e->rcpts->len; i++) {
		const struct rs_submit_rcpt *r = e->rcpts->pdata[i];

		if (r->fate == fate && r->said)
			return r->said;
	}
	return "";
}

static const char *address_of(const struct rs_envelope *e, enum rs_submit_fate fate)
{
	for (guint i = 0; i < e->rcpts->len; i++) {
		const struct rs_submit_rcpt *r = e->rcpts->pdata[i];

		if (r->fate == fate)
			return r->address;
	}
	return "";
}

/* Somebody does not have it, later or never: the one sentence about it. */
static int left_words(const struct rs_envelope *e, enum rs_submit_fate fate, struct rs_err *err)
{
	guint n = rs_envelope_count(e, fate);
	bool later = fate == RS_SUBMIT_WAITING;
	const char *address = address_of(e, fate);
	const char *words = words_of(e, fate);

	if (n == 1)
		return rs_err_set(err, later ? RS_ETEMP : RS_EINVAL,
			later ? _("%s could not be reached, it will be tried again: %s")
			      : _("%s was refused: %s"),
			address, words);
	return rs_err_set(err, later ? RS_ETEMP : RS_EINVAL,
		later ? _("%u recipients could not be reached, it will be tried again; %s: %s")
		      : _("%u recipients were refused; %s: %s"),
		n, address, words);
}

static void put_off(struct rs_envelope *e, const char *why)
{
	gint64 now = now_s();

	e->state = RS_OUT_QUEUED;
	e->tries++;
	e->next_s = now + rs_envelope_pause_s(e->tries);
	if (now - e->queued_s < RS_ENVELOPE_GIVE_UP_S)
		return;
	refuse_all(e, why);
	e->state = RS_OUT_FAILED;
}

/* What came of a try, as the envelope's state. Returns why it is still here, 0: it is not. */
static int conclude(
	struct rs_envelope *e, int rc, const struct rs_submit_mail *m, struct rs_err *err)
{
	if (rc < 0 && m->unsure) {
		g_autofree char *why = g_strdup(err->text);

		e->state = RS_OUT_UNSURE;
		rc = rs_err_set(err, RS_EBUSY,
			_("nobody can know whether the server has taken this message: the link "
			  "broke "
			  "behind its end (%s)"),
			why);
	} else if (rc == -RS_EINVAL) {
		refuse_all(e, err->text);
		e->state = RS_OUT_FAILED;
	} else if (rc < 0) {
		put_off(e, err->text);
	} else if (rs_envelope_count(e, RS_SUBMIT_WAITING) &&
		   !(e->all && rs_envelope_count(e, RS_SUBMIT_REFUSED))) {
		rc = left_words(e, RS_SUBMIT_WAITING, err);
		put_off(e, err->text);
	} else if (rs_envelope_count(e, RS_SUBMIT_REFUSED)) {
		rc = left_words(e, RS_SUBMIT_REFUSED, err);
		e->state = RS_OUT_FAILED;
	} else {
		e->state = RS_OUT_SENT;
	}
	say(e, rc < 0 ? err->text : NULL);
	return rc;
}

static const struct rs_account *account_of(struct flush *f, struct rs_err *err)
{
	const struct rs_envelope *e = f->item->envelope;
	const struct rs_account *a = rs_accounts_find(f->o->accounts, e->account);

	if (!a)
		(void)rs_err_set(err, RS_ECONFIG,
			_("the account '%s' this message is to be sent by is not there any more"),
			e->account);
	return a;
}

static int submit(struct flush *f, int fd, struct rs_err *err)
{
	struct rs_envelope *e = f->item->envelope;
	struct rs_submit_mail m = {.fd = fd,
		.sender = e->sender,
		.rcpts = e->rcpts,
		.all = e->all,
		.before_dot = before_dot,
		.data = f};
	const struct rs_account *a = account_of(f, err);
	struct rs_err saved;
	int rc = a ? session_for(f, a, err) : -RS_ECONFIG;
	int why;

	if (rc == 0)
		rc = rs_submit_mail(f->session, &m, err);
	why = conclude(e, rc, &m, err);
	rc = outbox_envelope_save(f->o, f->item, &saved);
	if (rc < 0 && e->state == RS_OUT_SENT) {
		/* it has gone; that it is in Sent says so as well */
		rc = 0;
	}
	if (rc < 0 && why == 0)
		return rs_err_set(err, saved.kind, "%s", saved.text);
	return why;
}

static int finish(struct flush *f, struct rs_err *err)
{
	return outbox_move(f->o, f->item, "Sent", "S", err);
}

/* A person has decided: everybody who has it not for sure gets it. */
static void once_more(struct rs_envelope *e)
{
	for (guint i = 0; i < e->rcpts->len; i++) {
		struct rs_submit_rcpt *r = e->rcpts->pdata[i];

		if (r->fate != RS_SUBMIT_DONE)
			r->fate = RS_SUBMIT_WAITING;
	}
	e->state = RS_OUT_QUEUED;
	e->queued_s = now_s();
}

/* It was found with the dot on its way and nobody behind it. */
static int found_unsure(struct flush *f, struct rs_err *err)
{
	struct rs_envelope *e = f->item->envelope;

	(void)rs_err_set(err, RS_EBUSY,
		_("nobody can know whether the server has taken this message: the program ended "
		  "while it waited for the answer"));
	e->state = RS_OUT_UNSURE;
	say(e, err->text);
	if (outbox_envelope_save(f->o, f->item, err) < 0)
		return -(int)err->kind;
	return rs_err_set(err, RS_EBUSY, "%s", e->said);
}

static bool is_due(const struct flush *f, const struct rs_envelope *e)
{
	return f->how->only || (e->state == RS_OUT_QUEUED && (f->how->now || e->next_s <= now_s()));
}

/* With the lock held. *silent: nothing has happened that anybody must be told. */
static int locked_one(struct flush *f, int fd, bool *silent, struct rs_err *err)
{
	struct rs_envelope *e = f->item->envelope;
	bool forced = f->how->only != NULL;
	int rc = 0;

	*silent = false;
	if (!e)
		return rs_err_set(err, RS_ECORRUPT,
			_("message %s has no envelope: nobody knows to whom it is to be sent; "
			  "take it "
			  "out with: restante outbox cancel %s"),
			f->item->code, f->item->code);
	if (e->state == RS_OUT_SENT)
		return finish(f, err);
	if (e->state == RS_OUT_DOT)
		return found_unsure(f, err);
	*silent = !is_due(f, e);
	if (*silent)
		return 0;
	if (forced && e->state != RS_OUT_QUEUED)
		once_more(e);
	rc = submit(f, fd, err);
	return rc == 0 ? finish(f, err) : rc;
}

static int one(struct flush *f, struct rs_out_item *item, struct rs_err *err)
{
	bool silent = false;
	int fd;
	int rc;

	f->item = item;
	*err = (struct rs_err){.kind = RS_OK};
	fd = outbox_lock(f->o, item, f->how->only != NULL, err);
	rc = fd;
	if (fd == -RS_ELOCKED || (fd == -RS_ENOENT && !f->how->only))
		return 0; /* somebody else has it in hand */
	if (fd >= 0) {
		rc = locked_one(f, fd, &silent, err);
		close(fd);
	}
	if (!silent && f->how->told)
		f->how->told(f->how->arg, item, err);
	return rc;
}

int rs_outbox_flush(struct rs_outbox *o, const struct rs_outbox_flush *how, struct rs_err *err)
{
	struct flush f = {.o = o, .how = how};
	g_autoptr(GPtrArray) items = NULL;
	struct rs_err why;
	int rc = rs_outbox_list(o, &items, err);

	if (rc < 0)
		return rc;
	f.down = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
	for (guint i = 0; i < items->len && !g_cancellable_is_cancelled(how->cancel); i++) {
		struct rs_out_item *item = items->pdata[i];
		int result;

		if (how->only && strcmp(item->unique, how->only) != 0)
			continue;
		result = one(&f, item, &why);
		if (result < 0) {
			rc = result;
			if (err)
				*err = why;
		}
	}
	session_end(&f);
	g_hash_table_unref(f.down);
	if (!how->only)
		outbox_clean(o);
	return rc;
}
