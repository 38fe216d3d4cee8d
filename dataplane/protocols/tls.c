/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Decides whether a TCP payload starts with one whole TLS ClientHello, and reads its name. What
 * it holds against a hello is what the box of 2021 did (X-THR-2021: a parser, no string search) and RFC
 * 8446 4.1.2, RFC 6066 3.
 *
 * The box of 2021-22 has no reassembly (X-SEG-1), so its engine answers a need-more by showing the parser
 * each later segment alone; one that reassembles shows the longer start instead. A hello split over records
 * is joined where tls.join_records says so, else named.
 *
 * Broken ALPN or supported_versions lists only leave their field absent: no source says that a box minds. A
 * hello with two server_name extensions, another name type or a second name is malformed, as it is to
 * OpenSSL.
 */
#include "engine/protocol.h"

#include "engine/cursor.h"
#include "engine/knob.h"

#include <string.h>

#define RECORD_HEADER 5
#define EXTENSIONS_MAX 128	      /* bytes of their list */
#define PLAINTEXT_MAX 16384	      /* RFC 8446 5.1 */
#define CIPHERTEXT_MAX (16384 + 2048) /* RFC 5246 6.2.3, the larger of the versions */
#define HELLO_CLIENT 1

#define VERSIONS "1.0=0x0301|1.1=0x0302|1.2=0x0303|1.3=0x0304"

#define EXT_SERVER_NAME 0
#define EXT_ALPN 16
#define EXT_SUPPORTED_VERSIONS 43

enum { FIELD_SNI, FIELD_VERSION, FIELD_ALPN, FIELD_EXTENSIONS, FIELD_LEGACY_VERSION };
enum {
	WHY_CLIENT_HELLO,
	WHY_NO_NAME,
	WHY_RECORD_INCOMPLETE,
	WHY_MORE_RECORDS,
	WHY_OTHER_RECORD,
	WHY_NOT_TLS,
	WHY_MALFORMED,
	WHY_PADDED,
};

static enum kd_parse answer(struct kd_app *app, enum kd_parse parse, uint8_t why)
{
	app->why = why;
	app->leads = parse == KD_MATCH;
	if (parse == KD_MATCH)
		return parse;
	memset(app->field, 0, sizeof(app->field));
	app->scratch_len = 0;
	return parse;
}

static void set_number(struct kd_app_field *f, const uint8_t *p)
{
	f->p = p;
	f->len = 2;
	f->num = kd_get16(p);
}

/* ServerNameList: exactly one host_name. An empty name is as good as none. */
static bool server_name(struct kd_cur ext, struct kd_app *app)
{
	struct kd_cur list = kd_cur_sub(&ext, kd_cur_be16(&ext));
	uint8_t type = kd_cur_u8(&list);
	uint16_t len = kd_cur_be16(&list);
	const uint8_t *name = kd_cur_take(&list, len);

	if (name == NULL || type != 0 || kd_cur_left(&list) != 0 || kd_cur_left(&ext) != 0)
		return false;
	if (len > 0) {
		app->field[FIELD_SNI].p = name;
		app->field[FIELD_SNI].len = len;
	}
	return true;
}

/* The field is only set when every length in it holds, so that a printer may walk it. */
static void alpn(struct kd_cur ext, struct kd_app *app)
{
	uint16_t len = kd_cur_be16(&ext);
	struct kd_cur list = kd_cur_sub(&ext, len);
	const uint8_t *start = list.p;

	if (list.bad || len == 0 || kd_cur_left(&ext) != 0)
		return;
	while (kd_cur_left(&list) > 0 && !list.bad)
		kd_cur_skip(&list, kd_cur_u8(&list));
	if (list.bad)
		return;
	app->field[FIELD_ALPN].p = start;
	app->field[FIELD_ALPN].len = len;
}

/* The highest 3.x of the list. GREASE (RFC 8701) and draft numbers are no versions that compare. */
static void supported_versions(struct kd_cur ext, struct kd_app *app)
{
	struct kd_cur list = kd_cur_sub(&ext, kd_cur_u8(&ext));
	const uint8_t *best = NULL, *at;

	if (list.bad || kd_cur_left(&ext) != 0 || kd_cur_left(&list) % 2 != 0)
		return;
	while (kd_cur_left(&list) > 0 && (at = kd_cur_take(&list, 2)) != NULL)
		if (at[0] == 3 && (best == NULL || at[1] > best[1]))
			best = at;
	if (best != NULL)
		set_number(&app->field[FIELD_VERSION], best);
}

/* One extension; false makes the hello malformed. `seen` keeps the ones that are read, once each. */
static bool extension(uint16_t type, struct kd_cur body, struct kd_app *app, unsigned int *seen)
{
	unsigned int bit = type == EXT_SERVER_NAME	    ? 1
			   : type == EXT_ALPN		    ? 2
			   : type == EXT_SUPPORTED_VERSIONS ? 4
							    : 0;

	/* 64 extensions are three times a browser's; more are left out of the list. */
	if (app->scratch_len < EXTENSIONS_MAX) {
		kd_put16(app->scratch + app->scratch_len, type);
		app->scratch_len += 2;
	}
	if ((*seen & bit) != 0)
		return false; /* RFC 8446 4.2: never twice */
	*seen |= bit;
	if (type == EXT_SERVER_NAME)
		return server_name(body, app);
	if (type == EXT_ALPN)
		alpn(body, app);
	else if (type == EXT_SUPPORTED_VERSIONS)
		supported_versions(body, app);
	return true;
}

/* `cut`: the end of the hello is missing, so those that are whole count. */
static bool extensions(struct kd_cur hello, struct kd_app *app, bool cut)
{
	uint16_t len = kd_cur_be16(&hello), type;
	struct kd_cur list = kd_cur_sub(&hello, cut && len > kd_cur_left(&hello) ? kd_cur_left(&hello) : len),
		      body;
	unsigned int seen = 0;

	if (list.bad || kd_cur_left(&hello) != 0)
		return false;
	while (kd_cur_left(&list) > 0) {
		type = kd_cur_be16(&list);
		body = kd_cur_sub(&list, kd_cur_be16(&list));
		if (body.bad && cut)
			break;
		if (body.bad || !extension(type, body, app, &seen))
			return false;
	}
	app->field[FIELD_EXTENSIONS].p = app->scratch;
	app->field[FIELD_EXTENSIONS].len = app->scratch_len;
	return true;
}

/* The body of a ClientHello. X-THR-2021: a broken session id or cipher suite length is no trigger. */
static bool client_hello(struct kd_cur hello, struct kd_app *app, bool cut)
{
	const uint8_t *version = kd_cur_take(&hello, 2);
	uint8_t session_len, compression_len;
	uint16_t suites_len;

	kd_cur_skip(&hello, 32); /* random */
	session_len = kd_cur_u8(&hello);
	kd_cur_skip(&hello, session_len);
	suites_len = kd_cur_be16(&hello);
	kd_cur_skip(&hello, suites_len);
	compression_len = kd_cur_u8(&hello);
	kd_cur_skip(&hello, compression_len);
	if (hello.bad || session_len > 32 || suites_len == 0 || suites_len % 2 != 0 || compression_len == 0)
		return false;
	if (kd_cur_left(&hello) > 0 && !extensions(hello, app, cut)) /* RFC 5246 7.4.1.2: may end here */
		return false;
	set_number(&app->field[FIELD_LEGACY_VERSION], version);
	if (app->field[FIELD_VERSION].p == NULL)
		set_number(&app->field[FIELD_VERSION], version);
	return true;
}

/*
 * The ClientHello that begins in the record at `c` and goes on in the next ones, put together. Only whole
 * records count; within_segment asks that all of them came with the packet in hand, so nothing of it can
 * come later (X-SEG-3: cut into records and segments it passed).
 */
static enum kd_parse joined(struct kd_cur c, struct kd_app *app)
{
	bool within = app->how.join == KD_JOIN_WITHIN_SEGMENT;
	const uint8_t *start = c.p, *piece;
	size_t have = 0, need = 4, len;

	app->alone = within;
	if (within && app->how.from != 0)
		return answer(app, KD_NEED_MORE, WHY_MORE_RECORDS);
	while (have < need) {
		uint8_t type = kd_cur_u8(&c), major = kd_cur_u8(&c);

		kd_cur_skip(&c, 1);
		len = kd_cur_be16(&c);
		piece = kd_cur_take(&c, len);
		if (piece == NULL)
			return answer(app, KD_NEED_MORE, WHY_MORE_RECORDS);
		if (type != 0x16 || major != 3 || len == 0 || len > app->how.room_len - have)
			return answer(app, KD_NOT_MINE, WHY_MALFORMED);
		memcpy(app->how.room + have, piece, len);
		have += len;
		if (have >= 4)
			need = 4u + ((size_t)app->how.room[1] << 16 | kd_get16(app->how.room + 2));
	}
	if (within && (size_t)(c.p - start) > app->how.to)
		return answer(app, KD_NEED_MORE, WHY_MORE_RECORDS);
	if ((have > need && app->how.room[need] == HELLO_CLIENT) ||
		!client_hello(kd_cur(app->how.room + 4, need - 4), app, false))
		return answer(app, KD_NOT_MINE, WHY_MALFORMED);
	app->joined = true;
	app->apart = app->how.from != 0 || (size_t)(c.p - start) > app->how.to;
	return answer(app, KD_MATCH, app->field[FIELD_SNI].p == NULL ? WHY_NO_NAME : WHY_CLIENT_HELLO);
}

/* The hello is longer than its record: a new one is looked for in later packets, unless records are joined.
 */
static enum kd_parse more_records(struct kd_cur c, struct kd_app *app)
{
	if (app->how.join != KD_JOIN_OFF && app->how.room != NULL)
		return joined(kd_cur(c.p - RECORD_HEADER, RECORD_HEADER + kd_cur_left(&c)), app);
	app->alone = true;
	return answer(app, KD_NEED_MORE, WHY_MORE_RECORDS);
}

/* T-2024-01-14-padded-clienthello: a name ahead of padding that fills more than the segment is read. */
static enum kd_parse as_far(struct kd_cur record, struct kd_app *app)
{
	kd_cur_skip(&record, 4);
	if (app->how.padded != KD_PADDED_HELLO_PARSED || !client_hello(record, app, true) ||
		app->field[FIELD_SNI].p == NULL)
		return answer(app, KD_NEED_MORE, WHY_RECORD_INCOMPLETE);
	app->partial = app->goes_on = true;
	return answer(app, KD_MATCH, WHY_PADDED);
}

/* A record whose header and first byte say ClientHello; `c` stands behind the record header. */
static enum kd_parse hello_record(struct kd_cur c, uint16_t record_len, struct kd_app *app)
{
	struct kd_cur record, peek = c, hello;
	uint32_t hello_len;

	if (record_len > PLAINTEXT_MAX)
		return answer(app, KD_NOT_MINE, WHY_MALFORMED);
	if (record_len < 4)
		return more_records(c, app);
	kd_cur_skip(&peek, 1);
	hello_len = kd_cur_be24(&peek);
	if (peek.bad)
		return answer(app, KD_NEED_MORE, WHY_RECORD_INCOMPLETE);
	if (hello_len + 4 > record_len)
		return more_records(c, app);
	record = kd_cur_sub(&c, record_len);
	if (record.bad)
		return as_far(kd_cur(c.p, kd_cur_left(&c)), app);
	kd_cur_skip(&record, 4);
	hello = kd_cur_sub(&record, hello_len);
	/* X-THR-2021 asks for a record of at least 4 + the hello: what is behind it may be anything but a
	 * hello. */
	if ((kd_cur_left(&record) > 0 && kd_cur_u8(&record) == HELLO_CLIENT) ||
		!client_hello(hello, app, false))
		return answer(app, KD_NOT_MINE, WHY_MALFORMED);
	return answer(app, KD_MATCH, app->field[FIELD_SNI].p == NULL ? WHY_NO_NAME : WHY_CLIENT_HELLO);
}

/* A hello may come in a later packet, never in more of these bytes. */
static enum kd_parse other_record(struct kd_app *app)
{
	app->alone = true;
	return answer(app, KD_NEED_MORE, WHY_OTHER_RECORD);
}

static enum kd_parse parse(const uint8_t *payload, size_t len, struct kd_app *app)
{
	struct kd_cur c = kd_cur(payload, len), peek;
	uint8_t type, major;
	uint16_t record_len;

	memset(app->field, 0, sizeof(app->field));
	app->scratch_len = 0;

	type = kd_cur_u8(&c);
	if (c.bad)
		return answer(app, KD_NEED_MORE, WHY_RECORD_INCOMPLETE);
	if (type < 0x14 || type > 0x17)
		return answer(app, KD_NOT_MINE, WHY_NOT_TLS);
	major = kd_cur_u8(&c);
	if (c.bad)
		return answer(app, KD_NEED_MORE, WHY_RECORD_INCOMPLETE);
	if (major != 3)
		return answer(app, KD_NOT_MINE, WHY_NOT_TLS);
	kd_cur_skip(&c, 1); /* the minor is a legacy, RFC 8446 5.1 */
	record_len = kd_cur_be16(&c);
	if (c.bad)
		return answer(app, KD_NEED_MORE, WHY_RECORD_INCOMPLETE);
	if (record_len > CIPHERTEXT_MAX || (type != 0x17 && record_len == 0))
		return answer(app, KD_NOT_MINE, WHY_MALFORMED);
	if (type != 0x16) /* a TLS record of any type keeps the box looking, X-THR-2021 */
		return other_record(app);
	peek = c;
	type = kd_cur_u8(&peek);
	if (peek.bad)
		return answer(app, KD_NEED_MORE, WHY_RECORD_INCOMPLETE);
	if (type != HELLO_CLIENT)
		return other_record(app);
	return hello_record(c, record_len, app);
}

const struct kd_protocol kd_protocol_tls = {
	.name = "tls",
	.title = "TLS ClientHello at the start of a TCP payload",
	.transports = KD_TRANSPORT_TCP,
	.has_name = 1,
	.budget_bytes = RECORD_HEADER + PLAINTEXT_MAX,
	.fields =
		{
			[FIELD_SNI] = {.name = "sni", .kind = KD_FIELD_TEXT},
			[FIELD_VERSION] = {.name = "version", .kind = KD_FIELD_HEX16, .words = VERSIONS},
			[FIELD_ALPN] = {.name = "alpn", .kind = KD_FIELD_LIST8},
			[FIELD_EXTENSIONS] = {.name = "extensions",
				.kind = KD_FIELD_LIST_U16,
				.term = "tls_extension"},
			[FIELD_LEGACY_VERSION] = {.name = "legacy_version",
				.kind = KD_FIELD_HEX16,
				.words = VERSIONS},
		},
	.reasons =
		{
			[WHY_CLIENT_HELLO] = {"tls.client_hello", "a ClientHello; its fields are known"},
			[WHY_NO_NAME] = {"tls.no_name", "a ClientHello without a server name"},
			[WHY_RECORD_INCOMPLETE] = {"tls.record_incomplete",
				"a TLS record starts here and its end is missing"},
			[WHY_MORE_RECORDS] = {"tls.hello_in_more_records",
				"the ClientHello goes on in another TLS record"},
			[WHY_OTHER_RECORD] = {"tls.other_record",
				"a TLS record that is no ClientHello; more is looked at"},
			[WHY_NOT_TLS] = {"tls.not_tls", "not a TLS record"},
			[WHY_MALFORMED] = {"tls.malformed",
				"a TLS record or ClientHello whose lengths or name do not hold"},
			[WHY_PADDED] = {"tls.client_hello_cut",
				"a ClientHello that goes on past the segment; its name is known"},
		},
	.parse = parse,
};
