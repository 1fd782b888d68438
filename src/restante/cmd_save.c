/* cmd_save.c - restante save: one part of a message into a file. */
#include "restante/mail.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/num.h"
#include "client/message.h"
#include "client/text.h"

#define NAME_MAX_N 120u /* octets of a file name made from a sender's */

/* A name in this folder and no other, whatever the sender called it. */
static char *file_name(const struct rs_part *part)
{
	bool message = strcmp(part->type, "message/rfc822") == 0;
	g_autoptr(GString) name = g_string_new(message ? NULL : part->name);
	const char *end;

	for (gsize i = 0; i < name->len; i++) {
		if (name->str[i] == '/' || name->str[i] == '\\' || (!i && name->str[i] == '.'))
			name->str[i] = '_';
	}
	if (name->len > NAME_MAX_N) {
		(void)g_utf8_validate(name->str, NAME_MAX_N, &end);
		g_string_truncate(name, (gsize)(end - name->str));
	}
	if (name->len)
		return g_strdup(name->str);
	return g_strdup_printf(message ? "part-%u.eml" : "part-%u", part->number);
}

static const struct rs_part *part_find(const struct rs_message *m, guint number)
{
	for (guint i = 0; i < m->parts->len; i++) {
		const struct rs_part *part = m->parts->pdata[i];

		if (part->number == number)
			return part;
	}
	return NULL;
}

/* What the person said (a folder, a file, nothing) and the sender's name: the file to make. */
static char *target(const char *said, const struct rs_part *part)
{
	g_autofree char *name = file_name(part);

	if (said && !g_file_test(said, G_FILE_TEST_IS_DIR))
		return g_strdup(said);
	return g_build_filename(said ? said : ".", name, NULL);
}

/* Never over a file that is there; half a file does not stay. */
static int save_to(int fd, guint number, const char *path)
{
	g_autofree char *shown = g_filename_display_name(path);
	struct rs_err err;
	int to = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
	int rc;

	if (to < 0 && errno == EEXIST) {
		rs_complain(_("%s is there already; give another name with --output"), shown);
		return RS_EXIT_IO;
	}
	if (to < 0) {
		rs_complain(_("cannot write %s: %s"), shown, g_strerror(errno));
		return RS_EXIT_IO;
	}
	rc = rs_message_part_save(fd, number, to, &err);
	if (close(to) < 0 && rc == 0)
		rc = rs_err_set(&err, RS_EIO, _("cannot write the part: %s"), g_strerror(errno));
	if (rc < 0) {
		(void)unlink(path);
		return rs_fail(&err);
	}
	rs_say("%s\n", shown);
	return RS_EXIT_DONE;
}

static int save_open(int fd, guint number, const char *said)
{
	g_autofree char *path = NULL;
	const struct rs_part *part;
	struct rs_message *m = NULL;
	struct rs_err err;

	if (said && strcmp(said, "-") == 0)
		return rs_message_part_save(fd, number, STDOUT_FILENO, &err) < 0 ? rs_fail(&err)
										 : RS_EXIT_DONE;
	if (rs_message_read(fd, &m, &err) < 0)
		return rs_fail(&err);
	part = part_find(m, number);
	if (part)
		path = target(said, part);
	rs_message_destroy(&m);
	if (path)
		return save_to(fd, number, path);
	rs_complain(_("the message has no part %u; restante show lists its parts"), number);
	return RS_EXIT_NOTHING;
}

/* Every part that show lists as an attachment. */
static int save_all(int fd, const char *said)
{
	struct rs_message *m = NULL;
	struct rs_err err;
	int status = RS_EXIT_DONE;
	guint n = 0;

	if (rs_message_read(fd, &m, &err) < 0)
		return rs_fail(&err);
	for (guint i = 0; i < m->parts->len && !status; i++) {
		const struct rs_part *part = m->parts->pdata[i];
		g_autofree char *path = target(said, part);

		if ((part->shown || part->alternative) && !*part->name)
			continue;
		n++;
		status = save_to(fd, part->number, path);
	}
	rs_message_destroy(&m);
	if (n || status)
		return status;
	rs_complain(_("the message has no attachments"));
	return RS_EXIT_NOTHING;
}

struct saving {
	const char *id;
	guint number; /* 0: all */
	const char *said;
};

static int save(struct rs_library *l, void *arg)
{
	const struct saving *s = arg;
	struct rs_entry *e = NULL;
	struct rs_err err;
	int status;
	int fd = -1;

	if (rs_library_find(l, s->id, &e, &err) < 0 || (fd = rs_library_read(l, e, &err)) < 0)
		status = rs_fail(&err);
	else
		status = s->number ? save_open(fd, s->number, s->said) : save_all(fd, s->said);
	if (fd >= 0)
		close(fd);
	rs_entry_free(e);
	return status;
}

static int run(const struct rs_command *self, int argc, char **argv)
{
	g_autofree char *said = NULL;
	struct saving s = {0};
	const GOptionEntry entries[] = {
		{"output", 'o', 0, G_OPTION_ARG_FILENAME, &said,
			N_("File or folder to write to; - is standard output"), N_("FILE")},
		{NULL},
	};
	int status = rs_options(self, entries,
		_("PART is a number that restante show lists, or all. The file is called as the\n"
		  "sender called it, in this folder; a file that is there is never overwritten."),
		&argc, &argv);

	if (status)
		return status;
	if (argc != 3)
		return rs_usage(self, _("give a message and the number of a part"));
	s.id = argv[1];
	s.said = said;
	if (strcmp(argv[2], "all") == 0) {
		if (said && !g_file_test(said, G_FILE_TEST_IS_DIR))
			return rs_usage(self, _("for all parts, --output must be a folder"));
		return rs_mail_with(save, &s);
	}
	if (rs_num_u32(rs_slice_str(argv[2]), RS_MESSAGE_PARTS_MAX, &s.number) < 0 || !s.number)
		return rs_usage(self, _("'%s' is not the number of a part"), argv[2]);
	return rs_mail_with(save, &s);
}

const struct rs_command rs_cmd_save = {
	"save", N_("ID PART"), N_("Save a part of a message, such as an attachment"), run};
