/* master - starts the roles, binds the ports, reads the configuration; then does nothing but wait.
 * It sees no octet of a client. A role that ends is started again, and its peers get new links. */
#ifndef RS_SERVER_MASTER_H
#define RS_SERVER_MASTER_H

/* `restanted serve`: runs until SIGTERM or SIGINT; returns the exit status (sysexits.h). */
int rs_master_main(const char *conf_file);

#endif
