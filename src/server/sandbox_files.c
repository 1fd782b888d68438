/* sandbox_files.c - which folders a role may reach: Landlock (landlock(7)), see sandbox.h.
 *
 * The kernel is asked what it can do (ABI); what it does not know is left out. Debian 12 has no library
 * and old headers for it, so the numbers of the kernel's interface stand here. A rule is for a folder
 * and all below it: a file that is replaced by renaming (the user file) needs its folder. */
#include <errno.h>
#include <fcntl.h>
#include <glib.h>
#include <stdint.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "server/sandbox.h"

/* linux/landlock.h; the number of the ABI that brought it stands behind */
#define CALL_CREATE   444
#define CALL_ADD      445
#define CALL_RESTRICT 446
#define ASK_VERSION   1u
#define RULE_PATH     1
#define RULE_PORT     2
#define FS_WRITE_FILE UINT64_C(1 << 1)
#define FS_READ_FILE  UINT64_C(1 << 2)
#define FS_READ_DIR   UINT64_C(1 << 3)
#define FS_REMOVE_DIR UINT64_C(1 << 4)
#define FS_REMOVE     UINT64_C(1 << 5)
#define FS_MAKE_DIR   UINT64_C(1 << 7)
#define FS_MAKE_REG   UINT64_C(1 << 8)
#define FS_ALL_1      UINT64_C((1 << 13) - 1)
#define FS_REFER      UINT64_C(1 << 13) /* 2: link and rename from folder to folder */
#define FS_TRUNCATE   UINT64_C(1 << 14) /* 3 */
#define FS_IOCTL_DEV  UINT64_C(1 << 15) /* 5 */
#define NET_CONNECT   UINT64_C(2)       /* 4 */
#define NET_ALL       UINT64_C(3)       /* 4: bind and connect by TCP */
#define SCOPE_ALL     UINT64_C(3)       /* 6: abstract sockets, signals to others */

#define ON_FILES (FS_WRITE_FILE | FS_READ_FILE | FS_TRUNCATE)
#define READS    (FS_READ_FILE | FS_READ_DIR)
#define WRITES                                                                              \
	(FS_WRITE_FILE | FS_REMOVE_DIR | FS_REMOVE | FS_MAKE_DIR | FS_MAKE_REG | FS_REFER | \
		FS_TRUNCATE)

#define FOLDERS_MAX 32u

struct folder {
	char *path; /* a folder or a file; one that is not there is passed over */
	bool write;
};

struct folders {
	struct folder rows[FOLDERS_MAX];
	unsigned n;
};

struct ruleset {
	uint64_t fs;
	uint64_t net;
	uint64_t scope;
};

struct path_rule {
	uint64_t allowed;
	int32_t fd;
} __attribute__((packed));

struct port_rule {
	uint64_t allowed;
	uint64_t port;
};

static uint64_t all_of(long abi)
{
	uint64_t all = FS_ALL_1;

	if (abi >= 2)
		all |= FS_REFER;
	if (abi >= 3)
		all |= FS_TRUNCATE;
	return abi >= 5 ? all | FS_IOCTL_DEV : all;
}

/* --- the folders --------------------------------------------------------------------------- */

static void add(struct folders *f, char *taken, bool write)
{
	if (f->n == FOLDERS_MAX) { /* one fewer allowed, never one too many */
		g_free(taken);
		return;
	}
	f->rows[f->n++] = (struct folder){.path = taken, .write = write};
}

/* "/var/mail/%d/%n" is below "/var/mail"; of it, what is there: a folder that does not exist yet
 * is made by the store, in the one above. */
static char *root_of(const char *template)
{
	size_t n = strcspn(template, "%");
	char *path;
	char *slash;

	while (n > 1 && template[n - 1] != '/')
		n--;
	path = template[strcspn(template, "%")] ? g_strndup(template, n) : g_strdup(template);
	while (access(path, F_OK) < 0 && (slash = strrchr(path, '/')) && slash > path)
		*slash = '\0';
	return path;
}

/* A file is replaced by renaming: its folder. NULL and URLs are passed over. */
static void add_folder_of(struct folders *f, const char *file)
{
	if (file && file[0] == '/')
		add(f, g_path_get_dirname(file), false);
}

/* Files a role reads when it asks others over the network: names, certificates, modules of libc. */
static void add_network(struct folders *f)
{
	static const char *const paths[] = {"/etc", "/usr/lib", "/usr/share", "/usr/local/lib",
		"/usr/local/share", "/lib", "/lib64", "/run/systemd/resolve", "/run/resolvconf"};

	for (size_t i = 0; i < G_N_ELEMENTS(paths); i++)
		add(f, g_strdup(paths[i]), false);
}

static void folders_of(enum rs_role role, const struct rs_conf *c, struct folders *f)
{
	const char *file = c->users ? strchr(c->users, '/') : NULL;

	if (role == RS_ROLE_STORE && c->store_type == RS_STORE_MAILDIR && c->store_path)
		add(f, root_of(c->store_path), true);
	for (char **root = c->store_roots; role == RS_ROLE_STORE && root && *root; root++)
		add(f, g_strdup(*root), true);
	if (role == RS_ROLE_AUTH && file && g_str_has_prefix(c->users, "passwd-file:"))
		add(f, g_path_get_dirname(file), false);
	if (role == RS_ROLE_AUTH) {
		add_folder_of(f, c->oauth_jwks);
		add_folder_of(f, c->oauth_client_secret);
		add_folder_of(f, c->oauth_ca_file);
	}
	if (rs_sandbox_needs(role, c) & (RS_NEED_CONNECT | RS_NEED_LOCAL))
		add_network(f);
}

/* --- the kernel ---------------------------------------------------------------------------- */

static int allow(int set, const struct folder *row, uint64_t all)
{
	struct path_rule rule = {.allowed = (row->write ? READS | WRITES : READS) & all};
	struct stat st;
	long rc;

	rule.fd = open(row->path, O_PATH | O_CLOEXEC);
	if (rule.fd < 0)
		return 0; /* what is not there need not be reached */
	if (fstat(rule.fd, &st) == 0 && !S_ISDIR(st.st_mode))
		rule.allowed &= ON_FILES;
	rc = syscall(CALL_ADD, set, RULE_PATH, &rule, 0);
	close(rule.fd);
	return rc < 0 ? -1 : 0;
}

static int allow_port(int set, uint16_t port)
{
	struct port_rule rule = {.allowed = NET_CONNECT, .port = port};

	return syscall(CALL_ADD, set, RULE_PORT, &rule, 0) < 0 ? -1 : 0;
}

static int confine(const struct folders *f, const struct rs_sandbox_ports *ports, long abi)
{
	struct ruleset rules = {.fs = all_of(abi)};
	size_t n = offsetof(struct ruleset, net);
	long set;
	int rc = 0;

	if (abi >= 4) {
		n = offsetof(struct ruleset, scope);
		rules.net = ports->any ? 0 : NET_ALL;
	}
	if (abi >= 6) {
		n = sizeof(rules);
		rules.scope = SCOPE_ALL;
	}
	set = syscall(CALL_CREATE, &rules, n, 0);
	if (set < 0)
		return -1;
	for (unsigned i = 0; i < f->n && rc == 0; i++)
		rc = allow((int)set, &f->rows[i], rules.fs);
	for (unsigned i = 0; i < ports->n && rc == 0 && rules.net; i++)
		rc = allow_port((int)set, ports->port[i]);
	if (rc == 0 && syscall(CALL_RESTRICT, set, 0) < 0)
		rc = -1;
	close((int)set);
	return rc;
}

int rs_sandbox_files(enum rs_role role, const struct rs_conf *c, int *version, struct rs_err *err)
{
	unsigned needs = rs_sandbox_needs(role, c);
	struct rs_sandbox_ports ports = rs_sandbox_ports(role, c);
	struct folders folders = {.n = 0};
	long abi = syscall(CALL_CREATE, NULL, 0, ASK_VERSION);
	int rc = 0;

	*version = 0;
	/* no Landlock; or one that would forbid the store to rename from tmp/ to new/ */
	if (abi < 1 || (abi < 2 && needs & RS_NEED_WRITE) || needs & RS_NEED_ANY_FILE)
		return 0;
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0) {
		folders_of(role, c, &folders);
		rc = confine(&folders, &ports, abi);
	}
	if (rc < 0)
		rc = rs_err_set(err, RS_EIO, "landlock: %s", g_strerror(errno));
	else
		*version = (int)abi;
	for (unsigned i = 0; i < folders.n; i++)
		g_free(folders.rows[i].path);
	return rc;
}
