/* base - the few compiler extensions the tree uses, each behind one macro.
 * Floor 0. Plain C17 plus GCC 12 / Clang 14 attributes; nothing else in the tree spells
 * __attribute__ out. */
#ifndef RS_BASE_BASE_H
#define RS_BASE_BASE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RS_CLEANUP(fn)     __attribute__((cleanup(fn)))
#define RS_FORMAT(fmt, va) __attribute__((format(printf, fmt, va)))
#define RS_MUST_USE        __attribute__((warn_unused_result))
#define RS_NONNULL         __attribute__((nonnull))
#define RS_SENTINEL        __attribute__((sentinel)) /* ended by NULL */

#define RS_ARRAY_N(a) (sizeof(a) / sizeof((a)[0]))
#define RS_MIN(a, b)  ((a) < (b) ? (a) : (b))
#define RS_MAX(a, b)  ((a) > (b) ? (a) : (b))

#endif
