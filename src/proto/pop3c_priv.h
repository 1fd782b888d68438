/* pop3c_priv.h - what the files of the POP3 client engine share. Nobody else includes it. */
#ifndef RS_PROTO_POP3C_PRIV_H
#define RS_PROTO_POP3C_PRIV_H

#include "base/buf.h"
#include "proto/dot.h"
#include "proto/pop3c.h"

/* See the diagram in pop3c.c. */
enum pop3c_state {
	POP3C_GREETING,  /* nothing has come yet                          */
	POP3C_REPLY,     /* between answers: the next line is a status line */
	POP3C_LINES,     /* inside a listing                              */
	POP3C_BODY,      /* inside a body                                 */
	POP3C_WAIT_SASL, /* the owner has a challenge                    */
	POP3C_WAIT_TLS,  /* the owner shakes hands                       */
	POP3C_CLOSED,
	POP3C_FAILED
};

struct pop3c_cmd {
	enum rs_pop3_verb verb;
	uint32_t tag;
	bool has_arg;
};

struct rs_pop3c {
	struct rs_pop3c_limits lim;
	enum pop3c_state state;
	bool pipelining;
	bool assumed;            /* PASS and AUTH are no barriers (rs_pop3c_assume)        */
	bool barrier;            /* the last command queued lets nothing behind it */
	bool line_given;         /* the line was lent out with the last event      */
	bool bare_lf;            /* the status line of this answer ended with a bare LF */
	struct pop3c_cmd *queue; /* ring of depth_max */
	uint32_t first;
	uint32_t queued;
	uint64_t lines_n; /* of the listing under way */
	struct rs_dot_dec dec;
	struct rs_buf line;
	struct rs_buf out;
	struct rs_buf initial; /* initial response that waits for the first challenge */
	struct rs_buf decoded; /* challenge, decoded                                  */
	uint32_t caps;
	uint32_t login_delay_s;
	struct rs_buf mechs; /* SASL line of CAPA */
	struct rs_err err;
};

/* pop3c.c */
void pop3c_state_set(struct rs_pop3c *c, enum pop3c_state to);
enum rs_step pop3c_fail(struct rs_pop3c *c, enum rs_err_kind kind, const char *why);
/* The command whose answer is under way; NULL: none is pending. */
const struct pop3c_cmd *pop3c_current(const struct rs_pop3c *c);
void pop3c_answered(struct rs_pop3c *c); /* the current command is done */

int pop3c_may_send(const struct rs_pop3c *c); /* 0, -RS_EBUSY, -RS_ECLOSED */
int pop3c_auth_queue(struct rs_pop3c *c, uint32_t tag);

/* pop3c_reply.c: one line without its end in the state given; RS_EVENT or RS_FAILED. */
enum rs_step pop3c_status_line(struct rs_pop3c *c, struct rs_slice line, struct rs_pop3c_event *ev);
enum rs_step pop3c_list_line(struct rs_pop3c *c, struct rs_slice line, struct rs_pop3c_event *ev);

/* pop3c_caps.c */
void pop3c_caps_reset(struct rs_pop3c *c);
void pop3c_caps_line(struct rs_pop3c *c, struct rs_slice line);

/* pop3c_auth.c */
enum rs_step pop3c_challenge(struct rs_pop3c *c, struct rs_slice text, struct rs_pop3c_event *ev);

#endif
