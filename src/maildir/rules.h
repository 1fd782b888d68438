/* rules - what the owner of a mailbox, or the provider, has settled about what is in it: how much it may
 * hold, what a POP3 session is shown of it, and what becomes of what a client deletes. Pure: no disk.
 *
 * The keys, the same in a user's line and in [store] of restanted.conf:
 *   quota=OCTETS[:MESSAGES]                        0: none            (default 0)
 *   view=all | newest:N | age:DAYS | since:DATE    DATE is YYYY-MM-DD (default all)
 *   junk=separate | show | hide                    (default separate: reached as user+Junk)
 *   junk-folder=NAME                               (default Junk)
 *   deleted=remove | keep[:FOLDER]                 (default remove; keep means keep:Kept)
 *   expire=never | DAYS                            (default never) */
#ifndef RS_MAILDIR_RULES_H
#define RS_MAILDIR_RULES_H

#include "base/slice.h"

#define RS_FOLDER_NAME_MAX 64u

struct rs_quota {
	uint64_t octets_max;   /* 0: no limit */
	uint64_t messages_max; /* 0: no limit */
};

enum rs_view_kind { RS_VIEW_ALL, RS_VIEW_NEWEST, RS_VIEW_AGE, RS_VIEW_SINCE };

struct rs_view {
	enum rs_view_kind kind;
	uint32_t newest; /* NEWEST: messages */
	int64_t seconds; /* AGE: seconds back from now; SINCE: seconds of 1970, UTC */
};

enum rs_junk {
	RS_JUNK_SEPARATE, /* user+Junk reaches it, the main maildrop does not show it      */
	RS_JUNK_SHOW,     /* shown in the main maildrop with a header field that says so   */
	RS_JUNK_HIDE      /* not to be had by POP3 at all                                  */
};

struct rs_rules {
	struct rs_quota quota;
	struct rs_view view;
	enum rs_junk junk;
	uint32_t expire_days; /* older messages are removed at the next opening; 0: never */
	char junk_folder[RS_FOLDER_NAME_MAX + 1];
	char kept_folder[RS_FOLDER_NAME_MAX + 1]; /* "": what is deleted is removed */
};

/* RFC 1939 behaviour, no quota. */
void rs_rules_init(struct rs_rules *r);
/* What holds for a mailbox of which the provider says `site` and its owner's line `r`: nobody has a shorter time than
 * the provider tells everybody before a login (EXPIRE of RFC 2449). */
void rs_rules_within(struct rs_rules *r, const struct rs_rules *site);
bool rs_rules_is_key(const char *key);
/* NULL, or what is wrong with the value and the cure ("is not …"), for a key of the list above. */
const char *rs_rules_set(struct rs_rules *r, const char *key, const char *value);

/* A Maildir++ folder as a person names it, without its leading dot: letters, digits, '-', '_', blank, and
 * single dots between them for folders in folders; 1 to RS_FOLDER_NAME_MAX octets. */
bool rs_folder_name_ok(struct rs_slice name);

#endif
