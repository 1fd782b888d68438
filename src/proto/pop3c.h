/* pop3c - the POP3 client engine: octets in, events out; no socket, clock, file, log, global.
 * RFC 1939, 2449, 2595, 3206, 5034, 6856. It queues commands (pipelined up to a depth), tags
 * them, and reports greeting, replies, LIST/UIDL rows, body spans already un-stuffed.
 *
 * It is strict in what it sends and forgiving in what it takes: "+" and "-" decide a reply,
 * codes and rows are parsed leniently, an unreadable row is told with num = 0 instead of
 * failing the session (quirks of real servers: docs/QUIRKS.md).
 *
 * Laws (each is a fuzz assertion): used <= n; MORE => used == n; after FAILED or CLOSED no octet
 * is used and no command taken; one OK or ERR a command, in order; a BODY span is never empty;
 * END leaves later octets unused; the same octets give the same events under any split
 * (adjacent BODY spans joined). Thread: one owner. */
#ifndef RS_PROTO_POP3C_H
#define RS_PROTO_POP3C_H

#include "base/err.h"
#include "base/slice.h"
#include "proto/pop3.h"

struct rs_pop3c;

enum rs_pop3c_kind {
	RS_C_GREETING,  /* "+OK": text, and `apop` = the timestamp, empty when none           */
	RS_C_OK,        /* the reply to `tag`; if its answer has several lines they follow     */
	RS_C_ERR,       /* "-ERR" to `tag` (verb NONE: instead of a greeting; CLOSED follows)  */
	RS_C_LINE,      /* one line of CAPA, LIST, UIDL or LANG, un-stuffed, without CRLF       */
	RS_C_BODY,      /* a span of the body of RETR or TOP, un-stuffed, line ends as sent     */
	RS_C_END,       /* the "." of a multi-line answer                                     */
	RS_C_CHALLENGE, /* AUTH: decoded; answer with rs_pop3c_sasl                            */
	RS_C_START_TLS  /* STLS was accepted: shake hands, then rs_pop3c_tls_up                */
};

struct rs_pop3c_event {
	enum rs_pop3c_kind kind;
	enum rs_pop3_verb verb; /* the command this answers                              */
	uint32_t tag;           /* the owner's number for that command                   */
	enum rs_pop3_code code; /* OK, ERR: extended response code or NONE               */
	uint32_t num;         /* LINE of LIST/UIDL, OK of LIST n/UIDL n/STAT: number (STAT: count);
	                           0 = unreadable                                        */
	uint64_t size;        /* OK of STAT, LINE of LIST: octets as the peer claims;
	                           UINT64_MAX = unreadable                               */
	uint64_t octets;      /* END of RETR/TOP: octets of the body that were yielded */
	struct rs_slice text; /* OK/ERR: text behind the code; LINE: the line; UIDL: the UID as sent
	                           (any octet may be in it); BODY: the span; CHALLENGE: octets.
	                           Borrowed until the next call here.                    */
	struct rs_slice apop; /* GREETING                                              */
};

struct rs_pop3c_limits {
	uint32_t line_max; /* reply and listing lines held; longer: FAILED (body lines: no limit) */
	uint32_t depth_max; /* commands unanswered at a time                                      */
	uint32_t out_max;   /* output held                                                        */
	uint64_t body_max;  /* octets of one body, UINT64_MAX: none                               */
	uint64_t lines_max; /* lines of one listing                                               */
};

extern const struct rs_pop3c_limits rs_pop3c_limits_default;

/* Bits of rs_pop3c_caps, read from CAPA as its lines pass. */
#define RS_CAP_TOP            0x0001u
#define RS_CAP_USER           0x0002u
#define RS_CAP_SASL           0x0004u
#define RS_CAP_RESP_CODES     0x0008u
#define RS_CAP_PIPELINING     0x0010u
#define RS_CAP_UIDL           0x0020u
#define RS_CAP_STLS           0x0040u
#define RS_CAP_UTF8           0x0080u
#define RS_CAP_UTF8_USER      0x0100u
#define RS_CAP_LANG           0x0200u
#define RS_CAP_AUTH_RESP_CODE 0x0400u
#define RS_CAP_EXPIRE         0x0800u
#define RS_CAP_LOGIN_DELAY    0x1000u
#define RS_CAP_IMPLEMENTATION 0x2000u
#define RS_CAP_LOGIN_ALONE    0x4000u /* by its IMPLEMENTATION: loses what comes behind a login */
#define RS_CAP_KNOWN          0x8000u /* CAPA was answered at all */

int rs_pop3c_create(const struct rs_pop3c_limits *lim, struct rs_pop3c **out) RS_MUST_USE;
void rs_pop3c_destroy(struct rs_pop3c **c);

/* Queue one command; its octets are in the output after this. `arg` NULL or "" for none.
 * -RS_EBUSY: depth reached, the greeting has not come, or a barrier (rs_pop3_verbs) is
 * unanswered. -RS_EINVAL: CR, LF, NUL, wrong arity or over 255 octets with CRLF.
 * -RS_ECLOSED: after FAILED or CLOSED. AUTH goes through rs_pop3c_auth. */
int rs_pop3c_send(struct rs_pop3c *c, enum rs_pop3_verb v, uint32_t tag, const char *arg);

/* `pipelining` false (the default until told otherwise): depth is 1, whatever the limit.
 * USER and PASS may always be told apart by the owner; with pipelining on, PASS behind USER. */
void rs_pop3c_pipelining(struct rs_pop3c *c, bool on);

/* What the server could the last time, told by the owner instead of asked for with CAPA: pipelining is on
 * if it is in `caps`, and commands may be queued behind UTF8 and PASS, and behind an AUTH whose initial response
 * fits its line. A server that then asks for more than that response has the session FAILED: what follows
 * is on its way already. Forgotten at the handshake and at the next CAPA. */
void rs_pop3c_assume(struct rs_pop3c *c, uint32_t caps);

/* AUTH mech [initial response]; `initial` with p NULL: none. An initial response that does not
 * fit the 255 octets is kept and sent at the first empty challenge (RFC 5034 section 4; also what
 * Exchange wants). */
int rs_pop3c_auth(struct rs_pop3c *c, uint32_t tag, const char *mech, struct rs_slice initial);
int rs_pop3c_sasl(struct rs_pop3c *c, struct rs_slice raw); /* p NULL: cancel with "*" */

enum rs_step rs_pop3c_recv(
	struct rs_pop3c *c, const uint8_t *in, size_t n, size_t *used, struct rs_pop3c_event *ev);

/* The peer ended its side: CLOSED after the answer to QUIT, FAILED otherwise. */
enum rs_step rs_pop3c_eof(struct rs_pop3c *c);

/* After the handshake. Forgets capabilities and everything else learnt. `held` = plaintext octets
 * the owner still holds; not 0 means injection: RS_FAILED. Otherwise RS_MORE. */
enum rs_step rs_pop3c_tls_up(struct rs_pop3c *c, size_t held);

struct rs_slice rs_pop3c_out(const struct rs_pop3c *c); /* borrowed until the next call */
void rs_pop3c_sent(struct rs_pop3c *c, size_t n);       /* n of them were written; they are wiped
                                                           where they held a password       */
uint32_t rs_pop3c_pending(const struct rs_pop3c *c);    /* commands not fully answered      */
uint32_t rs_pop3c_caps(const struct rs_pop3c *c);       /* RS_CAP_*                         */
bool rs_pop3c_has_mech(const struct rs_pop3c *c, const char *mech);
uint32_t rs_pop3c_login_delay_s(const struct rs_pop3c *c); /* 0: not told                   */
const struct rs_err *rs_pop3c_error(const struct rs_pop3c *c);

#endif
