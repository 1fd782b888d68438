/* watch_priv.h - what watch.c and watch_system.c share. Nobody else includes it. */
#ifndef RS_CLIENT_WATCH_PRIV_H
#define RS_CLIENT_WATCH_PRIV_H

#include "client/schedule.h"
#include "client/watch.h"

/* watch_system.c: what the system tells: of the network (GNetworkMonitor), of sleep (logind, where there is a system
 * bus). It calls watch_network and watch_resumed. */
struct watch_system;
struct watch_system *watch_system_create(struct rs_watch *w);
void watch_system_destroy(struct watch_system **s);

/* watch_outbox.c: what is to be sent. Calls watch_outbox_ended when it is idle again; not to be destroyed before. */
struct watch_outbox;
struct watch_outbox *watch_outbox_create(
	struct rs_watch *w, const struct rs_places *places, GCancellable *cancel);
void watch_outbox_destroy(struct watch_outbox **o);
void watch_outbox_flush(struct watch_outbox *o, GPtrArray *accounts);
bool watch_outbox_busy(const struct watch_outbox *o);

void watch_outbox_ended(struct rs_watch *w);
void watch_tell(struct rs_watch *w, const struct rs_watch_event *e);
void watch_network(struct rs_watch *w, bool available);
void watch_resumed(struct rs_watch *w, gint64 slept_ms);

#endif
