/* msg - what the roles say to each other: every message, who may send it, what it carries.
 *
 *   front -> auth    LOGIN, CHANNEL, LOGIN_GONE, RCPT, MAIL  "is this the user?", "does this address live here?"
 *   auth  -> front   CHALLENGE, REFUSED, RCPT_REFUSED  the noes; a yes goes on to the store
 *                    LOGGED_IN, MAIL_ANSWER            and, where no maildrop is opened, the yeses
 *   auth  -> store   OPEN, RCPT_OPEN                   the only way a store learns of a session
 *   store -> front   OPENED, BODY, COMMITTED, LOST, RCPT_READY, DATA_ROOM, DELIVERED
 *   front -> store   READ, COMMIT, CLOSE, DATA, DATA_END, DATA_DROP
 *   auth  -> relay   RELAY_OPEN                        the same for mail that goes out
 *   relay -> front   RCPT_READY, RCPT_REFUSED, DATA_ROOM, RELAYED
 *   front -> relay   DATA, DATA_END, DATA_DROP
 *   admin -> front    ASK_SESSIONS, KICK                 what the administrator wants to know or do
 *   front -> admin    SESSION, SESSIONS_END, KICKED
 *   master<->roles   START, LISTENER, LINK, DRAIN, STOP, READY
 *   master -> front   COUNTS, TICKETS
 *   master<->admin   PAGE, CHILD, RELOADED, RELOAD
 *
 * A session is numbered by its front (u64, never used twice in one process); towards a store it is
 * (front, session). The upper bits number the connection and are its id in every role's log; the
 * lower RS_MSG_TXN_BITS number the transactions of mail within it, from 1; 0 is a POP3 session. A receiver trusts nothing: a message that is not exactly as described, or that
 * the sender's role may not send, closes the link, and the master restarts the sender.
 *
 * Wire form: packets of SOCK_SEQPACKET, at most RS_MSG_PACKET_MAX octets and RS_MSG_FDS_MAX
 * descriptors; a packet is a run of messages, so that what one turn of a loop has to say is one
 * system call. Each message: u16 type, u16 descriptors, u32 octets that follow; fields in the
 * order of the table, native order, u8/u16/u32/u64 or octets with a u32 count in front. */
#ifndef RS_SERVER_MSG_H
#define RS_SERVER_MSG_H

#include "base/buf.h"
#include "base/slice.h"

#define RS_MSG_PACKET_MAX 131072u
#define RS_MSG_FDS_MAX    64u
#define RS_MSG_INLINE_MAX 65536u /* octets of DATA in one message */
#define RS_MSG_IMAGE_MAX \
	16384u /* octets of a table in one message; a larger one is a memory file */
#define RS_MSG_BODY_MAX \
	16384u /* octets of a body in one message; a larger one goes as a descriptor */

#define RS_MSG_TXN_BITS 20
#define RS_MSG_TXN_MASK ((UINT64_C(1) << RS_MSG_TXN_BITS) - 1)

enum rs_msg_type {
	/* master -> role */
	RS_MSG_START =
		1, /* u8 role, u32 index, u32 fronts, u32 stores, u32 ms between beats (stats.h); fds: config text, page of numbers
	                     (stats.h); fronts with TLS (u8 has_tls) also: certificates and keys (tls.h) */
	RS_MSG_TICKETS, /* fronts with TLS: octets keys of session tickets (RS_TLS_KEYS_OCTETS), before
	                     START and whenever they turn */
	RS_MSG_LISTENER, /* u8 service; fd: the bound socket (fronts) */
	RS_MSG_LINK,     /* u8 role, u32 index of the peer; fd: the link. Replaces an older one. */
	RS_MSG_DRAIN, /* fronts, admin: take no new connections, leave when the last one has ended */
	RS_MSG_STOP,  /* stop taking new work, end sessions, leave */
	/* master -> admin; a slot is a place for a process, kept while it is started again */
	RS_MSG_PAGE,  /* u32 slot; fd: page of numbers (stats.h) */
	RS_MSG_CHILD, /* u32 slot, u8 role (RS_ROLE_N: none), u32 index, u32 generation, u8 state,
	                      u64 pid (0: none), u64 started (unix time), u32 restarts */
	RS_MSG_RELOADED, /* u64 ask, u8 code (enum rs_admin_code), octets why not */
	/* master -> fronts */
	RS_MSG_COUNTS, /* u32 place, u8 own; fd: page of counts (counts.h) of that place */
	/* role -> master */
	RS_MSG_READY,
	RS_MSG_VIOLATION, /* u32 system call: the sandbox refused it, the role is ending */
	RS_MSG_RELOAD,    /* admin: u64 ask, not 0 */
	/* front -> auth */
	RS_MSG_LOGIN, /* u64 session, u8 service, u8 tls, u8 login kind (enum rs_pop3s_login), u8 first,
	                      u8 has_secret, octets mech, user, secret, apop timestamp, peer address */
	RS_MSG_CHANNEL, /* u64 session, u8 a -PLUS was announced, octets tls-exporter, tls-server-end-point,
	                   names in the client's certificate (LF between): of the LOGIN that comes
	                   next, where its mechanism needs them */
	RS_MSG_LOGIN_GONE, /* u64 session: forget its half-done exchange */
	RS_MSG_RCPT,       /* u64 session, u32 rcpt, octets address */
	/* auth -> front */
	RS_MSG_CHALLENGE, /* u64 session, octets challenge */
	RS_MSG_REFUSED, /* u64 session, u8 code (enum rs_pop3_code), u32 milliseconds to hold it back,
	                   octets user (whose login it would have been; empty: not known) */
	RS_MSG_RCPT_REFUSED, /* u64 session, u32 rcpt, u16 code, octets status, text */
	/* auth -> store */
	RS_MSG_OPEN,      /* u32 front, u64 session, octets user, mailbox */
	RS_MSG_RCPT_OPEN, /* u32 front, u64 session, u32 rcpt, octets user, mailbox */
	/* store -> front */
	RS_MSG_OPENED, /* u64 session, u8 error (enum rs_store_err), u64 image octets, u32 days of
	                      retention (0: never), octets user, table (proto/drop.h); where that is empty and
	                      error is OK fd: a sealed memory file with it */
	RS_MSG_BODY, /* u64 session, u32 row, u8 error, u8 last, u64 offset, octets; or with a fd: the
	                      whole stored message is read from it and octets are empty */
	RS_MSG_COMMITTED,  /* u64 session, u8 error, u32 not removed */
	RS_MSG_LOST,       /* u64 session: the lease is gone, nothing will be deleted */
	RS_MSG_RCPT_READY, /* u64 session, u32 rcpt, u8 error */
	RS_MSG_DATA_ROOM,  /* u64 session, u32 octets taken (window, see RS_MSG_DATA) */
	RS_MSG_DELIVERED,  /* u64 session, u32 rcpt, u8 error */
	/* front -> store */
	RS_MSG_READ,   /* u64 session, u32 first row, u32 rows: in this order, read ahead as far as
	                     it likes; each row is answered by BODY until last */
	RS_MSG_COMMIT, /* u64 session, octets marks (proto/drop.h) */
	RS_MSG_CLOSE,  /* u64 session: unlock, forget; also after COMMITTED */
	RS_MSG_DATA,   /* u64 session, octets of the message (wire form, un-stuffed); at most
	                     RS_MSG_DATA_WINDOW octets may be unanswered by DATA_ROOM */
	RS_MSG_DATA_END,  /* u64 session: whole; each recipient is answered by DELIVERED */
	RS_MSG_DATA_DROP, /* u64 session: forget the transaction, nothing is delivered */
	/* admin -> front */
	RS_MSG_ASK_SESSIONS, /* u64 ask */
	RS_MSG_KICK,         /* u64 ask, u64 connection */
	/* front -> admin */
	RS_MSG_SESSION, /* u64 ask, u64 connection, u8 service, u64 age in ms, u32 messages, u64 octets in,
	                        u64 octets out, u32 store (UINT32_MAX: none), octets user, peer, tls, state */
	RS_MSG_SESSIONS_END, /* u64 ask */
	RS_MSG_KICKED,       /* u64 ask, u8 found */
	/* mail of users, who have logged in under the number of their connection */
	RS_MSG_MAIL, /* front -> auth: u64 session, u8 flags (RS_MSG_MAIL_*), u64 size (0: not told), octets
	                      sender */
	RS_MSG_LOGGED_IN,   /* auth -> front: u64 session, octets user */
	RS_MSG_MAIL_ANSWER, /* auth -> front: u64 session, u16 code, octets status, text */
	RS_MSG_RELAY_OPEN, /* auth -> relay: u32 front, u64 session, u32 rcpt, u8 flags, u64 size, octets
	                      sender, address */
	RS_MSG_RELAYED, /* relay -> front: u64 session, u16 code, octets status, text: of DATA_END */
	RS_MSG_TYPE_N
};

#define RS_MSG_DATA_WINDOW 262144u

#define RS_MSG_MAIL_8BIT 0x01u
#define RS_MSG_MAIL_UTF8 0x02u

enum rs_role {
	RS_ROLE_MASTER,
	RS_ROLE_FRONT,
	RS_ROLE_AUTH,
	RS_ROLE_STORE,
	RS_ROLE_ADMIN,
	RS_ROLE_RELAY, /* hands mail to the relay; only where one is configured */
	RS_ROLE_N
};

const char *rs_role_name(enum rs_role r);

/* May `from` send `type` to `to`? The table above, in one function. */
bool rs_msg_may(enum rs_role from, enum rs_role to, enum rs_msg_type type);

/* --- reading one message's fields; a sticky error, asked for at the end -------------------- */

struct rs_msg_in {
	enum rs_msg_type type;
	struct rs_slice rest;    /* borrowed from the packet: until the handler returns */
	int fds[RS_MSG_FDS_MAX]; /* taken with rs_msg_fd; what is left over is closed by the link */
	uint32_t fds_n;
	uint32_t fds_used;
	bool fds_lost; /* this process had no room for (all of) its descriptors, which is nobody's fault
	                  here: those are -1, and who waits for it gets a temporary failure */
	bool bad;
};

uint8_t rs_msg_u8(struct rs_msg_in *m);
uint16_t rs_msg_u16(struct rs_msg_in *m);
uint32_t rs_msg_u32(struct rs_msg_in *m);
uint64_t rs_msg_u64(struct rs_msg_in *m);
struct rs_slice rs_msg_octets(struct rs_msg_in *m); /* borrowed, as `rest` */
int rs_msg_fd(struct rs_msg_in *m); /* owned by the caller; -1 when lost; -1 and bad when none */
/* True when every field was there and nothing is left over. */
bool rs_msg_end(const struct rs_msg_in *m);

/* What is said, as SMTP would, of a sender, a recipient or a message: "u16 code, octets status, text". */
struct rs_msg_answer {
	unsigned code;
	char status[12]; /* RFC 3463; "": none */
	char text[401];
};

/* The last fields of a message. False: not as described, or the code is not from `code_min` to 599. */
bool rs_msg_answer(struct rs_msg_in *m, unsigned code_min, struct rs_msg_answer *out);

#endif
