/* sending.h - what the commands that send have in common: try it now, and say what came of it. */
#ifndef RS_RESTANTE_SENDING_H
#define RS_RESTANTE_SENDING_H

#include "client/outbox.h"
#include "restante/restante.h"

struct rs_sending {
	struct rs_places places;
	GPtrArray *accounts;
	struct rs_outbox *outbox;
	/* of the last message that was tried */
	enum rs_out_state state;
	int status;
	bool put; /* rs_sending_send: it is in the outbox, or has gone */
};

/* 0, or an exit status with the reason said. */
int rs_sending_open(struct rs_sending *s);
void rs_sending_close(struct rs_sending *s);

/* The callback of a flush (arg: struct rs_sending): one line for what was sent, what is wrong and what can be done. */
void rs_sending_told(void *arg, const struct rs_out_item *item, const struct rs_err *err);
/* The same without advice, and nothing for what was sent: a script reads it. */
void rs_sending_told_short(void *arg, const struct rs_out_item *item, const struct rs_err *err);

/* Put it into the outbox and try it. Returns the exit status. The envelope stays the caller's. */
int rs_sending_send(struct rs_sending *s, struct rs_envelope *e, int fd);

/* "bert@example.net", "bert@example.net and 2 more"; owned. */
char *rs_sending_people(const struct rs_envelope *e);

#endif
