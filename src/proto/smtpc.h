/* smtpc - the client engine for handing mail on to the next server: SMTP, RFC 5321, with 1870 (SIZE), 2034
 * (enhanced codes), 2920 (PIPELINING), 3207 (STARTTLS), 4954 (AUTH PLAIN, LOGIN), 6152 (8BITMIME), 6531
 * (SMTPUTF8). Other mechanisms of AUTH are the owner's. No socket, clock, file, log, global.
 *
 * Laws: as in pop3c.h. A password goes out only under TLS, unless told otherwise. A message has CRLF line ends
 * on the wire whatever was given, so that a server that takes a bare CR or LF for one cannot be made to see an
 * end where there is none. Driving it: as in pop3c.h. Thread: one owner. */
#ifndef RS_PROTO_SMTPC_H
#define RS_PROTO_SMTPC_H

#include "base/err.h"
#include "base/slice.h"
#include "proto/pop3.h" /* enum rs_step */

struct rs_smtpc;

#define RS_SMTPC_STARTTLS    0x01u /* STARTTLS must succeed before anything else      */
#define RS_SMTPC_STARTTLS_IF 0x02u /* STARTTLS where it is offered                    */
#define RS_SMTPC_TLS         0x04u /* starts under TLS                                */
#define RS_SMTPC_CLEARTEXT   0x08u /* log in also without TLS                         */
#define RS_SMTPC_SASL \
	0x10u /* the owner logs in, when it hears LOGIN; user, password are not used */

/* What the server has announced. */
#define RS_SMTPC_CAP_PIPELINING 0x01u
#define RS_SMTPC_CAP_8BITMIME   0x02u
#define RS_SMTPC_CAP_SMTPUTF8   0x04u
#define RS_SMTPC_CAP_SIZE       0x08u
#define RS_SMTPC_CAP_STARTTLS   0x10u
#define RS_SMTPC_CAP_PLAIN      0x20u /* AUTH */
#define RS_SMTPC_CAP_LOGIN      0x40u

struct rs_smtpc_limits {
	uint32_t line_max;  /* octets of one line of a reply, CRLF included */
	uint32_t lines_max; /* lines of one reply                           */
	uint32_t out_max;   /* output held, at least 4096                   */
	uint32_t depth_max; /* commands without an answer                   */
};

extern const struct rs_smtpc_limits rs_smtpc_limits_default;

struct rs_smtpc_cfg {
	uint32_t flags;       /* RS_SMTPC_* */
	const char *hostname; /* told with EHLO */
	const char *user;     /* NULL: no login */
	const char *password;
	struct rs_smtpc_limits limits;
};

enum rs_smtpc_kind {
	RS_M_START_TLS, /* the server is ready: shake hands, rs_smtpc_tls_up                     */
	RS_M_READY,     /* greeted and logged in: transactions may begin. Once a session.        */
	RS_M_LOGIN, /* only with RS_SMTPC_SASL: `text` are the mechanisms offered; rs_smtpc_auth, _no_auth */
	RS_M_CHALLENGE, /* `text` is what the mechanism says: rs_smtpc_sasl                       */
	RS_M_REFUSED,   /* the session is of no use: greeting, login or TLS refused; CLOSED then */
	RS_M_MAIL, /* what the server says to MAIL …                                         */
	RS_M_RCPT,
	RS_M_DATA, /* … 354: rs_smtpc_body, rs_smtpc_end                                          */
	RS_M_DONE, /* … to the whole message; early (code >= 400, CLOSED then) it may come in the middle */
	RS_M_RESET
};

struct rs_smtpc_event {
	enum rs_smtpc_kind kind;
	unsigned code;          /* 200 to 599; REFUSED: 0 when it is our refusal, `text` says why */
	uint32_t tag;           /* RCPT: the owner's number                                     */
	struct rs_slice status; /* "5.1.1", empty where there is none                           */
	struct rs_slice text;   /* lines of the reply, joined by blanks, cut where too long     */
				/* both borrowed until the next call                            */
};

int rs_smtpc_create(const struct rs_smtpc_cfg *cfg, struct rs_smtpc **out) RS_MUST_USE;
void rs_smtpc_destroy(struct rs_smtpc **c);
enum rs_step rs_smtpc_recv(
	struct rs_smtpc *c, const uint8_t *in, size_t n, size_t *used, struct rs_smtpc_event *ev);
enum rs_step rs_smtpc_eof(struct rs_smtpc *c);
/* After the handshake; `held` as in rs_pop3c_tls_up. */
enum rs_step rs_smtpc_tls_up(struct rs_smtpc *c, size_t held);

/* Behind LOGIN. `initial` with p NULL: none (then the first challenge comes). What is said is not base64. READY
 * follows, or REFUSED; a mechanism that proves the server must be asked before READY is believed. -RS_EBUSY: not
 * asked for; -RS_ELIMIT: does not fit one line. Without a login the session is READY at once: no event says it. */
int rs_smtpc_auth(struct rs_smtpc *c, const char *mech, struct rs_slice initial) RS_MUST_USE;
int rs_smtpc_no_auth(struct rs_smtpc *c) RS_MUST_USE;
/* Behind CHALLENGE; p NULL: give the mechanism up ("*"). */
int rs_smtpc_sasl(struct rs_smtpc *c, struct rs_slice response) RS_MUST_USE;

/* Commands, from READY on. Several may be under way where the server has PIPELINING. 0; -RS_EBUSY: not now,
 * try again after the next event; -RS_ECLOSED; -RS_EINVAL: octets that cannot stand in a command, or an
 * extension that the server does not have. `size` 0: not known. */
#define RS_SMTPC_8BIT 0x01u
#define RS_SMTPC_UTF8 0x02u
int rs_smtpc_mail(struct rs_smtpc *c, struct rs_slice sender, uint32_t flags, uint64_t size);
int rs_smtpc_rcpt(struct rs_smtpc *c, uint32_t tag, struct rs_slice address);
int rs_smtpc_data(struct rs_smtpc *c);
int rs_smtpc_reset(struct rs_smtpc *c);
int rs_smtpc_quit(struct rs_smtpc *c); /* CLOSED when it is answered */

/* The message, behind DATA's 354, with any line ends; octets taken. Fewer: write what is out, try again. */
size_t rs_smtpc_body(struct rs_smtpc *c, const uint8_t *p, size_t n);
bool rs_smtpc_end(struct rs_smtpc *c); /* false: no room, write first */

struct rs_slice rs_smtpc_out(const struct rs_smtpc *c);
void rs_smtpc_sent(struct rs_smtpc *c, size_t n);
uint32_t rs_smtpc_caps(const struct rs_smtpc *c);
uint64_t rs_smtpc_size_max(const struct rs_smtpc *c); /* 0: not told, or no limit */
bool rs_smtpc_idle(const struct rs_smtpc *c);         /* ready, nothing under way */
const struct rs_err *rs_smtpc_error(const struct rs_smtpc *c);

#endif
