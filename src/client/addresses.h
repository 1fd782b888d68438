/* addresses - mail addresses out of header fields, and whose they are. RFC 5322 section 3.4. */
#ifndef RS_CLIENT_ADDRESSES_H
#define RS_CLIENT_ADDRESSES_H

#include <glib.h>
#include <stdbool.h>

#include "client/account.h"

#define RS_ADDRESS_MAX 320u /* octets: RFC 5321 section 4.5.3.1, with room for the sign */

/* Every addr-spec of a field ("Anna <anna@example.org>, bert@example.net"; groups are opened), owned; NULL and nonsense
 * give none. */
GPtrArray *rs_addresses_of(const char *raw);
/* Can it stand in an envelope? */
bool rs_address_ok(const char *address);
/* Domains in any case; local parts as well, because no one has two that differ in it. */
bool rs_address_same(const char *a, const char *b);

/* The account whose address, or alias, it is; NULL: nobody's of ours. Borrowed. */
struct rs_account *rs_address_account(const GPtrArray *accounts, const char *address);
/* "Anna Schmidt <anna@example.org>", owned. */
char *rs_address_of_account(const struct rs_account *a);
/* The one to send by: the first of them that can send; NULL: none can. Borrowed. */
struct rs_account *rs_account_that_sends(const GPtrArray *accounts);

#endif
