/* pop3s_priv.h - what the files of the POP3 server engine share. Nobody else includes it. */
#ifndef RS_PROTO_POP3S_PRIV_H
#define RS_PROTO_POP3S_PRIV_H

#include "base/buf.h"
#include "proto/dot.h"
#include "proto/downgrade.h"
#include "proto/pop3s.h"

/* See the diagram in pop3s.c. */
enum pop3s_state {
	POP3S_AUTHORIZATION, /* commands before login                        */
	POP3S_SASL,          /* a challenge is out: the next line is a response */
	POP3S_WAIT_LOGIN,    /* the owner has the LOGIN event                */
	POP3S_WAIT_TLS,      /* the owner shakes hands                       */
	POP3S_TRANSACTION,
	POP3S_WAIT_OPEN, /* the owner has the OPEN event                 */
	POP3S_BODY,      /* body octets come from the owner              */
	POP3S_WAIT_COMMIT,
	POP3S_CLOSED,
	POP3S_FAILED
};

/* A multi-line answer that is made as the output drains. */
enum pop3s_listing {
	POP3S_LIST_NONE,
	POP3S_LIST_CAPA,
	POP3S_LIST_LANGS,
	POP3S_LIST_MECHS,
	POP3S_LIST_SIZES,
	POP3S_LIST_UIDS
};

/* Words of the replies; the tables are in pop3s_text.c. */
enum pop3s_text {
	POP3S_T_READY,
	POP3S_T_BYE,
	POP3S_T_UNKNOWN,
	POP3S_T_NOT_NOW,
	POP3S_T_ARGS,
	POP3S_T_LINE_TOO_LONG,
	POP3S_T_CONTROL,
	POP3S_T_USER,
	POP3S_T_NEED_USER,
	POP3S_T_NEED_TLS,
	POP3S_T_NOT_OFFERED,
	POP3S_T_TOO_MANY,
	POP3S_T_NO_MECH,
	POP3S_T_BASE64,
	POP3S_T_CANCELLED,
	POP3S_T_START_TLS,
	POP3S_T_TLS_ALREADY,
	POP3S_T_TLS_AFTER_UTF8,
	POP3S_T_UTF8_ON,
	POP3S_T_UTF8_BAD,
	POP3S_T_CAPA,
	POP3S_T_LANGS,
	POP3S_T_LANG_SET,
	POP3S_T_LANG_UNKNOWN,
	POP3S_T_MECHS,
	POP3S_T_NO_MESSAGE,
	POP3S_T_NEED_UTF8,
	POP3S_T_DELETED_ALREADY,
	POP3S_T_DELETED,
	POP3S_T_MESSAGES,
	POP3S_T_UIDS,
	POP3S_T_OCTETS,
	POP3S_T_TOP,
	POP3S_T_RSET,
	POP3S_T_NOOP,
	POP3S_T_LOGIN_OK,
	POP3S_T_NOT_REMOVED,
	POP3S_T_NONE_REMOVED,
	POP3S_T_CODE_AUTH,
	POP3S_T_CODE_IN_USE,
	POP3S_T_CODE_LOGIN_DELAY,
	POP3S_T_CODE_SYS_TEMP,
	POP3S_T_CODE_SYS_PERM,
	POP3S_T_CODE_OTHER,
	POP3S_T_N
};

enum pop3s_lang { POP3S_EN, POP3S_DE, POP3S_LANG_N };

struct pop3s_lang_row {
	const char *tag;  /* RFC 5646 */
	const char *name; /* in that language */
	const char *const *texts;
};

extern const struct pop3s_lang_row pop3s_langs[POP3S_LANG_N];

/* Words of the owner in another language; `why` itself where they are not known. */
const char *pop3s_translated(enum pop3s_lang lang, const char *why);

struct rs_pop3s {
	const struct rs_pop3s_cfg *cfg; /* lent */
	enum pop3s_state state;
	enum pop3s_listing listing;
	enum pop3s_lang lang;
	bool tls;
	bool utf8;
	bool line_long; /* the rest of an overlong line is being swallowed */
	bool has_drop;
	uint32_t bad_n;    /* refused before login */
	uint32_t list_at;  /* next line of the listing  */
	uint32_t open_row; /* message of OPEN and BODY  */
	uint32_t marked_n;
	uint64_t marked_octets;
	struct rs_drop drop; /* view, lent */
	uint8_t *marks;
	struct rs_buf line; /* the command line so far */
	struct rs_buf out;
	struct rs_buf user;   /* after USER */
	struct rs_buf secret; /* what the last LOGIN event lent out */
	char mech[24];        /* of the exchange under way */
	struct rs_dot_enc enc;
	bool turning; /* BODY: the header goes through `ascii` */
	struct rs_downgrade ascii;
	enum rs_err_kind err; /* why FAILED, and in words */
	const char *err_why;
};

/* pop3s.c */
void pop3s_state_set(struct rs_pop3s *s, enum pop3s_state to);
const char *pop3s_text(const struct rs_pop3s *s, enum pop3s_text t);
void pop3s_ok(struct rs_pop3s *s, enum pop3s_text t);
void pop3s_err(struct rs_pop3s *s, enum pop3s_text t);
void pop3s_reply(struct rs_pop3s *s, const char *fmt, ...) RS_FORMAT(2, 3); /* CRLF is added */
void pop3s_list_begin(struct rs_pop3s *s, enum pop3s_listing what);
/* A refusal that counts towards bad_max. */
void pop3s_bad(struct rs_pop3s *s, enum pop3s_text t);
void pop3s_wipe_login(struct rs_pop3s *s);

/* One command in its state; true when *ev was filled. */
bool pop3s_authorization(
	struct rs_pop3s *s, enum rs_pop3_verb v, struct rs_slice arg, struct rs_pop3s_event *ev);
bool pop3s_transaction(
	struct rs_pop3s *s, enum rs_pop3_verb v, struct rs_slice arg, struct rs_pop3s_event *ev);
/* A line in state SASL; true when *ev was filled. */
bool pop3s_sasl_line(struct rs_pop3s *s, struct rs_slice line, struct rs_pop3s_event *ev);
/* Octets that are told and sent of a message in this session. */
uint64_t pop3s_octets(const struct rs_pop3s *s, uint32_t row);
/* Of the whole maildrop. */
uint64_t pop3s_octets_all(const struct rs_pop3s *s);
/* How it is downgraded in this session; NULL: it is sent as it is. */
const struct rs_drop_ascii *pop3s_downgraded(const struct rs_pop3s *s, uint32_t row);
bool pop3s_login_allowed(const struct rs_pop3s *s);
const char *pop3s_mechs(const struct rs_pop3s *s);
/* CAPA and LANG are the same in both states. */
void pop3s_capa(struct rs_pop3s *s);
void pop3s_lang(struct rs_pop3s *s, struct rs_slice arg);
/* As many lines of the listing under way as the output has room for. */
void pop3s_list_fill(struct rs_pop3s *s);

#endif
