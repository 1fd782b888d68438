/* err - the closed list of what can go wrong, and an error with words.
 * Functions return 0 or a negative kind (-RS_ENOMEM). Where more is known, the last parameter
 * is a `struct rs_err`: `text` is for the person or the peer (no secrets, no paths of ours
 * towards a peer), `detail` is for the log. Out parameters are untouched on failure. */
#ifndef RS_BASE_ERR_H
#define RS_BASE_ERR_H

#include "base/base.h"

enum rs_err_kind {
	RS_OK = 0,
	RS_ENOMEM,   /* no memory                                             */
	RS_EINVAL,   /* the caller's (or a file's) value is not acceptable    */
	RS_ELIMIT,   /* a ceiling was reached                                 */
	RS_EBUSY,    /* not now: something else must happen first             */
	RS_EPROTO,   /* the peer broke the protocol                           */
	RS_ECLOSED,  /* the other side ended                                  */
	RS_EIO,      /* local input/output failed                             */
	RS_ENOSPC,   /* disk or quota full                                    */
	RS_EROFS,    /* read-only or not permitted                            */
	RS_EEXIST,   /* is there already                                      */
	RS_ENOENT,   /* is not there                                          */
	RS_EAUTH,    /* login refused                                         */
	RS_ECERT,    /* certificate refused                                   */
	RS_ETEMP,    /* try again later                                       */
	RS_ELOCKED,  /* somebody else holds the lock                          */
	RS_ECORRUPT, /* stored data are not what they must be                 */
	RS_ECONFIG,  /* the configuration is wrong                            */
	RS_ENET      /* network: no route, refused, timed out                 */
};

#define RS_ERR_TEXT_MAX   511
#define RS_ERR_DETAIL_MAX 511

struct rs_err {
	enum rs_err_kind kind;
	char text[RS_ERR_TEXT_MAX + 1];
	char detail[RS_ERR_DETAIL_MAX + 1];
};

/* Fill `err` (NULL is allowed) and return -kind. Too long a text is cut. */
int rs_err_set(struct rs_err *err, enum rs_err_kind kind, const char *fmt, ...) RS_FORMAT(3, 4);

/* Add the line for the log to an error already set. */
void rs_err_detail(struct rs_err *err, const char *fmt, ...) RS_FORMAT(2, 3);

/* Kind for an errno value: ENOSPC and EDQUOT -> RS_ENOSPC, EROFS, EACCES, EPERM -> RS_EROFS ... */
enum rs_err_kind rs_err_kind_of_errno(int errnum);

/* Short lower-case name of a kind ("no-space"), for logs and JSON. Never NULL. */
const char *rs_err_kind_name(enum rs_err_kind kind);

#endif
