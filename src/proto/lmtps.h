/* lmtps - the server engine for taking mail in: LMTP now, submission (SMTP) on the same rules.
 * RFC 2033, 5321, 1870 (SIZE), 1652/6152 (8BITMIME), 2034 (ENHANCEDSTATUSCODES), 2920
 * (PIPELINING), 3030 (CHUNKING), 3207 (STARTTLS), 4954 (AUTH), 6531 (SMTPUTF8). No socket, clock, file, log, global.
 *
 * Only CRLF "." CRLF ends a message that comes by DATA; a bare LF or CR in front of a dot is data (no smuggling).
 * One that comes by BDAT is counted; who drives the engine does not see the difference.
 * Laws: as in pop3s.h. Driving it: as in pop3s.h. Thread: one owner. */
#ifndef RS_PROTO_LMTPS_H
#define RS_PROTO_LMTPS_H

#include "base/err.h"
#include "base/slice.h"
#include "proto/pop3.h" /* enum rs_step */

struct rs_lmtps;

#define RS_LMTPS_SMTP      0x01u /* speak ESMTP (HELO, EHLO) instead of LMTP (LHLO)            */
#define RS_LMTPS_STARTTLS  0x02u /* offered while not under TLS                                */
#define RS_LMTPS_TLS       0x04u /* starts under TLS                                           */
#define RS_LMTPS_AUTH      0x08u /* AUTH must succeed before MAIL                              */
#define RS_LMTPS_CLEARTEXT 0x10u /* AUTH also without TLS                                      */

struct rs_lmtps_limits {
	uint32_t line_max; /* command line with CRLF; RFC 5321: 512 and room for extensions */
	uint32_t sasl_max; /* AUTH lines                                                    */
	uint32_t out_max;  /* output held, at least 1024                                    */
	uint32_t rcpt_max; /* recipients of one message, at most 10000                      */
	uint32_t bad_max;  /* commands refused until the session is ended                   */
	uint64_t size_max; /* octets of one message, told with SIZE; 0: no limit            */
	uint32_t idle_s;
};

extern const struct rs_lmtps_limits rs_lmtps_limits_default;

struct rs_lmtps_cfg {
	uint32_t flags;       /* RS_LMTPS_*                             */
	const char *hostname; /* in banner and LHLO reply               */
	const char *mechs;    /* SASL mechanisms, blank between, or ""  */
	struct rs_lmtps_limits limits;
};

enum rs_lmtps_kind {
	RS_L_HELO, /* LHLO/EHLO/HELO was given: `text` is the name. No answer is wanted.     */
	RS_L_AUTH, /* one step; answer: rs_lmtps_auth_ok, _challenge or rs_lmtps_reply        */
	RS_L_START_TLS, /* flush, shake hands, rs_lmtps_tls_up                                    */
	RS_L_MAIL,    /* new transaction; answer: rs_lmtps_reply (250 accepts)                   */
	RS_L_RCPT,    /* one recipient; answer: rs_lmtps_reply (250 accepts)                     */
	RS_L_DATA,    /* DATA, with at least one recipient; answer: rs_lmtps_reply (354 goes on)  */
	RS_L_BODY,    /* a span of the message, un-stuffed, line ends as sent; no answer         */
	RS_L_END,     /* the message is whole; answer: rs_lmtps_result once a recipient, in order
	                   (LMTP) or once (SMTP)                                                  */
	RS_L_TOO_BIG, /* the message passed size_max: forget it; the engine reads on to its end and
	                   refuses it (552 for each recipient). No answer.                        */
	RS_L_RESET /* the transaction ended without delivery: RSET, LHLO again; no answer. With CLOSED and
	              FAILED (QUIT, 421, an end in the middle) an open one is gone without it.    */
};

struct rs_lmtps_event {
	enum rs_lmtps_kind kind;
	struct rs_slice text; /* HELO: name; MAIL/RCPT: the address without <>, source route removed
	                           (empty: null sender); BODY: span; AUTH: response, decoded.
	                           Borrowed until the next call. */
	struct rs_slice mech; /* AUTH */
	bool first;           /* AUTH: a new exchange                     */
	bool has_secret;      /* AUTH: a response came with it            */
	bool utf8;            /* MAIL: SMTPUTF8 was given                 */
	bool body_8bit;       /* MAIL: BODY=8BITMIME                      */
	uint64_t size;        /* MAIL: SIZE= as declared, 0 when not told */
	uint32_t rcpt;        /* RCPT: its number from 0, counting accepted ones only */
};

int rs_lmtps_create(const struct rs_lmtps_cfg *cfg, struct rs_lmtps **out) RS_MUST_USE;
void rs_lmtps_destroy(struct rs_lmtps **s);
enum rs_step rs_lmtps_recv(
	struct rs_lmtps *s, const uint8_t *in, size_t n, size_t *used, struct rs_lmtps_event *ev);
enum rs_step rs_lmtps_eof(struct rs_lmtps *s); /* an open transaction is gone with it */
enum rs_step rs_lmtps_tls_up(struct rs_lmtps *s, size_t held);

/* Answer to MAIL, RCPT, DATA, AUTH. `status` is "2.1.5" or NULL; `text` one line. code 250 (354
 * for DATA) accepts; 4xx and 5xx refuse. NULL text: our words for the code. */
void rs_lmtps_reply(struct rs_lmtps *s, unsigned code, const char *status, const char *text);
void rs_lmtps_auth_ok(struct rs_lmtps *s);
int rs_lmtps_challenge(struct rs_lmtps *s, struct rs_slice challenge);
/* Answer to END, for recipient `rcpt`; they must be given in order 0, 1, 2 … */
void rs_lmtps_result(
	struct rs_lmtps *s, uint32_t rcpt, unsigned code, const char *status, const char *text);
/* The owner ends the session: "421 text". CLOSED from now on. */
void rs_lmtps_abort(struct rs_lmtps *s, const char *text);

struct rs_slice rs_lmtps_out(const struct rs_lmtps *s);
void rs_lmtps_sent(struct rs_lmtps *s, size_t n);
uint32_t rs_lmtps_rcpt_n(const struct rs_lmtps *s); /* recipients accepted so far */
uint32_t rs_lmtps_idle_s(const struct rs_lmtps *s);
const struct rs_err *rs_lmtps_error(const struct rs_lmtps *s);

#endif
