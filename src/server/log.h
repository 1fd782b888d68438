/* log - one line an event to standard error: text or JSON, each in one write, alone or with others.
 * A line has a time (UTC), a level, the role, the event, and key-value pairs; values of one
 * connection carry its id, through all roles. Values may be hostile: what is not UTF-8 is replaced,
 * long values are cut at VALUE_MAX octets. Never a password, a token, a body. Thread: any. */
#ifndef RS_SERVER_LOG_H
#define RS_SERVER_LOG_H

#include "base/base.h"

enum rs_log_level { RS_LOG_ERROR, RS_LOG_WARNING, RS_LOG_INFO, RS_LOG_DEBUG };

/* Once at the start of a process. `who`: "master", "front0"; kept as given. */
void rs_log_init(const char *who, bool json, int level);

/* From now on lines of the calling thread gather until rs_log_flush, which is called before the loop waits and
 * before anything is told to a client or another role: what they know is in the log. Warnings and errors take what has
 * gathered with them at once, and what would not be one piece in a pipe (PIPE_BUF octets) any more leaves
 * before. Other threads write each line as it comes. */
void rs_log_gather(void);
void rs_log_flush(void);

/* Pairs of `const char *`, ended by NULL. A NULL value is left out with its key. */
void rs_log(enum rs_log_level level, const char *event, ...) RS_SENTINEL;

/* A number as a value; lent until eight more calls on the same thread. */
const char *rs_log_num(uint64_t v);

/* Of a number by which roles know a session (msg.h): the connection's id, eleven hex digits, and
 * which transaction of it (NULL: none, a POP3 session). Lent as rs_log_num. */
const char *rs_log_id(uint64_t session);
const char *rs_log_txn(uint64_t session);

#endif
