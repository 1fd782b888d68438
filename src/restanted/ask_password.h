/* ask_password - a password from whoever runs the command. */
#ifndef RS_RESTANTED_ASK_PASSWORD_H
#define RS_RESTANTED_ASK_PASSWORD_H

#include "base/err.h"

#define ASK_PASSWORD_MAX 1024

/* One line of standard input; on a terminal without echo, and asked for twice. Wipe `out`.
 * -RS_EINVAL: none was given, or the two differ, or there is no terminal and not `from_stdin`. */
int ask_password(bool from_stdin, char out[ASK_PASSWORD_MAX], struct rs_err *err) RS_MUST_USE;

#endif
