/* userdb_pam.c - pam:SERVICE, see userdb.h: the users of this system. Whether somebody lives here is for NSS to
 * say (getpwnam), for mail that comes in and for a login alike; whether the password is right is for PAM:
 * authentication, then the account phase, which knows who has expired. Both are asked on worker threads.
 *
 * anna@example.org is the user anna, whatever the domain: the mail server in front of us decides which
 * domains are ours. Users below UID_MIN are the system's own and nobody here.
 *
 * PAM modules are asked one at a time: libpam may be used by several threads, but not every module. */
#include <errno.h>
#include <pwd.h>
#include <security/pam_appl.h>
#include <string.h>

#include "server/log.h"
#include "server/userdb_int.h"

#define UID_MIN     1000u
#define RECORD_N    16384u
#define RECORD_MAX  (1024u * 1024u)
#define NOBODY_NAME "(nobody)" /* is asked for a name that cannot be one */

struct pam {
	struct rs_userdb base; /* first */
	char *service;
	struct rs_password_mix *mix; /* empty: a SCRAM exchange fails for all alike */
	GMutex one;
	GQueue asked; /* struct question, on their way */
	bool gone;
};

struct question {
	uv_work_t work;
	struct pam *db;
	char *name;
	char *found; /* the user's name as NSS has it */
	int rc;
	rs_user_fn fn; /* NULL: answered already, at the end */
	void *arg;
};

/* --- NSS ----------------------------------------------------------------------------------- */

/* 0 and *found, -RS_ENOENT, -RS_ETEMP. */
static int look_up(const char *name, char **found)
{
	struct passwd record;
	struct passwd *pw = NULL;
	int rc = ERANGE;

	for (size_t n = RECORD_N; rc == ERANGE && n <= RECORD_MAX; n *= 4) {
		g_autofree char *buf = g_malloc(n);

		rc = getpwnam_r(name, &record, buf, n, &pw);
		if (rc == 0 && pw && pw->pw_uid >= UID_MIN)
			*found = g_strdup(pw->pw_name);
	}
	if (rc == 0 || rc == ENOENT || rc == ESRCH || rc == EBADF || rc == EPERM)
		return *found ? 0 : -RS_ENOENT; /* what getpwnam(3) lists for "nobody" */
	return -RS_ETEMP;
}

static void ask_work(uv_work_t *w)
{
	struct question *q = w->data;
	const char *at = strchr(q->name, '@');
	g_autofree char *local = g_strndup(q->name, at ? (gsize)(at - q->name) : 0);

	q->rc = look_up(q->name, &q->found); /* there are systems whose users have a domain */
	if (q->rc == -RS_ENOENT && *local)
		q->rc = look_up(local, &q->found);
}

static struct rs_user *user_of(const char *name)
{
	struct rs_user *u = g_new0(struct rs_user, 1);

	u->name = g_ascii_strdown(name, -1);
	u->pop3 = u->smtp = TRUE;
	return u;
}

static void free_all(struct pam *p)
{
	rs_password_mix_unref(p->mix);
	g_mutex_clear(&p->one);
	g_free(p->service);
	g_free(p);
}

static void ask_done(uv_work_t *w, int status)
{
	struct question *q = w->data;
	struct pam *p = q->db;

	g_queue_remove(&p->asked, q);
	if (q->fn)
		q->fn(q->arg, q->rc, q->rc == 0 ? user_of(q->found) : NULL);
	g_free(q->name);
	g_free(q->found);
	g_free(q);
	if (p->gone && p->asked.length == 0)
		free_all(p);
}

static void pam_ask(struct rs_userdb *db, const char *name, rs_user_fn fn, void *arg)
{
	struct pam *p = (struct pam *)db;
	struct question *q = g_new0(struct question, 1);

	*q = (struct question){.db = p, .name = g_strdup(name), .fn = fn, .arg = arg};
	q->work.data = q;
	if (uv_queue_work(db->loop, &q->work, ask_work, ask_done) == 0) {
		g_queue_push_tail(&p->asked, q);
		return;
	}
	g_free(q->name);
	g_free(q);
	fn(arg, -RS_ETEMP, NULL);
}

/* --- PAM ----------------------------------------------------------------------------------- */

struct told {
	const char *name;
	const char *password;
	const char *peer;
};

/* pam_conv(3): what is asked without echo is the password. */
static int converse(int n, const struct pam_message **asked, struct pam_response **out, void *arg)
{
	const struct told *t = arg;
	struct pam_response *answers;

	if (n <= 0 || n > PAM_MAX_NUM_MSG)
		return PAM_CONV_ERR;
	answers = calloc((size_t)n, sizeof(*answers)); /* libpam frees it */
	if (!answers)
		return PAM_BUF_ERR;
	for (int i = 0; i < n; i++) {
		const char *text = NULL;

		if (asked[i]->msg_style == PAM_PROMPT_ECHO_OFF)
			text = t->password;
		else if (asked[i]->msg_style == PAM_PROMPT_ECHO_ON)
			text = t->name;
		answers[i].resp = text ? strdup(text) : NULL;
	}
	*out = answers;
	return PAM_SUCCESS;
}

/* A wrong password is answered at once: a thread that sleeps is one fewer for others, and logins that fail are
 * slowed down elsewhere. */
static void no_delay(int status, unsigned us, void *arg)
{
}

static int kind_of(int rc)
{
	switch (rc) {
	case PAM_SUCCESS:
		return 0;
	case PAM_AUTHINFO_UNAVAIL:
	case PAM_SYSTEM_ERR:
	case PAM_BUF_ERR:
	case PAM_ABORT:
	case PAM_SERVICE_ERR:
	case PAM_OPEN_ERR:
	case PAM_SYMBOL_ERR:
	case PAM_MODULE_UNKNOWN:
	case PAM_CONV_ERR:
		return -RS_ETEMP;
	default:
		return -RS_EAUTH;
	}
}

static int ask_pam(struct pam *p, const struct told *t)
{
	const struct pam_conv conv = {.conv = converse, .appdata_ptr = (void *)(uintptr_t)t};
	void (*delay)(int, unsigned, void *) = no_delay;
	const void *delay_item;
	pam_handle_t *h = NULL;
	const char *phase = "start";
	int rc = pam_start(p->service, t->name, &conv, &h);

	memcpy(&delay_item, &delay, sizeof(delay_item));
	if (rc == PAM_SUCCESS)
		rc = pam_set_item(h, PAM_FAIL_DELAY, delay_item);
	if (rc == PAM_SUCCESS && *t->peer) /* pam_access and others ask for it */
		rc = pam_set_item(h, PAM_RHOST, t->peer);
	if (rc == PAM_SUCCESS) {
		phase = "authentication";
		rc = pam_authenticate(h, PAM_SILENT | PAM_DISALLOW_NULL_AUTHTOK);
	}
	if (rc == PAM_SUCCESS) {
		phase = "account";
		rc = pam_acct_mgmt(h, PAM_SILENT | PAM_DISALLOW_NULL_AUTHTOK);
	}
	if (kind_of(rc) == -RS_ETEMP)
		rs_log(RS_LOG_ERROR, "pam-failed", "service", p->service, "phase", phase, "why",
			pam_strerror(h, rc), NULL);
	if (h)
		(void)pam_end(h, rc);
	return kind_of(rc);
}

/* Who is nobody is asked for all the same: how long a no takes is for the modules to hide. */
static int pam_check(
	struct rs_userdb *db, const struct rs_userdb_given *given, const struct rs_user *u)
{
	struct pam *p = (struct pam *)db;
	struct rs_secret *password = NULL;
	struct told t = {.name = u ? u->name : given->name, .peer = given->peer};
	char clean[256];
	int rc;

	if (!u && rs_user_name_clean(rs_slice_str(given->name), clean) < 0)
		t.name = NOBODY_NAME;
	if (rs_slice_find(given->password, 0) != given->password.n)
		return -RS_EAUTH;
	if (rs_secret_create(given->password, &password) < 0)
		return -RS_ETEMP;
	t.password = (const char *)password->octets;
	g_mutex_lock(&p->one);
	rc = ask_pam(p, &t);
	g_mutex_unlock(&p->one);
	rs_secret_destroy(&password);
	return rc == 0 && !u ? -RS_EAUTH : rc;
}

static struct rs_password_mix *pam_mix(struct rs_userdb *db)
{
	return rs_password_mix_ref(((struct pam *)db)->mix);
}

/* --- life ---------------------------------------------------------------------------------- */

static void pam_destroy(struct rs_userdb *db)
{
	struct pam *p = (struct pam *)db;

	p->gone = true;
	for (GList *at = p->asked.head; at; at = at->next) {
		struct question *q = at->data;

		q->fn(q->arg, -RS_ETEMP, NULL);
		q->fn = NULL;
	}
	if (p->asked.length == 0)
		free_all(p);
}

static int pam_open(uv_loop_t *loop, const struct rs_conf *conf, const char *service,
	struct rs_userdb **out, struct rs_err *err)
{
	struct pam *p = g_new0(struct pam, 1);

	p->base = (struct rs_userdb){.ops = &rs_userdb_pam_ops, .loop = loop};
	p->service = g_strdup(service);
	p->mix = rs_password_mix_new();
	g_mutex_init(&p->one);
	g_queue_init(&p->asked);
	*out = &p->base;
	return 0;
}

const struct rs_userdb_ops rs_userdb_pam_ops = {
	.prefix = "pam:",
	.open = pam_open,
	.destroy = pam_destroy,
	.ask = pam_ask,
	.mix = pam_mix,
	.check = pam_check,
};
