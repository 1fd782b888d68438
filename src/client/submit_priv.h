/* submit_priv.h - what the files of sending share. Nobody else includes it. */
#ifndef RS_CLIENT_SUBMIT_PRIV_H
#define RS_CLIENT_SUBMIT_PRIV_H

#include "client/net.h"
#include "client/submit.h"
#include "proto/smtpc.h"

struct rs_submit {
	const struct rs_account *account;
	struct rs_net_where where;
	struct rs_net *net;
	struct rs_smtpc_cfg cfg;
	struct rs_smtpc *engine;
	char *hello;          /* the name told with EHLO */
	bool ready;           /* transactions may begin */
	bool over;            /* nothing more will come of this session */
	struct rs_slice rest; /* of buf */
	guint8 buf[16384];
};

/* submit.c: write and read once; *came: an event came of it. */
int submit_turn(struct rs_submit *s, struct rs_smtpc_event *ev, bool *came, struct rs_err *err);
/* The session broke: the words for it. */
int submit_broke(struct rs_submit *s, struct rs_err *err);
/* Until an event is there. */
int submit_event(struct rs_submit *s, struct rs_smtpc_event *ev, struct rs_err *err);
/* The server's words with code and status, one clean line. Owned. */
char *submit_words(const struct rs_smtpc_event *ev);

/* submit_login.c: behind LOGIN, up to READY. */
int submit_login(struct rs_submit *s, const struct rs_submit_login *login, const char *mechs,
	struct rs_err *err);

#endif
