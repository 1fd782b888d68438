/* autoconfig_docs.c - the documents of autoconfig.h. Everything that comes from the configuration or from
 * a request is escaped where it is written. */
#include "server/autoconfig.h"

#include <json-glib/json-glib.h>
#include <string.h>

#define XML_HEAD "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"

/* printf with every %s escaped for XML. */
static void xml(GString *out, const char *format, ...) G_GNUC_PRINTF(2, 3);

static void xml(GString *out, const char *format, ...)
{
	g_autofree char *text = NULL;
	va_list ap;

	va_start(ap, format);
	text = g_markup_vprintf_escaped(format, ap);
	va_end(ap);
	g_string_append(out, text);
}

/* --- config-v1.1 --------------------------------------------------------------------------- */

/* In the order of preference; a program passes over what it does not know. password-encrypted is never told: it
 * stands for APOP and CRAM-MD5, which nobody needs under TLS, and not for SCRAM. */
static void client_logins(GString *out, unsigned logins)
{
	static const struct {
		enum rs_card_login login;
		const char *name;
	} rows[] = {{RS_CARD_OAUTH, "OAuth2"}, {RS_CARD_PASSWORD, "password-cleartext"},
		{RS_CARD_CERTIFICATE, "TLS-client-cert"}};

	for (gsize i = 0; i < G_N_ELEMENTS(rows); i++) {
		if (logins & rows[i].login)
			xml(out, "      <authentication>%s</authentication>\n", rows[i].name);
	}
}

static void client_server(GString *out, const struct rs_card *card, const struct rs_card_server *s)
{
	static const char *const security[] = {"SSL", "STARTTLS", "plain"};
	const char *element = s->incoming ? "incomingServer" : "outgoingServer";

	xml(out, "    <%s type=\"%s\">\n", element, s->incoming ? "pop3" : "smtp");
	xml(out,
		"      <hostname>%s</hostname>\n"
		"      <port>%u</port>\n"
		"      <socketType>%s</socketType>\n"
		"      <username>%s</username>\n",
		s->host, s->port, security[s->security],
		card->local_part ? "%EMAILLOCALPART%" : "%EMAILADDRESS%");
	client_logins(out, s->logins);
	xml(out, "    </%s>\n", element);
}

void rs_autoconfig_xml(GString *out, const struct rs_conf *conf, const char *domain)
{
	struct rs_card card;

	rs_card_init(&card, conf);
	xml(out,
		XML_HEAD "<clientConfig version=\"1.1\">\n"
			 "  <emailProvider id=\"%s\">\n"
			 "    <domain>%s</domain>\n",
		domain, domain);
	for (char **d = conf->autoconfig_domains; d && *d; d++) {
		if (g_ascii_strcasecmp(*d, domain) != 0)
			xml(out, "    <domain>%s</domain>\n", *d);
	}
	xml(out,
		"    <displayName>%s</displayName>\n"
		"    <displayShortName>%s</displayShortName>\n",
		card.name, card.short_name);
	for (guint i = 0; i < card.servers_n; i++)
		client_server(out, &card, &card.servers[i]);
	if (conf->autoconfig_documentation)
		xml(out, "    <documentation url=\"%s\"/>\n", conf->autoconfig_documentation);
	g_string_append(out, "  </emailProvider>\n</clientConfig>\n");
	rs_card_finish(&card);
}

/* --- Outlook ------------------------------------------------------------------------------- */

#define POX_HEAD                                                                              \
	XML_HEAD "<Autodiscover "                                                             \
		 "xmlns=\"http://schemas.microsoft.com/exchange/autodiscover/responseschema/" \
		 "2006\">\n"

/* The user name of `address`; the caller's. */
static char *login_name(const struct rs_card *card, const char *address)
{
	if (!card->local_part)
		return g_strdup(address);
	return g_strndup(address, (gsize)(strrchr(address, '@') - address));
}

static void pox_server(GString *out, const struct rs_card_server *s, const char *login)
{
	static const char *const security[] = {"SSL", "TLS", "None"};

	xml(out,
		"      <Protocol>\n"
		"        <Type>%s</Type>\n"
		"        <Server>%s</Server>\n"
		"        <Port>%u</Port>\n"
		"        <LoginName>%s</LoginName>\n"
		"        <DomainRequired>off</DomainRequired>\n"
		"        <SPA>off</SPA>\n"
		"        <SSL>%s</SSL>\n"
		"        <Encryption>%s</Encryption>\n"
		"        <AuthRequired>on</AuthRequired>\n",
		s->incoming ? "POP3" : "SMTP", s->host, s->port, login,
		s->security == RS_CARD_PLAIN ? "off" : "on", security[s->security]);
	if (!s->incoming)
		g_string_append(out, "        <UsePOPAuth>on</UsePOPAuth>\n"
				     "        <SMTPLast>off</SMTPLast>\n");
	g_string_append(out, "      </Protocol>\n");
}

static void pox_error(GString *out)
{
	g_autoptr(GDateTime) now = g_date_time_new_now_utc();
	g_autofree char *time = g_date_time_format(now, "%H:%M:%S");

	xml(out,
		POX_HEAD "  <Response>\n"
			 "    <Error Time=\"%s\" Id=\"0\">\n"
			 "      <ErrorCode>600</ErrorCode>\n"
			 "      <Message>Invalid Request</Message>\n"
			 "      <DebugData/>\n"
			 "    </Error>\n"
			 "  </Response>\n"
			 "</Autodiscover>\n",
		time);
}

void rs_autodiscover_xml(GString *out, const struct rs_conf *conf, const char *address)
{
	g_autofree char *login = NULL;
	struct rs_card card;

	if (!address) {
		pox_error(out);
		return;
	}
	rs_card_init(&card, conf);
	login = login_name(&card, address);
	xml(out,
		POX_HEAD "  <Response xmlns=\"http://schemas.microsoft.com/exchange/autodiscover/"
			 "outlook/responseschema/2006a\">\n"
			 "    <User>\n"
			 "      <DisplayName>%s</DisplayName>\n"
			 "    </User>\n"
			 "    <Account>\n"
			 "      <AccountType>email</AccountType>\n"
			 "      <Action>settings</Action>\n",
		address);
	for (guint i = 0; i < card.servers_n; i++)
		pox_server(out, &card.servers[i], login);
	g_string_append(out, "    </Account>\n  </Response>\n</Autodiscover>\n");
	rs_card_finish(&card);
}

/* --- Apple --------------------------------------------------------------------------------- */

static void plist_text(GString *out, const char *key, const char *value)
{
	xml(out, "\t<key>%s</key>\n\t<string>%s</string>\n", key, value);
}

static void plist_bool(GString *out, const char *key, bool value)
{
	xml(out, "\t<key>%s</key>\n\t<%s/>\n", key, value ? "true" : "false");
}

/* The same profile has the same identifier, so that installing it again replaces it. */
static char *uuid_of(const char *what, const char *host, const char *address)
{
	g_autofree char *text = g_strdup_printf("%s %s %s", what, host, address);
	g_autofree char *hex = g_compute_checksum_for_string(G_CHECKSUM_SHA256, text, -1);

	hex[12] = '8'; /* version 8: of our own making (RFC 9562) */
	hex[16] = '8';
	return g_strdup_printf(
		"%.8s-%.4s-%.4s-%.4s-%.12s", hex, hex + 8, hex + 12, hex + 16, hex + 20);
}

static void plist_payload(GString *out, const char *type, const char *name, const char *uuid)
{
	plist_text(out, "PayloadDisplayName", name);
	plist_text(out, "PayloadIdentifier", uuid);
	plist_text(out, "PayloadType", type);
	plist_text(out, "PayloadUUID", uuid);
	g_string_append(out, "\t<key>PayloadVersion</key>\n\t<integer>1</integer>\n");
}

static void plist_server(
	GString *out, const char *way, const struct rs_card_server *s, const char *login)
{
	xml(out,
		"\t<key>%sMailServerHostName</key>\n\t<string>%s</string>\n"
		"\t<key>%sMailServerPortNumber</key>\n\t<integer>%u</integer>\n"
		"\t<key>%sMailServerUsername</key>\n\t<string>%s</string>\n"
		"\t<key>%sMailServerAuthentication</key>\n\t<string>EmailAuthPassword</string>\n"
		"\t<key>%sMailServerUseSSL</key>\n\t<%s/>\n",
		way, s->host, way, s->port, way, login, way, way,
		s->security == RS_CARD_PLAIN ? "false" : "true");
}

static void mail_payload(GString *out, const struct rs_card *card, const char *address)
{
	const struct rs_card_server *in = rs_card_first(card, true);
	const struct rs_card_server *smtp = rs_card_first(card, false);
	g_autofree char *login = login_name(card, address);
	g_autofree char *uuid = uuid_of("mail", in->host, address);

	plist_text(out, "EmailAccountDescription", card->name);
	plist_text(out, "EmailAccountType", "EmailTypePOP");
	plist_text(out, "EmailAddress", address);
	plist_server(out, "Incoming", in, login);
	plist_server(out, "Outgoing", smtp, login);
	plist_bool(out, "OutgoingPasswordSameAsIncomingPassword", true);
	plist_payload(out, "com.apple.mail.managed", card->name, uuid);
}

bool rs_mobileconfig(GString *out, const struct rs_conf *conf, const char *address)
{
	g_autofree char *uuid = NULL;
	struct rs_card card;
	bool both;

	rs_card_init(&card, conf);
	both = rs_card_first(&card, true) && rs_card_first(&card, false);
	if (both) {
		uuid = uuid_of("profile", conf->hostname, address);
		g_string_append(out,
			XML_HEAD "<!DOCTYPE plist PUBLIC \"-//Apple//DTD PLIST 1.0//EN\" "
				 "\"http://www.apple.com/DTDs/PropertyList-1.0.dtd\">\n"
				 "<plist version=\"1.0\">\n<dict>\n"
				 "\t<key>PayloadContent</key>\n<array>\n<dict>\n");
		mail_payload(out, &card, address);
		g_string_append(out, "</dict>\n</array>\n");
		plist_text(out, "PayloadOrganization", card.name);
		plist_bool(out, "PayloadRemovalDisallowed", false);
		plist_payload(out, "Configuration", card.name, uuid);
		g_string_append(out, "</dict>\n</plist>\n");
	}
	rs_card_finish(&card);
	return both;
}

/* --- PACC ---------------------------------------------------------------------------------- */

static void add_text(JsonBuilder *b, const char *name, const char *value)
{
	json_builder_set_member_name(b, name);
	json_builder_add_string_value(b, value);
}

static void begin(JsonBuilder *b, const char *name)
{
	json_builder_set_member_name(b, name);
	json_builder_begin_object(b);
}

/* The draft knows a host only: TLS from the start, on the port that is registered for it. */
static void pacc_server(
	JsonBuilder *b, const char *name, const struct rs_card_server *s, guint port)
{
	if (!s || s->security != RS_CARD_TLS || s->port != port)
		return;
	begin(b, name);
	add_text(b, "host", s->host);
	json_builder_end_object(b);
}

static void pacc_build(JsonBuilder *b, const struct rs_conf *conf, const struct rs_card *card)
{
	json_builder_begin_object(b);
	begin(b, "protocols");
	pacc_server(b, "pop3", rs_card_first(card, true), 995);
	pacc_server(b, "smtp", rs_card_first(card, false), 465);
	json_builder_end_object(b);
	begin(b, "authentication");
	json_builder_set_member_name(b, "password");
	json_builder_add_boolean_value(b, TRUE);
	json_builder_end_object(b);
	begin(b, "info");
	begin(b, "provider");
	add_text(b, "name", card->name);
	add_text(b, "shortName", card->short_name);
	json_builder_end_object(b);
	if (conf->autoconfig_documentation) {
		begin(b, "help");
		add_text(b, "documentation", conf->autoconfig_documentation);
		json_builder_end_object(b);
	}
	json_builder_end_object(b);
	json_builder_end_object(b);
}

void rs_pacc_json(GString *out, const struct rs_conf *conf)
{
	g_autoptr(JsonBuilder) b = json_builder_new();
	g_autoptr(JsonNode) root = NULL;
	g_autofree char *text = NULL;
	struct rs_card card;

	rs_card_init(&card, conf);
	pacc_build(b, conf, &card);
	root = json_builder_get_root(b);
	text = json_to_string(root, TRUE);
	g_string_append(out, text);
	g_string_append_c(out, '\n');
	rs_card_finish(&card);
}

char *rs_pacc_txt(const struct rs_conf *conf)
{
	g_autoptr(GString) json = g_string_new(NULL);
	g_autoptr(GChecksum) sum = g_checksum_new(G_CHECKSUM_SHA256);
	g_autofree char *text = NULL;
	guint8 digest[32];
	gsize n = sizeof(digest);

	rs_pacc_json(json, conf);
	g_checksum_update(sum, (const guchar *)json->str, (gssize)json->len);
	g_checksum_get_digest(sum, digest, &n);
	text = g_base64_encode(digest, n);
	return g_strdup_printf("v=UAAC1; a=sha256; d=%s", text);
}
