/* lmtps_priv.h - what the files of the LMTP/SMTP server engine share. Nobody else includes it. */
#ifndef RS_PROTO_LMTPS_PRIV_H
#define RS_PROTO_LMTPS_PRIV_H

#include "base/buf.h"
#include "proto/dot.h"
#include "proto/lmtps.h"

/* See the diagram in lmtps.c. */
enum lmtps_state {
	LMTPS_START,
	LMTPS_READY,
	LMTPS_MAIL, /* a transaction is open, perhaps with recipients */
	LMTPS_WAIT, /* the owner has MAIL, RCPT, DATA or AUTH         */
	LMTPS_WAIT_TLS,
	LMTPS_SASL,
	LMTPS_DATA,
	LMTPS_CHUNK,   /* octets of one BDAT                        */
	LMTPS_RESULTS, /* the owner has END                            */
	LMTPS_CLOSED,
	LMTPS_FAILED
};

struct rs_lmtps {
	const struct rs_lmtps_cfg *cfg; /* lent */
	enum lmtps_state state;
	enum lmtps_state before;  /* WAIT: where it came from */
	enum rs_lmtps_kind asked; /* WAIT: what the owner has */
	bool tls;
	bool authed;
	bool utf8; /* of this transaction */
	bool too_big;
	bool chunks;     /* this message comes by BDAT … */
	bool chunk_last; /* … and the chunk under way is its last */
	uint64_t chunk_left;
	uint64_t octets; /* of the chunks so far */
	unsigned
		skip_code; /* the chunk is read and thrown away, then this is said; 0: it is taken */
	char skip_status[8];
	bool line_long;
	bool reset_due; /* RESET is to be told before the next line */
	uint32_t bad_n;
	uint32_t rcpt_n;
	uint32_t results_n;
	struct rs_dot_dec dec;
	struct rs_buf line;
	struct rs_buf out;
	struct rs_buf secret;
	char mech[24];
	struct rs_err err;
};

/* lmtps.c */
void lmtps_state_set(struct rs_lmtps *s, enum lmtps_state to);
void lmtps_reply(struct rs_lmtps *s, unsigned code, const char *status, const char *text);
void lmtps_bad(struct rs_lmtps *s, unsigned code, const char *status, const char *text);
/* Ask the owner: *ev is filled but for its fields; true. */
bool lmtps_ask(struct rs_lmtps *s, enum rs_lmtps_kind what, struct rs_lmtps_event *ev);

/* lmtps_cmd.c: one command line; true when *ev was filled. */
bool lmtps_command(struct rs_lmtps *s, struct rs_slice line, struct rs_lmtps_event *ev);
/* BDAT with room for `n` octets; true when *ev was filled. */
bool lmtps_chunk(struct rs_lmtps *s, uint64_t n, bool last, struct rs_lmtps_event *ev);
bool lmtps_sasl_line(struct rs_lmtps *s, struct rs_slice line, struct rs_lmtps_event *ev);

/* lmtps_addr.c: the path behind "FROM:" or "TO:". *addr is without <> and source route; *rest is
 * what follows the ">". False: not an address. RFC 5321 section 4.1.2, 6531 with `utf8`. */
bool lmtps_path(struct rs_slice in, bool null_ok, struct rs_slice *addr, struct rs_slice *rest);
/* Every octet of the address may be there: UTF-8 only with SMTPUTF8. */
bool lmtps_addr_ok(struct rs_slice addr, bool utf8);

#endif
