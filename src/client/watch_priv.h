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

void watch_network(struct rs_watch *w, bool available);
void watch_resumed(struct rs_watch *w, gint64 slept_ms);

#endif
