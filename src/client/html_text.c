/* html_text.c - see html_text.h
 *
 * One pass: text() for what stands between tags, tag() for each tag. What a tag does is a row of
 * `tags`; the row's function may change the state and ask for line breaks, which are written only
 * when text follows, so that empty paragraphs, tables for layout and nested boxes leave no holes. */
#include "client/html_text.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "client/clean.h"

#define NEST_MAX  8
#define LINKS_MAX 300
#define TAG_MAX   16 /* of a tag; longer ones are none that matters here */

struct list {
	bool ordered;
	guint number; /* of the item that comes next */
};

struct html {
	const char *at;
	const char *end;
	GString *out;
	guint breaks;  /* line ends owed before the next text: 0, 1, 2          */
	bool blank;    /* a blank owed before the next text                     */
	bool item;     /* the mark of a list item is owed                       */
	guint pre;     /* depth of <pre>: blanks and line ends are kept         */
	guint quotes;  /* depth of <blockquote>                                 */
	guint lists_n; /* depth; only NEST_MAX are kept                         */
	struct list lists[NEST_MAX];
	bool hiding;          /* obey what hides elements                           */
	char hidden[TAG_MAX]; /* name of the element that hides all until it ends */
	guint hidden_n;       /* depth of elements of that name, 0: nothing hidden */
	char *href;           /* of the open <a>, NULL                            */
	gsize href_at;        /* where its text begins in `out`                   */
	GPtrArray *links;
};

/* --- characters by name ---------------------------------------------------------------------- */

struct entity {
	const char *name;
	gunichar c;
};

/* In order (strcmp). HTML 4.01 section 24, and apos. */
static const struct entity entities[] = {{"AElig", 198}, {"Aacute", 193}, {"Acirc", 194},
	{"Agrave", 192}, {"Alpha", 913}, {"Aring", 197}, {"Atilde", 195}, {"Auml", 196},
	{"Beta", 914}, {"Ccedil", 199}, {"Chi", 935}, {"Dagger", 8225}, {"Delta", 916},
	{"ETH", 208}, {"Eacute", 201}, {"Ecirc", 202}, {"Egrave", 200}, {"Epsilon", 917},
	{"Eta", 919}, {"Euml", 203}, {"Gamma", 915}, {"Iacute", 205}, {"Icirc", 206},
	{"Igrave", 204}, {"Iota", 921}, {"Iuml", 207}, {"Kappa", 922}, {"Lambda", 923}, {"Mu", 924},
	{"Ntilde", 209}, {"Nu", 925}, {"OElig", 338}, {"Oacute", 211}, {"Ocirc", 212},
	{"Ograve", 210}, {"Omega", 937}, {"Omicron", 927}, {"Oslash", 216}, {"Otilde", 213},
	{"Ouml", 214}, {"Phi", 934}, {"Pi", 928}, {"Prime", 8243}, {"Psi", 936}, {"Rho", 929},
	{"Scaron", 352}, {"Sigma", 931}, {"THORN", 222}, {"Tau", 932}, {"Theta", 920},
	{"Uacute", 218}, {"Ucirc", 219}, {"Ugrave", 217}, {"Upsilon", 933}, {"Uuml", 220},
	{"Xi", 926}, {"Yacute", 221}, {"Yuml", 376}, {"Zeta", 918}, {"aacute", 225}, {"acirc", 226},
	{"acute", 180}, {"aelig", 230}, {"agrave", 224}, {"alefsym", 8501}, {"alpha", 945},
	{"amp", 38}, {"and", 8743}, {"ang", 8736}, {"apos", 39}, {"aring", 229}, {"asymp", 8776},
	{"atilde", 227}, {"auml", 228}, {"bdquo", 8222}, {"beta", 946}, {"brvbar", 166},
	{"bull", 8226}, {"cap", 8745}, {"ccedil", 231}, {"cedil", 184}, {"cent", 162}, {"chi", 967},
	{"circ", 710}, {"clubs", 9827}, {"cong", 8773}, {"copy", 169}, {"crarr", 8629},
	{"cup", 8746}, {"curren", 164}, {"dArr", 8659}, {"dagger", 8224}, {"darr", 8595},
	{"deg", 176}, {"delta", 948}, {"diams", 9830}, {"divide", 247}, {"eacute", 233},
	{"ecirc", 234}, {"egrave", 232}, {"empty", 8709}, {"emsp", 8195}, {"ensp", 8194},
	{"epsilon", 949}, {"equiv", 8801}, {"eta", 951}, {"eth", 240}, {"euml", 235},
	{"euro", 8364}, {"exist", 8707}, {"fnof", 402}, {"forall", 8704}, {"frac12", 189},
	{"frac14", 188}, {"frac34", 190}, {"frasl", 8260}, {"gamma", 947}, {"ge", 8805}, {"gt", 62},
	{"hArr", 8660}, {"harr", 8596}, {"hearts", 9829}, {"hellip", 8230}, {"iacute", 237},
	{"icirc", 238}, {"iexcl", 161}, {"igrave", 236}, {"image", 8465}, {"infin", 8734},
	{"int", 8747}, {"iota", 953}, {"iquest", 191}, {"isin", 8712}, {"iuml", 239},
	{"kappa", 954}, {"lArr", 8656}, {"lambda", 955}, {"lang", 9001}, {"laquo", 171},
	{"larr", 8592}, {"lceil", 8968}, {"ldquo", 8220}, {"le", 8804}, {"lfloor", 8970},
	{"lowast", 8727}, {"loz", 9674}, {"lrm", 8206}, {"lsaquo", 8249}, {"lsquo", 8216},
	{"lt", 60}, {"macr", 175}, {"mdash", 8212}, {"micro", 181}, {"middot", 183},
	{"minus", 8722}, {"mu", 956}, {"nabla", 8711}, {"nbsp", 160}, {"ndash", 8211}, {"ne", 8800},
	{"ni", 8715}, {"not", 172}, {"notin", 8713}, {"nsub", 8836}, {"ntilde", 241}, {"nu", 957},
	{"oacute", 243}, {"ocirc", 244}, {"oelig", 339}, {"ograve", 242}, {"oline", 8254},
	{"omega", 969}, {"omicron", 959}, {"oplus", 8853}, {"or", 8744}, {"ordf", 170},
	{"ordm", 186}, {"oslash", 248}, {"otilde", 245}, {"otimes", 8855}, {"ouml", 246},
	{"para", 182}, {"part", 8706}, {"permil", 8240}, {"perp", 8869}, {"phi", 966}, {"pi", 960},
	{"piv", 982}, {"plusmn", 177}, {"pound", 163}, {"prime", 8242}, {"prod", 8719},
	{"prop", 8733}, {"psi", 968}, {"quot", 34}, {"rArr", 8658}, {"radic", 8730}, {"rang", 9002},
	{"raquo", 187}, {"rarr", 8594}, {"rceil", 8969}, {"rdquo", 8221}, {"real", 8476},
	{"reg", 174}, {"rfloor", 8971}, {"rho", 961}, {"rlm", 8207}, {"rsaquo", 8250},
	{"rsquo", 8217}, {"sbquo", 8218}, {"scaron", 353}, {"sdot", 8901}, {"sect", 167},
	{"shy", 173}, {"sigma", 963}, {"sigmaf", 962}, {"sim", 8764}, {"spades", 9824},
	{"sub", 8834}, {"sube", 8838}, {"sum", 8721}, {"sup", 8835}, {"sup1", 185}, {"sup2", 178},
	{"sup3", 179}, {"supe", 8839}, {"szlig", 223}, {"tau", 964}, {"there4", 8756},
	{"theta", 952}, {"thetasym", 977}, {"thinsp", 8201}, {"thorn", 254}, {"tilde", 732},
	{"times", 215}, {"trade", 8482}, {"uArr", 8657}, {"uacute", 250}, {"uarr", 8593},
	{"ucirc", 251}, {"ugrave", 249}, {"uml", 168}, {"upsih", 978}, {"upsilon", 965},
	{"uuml", 252}, {"weierp", 8472}, {"xi", 958}, {"yacute", 253}, {"yen", 165}, {"yuml", 255},
	{"zeta", 950}, {"zwj", 8205}, {"zwnj", 8204}};

static int entity_compare(const void *key, const void *row)
{
	return strcmp(key, ((const struct entity *)row)->name);
}

/* What browsers make of numbers that are controls of Latin-1: Windows-1252. */
static const guint16 windows_1252[32] = {0x20ac, 0x81, 0x201a, 0x192, 0x201e, 0x2026, 0x2020,
	0x2021, 0x2c6, 0x2030, 0x160, 0x2039, 0x152, 0x8d, 0x17d, 0x8f, 0x90, 0x2018, 0x2019,
	0x201c, 0x201d, 0x2022, 0x2013, 0x2014, 0x2dc, 0x2122, 0x161, 0x203a, 0x153, 0x9d, 0x17e,
	0x178};

static gunichar number_char(const char *digits, gsize n)
{
	bool hex = n > 1 && (digits[0] == 'x' || digits[0] == 'X');
	gunichar c = 0;

	for (gsize i = hex; i < n; i++) {
		int digit = hex ? g_ascii_xdigit_value(digits[i]) : g_ascii_digit_value(digits[i]);

		if (digit < 0 || c > 0x10ffff)
			return 0;
		c = c * (hex ? 16 : 10) + (gunichar)digit;
	}
	if (c >= 0x80 && c < 0xa0)
		c = windows_1252[c - 0x80];
	return c && g_unichar_validate(c) ? c : 0xfffd;
}

/* The character of "&name;" at `at`; *used octets. 0: it is no such thing. */
static gunichar entity_at(const char *at, const char *end, gsize *used)
{
	char name[12];
	const struct entity *e;
	gsize n = 0;

	at++;
	while (at + n < end && n < sizeof(name) - 1 &&
		(g_ascii_isalnum(at[n]) || (!n && *at == '#'))) {
		name[n] = at[n];
		n++;
	}
	name[n] = '\0';
	*used = 1 + n + (at + n < end && at[n] == ';');
	if (n > 1 && name[0] == '#')
		return number_char(name + 1, n - 1);
	e = bsearch(name, entities, G_N_ELEMENTS(entities), sizeof(*e), entity_compare);
	return e ? e->c : 0;
}

/* A value of an attribute with its characters by name put in; owned. */
static char *decoded(const char *text, gsize n)
{
	GString *out = g_string_sized_new(n);
	const char *end = text + n;

	while (text < end) {
		gsize used = 1;
		gunichar c = *text == '&' ? entity_at(text, end, &used) : 0;

		if (c)
			g_string_append_unichar(out, c);
		else
			g_string_append_c(out, *text);
		text += c ? used : 1;
	}
	return g_string_free(out, FALSE);
}

/* --- writing --------------------------------------------------------------------------------- */

static void owe_breaks(struct html *h, guint n)
{
	h->breaks = MAX(h->breaks, n);
	h->blank = false;
}

static void put_item_mark(struct html *h)
{
	guint depth = MIN(h->lists_n, NEST_MAX);
	struct list *l = depth ? &h->lists[depth - 1] : NULL;

	for (guint i = 1; i < depth; i++)
		g_string_append(h->out, "  ");
	if (l && l->ordered)
		g_string_append_printf(h->out, "%u. ", l->number++);
	else
		g_string_append(h->out, "• ");
	h->item = false;
}

static void put_line_start(struct html *h)
{
	for (guint i = 0; i < MIN(h->quotes, NEST_MAX); i++)
		g_string_append(h->out, i + 1 < MIN(h->quotes, NEST_MAX) ? ">" : "> ");
}

/* What is owed, before octets of text are written. */
static void settle(struct html *h)
{
	bool fresh = h->out->len == 0 || h->breaks;

	if (h->out->len) {
		for (guint i = 0; i < h->breaks; i++)
			g_string_append_c(h->out, '\n');
	}
	h->breaks = 0;
	if (fresh)
		put_line_start(h);
	else if (h->blank)
		g_string_append_c(h->out, ' ');
	h->blank = false;
	if (h->item)
		put_item_mark(h);
}

static void put(struct html *h, const char *text)
{
	settle(h);
	g_string_append(h->out, text);
}

static void put_char(struct html *h, gunichar c)
{
	bool blank = c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f';

	if (blank && h->pre) {
		if (c == '\n')
			h->breaks++;
		else if (c != '\r')
			put(h, c == '\t' ? "\t" : " ");
	} else if (blank) {
		h->blank = !h->breaks && h->out->len > 0;
	} else {
		settle(h);
		g_string_append_unichar(h->out, c);
	}
}

/* Text up to the next tag. */
static void text(struct html *h)
{
	while (h->at < h->end && *h->at != '<') {
		gsize used = (gsize)(rs_utf8_next(h->at) - h->at);
		gunichar c = g_utf8_get_char(h->at);

		if (c == '&') {
			gsize name_n;
			gunichar named = entity_at(h->at, h->end, &name_n);

			c = named ? named : c;
			used = named ? name_n : used;
		}
		if (!h->hidden_n)
			put_char(h, c);
		h->at += used;
	}
}

/* --- attributes ------------------------------------------------------------------------------ */

struct attr {
	const char *name;
	gsize name_n;
	const char *value;
	gsize value_n;
};

static const char *skip_blanks(const char *at, const char *end)
{
	while (at < end && (g_ascii_isspace(*at) || *at == '/'))
		at++;
	return at;
}

/* The value that begins at `c`, quoted or not; returns the place behind it. */
static const char *attr_value(const char *c, const char *end, struct attr *out)
{
	const char *close;

	if (c < end && (*c == '"' || *c == '\'')) {
		close = memchr(c + 1, *c, (gsize)(end - c - 1));
		out->value = c + 1;
		out->value_n = (gsize)((close ? close : end) - out->value);
		return close ? close + 1 : end;
	}
	out->value = c;
	while (c < end && !g_ascii_isspace(*c) && *c != '>')
		c++;
	out->value_n = (gsize)(c - out->value);
	return c;
}

static const char *skip_space(const char *c, const char *end)
{
	while (c < end && g_ascii_isspace(*c))
		c++;
	return c;
}

/* The next attribute of a tag; *at moves behind it. False: the tag ends (*at is its ">" or end). */
static bool attr_next(const char **at, const char *end, struct attr *out)
{
	const char *c = skip_blanks(*at, end);

	*at = c;
	if (c >= end || *c == '>')
		return false;
	*out = (struct attr){.name = c};
	do {
		c++;
	} while (c < end && !g_ascii_isspace(*c) && *c != '=' && *c != '>' && *c != '/');
	out->name_n = (gsize)(c - out->name);
	c = skip_space(c, end);
	if (c < end && *c == '=')
		c = attr_value(skip_space(c + 1, end), end, out);
	*at = c;
	return true;
}

/* Value of attribute `name` of the tag whose attributes begin at `at`; owned, NULL: it has none. */
static char *attr_get(const char *at, const char *end, const char *name)
{
	struct attr a;

	while (attr_next(&at, end, &a)) {
		if (a.name_n == strlen(name) && g_ascii_strncasecmp(a.name, name, a.name_n) == 0)
			return decoded(a.value ? a.value : "", a.value_n);
	}
	return NULL;
}

/* --- what tags do ---------------------------------------------------------------------------- */

struct tag {
	const char *name;
	void (*act)(struct html *h, const struct tag *t, bool open, const char *attrs);
	guint arg;
};

static void act_break(struct html *h, const struct tag *t, bool open, const char *attrs)
{
	h->breaks = MIN(h->breaks + 1, 3);
	h->blank = false;
}

static void act_block(struct html *h, const struct tag *t, bool open, const char *attrs)
{
	owe_breaks(h, t->arg);
}

static void act_cell(struct html *h, const struct tag *t, bool open, const char *attrs)
{
	h->blank = h->out->len > 0 && !h->breaks;
}

static void act_pre(struct html *h, const struct tag *t, bool open, const char *attrs)
{
	owe_breaks(h, 2);
	if (open)
		h->pre++;
	else if (h->pre)
		h->pre--;
}

static void act_quote(struct html *h, const struct tag *t, bool open, const char *attrs)
{
	owe_breaks(h, 2);
	if (open)
		h->quotes++;
	else if (h->quotes)
		h->quotes--;
}

static void act_list(struct html *h, const struct tag *t, bool open, const char *attrs)
{
	owe_breaks(h, h->lists_n > (open ? 0 : 1) ? 1 : 2);
	h->item = false;
	if (!open) {
		h->lists_n -= h->lists_n > 0;
		return;
	}
	if (h->lists_n < NEST_MAX)
		h->lists[h->lists_n] = (struct list){.ordered = t->arg, .number = 1};
	h->lists_n++;
}

static void act_item(struct html *h, const struct tag *t, bool open, const char *attrs)
{
	owe_breaks(h, 1);
	h->item = open;
}

static void act_rule(struct html *h, const struct tag *t, bool open, const char *attrs)
{
	owe_breaks(h, 1);
	put(h, "────────");
	owe_breaks(h, 1);
}

static void act_image(struct html *h, const struct tag *t, bool open, const char *attrs)
{
	g_autofree char *alt = attr_get(attrs, h->end, "alt");

	if (!alt || !*g_strstrip(alt))
		return;
	put(h, "[");
	g_string_append(h->out, alt);
	g_string_append_c(h->out, ']');
}

/* 0: there are too many already. */
static guint link_number(struct html *h, const char *address)
{
	for (guint i = 0; i < h->links->len; i++) {
		if (strcmp(h->links->pdata[i], address) == 0)
			return i + 1;
	}
	if (h->links->len == LINKS_MAX)
		return 0;
	g_ptr_array_add(h->links, g_strdup(address));
	return h->links->len;
}

/* Ends the open <a>: its number, unless its words are its address. */
static void link_end(struct html *h)
{
	g_autofree char *href = g_steal_pointer(&h->href);
	const char *words = h->out->str + MIN(h->href_at, h->out->len);
	const char *bare = href;
	guint number;

	if (!href)
		return;
	while (g_ascii_isspace(*words))
		words++;
	if (g_str_has_prefix(href, "mailto:"))
		bare = href + strlen("mailto:");
	if (strcmp(words, href) == 0 || strcmp(words, bare) == 0)
		return;
	number = link_number(h, href);
	if (number)
		g_string_append_printf(h->out, *words ? " [%u]" : "[%u]", number);
}

static void act_link(struct html *h, const struct tag *t, bool open, const char *attrs)
{
	static const char *const schemes[] = {"http://", "https://", "mailto:", "ftp://", "tel:"};
	g_autofree char *href = open ? attr_get(attrs, h->end, "href") : NULL;

	link_end(h);
	for (gsize i = 0; href && i < G_N_ELEMENTS(schemes); i++) {
		g_strstrip(href);
		if (g_ascii_strncasecmp(href, schemes[i], strlen(schemes[i])) != 0)
			continue;
		settle(h);
		h->href = g_steal_pointer(&href);
		h->href_at = h->out->len;
	}
}

/* All up to the end of this element is not text at all. */
static void act_raw(struct html *h, const struct tag *t, bool open, const char *attrs)
{
	gsize n = strlen(t->name);

	if (!open)
		return;
	while (h->at < h->end) {
		const char *close = memchr(h->at, '<', (gsize)(h->end - h->at));

		h->at = close ? close : h->end;
		if (close && (gsize)(h->end - close) > n + 2 && close[1] == '/' &&
			g_ascii_strncasecmp(close + 2, t->name, n) == 0)
			return;
		h->at += close != NULL;
	}
}

/* In order (strcmp). Tags that are not here are as good as not there. */
static const struct tag tags[] = {
	{"a", act_link, 0},
	{"address", act_block, 1},
	{"article", act_block, 1},
	{"blockquote", act_quote, 0},
	{"br", act_break, 0},
	{"caption", act_block, 1},
	{"center", act_block, 1},
	{"dd", act_block, 1},
	{"div", act_block, 1},
	{"dl", act_block, 2},
	{"dt", act_block, 1},
	{"figcaption", act_block, 1},
	{"figure", act_block, 1},
	{"footer", act_block, 1},
	{"form", act_block, 1},
	{"h1", act_block, 2},
	{"h2", act_block, 2},
	{"h3", act_block, 2},
	{"h4", act_block, 2},
	{"h5", act_block, 2},
	{"h6", act_block, 2},
	{"header", act_block, 1},
	{"hr", act_rule, 0},
	{"img", act_image, 0},
	{"li", act_item, 0},
	{"main", act_block, 1},
	{"ol", act_list, 1},
	{"p", act_block, 2},
	{"pre", act_pre, 0},
	{"script", act_raw, 0},
	{"section", act_block, 1},
	{"style", act_raw, 0},
	{"table", act_block, 1},
	{"td", act_cell, 0},
	{"template", act_raw, 0},
	{"textarea", act_raw, 0},
	{"th", act_cell, 0},
	{"title", act_raw, 0},
	{"tr", act_block, 1},
	{"ul", act_list, 0},
};

static int tag_compare(const void *key, const void *row)
{
	return strcmp(key, ((const struct tag *)row)->name);
}

/* --- tags ------------------------------------------------------------------------------------ */

static bool is_hidden(const char *attrs, const char *end)
{
	g_autofree char *style = attr_get(attrs, end, "style");
	g_autofree char *hidden = attr_get(attrs, end, "hidden");
	char *to = style;

	if (hidden || !style)
		return hidden != NULL;
	for (const char *from = style; *from; from++) {
		if (!g_ascii_isspace(*from))
			*to++ = g_ascii_tolower(*from);
	}
	*to = '\0';
	return strstr(style, "display:none") || strstr(style, "visibility:hidden");
}

static bool is_void(const char *name)
{
	static const char *const names[] = {"area", "base", "br", "col", "embed", "hr", "img",
		"input", "link", "meta", "source", "track", "wbr", NULL};

	return g_strv_contains(names, name);
}

/* While an element hides all in it: count elements of its name until it ends. */
static void tag_hidden(struct html *h, const char *name, bool open)
{
	if (strcmp(name, h->hidden) != 0)
		return;
	if (open)
		h->hidden_n++;
	else
		h->hidden_n--;
}

static void tag_act(struct html *h, const char *name, bool open, const char *attrs)
{
	const struct tag *t = bsearch(name, tags, G_N_ELEMENTS(tags), sizeof(*t), tag_compare);

	if (t && t->act == act_raw) {
		act_raw(h, t, open, attrs);
	} else if (h->hidden_n) {
		tag_hidden(h, name, open);
	} else if (h->hiding && open && !is_void(name) && is_hidden(attrs, h->end)) {
		g_strlcpy(h->hidden, name, sizeof(h->hidden));
		h->hidden_n = 1;
	} else if (t) {
		t->act(h, t, open, attrs);
	}
}

/* "<!--…-->", "<!…>", "<?…>" */
static void skip_declaration(struct html *h)
{
	const char *close = NULL;

	if (h->end - h->at >= 4 && memcmp(h->at, "<!--", 4) == 0) {
		close = g_strstr_len(h->at + 2, h->end - h->at - 2, "-->");
		h->at = close ? close + 3 : h->end;
		return;
	}
	close = memchr(h->at, '>', (gsize)(h->end - h->at));
	h->at = close ? close + 1 : h->end;
}

static void tag(struct html *h)
{
	const char *c = h->at + 1;
	bool open = c >= h->end || *c != '/';
	char name[TAG_MAX] = "";
	const char *attrs;
	struct attr a;
	gsize n = 0;

	if (c < h->end && (*c == '!' || *c == '?')) {
		skip_declaration(h);
		return;
	}
	c += !open;
	if (c >= h->end || !g_ascii_isalpha(*c)) { /* a lone "<" is text */
		if (!h->hidden_n)
			put_char(h, '<');
		h->at++;
		return;
	}
	for (; c < h->end && !g_ascii_isspace(*c) && *c != '>' && *c != '/'; c++) {
		if (n < sizeof(name) - 1)
			name[n++] = g_ascii_tolower(*c);
	}
	attrs = c;
	while (attr_next(&c, h->end, &a))
		;
	h->at = c < h->end ? c + 1 : h->end;
	tag_act(h, name, open, attrs);
}

static char *whole(const char *html, bool hiding, bool *open)
{
	struct html h = {.at = html, .end = html + strlen(html), .hiding = hiding};

	h.out = g_string_new(NULL);
	h.links = g_ptr_array_new_with_free_func(g_free);
	while (h.at < h.end) {
		text(&h);
		if (h.at < h.end)
			tag(&h);
	}
	link_end(&h);
	*open = h.hidden_n > 0;
	if (h.out->len)
		g_string_append_c(h.out, '\n');
	for (guint i = 0; i < h.links->len; i++)
		g_string_append_printf(h.out, "%s[%u] %s\n", i ? "" : "\n", i + 1,
			(const char *)h.links->pdata[i]);
	g_ptr_array_unref(h.links);
	return g_string_free(h.out, FALSE);
}

char *rs_html_text(const char *html, gsize n)
{
	g_autofree char *valid = g_utf8_make_valid(html, (gssize)n);
	bool open;
	char *result = whole(valid, true, &open);

	/* Something hidden was never ended: rather all of it than half of the message. */
	if (open) {
		g_free(result);
		result = whole(valid, false, &open);
	}
	return result;
}
