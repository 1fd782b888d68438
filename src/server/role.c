/* role.c - see role.h */
#include "server/role.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/num.h"
#include "server/log.h"
#include "server/sandbox.h"
#include "server/stats.h"

#define CONF_TEXT_MAX (1024 * 1024)
#define CONTROL_FDS \
	16u /* a new link to another role is not lost when clients have all descriptors */

/* --- rights -------------------------------------------------------------------------------- */

static bool parse_ids(const char *text, uid_t *uid, gid_t *gid)
{
	struct rs_slice s = rs_slice_str(text);
	size_t colon = rs_slice_find(s, ':');
	uint32_t u;
	uint32_t g;

	if (rs_num_u32(rs_slice_sub(s, 0, colon), UINT32_MAX - 1, &u) < 0 ||
		rs_num_u32(rs_slice_sub(s, colon + 1, s.n), UINT32_MAX - 1, &g) < 0)
		return false;
	*uid = u;
	*gid = g;
	return true;
}

int rs_role_user(const char *text, uid_t *uid, gid_t *gid, struct rs_err *err)
{
	g_autofree char *name = g_strndup(text, strcspn(text, ":"));
	const char *group = strchr(text, ':');
	const struct passwd *pw;
	const struct group *gr;

	if (parse_ids(text, uid, gid))
		return 0;
	pw = getpwnam(name);
	if (!pw)
		return rs_err_set(err, RS_ECONFIG,
			"there is no user '%s' here; make it with: useradd --system "
			"--no-create-home %s",
			name, name);
	*uid = pw->pw_uid;
	*gid = pw->pw_gid;
	gr = group ? getgrnam(group + 1) : NULL;
	if (group && !gr)
		return rs_err_set(err, RS_ECONFIG, "there is no group '%s' here", group + 1);
	if (gr)
		*gid = gr->gr_gid;
	return 0;
}

int rs_role_group(const char *name, gid_t *gid, struct rs_err *err)
{
	const struct group *g = getgrnam(name);

	if (!g)
		return rs_err_set(err, RS_ECONFIG,
			"[server] admin-group = %s: there is no such group; make it with: groupadd "
			"--system %s",
			name, name);
	*gid = g->gr_gid;
	return 0;
}

int rs_role_check_names(const struct rs_conf *c, struct rs_err *err)
{
	const char *const names[] = {c->user, c->front_user, c->auth_user};
	uid_t uid;
	gid_t gid;
	int rc = c->admin_group ? rs_role_group(c->admin_group, &gid, err) : 0;

	if (geteuid() != 0 || rc < 0)
		return rc;
	if (!c->user)
		return rs_err_set(err, RS_ECONFIG,
			"started as root, but [server] user is not given; make one (useradd "
			"--system "
			"--no-create-home restante), let it own the mail, and write: user = "
			"restante");
	for (size_t i = 0; i < G_N_ELEMENTS(names) && rc == 0; i++)
		rc = names[i] ? rs_role_user(names[i], &uid, &gid, err) : 0;
	return rc;
}

static const char *user_of(const struct rs_proc *r)
{
	const struct rs_conf *c = r->conf;
	bool stranger = r->kind == RS_ROLE_FRONT || r->kind == RS_ROLE_ADMIN ||
			r->kind == RS_ROLE_RELAY; /* has no mail and no users */

	if (r->kind == RS_ROLE_RELAY && c->relay_user) /* it knows the relay's password */
		return c->relay_user;
	if (stranger && c->front_user)
		return c->front_user;
	return r->kind == RS_ROLE_AUTH && c->auth_user ? c->auth_user : c->user;
}

/* Front and admin need no file: their root is an empty folder. */
static int enter_empty_root(const struct rs_proc *r, struct rs_err *err)
{
	g_autofree char *empty = g_build_filename(r->conf->run_dir, "empty", NULL);

	if (r->kind != RS_ROLE_FRONT && r->kind != RS_ROLE_ADMIN)
		return 0;
	if (chroot(empty) < 0 || chdir("/") < 0)
		return rs_err_set(err, RS_ECONFIG, "cannot make %s the root folder: %s", empty,
			g_strerror(errno));
	return 0;
}

/* Give up root and the means to get it back. As an ordinary user only the latter. */
static int drop_rights(const struct rs_proc *r, struct rs_err *err)
{
	uid_t uid;
	gid_t gid;
	int rc;

	(void)umask(077);
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return rs_err_set(err, RS_EIO, "no_new_privs: %s", g_strerror(errno));
	if (geteuid() != 0)
		return 0;
	rc = rs_role_user(user_of(r), &uid, &gid, err);
	if (rc == 0)
		rc = enter_empty_root(r, err);
	if (rc < 0)
		return rc;
	if (setgroups(0, NULL) < 0 || setresgid(gid, gid, gid) < 0 || setresuid(uid, uid, uid) < 0)
		return rs_err_set(
			err, RS_EIO, "cannot become uid %u: %s", (unsigned)uid, g_strerror(errno));
	if (uid != 0 && setuid(0) == 0)
		return rs_err_set(err, RS_EIO, "root could be had back");
	return 0;
}

/* --- START --------------------------------------------------------------------------------- */

static int read_conf(struct rs_proc *r, int fd, struct rs_err *err)
{
	g_autofree char *text = g_malloc(CONF_TEXT_MAX);
	ssize_t n = pread(fd, text, CONF_TEXT_MAX, 0);

	close(fd);
	if (n < 0)
		return rs_err_set(
			err, RS_EIO, "cannot read the configuration: %s", g_strerror(errno));
	return rs_conf_parse("restanted.conf", rs_slice(text, (size_t)n), &r->conf, err);
}

static const struct rs_role_ops *ops_of(enum rs_role kind)
{
	switch (kind) {
	case RS_ROLE_FRONT:
		return &rs_front_ops;
	case RS_ROLE_AUTH:
		return &rs_auth_ops;
	case RS_ROLE_STORE:
		return &rs_store_ops_role;
	case RS_ROLE_ADMIN:
		return &rs_admin_ops;
	case RS_ROLE_RELAY:
		return &rs_relay_ops;
	case RS_ROLE_MASTER:
	case RS_ROLE_N:
		break;
	}
	return NULL;
}

/* libuv keeps a descriptor in reserve from the first stream on, and opens a file for it. */
static void open_reserve(struct rs_proc *r)
{
	static uv_tcp_t first;

	if (uv_tcp_init(&r->loop, &first) == 0)
		uv_close((uv_handle_t *)&first, NULL);
}

/* In the role's own root folder and as its own user, before it has threads. */
static bool confine_files(struct rs_proc *r)
{
	struct rs_err err;
	int version;

	open_reserve(r);
	if (!r->conf->sandbox) {
		rs_log(RS_LOG_WARNING, "no-sandbox", "why", "[server] sandbox = off", "means",
			"a break-in into this role reaches what its user can reach", NULL);
		return true;
	}
	if (rs_sandbox_files(r->kind, r->conf, &version, &err) < 0) {
		rs_log(RS_LOG_ERROR, "start-failed", "why", err.text, "cure",
			"[server] sandbox = off, if this system cannot do it", NULL);
		return false;
	}
	rs_log(RS_LOG_DEBUG, "confined", "landlock", rs_log_num((uint64_t)version), NULL);
	return true;
}

static bool confine_calls(struct rs_proc *r)
{
	struct rs_err err;

	if (!r->conf->sandbox || rs_sandbox_calls(r->kind, r->conf, RS_ROLE_CONTROL_FD, &err) == 0)
		return true;
	rs_log(RS_LOG_ERROR, "start-failed", "why", err.text, "cure",
		"[server] sandbox = off, if this system cannot do it", NULL);
	return false;
}

static void on_beat(uv_timer_t *t)
{
	rs_stats_beat();
}

static bool start(struct rs_proc *r, struct rs_msg_in *m)
{
	struct rs_err err = {.kind = RS_OK};
	struct rs_stats *stats;
	uint32_t beat_ms;
	int conf_fd;
	int stats_fd;
	bool has_tls;
	int rc;

	r->kind = (enum rs_role)rs_msg_u8(m);
	r->index = rs_msg_u32(m);
	r->fronts_n = rs_msg_u32(m);
	r->stores_n = rs_msg_u32(m);
	beat_ms = rs_msg_u32(m);
	has_tls = rs_msg_u8(m) != 0;
	conf_fd = rs_msg_fd(m);
	stats_fd = rs_msg_fd(m);
	r->tls_fd = has_tls ? rs_msg_fd(m) : -1;
	r->ops = ops_of(r->kind);
	if (!rs_msg_end(m) || m->fds_lost || !r->ops || r->conf)
		return false;
	stats = rs_stats_map(stats_fd, true);
	if (!stats)
		return false;
	rs_stats_use(stats);
	r->master_pid = (uint64_t)getppid();
	g_snprintf(r->who, sizeof(r->who), "%s%u", rs_role_name(r->kind), r->index);
	rc = read_conf(r, conf_fd, &err);
	if (rc == 0) {
		rs_log_init(r->who, r->conf->log_json, r->conf->log_level);
		if (r->ops->prepare)
			rc = r->ops->prepare(r, &err);
	}
	if (rc == 0)
		rc = drop_rights(r, &err);
	if (rc < 0) {
		rs_log(RS_LOG_ERROR, "start-failed", "why", err.text, NULL);
		rs_role_leave(r, 78);
		return true;
	}
	if (!confine_files(r) || !r->ops->start(r) || !confine_calls(r)) {
		rs_role_leave(r, 78);
		return true;
	}
	uv_timer_init(&r->loop, &r->beat);
	uv_timer_start(&r->beat, on_beat, beat_ms, beat_ms);
	rs_link_begin(r->control, RS_MSG_READY);
	rs_link_end(r->control);
	return true;
}

/* --- links --------------------------------------------------------------------------------- */

/* Who is at the other end of a link. */
struct peer {
	struct rs_proc *proc;
	enum rs_role role;
	uint32_t index;
};

static struct rs_link **slot(struct rs_proc *r, enum rs_role peer, uint32_t index)
{
	if (r->kind == RS_ROLE_ADMIN)
		return index < RS_ROLE_PLACES_MAX ? &r->places[index] : NULL;
	if (peer == RS_ROLE_AUTH)
		return &r->auth;
	if (peer == RS_ROLE_ADMIN)
		return &r->admin;
	if (peer == RS_ROLE_RELAY)
		return &r->relay;
	if (index >= RS_ROLE_PEERS_MAX)
		return NULL;
	if (peer == RS_ROLE_FRONT)
		return &r->fronts[index];
	return peer == RS_ROLE_STORE ? &r->stores[index] : NULL;
}

static struct peer *peer_of(struct rs_proc *r, enum rs_role role, uint32_t index)
{
	static struct peer rows[RS_ROLE_N][RS_ROLE_PLACES_MAX]; /* one role a process */
	struct peer *p = &rows[role][index];

	*p = (struct peer){.proc = r, .role = role, .index = index};
	return p;
}

static bool on_peer_message(void *arg, struct rs_link *l, struct rs_msg_in *m)
{
	const struct peer *p = arg;

	return p->proc->ops->message(p->proc, p->role, p->index, m);
}

static void on_peer_closed(void *arg, struct rs_link *l, const char *why)
{
	const struct peer *p = arg;
	struct rs_proc *r = p->proc;
	bool admin = r->kind == RS_ROLE_ADMIN || p->role == RS_ROLE_ADMIN; /* nobody waits for it */

	*slot(r, p->role, p->index) = NULL;
	if (!r->stopping && !admin)
		rs_log(strcmp(why, RS_LINK_GONE) == 0 ? RS_LOG_INFO : RS_LOG_WARNING, "link-lost",
			"peer", rs_role_name(p->role), "index", rs_log_num(p->index), "why", why,
			NULL);
	r->ops->peer_gone(r, p->role, p->index);
}

static const struct rs_link_ops peer_ops = {.message = on_peer_message, .closed = on_peer_closed};

static bool link_new(struct rs_proc *r, struct rs_msg_in *m)
{
	enum rs_role peer = (enum rs_role)rs_msg_u8(m);
	uint32_t index = rs_msg_u32(m);
	int fd = rs_msg_fd(m);
	struct rs_link **at = peer < RS_ROLE_N ? slot(r, peer, index) : NULL;

	if (!rs_msg_end(m) || m->fds_lost || !at || !r->ops)
		return false;
	/* A peer that is new was another process before: what was asked of that one, perhaps by way of
	 * a third role that did not know yet, will never be answered. */
	rs_link_destroy(at);
	r->ops->peer_gone(r, peer, index);
	return rs_link_create(
		       &r->loop, fd, r->kind, peer, &peer_ops, peer_of(r, peer, index), at) == 0;
}

static bool tickets(struct rs_proc *r, struct rs_msg_in *m)
{
	struct rs_slice keys = rs_msg_octets(m);

	if (!rs_msg_end(m) || keys.n != sizeof(r->ticket_keys))
		return false;
	memcpy(r->ticket_keys, keys.p, keys.n);
	if (r->ops && r->ops->tickets)
		r->ops->tickets(r);
	return true;
}

static bool on_control(void *arg, struct rs_link *l, struct rs_msg_in *m)
{
	struct rs_proc *r = arg;
	enum rs_service service;
	int fd;

	if (m->type == RS_MSG_START)
		return start(r, m);
	if (m->type == RS_MSG_LINK)
		return link_new(r, m);
	if (m->type == RS_MSG_TICKETS)
		return tickets(r, m);
	if (m->type == RS_MSG_STOP) {
		if (!r->stopping && r->ops) {
			r->stopping = true;
			r->ops->stop(r);
		}
		return true;
	}
	if (m->type == RS_MSG_DRAIN) {
		r->draining = true;
		if (r->ops && r->ops->drain)
			r->ops->drain(r);
		return rs_msg_end(m);
	}
	if (m->type != RS_MSG_LISTENER && r->ops && r->ops->control)
		return r->ops->control(r, m);
	if (m->type != RS_MSG_LISTENER || !r->ops || !r->ops->listener)
		return false;
	service = (enum rs_service)rs_msg_u8(m);
	fd = rs_msg_fd(m);
	if (!rs_msg_end(m) || m->fds_lost || service >= RS_SERVICE_N)
		return false;
	r->ops->listener(r, service, fd);
	return true;
}

static void on_control_closed(void *arg, struct rs_link *l, const char *why)
{
	struct rs_proc *r = arg;

	/* without the master nobody would start us again or tell us to stop */
	r->control = NULL;
	rs_log(RS_LOG_WARNING, "master-gone", "why", why, NULL);
	rs_role_leave(r, 0);
}

static const struct rs_link_ops control_ops = {.message = on_control, .closed = on_control_closed};

void rs_role_leave(struct rs_proc *r, int status)
{
	r->exit_status = status;
	r->stopping = true;
	uv_stop(&r->loop);
}

static void on_wait(uv_prepare_t *h)
{
	rs_log_flush();
}

/* Called last of all that is done before the loop waits, because it is there first. */
static void gather_log(struct rs_proc *r)
{
	rs_log_gather();
	uv_prepare_init(&r->loop, &r->log_wait);
	uv_prepare_start(&r->log_wait, on_wait);
	uv_unref((uv_handle_t *)&r->log_wait);
}

int rs_role_main(const char *name)
{
	static struct rs_proc role; /* one a process; large */
	bool loop;

	rs_log_init(name, false, RS_LOG_INFO);
	role.tls_fd = -1;
	rs_sandbox_begin(RS_ROLE_CONTROL_FD + 1);
	loop = uv_loop_init(&role.loop) == 0;
	if (loop)
		gather_log(&role);
	if (!loop || fcntl(RS_ROLE_CONTROL_FD, F_GETFD) < 0 ||
		rs_link_create(&role.loop, RS_ROLE_CONTROL_FD, RS_ROLE_N, RS_ROLE_MASTER,
			&control_ops, &role, &role.control) < 0) {
		rs_log(RS_LOG_ERROR, "not-by-hand", "why", "roles are started by 'restanted serve'",
			NULL);
		return 64;
	}
	rs_link_reserve(role.control, CONTROL_FDS);
	(void)signal(SIGPIPE, SIG_IGN);
	(void)uv_run(&role.loop, UV_RUN_DEFAULT);
	if (role.control)
		rs_link_flush(role.control);
	if (role.admin)
		rs_link_flush(
			role.admin); /* the last session was ended by the administrator: he is told */
	rs_log_flush();
	/* what the role's own memory holds goes with the process */
	return role.exit_status;
}
