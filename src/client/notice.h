/* notice - desktop notifications (org.freedesktop.Notifications, version 1.2) where there is a session bus;
 * without one nothing happens. Sender and subject, never a body. Nothing here waits.
 * Thread: the one that runs the default main context. */
#ifndef RS_CLIENT_NOTICE_H
#define RS_CLIENT_NOTICE_H

#include "client/checks.h"

struct rs_notices;

struct rs_notices *rs_notices_create(void);
/* Waits for what is on its way, at most `wait_ms`. */
void rs_notices_destroy(struct rs_notices **n, guint wait_ms);
/* "anna: 3 new messages", and the first of them. */
void rs_notices_new_mail(struct rs_notices *n, const char *account, guint count,
	const GArray *named /* struct rs_check_new */);
void rs_notices_trouble(struct rs_notices *n, const char *account, const char *text);

#endif
