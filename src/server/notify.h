/* notify - sd_notify(3) and the watchdog of systemd, without its library; nothing happens where
 * the service was not started by systemd (no NOTIFY_SOCKET). */
#ifndef RS_SERVER_NOTIFY_H
#define RS_SERVER_NOTIFY_H

#include "base/base.h"

/* "READY=1", "STATUS=…"; several lines are one message. */
void rs_notify(const char *text);
/* RELOADING=1 with the clock it wants beside it. */
void rs_notify_reloading(void);
/* How often to say WATCHDOG=1, in milliseconds; 0: never. */
uint64_t rs_notify_watchdog_ms(void);

#endif
