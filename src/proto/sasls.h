/* sasls - the server engine of the SASL service: logins that an MTA asks about for its own clients. The protocol
 * is Dovecot's authentication client protocol, version 1, which Postfix (smtpd_sasl_type = dovecot) and Exim
 * (driver = dovecot) speak:
 *
 *   S: VERSION 1 1 / MECH name property… / SPID / CUID / COOKIE / DONE        fields with tabs between, LF ends
 *   C: VERSION 1 n / CPID pid
 *   C: AUTH id mech service=smtp [secured] [lip=] [rip=] [resp=base64]   S: OK id user= | CONT id base64 |
 *   C: CONT id base64                                                       FAIL id [user=] [temp] [reason=]
 *   C: CANCEL id
 *
 * Several requests may be under way. No socket, clock, file, log, global. Laws: as in pop3s.h: one answer a
 * request, nothing after FAILED. Thread: one owner. */
#ifndef RS_PROTO_SASLS_H
#define RS_PROTO_SASLS_H

#include "base/err.h"
#include "base/slice.h"
#include "proto/pop3.h" /* enum rs_step */

struct rs_sasls;

#define RS_SASLS_REQUESTS_MAX 64u

struct rs_sasls_limits {
	uint32_t line_max; /* of a request */
	uint32_t out_max;  /* output held before requests wait, at least 1024 */
};

extern const struct rs_sasls_limits rs_sasls_limits_default;

struct rs_sasls_cfg {
	const char *mechs; /* names, blank between; those with channel binding are left out: the
	                      channel is the MTA's */
	uint64_t pid;
	uint64_t connection; /* CUID */
	char cookie[33];     /* 32 hexadecimal digits of chance */
	struct rs_sasls_limits limits;
};

enum rs_sasls_kind {
	RS_A_AUTH,  /* a new request; answer: ok, fail or challenge          */
	RS_A_CONT,  /* the answer to a challenge; answer likewise            */
	RS_A_CANCEL /* the MTA has lost interest: forget it. No answer.     */
};

struct rs_sasls_event {
	enum rs_sasls_kind kind;
	uint32_t id;
	struct rs_slice mech;     /* AUTH */
	struct rs_slice service;  /* AUTH: "smtp" … */
	struct rs_slice peer;     /* AUTH: the client's address, empty when not told */
	bool secured;             /* AUTH: the client is under TLS */
	bool has_response;        /* AUTH: an initial one came */
	struct rs_slice response; /* decoded; all borrowed until the next call, wiped by it */
};

int rs_sasls_create(const struct rs_sasls_cfg *cfg, struct rs_sasls **out) RS_MUST_USE;
void rs_sasls_destroy(struct rs_sasls **s);
enum rs_step rs_sasls_recv(
	struct rs_sasls *s, const uint8_t *in, size_t n, size_t *used, struct rs_sasls_event *ev);
enum rs_step rs_sasls_eof(struct rs_sasls *s);

/* Of a request that is not under way (cancelled) nothing is said. */
void rs_sasls_ok(struct rs_sasls *s, uint32_t id, const char *user);
void rs_sasls_fail(struct rs_sasls *s, uint32_t id, const char *user, bool temporary);
void rs_sasls_challenge(struct rs_sasls *s, uint32_t id, struct rs_slice challenge);

struct rs_slice rs_sasls_out(const struct rs_sasls *s);
void rs_sasls_sent(struct rs_sasls *s, size_t n);
uint32_t rs_sasls_pending(const struct rs_sasls *s); /* requests without an end */
const struct rs_err *rs_sasls_error(const struct rs_sasls *s);

#endif
