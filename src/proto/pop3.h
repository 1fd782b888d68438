/* pop3 - the words both POP3 engines share: verbs, states, response codes, step results.
 * RFC 1939, 2449 (CAPA, codes), 2595 (STLS), 3206 (SYS, AUTH), 5034 (SASL), 6856 (UTF8, LANG). */
#ifndef RS_PROTO_POP3_H
#define RS_PROTO_POP3_H

#include "base/base.h"
#include "base/slice.h"

/* How one recv call of an engine ended; *used octets of the input were taken. */
enum rs_step {
	RS_MORE,    /* *used == n, nothing to report: read more              */
	RS_EVENT,   /* *ev is filled: act, then call again with the rest     */
	RS_BLOCKED, /* waits for its owner or for output room: keep the rest */
	RS_CLOSED,  /* ended in good order: flush what is out, close         */
	RS_FAILED   /* broken for good: read _error(), flush, close          */
};

enum rs_pop3_verb {
	RS_POP3_NONE, /* unknown, or the greeting */
	RS_POP3_USER,
	RS_POP3_PASS,
	RS_POP3_APOP,
	RS_POP3_AUTH,
	RS_POP3_CAPA,
	RS_POP3_STLS,
	RS_POP3_UTF8,
	RS_POP3_LANG,
	RS_POP3_STAT,
	RS_POP3_LIST,
	RS_POP3_UIDL,
	RS_POP3_RETR,
	RS_POP3_DELE,
	RS_POP3_NOOP,
	RS_POP3_RSET,
	RS_POP3_TOP,
	RS_POP3_QUIT,
	RS_POP3_VERB_N
};

/* Where a verb may be given; bits. RFC 1939 section 3. */
#define RS_POP3_IN_AUTHORIZATION 1u
#define RS_POP3_IN_TRANSACTION   2u

struct rs_pop3_verb_row {
	char name[5];
	uint8_t states; /* RS_POP3_IN_*                                              */
	uint8_t args_min;
	uint8_t args_max;
	bool multi;           /* +OK is followed by lines up to "." (LIST, UIDL: see below) */
	bool multi_if_no_arg; /* LIST, UIDL and LANG: only without argument                 */
	bool barrier;         /* nothing may be pipelined behind it (client side)           */
};

extern const struct rs_pop3_verb_row rs_pop3_verbs[RS_POP3_VERB_N];

/* Either case; RS_POP3_NONE for an unknown one. */
enum rs_pop3_verb rs_pop3_verb_of(struct rs_slice word);

/* Extended response codes: RFC 2449 section 8, 3206, 6856 section 5. */
enum rs_pop3_code {
	RS_POP3_CODE_NONE,
	RS_POP3_CODE_IN_USE,      /* [IN-USE]      */
	RS_POP3_CODE_LOGIN_DELAY, /* [LOGIN-DELAY] */
	RS_POP3_CODE_SYS_TEMP,    /* [SYS/TEMP]    */
	RS_POP3_CODE_SYS_PERM,    /* [SYS/PERM]    */
	RS_POP3_CODE_AUTH,        /* [AUTH]        */
	RS_POP3_CODE_UTF8,        /* [UTF8]        */
	RS_POP3_CODE_OTHER        /* a code we do not know; hierarchical ones match by prefix */
};

const char *rs_pop3_code_name(enum rs_pop3_code code); /* "IN-USE"; "" for NONE and OTHER */

/* Code of a reply text ("[IN-USE] busy"); *text moves behind the code and one blank. */
enum rs_pop3_code rs_pop3_code_of(struct rs_slice *text);

/* Ceilings the RFCs set, in octets, CRLF included where a line is meant. */
#define RS_POP3_LINE_MAX  255u /* command line, RFC 2449 section 4 */
#define RS_POP3_REPLY_MAX 512u /* first line of a reply, RFC 2449 section 4 */
#define RS_POP3_UID_MAX   70u  /* RFC 1939 section 7 (UIDL) */

#endif
