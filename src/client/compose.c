/* compose.c - a draft and its attachments. What becomes of it: compose_build.c; answers: compose_answer.c. */
#include "client/compose.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "client/addresses.h"
#include "client/places.h"
#include "client/text.h"

#define SIGNATURE_MAX 65536u

void rs_draft_set(char **field, const char *text)
{
	char *copy = g_strdup(text ? text : "");

	g_free(*field);
	*field = copy;
}

void rs_attachment_free(void *attachment)
{
	struct rs_attachment *a = attachment;

	if (!a)
		return;
	if (a->fd >= 0)
		close(a->fd);
	g_free(a->path);
	g_free(a->name);
	g_free(a->type);
	g_free(a);
}

/* "\n-- \n" and the file; nothing where it cannot be read: a letter without a signature is one, too. */
static char *signature_of(const struct rs_account *a)
{
	g_autofree char *text = NULL;
	struct rs_err ignored;
	size_t n;

	if (!a || !a->signature ||
		rs_file_read(a->signature, SIGNATURE_MAX, &text, &n, &ignored) < 0 ||
		!g_utf8_validate(text, (gssize)n, NULL))
		return g_strdup("");
	g_strchomp(text);
	return g_strdup_printf("\n-- \n%s\n", text);
}

struct rs_draft *rs_draft_new(const struct rs_account *a)
{
	struct rs_draft *d = g_new0(struct rs_draft, 1);

	d->account = g_strdup(a ? a->name : "");
	d->from = a ? rs_address_of_account(a) : g_strdup("");
	d->to = g_strdup("");
	d->cc = g_strdup("");
	d->bcc = g_strdup("");
	d->reply_to = g_strdup("");
	d->subject = g_strdup("");
	d->text = signature_of(a);
	d->attachments = g_ptr_array_new_with_free_func(rs_attachment_free);
	return d;
}

void rs_draft_free(struct rs_draft *d)
{
	if (!d)
		return;
	g_free(d->account);
	g_free(d->from);
	g_free(d->to);
	g_free(d->cc);
	g_free(d->bcc);
	g_free(d->reply_to);
	g_free(d->subject);
	g_free(d->text);
	g_free(d->in_reply_to);
	g_free(d->references);
	g_ptr_array_unref(d->attachments);
	g_free(d);
}

static char *home_path(const char *path)
{
	if (path[0] == '~' && path[1] == '/')
		return g_build_filename(g_get_home_dir(), path + 2, NULL);
	return g_canonicalize_filename(path, NULL);
}

int rs_draft_attach(struct rs_draft *d, const char *path, struct rs_err *err)
{
	g_autofree char *full = home_path(path);
	struct rs_attachment *a;
	struct stat st;
	int fd;

	if (d->attachments->len >= RS_ATTACHMENTS_MAX)
		return rs_err_set(
			err, RS_ELIMIT, _("more than %u attachments"), RS_ATTACHMENTS_MAX);
	fd = open(full, O_RDONLY | O_CLOEXEC | O_NONBLOCK); /* a pipe must not hold us up */
	if (fd < 0)
		return rs_err_set(err, rs_err_kind_of_errno(errno), _("cannot attach %s: %s"), path,
			g_strerror(errno));
	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode)) {
		close(fd);
		return rs_err_set(err, RS_EINVAL, _("cannot attach %s: it is not a file"), path);
	}
	close(fd);
	a = g_new0(struct rs_attachment, 1);
	*a = (struct rs_attachment){
		.fd = -1, .path = g_steal_pointer(&full), .name = g_path_get_basename(path)};
	g_ptr_array_add(d->attachments, a);
	return 0;
}
