/* userdb_passwd.c - passwd-file:/PATH, see userdb.h.
 *
 *   SERVING --a question finds the file changed--> READING (worker thread) --> SERVING
 *
 * In READING the old table goes on answering, but for those it would serve badly: a name that it does not
 * have may be new, and a file that is read in no time is worth the wait. They ask again when it is read.
 * A file that became wrong is told once, and the old table stays in use. */
#include <errno.h>
#include <string.h>

#include "server/log.h"
#include "server/userdb_int.h"
#include "server/userdb_table.h"

#define SMALL_OCTETS (1024 * 1024) /* is read within some ms */
#define TRIES_MAX    4             /* of a question while the file goes on changing */

struct passwd_file {
	struct rs_userdb base; /* first */
	char *path;
	struct rs_user_table *table;
	struct rs_file_id id; /* of what was read last, also where it was wrong */
	bool unreadable;      /* told */
	bool gone;            /* destroyed while READING */
	struct reading *reading;
	GQueue waiting; /* struct question */
};

struct reading {
	uv_work_t work;
	struct passwd_file *db;
	char *path;
	int rc;
	struct rs_user_table *table;
	struct rs_file_id id;
	struct rs_err err;
};

struct question {
	char *name;
	rs_user_fn fn;
	void *arg;
	unsigned tries;
};

static void ask_again(struct passwd_file *p, struct question *taken);

/* --- reading ------------------------------------------------------------------------------- */

static void read_work(uv_work_t *w)
{
	struct reading *g = w->data;

	/* what is wrong is wrong in this state of the file: it is not read again until it changes */
	g->rc = rs_file_id_now(g->path, &g->id, &g->err);
	if (g->rc == 0)
		g->rc = rs_user_table_read(g->path, &g->table, &g->id, &g->err);
}

static void free_all(struct passwd_file *p)
{
	rs_user_table_destroy(&p->table);
	g_free(p->path);
	g_free(p);
}

static void read_done(uv_work_t *w, int status)
{
	struct reading *g = w->data;
	struct passwd_file *p = g->db;
	GQueue waiting = p->waiting;

	p->reading = NULL;
	p->id = g->id;
	if (g->rc == 0) {
		rs_user_table_destroy(&p->table);
		p->table = g->table;
		g->table = NULL;
		rs_log(RS_LOG_INFO, "users-read", "users", rs_log_num(rs_user_table_n(p->table)),
			NULL);
	} else {
		rs_log(RS_LOG_ERROR, "users-not-read", "why", g->err.text, "in-use",
			"the list as it was", NULL);
	}
	rs_user_table_destroy(&g->table);
	g_free(g->path);
	g_free(g);
	if (p->gone) {
		free_all(p);
		return;
	}
	g_queue_init(&p->waiting);
	for (struct question *q; (q = g_queue_pop_head(&waiting));)
		ask_again(p, q);
}

static void read_begin(struct passwd_file *p)
{
	struct reading *g = g_new0(struct reading, 1);

	g->db = p;
	g->path = g_strdup(p->path);
	g->work.data = g;
	if (uv_queue_work(p->base.loop, &g->work, read_work, read_done) < 0) {
		g_free(g->path);
		g_free(g);
	} else {
		p->reading = g;
	}
}

/* Is the file another than the one that was read? */
static void look(struct passwd_file *p)
{
	struct rs_file_id now;
	struct rs_err err;

	if (p->reading)
		return;
	if (rs_file_id_now(p->path, &now, &err) == 0) {
		p->unreadable = false;
		if (!rs_file_id_same(&now, &p->id))
			read_begin(p);
		return;
	}
	if (!p->unreadable)
		rs_log(RS_LOG_ERROR, "users-not-read", "why", err.text, "in-use",
			"the list as it was", NULL);
	p->unreadable = true;
}

/* --- asking -------------------------------------------------------------------------------- */

static void ask_again(struct passwd_file *p, struct question *taken)
{
	struct rs_user *u;

	look(p);
	u = rs_user_table_find(p->table, taken->name);
	if (p->reading && taken->tries < TRIES_MAX && (!u || p->id.size < SMALL_OCTETS)) {
		taken->tries++;
		g_queue_push_tail(&p->waiting, taken);
		rs_user_free(u);
		return;
	}
	taken->fn(taken->arg, u ? 0 : -RS_ENOENT, u);
	g_free(taken->name);
	g_free(taken);
}

static void passwd_ask(struct rs_userdb *db, const char *name, rs_user_fn fn, void *arg)
{
	struct question *q = g_new0(struct question, 1);

	q->name = g_strdup(name);
	q->fn = fn;
	q->arg = arg;
	ask_again((struct passwd_file *)db, q);
}

static struct rs_password_mix *passwd_mix(struct rs_userdb *db)
{
	return rs_password_mix_ref(rs_user_table_mix(((struct passwd_file *)db)->table));
}

static void passwd_each(
	struct rs_userdb *db, void (*fn)(void *arg, const struct rs_user *u), void *arg)
{
	rs_user_table_each(((struct passwd_file *)db)->table, fn, arg);
}

/* --- life ---------------------------------------------------------------------------------- */

static void passwd_destroy(struct rs_userdb *db)
{
	struct passwd_file *p = (struct passwd_file *)db;

	for (struct question *q; (q = g_queue_pop_head(&p->waiting));) {
		q->fn(q->arg, -RS_ETEMP, NULL);
		g_free(q->name);
		g_free(q);
	}
	if (p->reading)
		p->gone = true;
	else
		free_all(p);
}

static int passwd_open(uv_loop_t *loop, const struct rs_conf *conf, const char *path,
	struct rs_userdb **out, struct rs_err *err)
{
	struct passwd_file *p = g_new0(struct passwd_file, 1);
	int rc;

	p->base = (struct rs_userdb){.ops = &rs_userdb_passwd_ops, .loop = loop};
	p->path = g_strdup(path);
	g_queue_init(&p->waiting);
	rc = rs_user_table_read(path, &p->table, &p->id, err);
	if (rc < 0)
		free_all(p);
	else
		*out = &p->base;
	return rc;
}

const struct rs_userdb_ops rs_userdb_passwd_ops = {
	.prefix = "passwd-file:",
	.open = passwd_open,
	.destroy = passwd_destroy,
	.ask = passwd_ask,
	.mix = passwd_mix,
	.each = passwd_each,
};
