/* doctor_priv.h - what the files of the doctor share. */
#ifndef RS_CLIENT_DOCTOR_PRIV_H
#define RS_CLIENT_DOCTOR_PRIV_H

#include "base/secret.h"
#include "client/doctor.h"

struct doctor_run {
	const struct rs_doctor *d;
	struct rs_secret *password; /* NULL: there is none */
	enum rs_doctor_state worst;
	int kind;            /* of the first failure */
	gint64 not_before_s; /* of the certificates seen, 0: none */
};

void doctor_say(struct doctor_run *r, const char *check, const char *label,
	enum rs_doctor_state state, const char *fmt, ...) RS_FORMAT(5, 6);
void doctor_fail(
	struct doctor_run *r, const char *check, const char *label, const struct rs_err *err);

void doctor_pop3(struct doctor_run *r);
void doctor_smtp(struct doctor_run *r);

#endif
