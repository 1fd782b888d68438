/* secret_service - the desktop's secret service (GNOME Keyring, KWallet, KeePassXC: org.freedesktop.secrets), by
 * libsecret. Only where there is a session bus, and never with $RESTANTE_HOME, which has everything in one folder. */
#ifndef RS_CLIENT_SECRET_SERVICE_H
#define RS_CLIENT_SECRET_SERVICE_H

#include "base/secret.h"
#include "client/account.h"

bool rs_secret_service_there(void);

/* 0; -RS_ENOENT: it has none; -RS_ENET: it does not answer, or the person did not unlock it. */
int rs_secret_service_get(const struct rs_places *p, const char *account, const char *what,
	struct rs_secret **out) RS_MUST_USE;
int rs_secret_service_put(const struct rs_places *p, const char *account, const char *what,
	const struct rs_secret *secret) RS_MUST_USE;
void rs_secret_service_forget(const struct rs_places *p, const char *account, const char *what);

#endif
