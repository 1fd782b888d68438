/* pop3s_text.c - the words of the replies, one table a language (RFC 6856 section 3). Each fits
 * one reply line with its numbers. UTF-8; English is ASCII, because it is also what a client
 * gets that asked for nothing. */
#include "proto/pop3s_priv.h"

static const char *const english[POP3S_T_N] = {
	[POP3S_T_READY] = "Restante POP3 ready",
	[POP3S_T_BYE] = "Bye",
	[POP3S_T_UNKNOWN] = "Unknown command",
	[POP3S_T_NOT_NOW] = "Command not valid in this state",
	[POP3S_T_ARGS] = "Wrong arguments",
	[POP3S_T_LINE_TOO_LONG] = "Line too long",
	[POP3S_T_CONTROL] = "Control characters in a command",
	[POP3S_T_USER] = "Password, please",
	[POP3S_T_NEED_USER] = "USER must come first",
	[POP3S_T_NEED_TLS] = "Logging in needs TLS here: use STLS first, or port 995",
	[POP3S_T_NOT_OFFERED] = "Not offered here",
	[POP3S_T_TOO_MANY] = "Too many refused commands",
	[POP3S_T_NO_MECH] = "Unknown authentication mechanism",
	[POP3S_T_BASE64] = "Not base64",
	[POP3S_T_CANCELLED] = "Authentication cancelled",
	[POP3S_T_START_TLS] = "Begin TLS",
	[POP3S_T_TLS_ALREADY] = "TLS is active already",
	[POP3S_T_TLS_AFTER_UTF8] = "STLS must come before UTF8",
	[POP3S_T_UTF8_ON] = "UTF8 enabled",
	[POP3S_T_UTF8_BAD] = "[UTF8] Not UTF-8",
	[POP3S_T_CAPA] = "Capabilities follow",
	[POP3S_T_LANGS] = "Languages follow",
	[POP3S_T_LANG_SET] = "Language changed",
	[POP3S_T_LANG_UNKNOWN] = "Unknown language",
	[POP3S_T_MECHS] = "Mechanisms follow",
	[POP3S_T_NO_MESSAGE] = "No such message",
	[POP3S_T_NEED_UTF8] = "[UTF8] This message needs a client that gives the command UTF8",
	[POP3S_T_DELETED_ALREADY] = "Message is marked as deleted",
	[POP3S_T_DELETED] = "Marked as deleted",
	[POP3S_T_MESSAGES] = "messages",
	[POP3S_T_UIDS] = "unique-ids follow",
	[POP3S_T_OCTETS] = "octets",
	[POP3S_T_TOP] = "Top of message follows",
	[POP3S_T_RSET] = "No message is marked now",
	[POP3S_T_NOOP] = "Done",
	[POP3S_T_LOGIN_OK] = "Logged in, messages:",
	[POP3S_T_NOT_REMOVED] = "of the deleted messages were not removed",
	[POP3S_T_NONE_REMOVED] = "No message was removed",
	[POP3S_T_CODE_AUTH] = "User name or password is wrong",
	[POP3S_T_CODE_IN_USE] =
		"Another session has this mailbox open; try again when it has ended",
	[POP3S_T_CODE_LOGIN_DELAY] = "Logged in again too soon; try again later",
	[POP3S_T_CODE_SYS_TEMP] = "Temporary failure; try again later",
	[POP3S_T_CODE_SYS_PERM] = "Permanent failure; tell the postmaster",
	[POP3S_T_CODE_OTHER] = "Refused",
};

static const char *const german[POP3S_T_N] = {
	[POP3S_T_READY] = "Restante POP3 bereit",
	[POP3S_T_BYE] = "Auf Wiedersehen",
	[POP3S_T_UNKNOWN] = "Unbekannter Befehl",
	[POP3S_T_NOT_NOW] = "Befehl ist in diesem Zustand nicht erlaubt",
	[POP3S_T_ARGS] = "Falsche Argumente",
	[POP3S_T_LINE_TOO_LONG] = "Zeile zu lang",
	[POP3S_T_CONTROL] = "Steuerzeichen in einem Befehl",
	[POP3S_T_USER] = "Passwort, bitte",
	[POP3S_T_NEED_USER] = "USER muss zuerst kommen",
	[POP3S_T_NEED_TLS] = "Die Anmeldung braucht hier TLS: zuerst STLS, oder Port 995",
	[POP3S_T_NOT_OFFERED] = "Wird hier nicht angeboten",
	[POP3S_T_TOO_MANY] = "Zu viele abgelehnte Befehle",
	[POP3S_T_NO_MECH] = "Unbekanntes Anmeldeverfahren",
	[POP3S_T_BASE64] = "Kein Base64",
	[POP3S_T_CANCELLED] = "Anmeldung abgebrochen",
	[POP3S_T_START_TLS] = "TLS beginnen",
	[POP3S_T_TLS_ALREADY] = "TLS ist schon aktiv",
	[POP3S_T_TLS_AFTER_UTF8] = "STLS muss vor UTF8 kommen",
	[POP3S_T_UTF8_ON] = "UTF8 eingeschaltet",
	[POP3S_T_UTF8_BAD] = "[UTF8] Kein UTF-8",
	[POP3S_T_CAPA] = "Fähigkeiten folgen",
	[POP3S_T_LANGS] = "Sprachen folgen",
	[POP3S_T_LANG_SET] = "Sprache gewechselt",
	[POP3S_T_LANG_UNKNOWN] = "Unbekannte Sprache",
	[POP3S_T_MECHS] = "Verfahren folgen",
	[POP3S_T_NO_MESSAGE] = "Keine solche Nachricht",
	[POP3S_T_NEED_UTF8] =
		"[UTF8] Diese Nachricht braucht ein Programm, das den Befehl UTF8 gibt",
	[POP3S_T_DELETED_ALREADY] = "Nachricht ist als gelöscht markiert",
	[POP3S_T_DELETED] = "Als gelöscht markiert",
	[POP3S_T_MESSAGES] = "Nachrichten",
	[POP3S_T_UIDS] = "Kennungen folgen",
	[POP3S_T_OCTETS] = "Oktette",
	[POP3S_T_TOP] = "Anfang der Nachricht folgt",
	[POP3S_T_RSET] = "Keine Nachricht ist mehr markiert",
	[POP3S_T_NOOP] = "Erledigt",
	[POP3S_T_LOGIN_OK] = "Angemeldet, Nachrichten:",
	[POP3S_T_NOT_REMOVED] = "der gelöschten Nachrichten wurden nicht entfernt",
	[POP3S_T_NONE_REMOVED] = "Keine Nachricht wurde entfernt",
	[POP3S_T_CODE_AUTH] = "Benutzername oder Passwort ist falsch",
	[POP3S_T_CODE_IN_USE] =
		"Eine andere Sitzung hat das Postfach offen; danach noch einmal versuchen",
	[POP3S_T_CODE_LOGIN_DELAY] = "Zu früh wieder angemeldet; später noch einmal versuchen",
	[POP3S_T_CODE_SYS_TEMP] = "Vorübergehender Fehler; später noch einmal versuchen",
	[POP3S_T_CODE_SYS_PERM] = "Dauerhafter Fehler; bitte dem Postmaster melden",
	[POP3S_T_CODE_OTHER] = "Abgelehnt",
};

const struct pop3s_lang_row pop3s_langs[POP3S_LANG_N] = {
	[POP3S_EN] = {.tag = "en", .name = "English", .texts = english},
	[POP3S_DE] = {.tag = "de", .name = "Deutsch", .texts = german},
};

/* What owners say (front_pop3.c and others); tests/tools/check_pop3_words.py looks that all of it is here. */
static const struct {
	const char *english;
	const char *german;
} owners[] = {
	{"Another program has removed this message",
		"Ein anderes Programm hat diese Nachricht entfernt"},
	{"Nothing happened for too long", "Zu lange ist nichts geschehen"},
	{"The service is being stopped", "Der Dienst wird angehalten"},
	{"The administrator has ended this session", "Der Verwalter hat diese Sitzung beendet"},
	{"Too many connections of this user", "Zu viele Verbindungen dieses Benutzers"},
};

const char *pop3s_translated(enum pop3s_lang lang, const char *why)
{
	for (size_t i = 0; lang == POP3S_DE && i < sizeof(owners) / sizeof(*owners); i++) {
		if (rs_slice_eq_str(rs_slice_str(why), owners[i].english))
			return owners[i].german;
	}
	return why;
}
