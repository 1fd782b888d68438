/* sandbox - what the kernel lets a role do, from the moment it says READY until it ends.
 *
 *   rs_sandbox_begin   first thing in the process: descriptors that are none of ours are closed
 *   rs_sandbox_files   before the role starts (no thread yet): Landlock, where the kernel has it
 *   rs_sandbox_calls   when the role has started: the seccomp list, on all of its threads
 *
 * Who needs what is decided by role and configuration in one place, rs_sandbox_needs; the list of
 * system calls is sandbox_calls.c, the list of folders is sandbox_files.c. A call that is not on
 * the list ends the role by SIGSYS; before that, the master hears its number (RS_MSG_VIOLATION).
 * Opening a file, where a role may not, fails with EACCES instead, because libraries look for files
 * that need not be there. */
#ifndef RS_SERVER_SANDBOX_H
#define RS_SERVER_SANDBOX_H

#include "base/err.h"
#include "server/conf.h"
#include "server/msg.h"

/* What a role may need beyond what every process does (memory, time, links, log). */
enum rs_need {
	RS_NEED_CLIENTS = 1 << 0,  /* accept connections, ask the kernel about them             */
	RS_NEED_READ = 1 << 1,     /* open files to read, list folders                          */
	RS_NEED_WRITE = 1 << 2,    /* make, link, rename, remove, sync files                    */
	RS_NEED_THREADS = 1 << 3,  /* the pool of libuv                                         */
	RS_NEED_CONNECT = 1 << 4,  /* sockets of its own, to ask others (database, relay, HTTP) */
	RS_NEED_HELPERS = 1 << 5,  /* PAM: modules are loaded late and may start a helper        */
	RS_NEED_ANY_FILE = 1 << 6, /* PAM: modules read what they like; no Landlock            */
	RS_NEED_LOCAL = 1 << 7     /* sockets of its own on this machine only (AF_UNIX)        */
};

unsigned rs_sandbox_needs(enum rs_role role, const struct rs_conf *c);

/* Where a role with RS_NEED_CONNECT connects to by TCP; Landlock, where the kernel has that, allows nothing else. */
struct rs_sandbox_ports {
	bool any; /* it depends on what others say */
	unsigned n;
	uint16_t port[8];
};

struct rs_sandbox_ports rs_sandbox_ports(enum rs_role role, const struct rs_conf *c);

void rs_sandbox_begin(int first_unwanted_fd);

/* 0 also where the kernel has no Landlock (then *version is 0); else -RS_EIO. */
int rs_sandbox_files(
	enum rs_role role, const struct rs_conf *c, int *version, struct rs_err *err) RS_MUST_USE;

/* `report_fd`: a link to the master, where a refused call is told; -1: none. 0 or -RS_EIO. */
int rs_sandbox_calls(
	enum rs_role role, const struct rs_conf *c, int report_fd, struct rs_err *err) RS_MUST_USE;

/* The name of a system call, "?" when unknown; owned by the caller (g_free). */
char *rs_sandbox_call_name(uint32_t number);

#endif
