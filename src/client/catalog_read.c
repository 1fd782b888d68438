/* catalog_read.c - what the catalog takes of a message: its people, subject, date, text, names of attachments. */
#include "client/catalog_priv.h"

#include <string.h>
#include <sys/stat.h>

#include "client/clean.h"
#include "client/header.h"
#include "client/message.h"
#include "maildir/maildir.h"

#define DAY_S       86400
#define DATE_MAX_S  ((G_GINT64_CONSTANT(1) << 33) - 1)
#define FIELD_MAX   8192u /* octets of one field; people write shorter ones */
#define REFS_MAX    65536u
#define SUBJECT_MIN 4

/* Valid UTF-8 stays valid. */
static void shorten(char *text, gsize max)
{
	const char *end;

	if (!text || strlen(text) <= max)
		return;
	(void)g_utf8_validate(text, (gssize)max, &end);
	text[end - text] = '\0';
}

/* A signature of the whole is not what people call an attachment. */
static bool is_signature(const struct rs_part *part)
{
	return strcmp(part->type, "application/pgp-signature") == 0 ||
	       strcmp(part->type, "application/pkcs7-signature") == 0 ||
	       strcmp(part->type, "application/x-pkcs7-signature") == 0;
}

static void parts_take(const struct rs_message *m, struct catalog_fresh *f)
{
	GString *names = g_string_new(NULL);

	for (guint i = 0; i < m->parts->len; i++) {
		const struct rs_part *part = m->parts->pdata[i];

		if (*part->name && names->len < FIELD_MAX)
			g_string_append_printf(names, "%s\n", part->name);
		if (!part->alternative && (!part->shown || *part->name) && !is_signature(part))
			f->attached++;
	}
	f->files = g_string_free(names, FALSE);
}

void catalog_read(int fd, struct catalog_fresh *f)
{
	struct rs_maildir_name name;
	struct rs_message *m = NULL;
	struct stat st = {0};
	gint64 arrived_s;

	(void)fstat(fd, &st);
	rs_maildir_name_parse(rs_slice_str(f->file), &name);
	arrived_s = name.seconds ? (gint64)MIN(name.seconds, (guint64)DATE_MAX_S)
				 : MIN(MAX(st.st_mtime, 0), DATE_MAX_S);
	f->size = (guint64)st.st_size;
	f->date_s = arrived_s;
	if (rs_message_skim(fd, RS_CATALOG_TEXT_MAX, &m, NULL) < 0)
		return;
	if (m->date_s > 0 && m->date_s <= arrived_s + DAY_S)
		f->date_s = MIN(m->date_s, DATE_MAX_S);
	f->from = g_steal_pointer(&m->from_name);
	f->address = g_steal_pointer(&m->from_address);
	f->to = g_steal_pointer(&m->to);
	f->cc = g_steal_pointer(&m->cc);
	f->subject = g_steal_pointer(&m->subject);
	f->message_id = g_steal_pointer(&m->message_id);
	f->references = g_strconcat(m->references, " ", m->in_reply_to, NULL);
	f->body = g_steal_pointer(&m->text);
	parts_take(m, f);
	shorten(f->from, FIELD_MAX);
	shorten(f->address, FIELD_MAX);
	shorten(f->to, FIELD_MAX);
	shorten(f->cc, FIELD_MAX);
	shorten(f->subject, FIELD_MAX);
	shorten(f->message_id, FIELD_MAX);
	shorten(f->references, REFS_MAX);
	shorten(f->body, RS_CATALOG_TEXT_MAX);
	rs_message_destroy(&m);
}

void catalog_fresh_finish(struct catalog_fresh *f)
{
	g_free(f->uniq);
	g_free(f->file);
	g_free(f->from);
	g_free(f->address);
	g_free(f->to);
	g_free(f->cc);
	g_free(f->subject);
	g_free(f->message_id);
	g_free(f->references);
	g_free(f->body);
	g_free(f->files);
}

gsize catalog_fresh_octets(const struct catalog_fresh *f)
{
	return sizeof(*f) + (f->body ? strlen(f->body) : 0) +
	       (f->references ? strlen(f->references) : 0) + (f->to ? strlen(f->to) : 0) +
	       (f->cc ? strlen(f->cc) : 0) + 1024;
}

/* --- subjects -------------------------------------------------------------------------------------- */

/* Behind one "Re:", "AW[2]:" …; NULL: it does not begin so. */
static const char *reply_skip(const char *at)
{
	static const char *const words[] = {
		"re", "aw", "antw", "antwort", "sv", "vs", "fwd", "fw", "wg", "tr", "rif"};

	for (gsize i = 0; i < G_N_ELEMENTS(words); i++) {
		gsize n = strlen(words[i]);
		const char *end = at + n;

		if (g_ascii_strncasecmp(at, words[i], n) != 0)
			continue;
		if (*end == '[')
			end += strspn(end + 1, "0123456789") + 1 + (*(end + 1) != '\0');
		end += strspn(end, " ");
		if (*end == ':')
			return end + 1 + strspn(end + 1, " ");
	}
	return NULL;
}

gint64 catalog_subject_hash(const char *subject, bool *reply)
{
	g_autoptr(GChecksum) sum = g_checksum_new(G_CHECKSUM_SHA256);
	g_autofree char *folded = NULL;
	const char *behind;
	guint8 digest[32];
	gsize n = sizeof(digest);
	gint64 hash;

	*reply = false;
	while ((behind = reply_skip(subject))) {
		*reply = true;
		subject = behind;
	}
	folded = g_utf8_casefold(subject, -1);
	if (g_utf8_strlen(folded, -1) < SUBJECT_MIN)
		return 0;
	g_checksum_update(sum, (const guchar *)folded, -1);
	g_checksum_get_digest(sum, digest, &n);
	memcpy(&hash, digest, sizeof(hash));
	return hash;
}
