/* message.c - see message.h. One walk over the parts, in order, that numbers each, takes the text
 * of those to be shown, and stops at the one to be saved. */
#include "client/message.h"

#include <errno.h>
#include <gmime/gmime.h>
#include <string.h>
#include <unistd.h>

#include "client/clean.h"
#include "client/flowed.h"
#include "client/header.h"
#include "client/html_text.h"
#include "client/text.h"

#define DEPTH_MAX    32
#define FAR_FUTURE_S G_GINT64_CONSTANT(253402300799) /* end of the year 9999 */
#define COUNTED_MAX  (1024 * 1024)
#define PIECE        16384
#define EMPTY_MAX    4096 /* text with nothing but blanks up to here may yet have words */

G_DEFINE_AUTOPTR_CLEANUP_FUNC(GMimeFilter, g_object_unref)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(GMimeMessage, g_object_unref)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(GMimeParser, g_object_unref)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(GMimeStream, g_object_unref)

struct walk {
	GPtrArray *parts; /* struct rs_part */
	GString *text;    /* NULL: nothing is to be shown */
	gsize text_max;   /* octets of it, and of each part */
	bool sizes;       /* count the octets of parts */
	guint depth;
	guint others;       /* > 0: in the not chosen part of a multipart/alternative */
	guint wanted;       /* part to be found, 0: none */
	GMimeObject *found; /* borrowed from the message */
};

static void walk_object(struct walk *w, GMimeObject *o, bool show);

static void part_free(void *p)
{
	struct rs_part *part = p;

	g_free(part->type);
	g_free(part->name);
	g_free(part);
}

/* --- content --------------------------------------------------------------------------------- */

/* The part's content, decoded while it is read. NULL: it has none. */
static GMimeStream *content_stream(GMimePart *part)
{
	GMimeDataWrapper *content = g_mime_part_get_content(part);
	GMimeStream *raw = content ? g_mime_data_wrapper_get_stream(content) : NULL;
	g_autoptr(GMimeFilter) filter = NULL;
	GMimeStream *decoded;

	if (!raw)
		return NULL;
	g_mime_stream_reset(raw);
	decoded = g_mime_stream_filter_new(raw);
	filter = g_mime_filter_basic_new(g_mime_data_wrapper_get_encoding(content), FALSE);
	g_mime_stream_filter_add(GMIME_STREAM_FILTER(decoded), filter);
	return decoded;
}

/* Up to `max` octets; *more: there were more. */
static GString *content_read(GMimePart *part, gsize max, bool *more)
{
	g_autoptr(GMimeStream) stream = content_stream(part);
	GString *out = g_string_new(NULL);
	char piece[PIECE];

	*more = false;
	while (stream) {
		ssize_t n = g_mime_stream_read(stream, piece, sizeof(piece));

		if (n <= 0)
			break;
		*more = (gsize)n > max - out->len;
		g_string_append_len(out, piece, (gssize)MIN((gsize)n, max - out->len));
		if (*more)
			break;
	}
	return out;
}

/* Octets after decoding: counted where that is quick, else near enough. */
static guint64 content_size(GMimePart *part)
{
	GMimeDataWrapper *content = g_mime_part_get_content(part);
	GMimeStream *raw = content ? g_mime_data_wrapper_get_stream(content) : NULL;
	gint64 n = raw ? g_mime_stream_length(raw) : 0;
	g_autoptr(GMimeStream) stream = NULL;
	guint64 count = 0;
	char piece[PIECE];
	ssize_t k;

	if (n > COUNTED_MAX &&
		g_mime_data_wrapper_get_encoding(content) == GMIME_CONTENT_ENCODING_BASE64)
		return (guint64)n / 77 * 57; /* lines of 76 */
	if (n > COUNTED_MAX)
		return (guint64)n;
	stream = content_stream(part);
	while (stream && (k = g_mime_stream_read(stream, piece, sizeof(piece))) > 0)
		count += (guint64)k;
	return count;
}

/* --- text ------------------------------------------------------------------------------------ */

static char *text_of(GMimePart *part, gsize max, bool *more)
{
	GMimeObject *o = GMIME_OBJECT(part);
	GMimeContentType *type = g_mime_object_get_content_type(o);
	g_autoptr(GString) octets = content_read(part, max, more);
	const char *charset = g_mime_object_get_content_type_parameter(o, "charset");
	const char *format = g_mime_object_get_content_type_parameter(o, "format");
	const char *delsp = g_mime_object_get_content_type_parameter(o, "delsp");
	g_autofree char *utf8 = rs_charset_to_utf8(octets->str, octets->len, charset);
	g_autofree char *plain = NULL;

	if (g_mime_content_type_is_type(type, "text", "html"))
		plain = rs_html_text(utf8, strlen(utf8));
	else if (format && g_ascii_strcasecmp(format, "flowed") == 0)
		plain = rs_flowed_text(utf8, delsp && g_ascii_strcasecmp(delsp, "yes") == 0);
	else
		plain = g_steal_pointer(&utf8);
	return rs_clean_text(plain, strlen(plain));
}

static void show_part(struct walk *w, GMimePart *part)
{
	bool more;
	g_autofree char *text = text_of(part, w->text_max, &more);

	if (w->text->len && !g_str_has_suffix(w->text->str, "\n\n"))
		g_string_append_c(w->text, '\n');
	g_string_append(w->text, text);
	if (*text && !g_str_has_suffix(text, "\n"))
		g_string_append_c(w->text, '\n');
	if (more && w->sizes)
		g_string_append_printf(
			w->text, "%s\n", _("[the text is longer; save the part to read the rest]"));
}

/* --- the walk -------------------------------------------------------------------------------- */

static struct rs_part *part_add(struct walk *w, GMimeObject *o, const char *name, guint64 size)
{
	struct rs_part *part = g_new0(struct rs_part, 1);
	g_autofree char *type =
		g_mime_content_type_get_mime_type(g_mime_object_get_content_type(o));

	part->number = w->parts->len + 1;
	part->type = rs_clean_line(type ? type : "application/octet-stream");
	part->name = rs_clean_line(name ? name : "");
	part->size = size;
	part->alternative = w->others > 0;
	g_ptr_array_add(w->parts, part);
	if (part->number == w->wanted)
		w->found = o;
	return part;
}

/* A type that is no type counts as text/plain (RFC 2045 section 5.2). */
static bool is_typeless(GMimeObject *o)
{
	GMimeHeader *h =
		g_mime_header_list_get_header(g_mime_object_get_header_list(o), "Content-Type");
	const char *raw = h ? g_mime_header_get_raw_value(h) : NULL;

	return raw && !strchr(raw, '/');
}

/* To be read at once: text that the sender did not mean as a file. */
static bool is_readable(GMimeObject *o)
{
	GMimeContentType *type = g_mime_object_get_content_type(o);

	if (!GMIME_IS_PART(o) || g_mime_part_is_attachment(GMIME_PART(o)))
		return false;
	if (is_typeless(o))
		return true;
	return g_mime_content_type_is_type(type, "text", "*") &&
	       !g_mime_content_type_is_type(type, "text", "calendar") &&
	       !g_mime_content_type_is_type(type, "text", "rtf");
}

static void walk_part(struct walk *w, GMimePart *part, bool show)
{
	GMimeObject *o = GMIME_OBJECT(part);
	struct rs_part *row =
		part_add(w, o, g_mime_part_get_filename(part), w->sizes ? content_size(part) : 0);

	if (!w->text || w->text->len >= w->text_max || !show || !is_readable(o))
		return;
	row->shown = true;
	show_part(w, part);
}

/* How well a part of multipart/alternative can be read here; 0: not at all. */
static int readability(GMimeObject *o, guint depth)
{
	GMimeContentType *type = g_mime_object_get_content_type(o);
	int best = 0;

	if (is_readable(o))
		return g_mime_content_type_is_type(type, "text", "plain")  ? 3
		       : g_mime_content_type_is_type(type, "text", "html") ? 2
									   : 1;
	if (!GMIME_IS_MULTIPART(o) || depth > DEPTH_MAX)
		return 0;
	for (int i = 0; i < g_mime_multipart_get_count(GMIME_MULTIPART(o)); i++) {
		int r = readability(g_mime_multipart_get_part(GMIME_MULTIPART(o), i), depth + 1);

		best = MAX(best, r);
	}
	return best;
}

/* Empty text beside HTML is common; it is no reason to show nothing. */
static bool is_empty_text(GMimeObject *o)
{
	g_autofree char *text = NULL;
	bool more;

	if (!GMIME_IS_PART(o))
		return false;
	text = text_of(GMIME_PART(o), EMPTY_MAX, &more);
	return !*g_strstrip(text) && !more;
}

/* Which part of multipart/alternative to show; -1: none. */
static int choose(GMimeMultipart *m)
{
	int best = -1;
	int best_r = 0;

	for (int i = 0; i < g_mime_multipart_get_count(m); i++) {
		GMimeObject *o = g_mime_multipart_get_part(m, i);
		int r = readability(o, 0);

		if (r > best_r && !(r == 3 && is_empty_text(o))) {
			best = i;
			best_r = r;
		}
	}
	return best;
}

static void walk_multipart(struct walk *w, GMimeMultipart *m, bool show)
{
	GMimeContentType *type = g_mime_object_get_content_type(GMIME_OBJECT(m));
	bool alternative = g_mime_content_type_is_type(type, "multipart", "alternative");
	bool related = g_mime_content_type_is_type(type, "multipart", "related");
	int only = -1;

	if (w->text && show && GMIME_IS_MULTIPART_ENCRYPTED(m))
		g_string_append_printf(w->text, "%s\n",
			_("[this message is encrypted; it cannot be read here yet]"));
	if (alternative && w->text && show)
		only = choose(m);
	else if (related)
		only = 0;
	for (int i = 0; i < g_mime_multipart_get_count(m); i++) {
		bool other = alternative && i != only;

		w->others += other;
		walk_object(w, g_mime_multipart_get_part(m, i),
			show && (i == only || !(alternative || related)));
		w->others -= other;
	}
}

static void walk_message(struct walk *w, GMimeMessagePart *o, bool show)
{
	GMimeMessage *message = g_mime_message_part_get_message(o);
	const char *subject = message ? g_mime_message_get_subject(message) : NULL;
	InternetAddressList *from = message ? g_mime_message_get_from(message) : NULL;
	g_autofree char *sender =
		from ? internet_address_list_to_string(from, NULL, FALSE) : g_strdup("");
	struct rs_part *row = part_add(w, GMIME_OBJECT(o), subject, 0);

	if (!message || !g_mime_message_get_mime_part(message))
		return;
	if (w->text && show) {
		g_autofree char *words = g_strdup_printf(
			_("--- forwarded message of %s: %s ---"), sender, subject ? subject : "");
		g_autofree char *clean = rs_clean_line(words);

		row->shown = true;
		g_string_append_printf(w->text, "\n%s\n\n", clean);
	}
	walk_object(w, g_mime_message_get_mime_part(message), show);
}

static void walk_object(struct walk *w, GMimeObject *o, bool show)
{
	if (w->depth == DEPTH_MAX || w->parts->len == RS_MESSAGE_PARTS_MAX || !o)
		return;
	w->depth++;
	if (GMIME_IS_MULTIPART(o))
		walk_multipart(w, GMIME_MULTIPART(o), show);
	else if (GMIME_IS_MESSAGE_PART(o))
		walk_message(w, GMIME_MESSAGE_PART(o), show);
	else if (GMIME_IS_PART(o))
		walk_part(w, GMIME_PART(o), show);
	w->depth--;
}

/* --- the message ----------------------------------------------------------------------------- */

/* NULL: GMime makes nothing of it (an empty file). */
static GMimeMessage *parse(int fd)
{
	g_autoptr(GMimeStream) stream = g_mime_stream_fs_new_with_bounds(fd, 0, -1);
	g_autoptr(GMimeParser) parser = NULL;

	rs_mime_init();
	g_mime_stream_fs_set_owner(GMIME_STREAM_FS(stream), FALSE);
	g_mime_stream_reset(stream);
	parser = g_mime_parser_new_with_stream(stream);
	g_mime_parser_set_persist_stream(parser, TRUE);
	return g_mime_parser_construct_message(parser, NULL);
}

static const char *header_raw(GMimeMessage *m, const char *name)
{
	GMimeHeaderList *list = m ? g_mime_object_get_header_list(GMIME_OBJECT(m)) : NULL;
	GMimeHeader *h = list ? g_mime_header_list_get_header(list, name) : NULL;

	return h ? g_mime_header_get_raw_value(h) : NULL;
}

static char *header(GMimeMessage *m, const char *name, char *(*decode)(const char *raw))
{
	return decode(header_raw(m, name));
}

static struct rs_message *read_into(struct walk *w, int fd)
{
	g_autoptr(GMimeMessage) mime = parse(fd);
	g_autofree char *date = header(mime, "Date", rs_header_text);
	struct rs_message *m = g_new0(struct rs_message, 1);

	m->from = header(mime, "From", rs_header_addresses);
	m->from_name = rs_header_person(header_raw(mime, "From"), &m->from_address);
	m->to = header(mime, "To", rs_header_addresses);
	m->cc = header(mime, "Cc", rs_header_addresses);
	m->reply_to = header(mime, "Reply-To", rs_header_addresses);
	m->subject = header(mime, "Subject", rs_header_text);
	m->message_id = header(mime, "Message-ID", rs_header_text);
	m->in_reply_to = header(mime, "In-Reply-To", rs_header_text);
	m->references = header(mime, "References", rs_header_text);
	m->date_s = rs_header_date(date, FAR_FUTURE_S);
	if (m->date_s == FAR_FUTURE_S)
		m->date_s = 0;
	m->parts = w->parts = g_ptr_array_new_with_free_func(part_free);
	w->text = g_string_new(NULL);
	if (mime)
		walk_object(w, g_mime_message_get_mime_part(mime), true);
	m->text = g_string_free(w->text, FALSE);
	return m;
}

int rs_message_read(int fd, struct rs_message **out, struct rs_err *err)
{
	struct walk w = {.text_max = RS_MESSAGE_TEXT_MAX, .sizes = true};

	*out = read_into(&w, fd);
	return 0;
}

int rs_message_skim(int fd, gsize text_max, struct rs_message **out, struct rs_err *err)
{
	struct walk w = {.text_max = text_max};

	*out = read_into(&w, fd);
	return 0;
}

void rs_message_destroy(struct rs_message **mp)
{
	struct rs_message *m = *mp;

	if (!m)
		return;
	g_free(m->from);
	g_free(m->from_name);
	g_free(m->from_address);
	g_free(m->to);
	g_free(m->cc);
	g_free(m->reply_to);
	g_free(m->subject);
	g_free(m->message_id);
	g_free(m->in_reply_to);
	g_free(m->references);
	g_free(m->text);
	g_ptr_array_unref(m->parts);
	g_free(m);
	*mp = NULL;
}

/* --- saving ---------------------------------------------------------------------------------- */

static int copy(GMimeStream *from, int to_fd, struct rs_err *err)
{
	char piece[PIECE];

	for (;;) {
		ssize_t n = g_mime_stream_read(from, piece, sizeof(piece));

		if (n < 0)
			return rs_err_set(
				err, RS_EIO, _("cannot read the message: %s"), g_strerror(errno));
		if (n == 0)
			return 0;
		for (ssize_t at = 0; at < n;) {
			ssize_t k = write(to_fd, piece + at, (size_t)(n - at));

			if (k < 0 && errno == EINTR)
				continue;
			if (k < 0)
				return rs_err_set(err, rs_err_kind_of_errno(errno),
					_("cannot write the part: %s"), g_strerror(errno));
			at += k;
		}
	}
}

static int copy_message(GMimeMessagePart *o, int to_fd, struct rs_err *err)
{
	g_autoptr(GMimeStream) stream = g_mime_stream_fs_new(to_fd);
	GMimeMessage *message = g_mime_message_part_get_message(o);

	g_mime_stream_fs_set_owner(GMIME_STREAM_FS(stream), FALSE);
	if (!message || g_mime_object_write_to_stream(GMIME_OBJECT(message), NULL, stream) >= 0)
		return 0;
	return rs_err_set(err, rs_err_kind_of_errno(errno), _("cannot write the part: %s"),
		g_strerror(errno));
}

int rs_message_part_save(int fd, guint number, int to_fd, struct rs_err *err)
{
	g_autoptr(GMimeMessage) mime = parse(fd);
	g_autoptr(GMimeStream) stream = NULL;
	struct walk w = {.wanted = number};

	w.parts = g_ptr_array_new_with_free_func(part_free);
	if (mime)
		walk_object(&w, g_mime_message_get_mime_part(mime), false);
	g_ptr_array_unref(w.parts);
	if (!w.found)
		return rs_err_set(err, RS_ENOENT,
			_("the message has no part %u; restante show lists its parts"), number);
	if (GMIME_IS_MESSAGE_PART(w.found))
		return copy_message(GMIME_MESSAGE_PART(w.found), to_fd, err);
	stream = content_stream(GMIME_PART(w.found));
	return stream ? copy(stream, to_fd, err) : 0;
}
