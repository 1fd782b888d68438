/* ledger - what is known of the messages of each account: one SQLite file, one row a message.
 *
 * States of a row and who moves it:
 *   (none) --plan_store--> STORING --stored--> STORED --dele--> DELETING --gone--> GONE
 *   STORING  the file name is decided and recorded; the file may or may not be there yet
 *   STORED   the message is durable in the mailbox
 *   DELETING DELE was sent or is about to be; the server may or may not have done it
 *   GONE     QUIT was confirmed, or the message was absent from a later whole listing
 * Facts: a row is STORED only after the file and its folder were made durable; DELE is sent only
 * for STORED rows; STORING rows are settled at the start of each run by looking for the file. */
#ifndef RS_CLIENT_LEDGER_H
#define RS_CLIENT_LEDGER_H

#include <glib.h>

#include "base/err.h"
#include "base/slice.h"

struct rs_ledger;

int rs_ledger_open(const char *file, struct rs_ledger **out, struct rs_err *err) RS_MUST_USE;
void rs_ledger_close(struct rs_ledger **l);

#endif
