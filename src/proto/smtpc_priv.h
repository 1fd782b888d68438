/* smtpc_priv.h - what the files of the SMTP client engine share. Nobody else includes it. */
#ifndef RS_PROTO_SMTPC_PRIV_H
#define RS_PROTO_SMTPC_PRIV_H

#include "base/buf.h"
#include "proto/dot.h"
#include "proto/smtpc.h"

/* See the diagram in smtpc.c. */
enum smtpc_state {
	SMTPC_GREETING,
	SMTPC_EHLO,
	SMTPC_HELO,
	SMTPC_STARTTLS,
	SMTPC_WAIT_TLS, /* the owner shakes hands                                */
	SMTPC_LOGIN,    /* the owner logs in, or says that it does not            */
	SMTPC_SASL,     /* … and answers a challenge                             */
	SMTPC_AUTH,     /* `auth` says what the next 334 asks for                */
	SMTPC_READY,    /* commands of the owner; `queue` waits for its answers  */
	SMTPC_BODY,     /* 354 has come, the end is not out                      */
	SMTPC_QUIT,
	SMTPC_CLOSED,
	SMTPC_FAILED
};

enum smtpc_auth { SMTPC_AUTH_OWNER, SMTPC_AUTH_DONE, SMTPC_AUTH_USER, SMTPC_AUTH_PASSWORD };

struct smtpc_cmd {
	enum rs_smtpc_kind kind;
	uint32_t tag;
};

/* One reply as it comes in. */
struct smtpc_reply {
	unsigned code; /* 0: no line of it yet */
	uint32_t lines_n;
	char status[12];
	struct rs_buf text;
	struct rs_buf challenge; /* what stands behind 334, decoded */
};

struct rs_smtpc {
	const struct rs_smtpc_cfg *cfg; /* lent */
	enum smtpc_state state;
	enum smtpc_auth auth;
	bool tls;
	bool given; /* the reply was lent out with the last event */
	bool cr;    /* BODY: the last octet was a CR */
	uint32_t caps;
	uint64_t size_max;
	struct rs_buf mechs;     /* names of AUTH, a blank between */
	struct smtpc_cmd *queue; /* ring of depth_max */
	uint32_t first;
	uint32_t queued;
	struct rs_dot_enc enc;
	struct smtpc_reply reply;
	struct rs_buf line;
	struct rs_buf out;
	struct rs_err err;
};

/* smtpc.c */
enum rs_step smtpc_fail(struct rs_smtpc *c, enum rs_err_kind kind, const char *why);
/* A command line without its CRLF; FAILED when there is no memory. */
void smtpc_say(struct rs_smtpc *c, const char *verb, struct rs_slice arg);

/* smtpc_reply.c: one line of a reply, without its end. RS_MORE: the reply goes on; RS_EVENT: it is whole;
 * RS_FAILED. */
enum rs_step smtpc_reply_line(struct rs_smtpc *c, struct rs_slice line);
void smtpc_reply_forget(struct rs_smtpc *c);

/* smtpc_begin.c: a whole reply before READY. RS_MORE: nothing to tell; else *ev is filled. */
enum rs_step smtpc_begin(struct rs_smtpc *c, struct rs_smtpc_event *ev);
void smtpc_ehlo(struct rs_smtpc *c);

#endif
