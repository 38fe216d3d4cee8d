/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Decides whether a UDP payload, or a TCP payload behind its length, is a DNS message (RFC 1035), and reads
 * the name and type asked for, the code of an answer, and its first record. Other records are not read, nor
 * whether an answer fits its question.
 *
 * No public source says what a box takes for DNS. Assumed, so that few other payloads are taken for it:
 * opcode QUERY, one question of class IN, CH or ANY, no bit that has no meaning there, and a question without
 * compression; over TCP less than 1024 bytes. A message settles nothing about its flow: the next may ask for
 * another name.
 */
#include "engine/protocol.h"

#include "engine/cursor.h"

#include <string.h>

#define HEADER_LEN 12
#define SMALLEST (HEADER_LEN + 1 + 4) /* the root's name, type, class */
#define TCP_MAX 1023   /* a longer message is none here, or text and SOCKS would often be the start of one */
#define WIRE_MAX 255   /* of a name, RFC 1035 2.3.4 */
#define TEXT_MAX 254   /* as text, with a dot behind each label until the last goes */
#define ANSWER_MAX 40  /* an IPv6 address in text */
#define DOT_IN_LABEL 1 /* stands for it: a letter that no list has */

#define FLAG_ANSWER 0x8000
#define FLAGS_OPCODE 0x7800
#define FLAGS_OF_ANSWERS 0x068f /* AA, TC, RA, the code */
#define FLAG_Z 0x0040
#define RCODE 0x000f

#define TYPE_A 1
#define TYPE_AAAA 28
#define CLASS_IN 1

enum { FIELD_QNAME, FIELD_QTYPE, FIELD_RCODE, FIELD_ANSWER };
enum { WHY_QUERY, WHY_ANSWER, WHY_INCOMPLETE, WHY_NOT_DNS, WHY_MALFORMED };

_Static_assert(TEXT_MAX + ANSWER_MAX <= KD_APP_SCRATCH, "both texts");

static enum kd_parse say(struct kd_app *app, enum kd_parse parse, uint8_t why)
{
	app->why = why;
	return parse;
}

/* A label more; a dot in it ends no label. */
static void put_label(struct kd_app *app, const uint8_t *label, uint8_t len)
{
	for (uint8_t i = 0; i < len; i++)
		app->scratch[app->scratch_len++] = label[i] == '.' ? DOT_IN_LABEL : label[i];
	app->scratch[app->scratch_len++] = '.';
}

/* The name of the question as text at the start of scratch, without its last dot (the root is "."); false:
 * not a name. Where the bytes end the cursor is bad. */
static bool question_name(struct kd_cur *c, struct kd_app *app)
{
	const uint8_t *start = c->p, *label;
	uint8_t len;

	while ((len = kd_cur_u8(c)) != 0) {
		if (len > 63 || c->p - start + len >= WIRE_MAX)
			return false;
		label = kd_cur_take(c, len);
		if (label == NULL)
			return true;
		put_label(app, label, len);
	}
	if (c->bad)
		return true;
	if (app->scratch_len == 0)
		app->scratch[app->scratch_len++] = '.';
	else
		app->scratch_len--;
	return true;
}

/* Past the name of a record. A pointer ends it and must lead back, behind the header; nothing follows it, so
 * there is no loop to be caught in. */
static bool skip_name(struct kd_cur *c, const uint8_t *message)
{
	const uint8_t *start = c->p;
	uint8_t len;

	while ((len = kd_cur_u8(c)) != 0) {
		if (len >= 0xc0) {
			size_t at = (size_t)(c->p - 1 - message), to = (len & 0x3fu) << 8 | kd_cur_u8(c);

			return c->bad || (to >= HEADER_LEN && to < at);
		}
		if (len > 63 || c->p - start + len >= WIRE_MAX)
			return false;
		kd_cur_skip(c, len);
	}
	return true;
}

static void put_number(struct kd_app *app, unsigned int n, unsigned int base)
{
	unsigned int scale = 1;

	while (n / scale >= base)
		scale *= base;
	for (; scale > 0; scale /= base)
		app->scratch[app->scratch_len++] = (uint8_t) "0123456789abcdef"[n / scale % base];
}

/* "192.0.2.1"; IPv6 with all its groups, "2001:db8:0:0:0:0:0:1". */
static void put_address(struct kd_app *app, struct kd_cur c, bool v6)
{
	struct kd_app_field *f = &app->field[FIELD_ANSWER];
	uint16_t from = app->scratch_len;

	while (kd_cur_left(&c) > 0) {
		if (app->scratch_len > from)
			app->scratch[app->scratch_len++] = v6 ? ':' : '.';
		put_number(app, v6 ? kd_cur_be16(&c) : kd_cur_u8(&c), v6 ? 16 : 10);
	}
	f->p = app->scratch + from;
	f->len = (uint16_t)(app->scratch_len - from);
}

/* The first record of an answer: what it says if it is an address. */
static bool first_record(struct kd_cur *c, const uint8_t *message, struct kd_app *app)
{
	struct kd_cur data;
	uint16_t type, class;

	if (!skip_name(c, message))
		return false;
	type = kd_cur_be16(c);
	class = kd_cur_be16(c);
	kd_cur_skip(c, 4); /* how long it may be kept */
	data = kd_cur_sub(c, kd_cur_be16(c));
	if (c->bad || class != CLASS_IN)
		return true;
	if (type == TYPE_A || type == TYPE_AAAA) {
		if (kd_cur_left(&data) != (type == TYPE_A ? 4 : 16))
			return false;
		put_address(app, data, type == TYPE_AAAA);
	}
	return true;
}

/* Flags and counts that a query, or an answer, may have; each is judged as soon as it is there. */
static bool header(struct kd_cur *c, uint16_t *ret_flags, uint16_t *ret_answers)
{
	uint16_t flags, most;

	kd_cur_skip(c, 2);
	*ret_flags = flags = kd_cur_be16(c);
	most = (flags & FLAG_ANSWER) != 0 ? UINT16_MAX : 0;
	if ((flags & (FLAGS_OPCODE | FLAG_Z)) != 0 || (most == 0 && (flags & FLAGS_OF_ANSWERS) != 0))
		return false;
	if (kd_cur_be16(c) != 1 && !c->bad)
		return false;
	*ret_answers = kd_cur_be16(c);
	if (*ret_answers > most || kd_cur_be16(c) > most)
		return false;
	/* Behind a query stand options and a signature at most (RFC 6891, 8945). */
	return kd_cur_be16(c) <= (most != 0 ? most : 2);
}

static bool is_class(uint16_t class)
{
	return class == CLASS_IN || class == 3 || class == 255;
}

/* All that is read of a message; false: it is none. */
static bool message(struct kd_cur *c, struct kd_app *app)
{
	const uint8_t *start = c->p;
	struct kd_app_field *f = app->field;
	uint16_t flags, answers = 0;

	if (!header(c, &flags, &answers) || (!c->bad && !question_name(c, app)))
		return false;
	f[FIELD_QNAME] = (struct kd_app_field){.p = app->scratch, .len = app->scratch_len};
	f[FIELD_QTYPE].p = c->p;
	f[FIELD_QTYPE].len = 2;
	f[FIELD_QTYPE].num = kd_cur_be16(c);
	if (!c->bad && f[FIELD_QTYPE].num == 0)
		return false;
	if (!is_class(kd_cur_be16(c)) && !c->bad)
		return false;
	app->why = WHY_QUERY;
	if ((flags & FLAG_ANSWER) == 0)
		return true;
	app->why = WHY_ANSWER;
	if (c->bad)
		return true;
	f[FIELD_RCODE] = (struct kd_app_field){.p = start + 3, .len = 1, .num = flags & RCODE};
	return answers == 0 || first_record(c, start, app);
}

static enum kd_parse parse(const uint8_t *payload, size_t len, struct kd_app *app)
{
	bool tcp = app->how.transport == KD_TRANSPORT_TCP, cut = true, is;
	struct kd_cur c = kd_cur(payload, len);
	uint16_t length = 0;

	memset(app->field, 0, sizeof(app->field));
	app->scratch_len = 0;
	if (tcp) {
		length = kd_cur_be16(&c);
		if (len > 0 && payload[0] > TCP_MAX >> 8)
			return say(app, KD_NOT_MINE, WHY_NOT_DNS);
		if (c.bad)
			return say(app, KD_NEED_MORE, WHY_INCOMPLETE);
		if (length < SMALLEST)
			return say(app, KD_NOT_MINE, WHY_NOT_DNS);
		cut = kd_cur_left(&c) < length;
		if (!cut)
			c.end = c.p + length;
	}
	is = message(&c, app);
	if (is && !c.bad) {
		app->goes_on = true;
		app->next = tcp ? 2u + length : 0;
		return KD_MATCH;
	}
	memset(app->field, 0, sizeof(app->field));
	app->scratch_len = 0;
	if (is && cut)
		return say(app, KD_NEED_MORE, WHY_INCOMPLETE);
	return say(app, KD_NOT_MINE, is ? WHY_MALFORMED : WHY_NOT_DNS);
}

const struct kd_protocol kd_protocol_dns = {
	.name = "dns",
	.title = "DNS queries and answers over UDP and TCP",
	.transports = KD_TRANSPORT_UDP | KD_TRANSPORT_TCP,
	.has_name = 1,
	.budget_bytes = 1024,
	.fields =
		{
			[FIELD_QNAME] = {.name = "qname", .kind = KD_FIELD_TEXT},
			[FIELD_QTYPE] = {.name = "qtype",
				.kind = KD_FIELD_HEX16,
				.term = "qtype",
				.words = "A=0x0001|NS=0x0002|CNAME=0x0005|SOA=0x0006|PTR=0x000c|MX=0x000f|"
					 "TXT=0x0010|AAAA=0x001c|SRV=0x0021|SVCB=0x0040|HTTPS=0x0041|"
					 "ANY=0x00ff"},
			[FIELD_RCODE] = {.name = "rcode",
				.kind = KD_FIELD_HEX16,
				.term = "rcode",
				.words = "NOERROR=0x0000|FORMERR=0x0001|SERVFAIL=0x0002|NXDOMAIN=0x0003|"
					 "NOTIMP=0x0004|REFUSED=0x0005"},
			[FIELD_ANSWER] = {.name = "answer", .kind = KD_FIELD_TEXT},
		},
	.reasons =
		{
			[WHY_QUERY] = {"dns.query", "a DNS query; the name it asks for is known"},
			[WHY_ANSWER] = {"dns.answer", "a DNS answer; the name that was asked for is known"},
			[WHY_INCOMPLETE] = {"dns.incomplete",
				"a DNS message may start here; its end is missing"},
			[WHY_NOT_DNS] = {"dns.not_dns", "not a DNS message"},
			[WHY_MALFORMED] = {"dns.malformed",
				"a DNS message that does not end where its length says"},
		},
	.parse = parse,
};
