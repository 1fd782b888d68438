/* pop3s - the POP3 server engine: octets in, events out; no socket, clock, file, log, global.
 * RFC 1939, 2449, 2595, 3206, 5034, 6856. It owns every pure rule: states, arity, numbering,
 * STAT/LIST/UIDL/DELE/RSET/TOP, dot-stuffing, CRLF, response codes, capabilities.
 * It asks its owner for four things only: LOGIN, START_TLS, OPEN, COMMIT.
 *
 * Laws (each is a fuzz assertion): used <= n; MORE => used == n; after FAILED or CLOSED no octet
 * is used; no command is taken unless a full reply line fits the output room; one reply a
 * command, in order; the same octets give the same events and the same output under any split.
 *
 * Driving it:
 *   recv until MORE (read more), BLOCKED (flush the output or answer the event, then call
 *   again with the same rest), CLOSED/FAILED (flush, close). An EVENT is answered by exactly one
 *   of the calls named with it; until then recv returns BLOCKED and uses nothing.
 * Memory: about 1 KiB beside the output buffer and one bit a row. Thread: one owner. */
#ifndef RS_PROTO_POP3S_H
#define RS_PROTO_POP3S_H

#include "base/err.h"
#include "base/slice.h"
#include "proto/drop.h"
#include "proto/pop3.h"

struct rs_pop3s;

/* What is announced and what is allowed. Law: every capability told is true in that state. */
#define RS_POP3S_STLS      0x01u /* STLS offered while not under TLS                           */
#define RS_POP3S_CLEARTEXT 0x02u /* USER/PASS and SASL also without TLS                        */
#define RS_POP3S_NO_USER   0x04u /* USER/PASS is not offered at all                            */
#define RS_POP3S_TLS       0x08u /* the session starts under TLS (POP3S)                       */
#define RS_POP3S_UTF8 \
	0x10u /* UTF8 and UTF8 USER are offered; who does not ask for UTF8 gets ASCII headers */

struct rs_pop3s_limits {
	uint32_t line_max;   /* command line with CRLF; RFC 2449: 255                       */
	uint32_t sasl_max;   /* AUTH line and SASL response lines with CRLF                 */
	uint32_t out_max;    /* output held, at least 1024                                  */
	uint32_t bad_max;    /* commands refused before login until the session is ended    */
	uint32_t idle_s;     /* autologout timer told by rs_pop3s_idle_s, RFC 1939: >= 600  */
	uint32_t idle_pre_s; /* the same before login                                       */
};

/* Defaults with their reasons stand in pop3s.c. */
extern const struct rs_pop3s_limits rs_pop3s_limits_default;

/* Texts of the replies. One table a language; NULL entries fall back to English. The engine
 * brings English and German ("en", "de"); RFC 6856 section 3. */

struct rs_pop3s_cfg {
	uint32_t flags;             /* RS_POP3S_*                                          */
	const char *mechs;          /* SASL mechanisms under TLS, blank between; "" = none */
	const char *mechs_plain;    /* the same without TLS (CLEARTEXT or not)             */
	const char *apop_timestamp; /* "<…>" to offer APOP, NULL: APOP is refused          */
	const char *implementation; /* IMPLEMENTATION text, NULL: not told                 */
	const char *greeting;       /* words of the banner, NULL: ours                     */
	/* EXPIRE: -2 not told, -1 NEVER, else days. Before login the least that holds for anybody; the owner may
	 * set what holds for the user before rs_pop3s_login_ok. */
	int32_t expire_days;
	int32_t login_delay_s; /* LOGIN-DELAY: -1 not told                            */
	struct rs_pop3s_limits limits;
};

enum rs_pop3s_kind {
	/* USER+PASS, APOP, or one step of AUTH.
	 * Answer: rs_pop3s_login_ok, rs_pop3s_refuse, or (AUTH only) rs_pop3s_challenge. */
	RS_S_LOGIN,
	/* The "+OK" of STLS is in the output; flush it, shake hands, then rs_pop3s_tls_up. */
	RS_S_START_TLS,
	/* RETR or TOP. Answer: rs_pop3s_body_begin … rs_pop3s_body_end, or rs_pop3s_refuse. */
	RS_S_OPEN,
	/* QUIT in TRANSACTION; also with no row marked. Answer: rs_pop3s_committed. */
	RS_S_COMMIT
};

enum rs_pop3s_login { RS_LOGIN_PASS, RS_LOGIN_APOP, RS_LOGIN_SASL };

struct rs_pop3s_event {
	enum rs_pop3s_kind kind;
	/* LOGIN; slices are borrowed and wiped by the next call on the engine */
	enum rs_pop3s_login login;
	struct rs_slice user;   /* PASS, APOP: name as given                                   */
	struct rs_slice secret; /* PASS: password; APOP: 32 hex digits; SASL: response, decoded */
	struct rs_slice mech;   /* SASL: upper-case name, known to be in the list               */
	bool first;             /* SASL: first step (a new exchange)                            */
	bool has_secret;        /* SASL: a response came with it (an empty one counts)          */
	bool utf8_user;         /* PASS, APOP: octets above 0x7F are UTF-8 (UTF8 USER)          */
	/* OPEN */
	uint32_t msg; /* row of the drop, from 0              */
	int64_t top;  /* body lines wanted, -1: whole message */
};

/* Puts the banner into the output. `cfg` and its texts are lent until destroy. -RS_ENOMEM,
 * -RS_EINVAL: limits or flags that contradict each other, a list of mechanisms of more than 400
 * octets, another text of more than 200 or of more than one line. */
int rs_pop3s_create(const struct rs_pop3s_cfg *cfg, struct rs_pop3s **out) RS_MUST_USE;
void rs_pop3s_destroy(struct rs_pop3s **s);

enum rs_step rs_pop3s_recv(
	struct rs_pop3s *s, const uint8_t *in, size_t n, size_t *used, struct rs_pop3s_event *ev);

/* The peer ended its side. In AUTHORIZATION or TRANSACTION: CLOSED, nothing is deleted. */
enum rs_step rs_pop3s_eof(struct rs_pop3s *s);

/* After the handshake that START_TLS asked for. `held` = octets received before the handshake
 * that the owner still holds; not 0 is an injection (RFC 2595 section 4): RS_FAILED. Nothing
 * learnt before survives: user name, SASL state, UTF8, language. Otherwise RS_MORE. */
enum rs_step rs_pop3s_tls_up(struct rs_pop3s *s, size_t held);

/* --- answers ------------------------------------------------------------------------------- */

/* An answer that comes after the session is over (eof, abort) does nothing. */

/* LOGIN: in. `drop` is lent until destroy. -RS_ENOMEM: then the reply is -ERR [SYS/TEMP] and the
 * session stays in AUTHORIZATION. -RS_EBUSY: the session is over. */
int rs_pop3s_login_ok(struct rs_pop3s *s, const struct rs_drop *drop);

/* LOGIN with RS_LOGIN_SASL: one more challenge (may be empty), unencoded. -RS_ELIMIT: too long. */
int rs_pop3s_challenge(struct rs_pop3s *s, struct rs_slice challenge);

/* LOGIN or OPEN: "-ERR [code] why". `why` is one line without CR and LF, in English; where pop3s_text.c
 * knows it, it is told in the session's language. NULL: our words for the code. The session goes on. */
void rs_pop3s_refuse(struct rs_pop3s *s, enum rs_pop3_code code, const char *why);

/* OPEN: "+OK". Then the stored octets (LF or CRLF line ends) as they come, then the end. */
void rs_pop3s_body_begin(struct rs_pop3s *s);
size_t rs_pop3s_body(struct rs_pop3s *s, const uint8_t *p, size_t n); /* octets taken: all, or as
                                                                    many as the room allows */
/* Behind the last octets of the message: false while something of it is held for want of room. */
bool rs_pop3s_body_last(struct rs_pop3s *s);
bool rs_pop3s_body_end(struct rs_pop3s *s); /* false: no room for the end, flush and repeat  */
bool rs_pop3s_body_enough(const struct rs_pop3s *s); /* TOP: the lines asked for are out         */
/* Octets of the message sent so far, as the table counts them: with the CRLF that body_end adds. */
uint64_t rs_pop3s_body_octets(const struct rs_pop3s *s);
uint64_t rs_pop3s_body_told(const struct rs_pop3s *s); /* what LIST says of that message         */
void rs_pop3s_body_broken(struct rs_pop3s *s); /* FAILED from now on; the "." is never sent     */

/* COMMIT: `not_removed` = messages marked that are still there (0: +OK). A failure with nothing
 * removed at all is told with `code` (SYS_TEMP, SYS_PERM, IN_USE); NONE otherwise. CLOSED then. */
void rs_pop3s_committed(struct rs_pop3s *s, uint32_t not_removed, enum rs_pop3_code code);

/* The owner ends the session (shutdown, idle, kick): "-ERR [code] why" (as refuse), nothing is deleted,
 * recv returns CLOSED from now on. In the middle of a body nothing is written. */
void rs_pop3s_abort(struct rs_pop3s *s, enum rs_pop3_code code, const char *why);

/* --- output and facts ---------------------------------------------------------------------- */

struct rs_slice rs_pop3s_out(const struct rs_pop3s *s); /* borrowed until the next call */
void rs_pop3s_sent(struct rs_pop3s *s, size_t n);       /* n of them were written       */
size_t rs_pop3s_out_room(const struct rs_pop3s *s);
const uint8_t *rs_pop3s_marks(const struct rs_pop3s *s, uint32_t *marked_n); /* DELE bits, for
                                                       COMMIT; borrowed; NULL before login */
bool rs_pop3s_in_transaction(const struct rs_pop3s *s);
uint32_t rs_pop3s_idle_s(const struct rs_pop3s *s); /* what the owner's timer is to be set to   */
/* Why it FAILED; the words are static (NULL is allowed, NULL while it is well). */
enum rs_err_kind rs_pop3s_error(const struct rs_pop3s *s, const char **why);

#endif
