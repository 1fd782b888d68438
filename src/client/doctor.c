/* doctor.c - see doctor.h */
#include "client/doctor.h"

#include <errno.h>
#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "client/account_try.h"
#include "client/doctor_priv.h"
#include "client/ledger.h"
#include "client/secret_store.h"
#include "client/text.h"

#define MIB           (1024u * 1024)
#define SPACE_FAIL    (16u * MIB)
#define SPACE_WARN    (512u * MIB)
#define INODES_WARN   1000u
#define CLOCK_SLACK_S 120

void doctor_say(struct doctor_run *r, const char *check, const char *label,
	enum rs_doctor_state state, const char *fmt, ...)
{
	g_autofree char *text = NULL;
	struct rs_doctor_row row = {.check = check, .label = label, .state = state};
	va_list ap;

	va_start(ap, fmt);
	text = g_strdup_vprintf(fmt, ap);
	va_end(ap);
	row.text = text;
	r->worst = MAX(r->worst, state);
	r->d->row(r->d->row_arg, &row);
}

void doctor_fail(
	struct doctor_run *r, const char *check, const char *label, const struct rs_err *err)
{
	if (!r->kind)
		r->kind = -(int)err->kind;
	doctor_say(r, check, label, RS_DOCTOR_FAIL, "%s", err->text);
}

/* --- here --------------------------------------------------------------------------------------- */

static void secret(struct doctor_run *r)
{
	const struct rs_account *a = r->d->account;
	g_autofree char *where = rs_secret_store_where(r->d->places, a->name, RS_SECRET_PASSWORD);
	const char *label = _("password");
	struct rs_err err;

	if (rs_account_password(r->d->places, a, &r->password, &err) < 0) {
		doctor_fail(r, "secret", label, &err);
		return;
	}
	if (a->password_command)
		doctor_say(r, "secret", label, RS_DOCTOR_OK, _("its command prints one"));
	else
		doctor_say(r, "secret", label, RS_DOCTOR_OK, "%s", where);
}

/* The folder itself, or the nearest one above it that is there. */
static char *nearest(const char *path)
{
	char *at = g_strdup(path);

	while (!g_file_test(at, G_FILE_TEST_EXISTS) && strcmp(at, "/") != 0) {
		char *above = g_path_get_dirname(at);

		g_free(at);
		at = above;
	}
	return at;
}

static void space(struct doctor_run *r, const char *path)
{
	const char *label = _("disk space");
	struct statvfs v;
	g_autofree char *size = NULL;
	guint64 octets;

	if (statvfs(path, &v) < 0)
		return;
	octets = (guint64)v.f_bavail * v.f_frsize;
	size = g_format_size(octets);
	if (octets < SPACE_FAIL) {
		r->kind = r->kind ? r->kind : -RS_ENOSPC;
		doctor_say(r, "space", label, RS_DOCTOR_FAIL,
			_("only %s are free; make room, or no mail can be fetched"), size);
	} else if (octets < SPACE_WARN || (v.f_files && v.f_favail < INODES_WARN)) {
		doctor_say(r, "space", label, RS_DOCTOR_WARN,
			_("only %s and %lu files are free; make room soon"), size,
			(unsigned long)v.f_favail);
	} else {
		doctor_say(r, "space", label, RS_DOCTOR_OK, _("%s free"), size);
	}
}

static void folder(struct doctor_run *r)
{
	const struct rs_account *a = r->d->account;
	const char *label = _("mail folder");
	g_autofree char *there = nearest(a->maildir);

	if (access(there, W_OK | X_OK) < 0) {
		r->kind = r->kind ? r->kind : -RS_EROFS;
		doctor_say(r, "folder", label, RS_DOCTOR_FAIL,
			_("%s cannot be written to (%s); mend its owner and rights, or choose "
			  "another "
			  "--maildir"),
			there, g_strerror(errno));
	} else {
		doctor_say(r, "folder", label, RS_DOCTOR_OK, "%s", a->maildir);
	}
	space(r, there);
}

/* POP3 tells no time; what was noted at the last check and what certificates say has to do. */
static void local_clock(struct doctor_run *r)
{
	g_autofree char *key = rs_ledger_key(r->d->account);
	struct rs_ledger_account known = {.checked_s = 0};
	struct rs_ledger *l = NULL;
	gint64 now_s = g_get_real_time() / G_USEC_PER_SEC;
	const char *label = _("clock");
	struct rs_err err;

	if (g_file_test(r->d->places->ledger_file, G_FILE_TEST_EXISTS)) {
		if (rs_ledger_open(r->d->places->ledger_file, &l, &err) < 0 ||
			rs_ledger_account_get(l, key, &known, &err) < 0)
			doctor_fail(r, "ledger", _("ledger"), &err);
		rs_ledger_close(&l);
	}
	if (known.checked_s > now_s + CLOCK_SLACK_S || r->not_before_s > now_s)
		doctor_say(r, "clock", label, RS_DOCTOR_WARN,
			_("this computer's clock is behind: the last check, or the server's "
			  "certificate, is "
			  "later than now; set the clock"));
	else
		doctor_say(r, "clock", label, RS_DOCTOR_OK, _("nothing speaks against it"));
	rs_ledger_account_finish(&known);
}

enum rs_doctor_state rs_doctor_run(const struct rs_doctor *d, int *kind)
{
	struct doctor_run r = {.d = d};

	secret(&r);
	folder(&r);
	doctor_pop3(&r);
	if (d->account->smtp_host)
		doctor_smtp(&r);
	else
		doctor_say(&r, "smtp", _("sending"), RS_DOCTOR_OK,
			_("no SMTP server: this account does not send"));
	local_clock(&r);
	rs_secret_destroy(&r.password);
	*kind = r.kind;
	return r.worst;
}
