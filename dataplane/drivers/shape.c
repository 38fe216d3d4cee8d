/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Gathers a flow's hello and decides what a change puts in its place. A hello that came in several segments
 * or records is made one piece first, so that a change is all there is to it. Flows whose opener sent two
 * different things at one place (decoys), or something odd with its hello, are left alone: which of the two
 * the other end read is not known here. Frames are shape_frame.c's.
 */
#include "drivers/shape_parts.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "engine/cursor.h"
#include "engine/knob.h"
#include "engine/protocol.h"

#define RECORD_HEADER 5
#define PLAINTEXT_MAX 16384 /* RFC 8446 5.1 */
#define MSS_DEFAULT 1460
#define TIMESTAMPS_LEN 12
/* Names shorter than this have no inside to cut in two ways. */
#define NAME_MIN 4

static const struct {
	const char *words, *claims;
} kinds[KD_SHAPE_COUNT] = {
#define X(symbol, words, claims) {words, claims},
	KD_SHAPES(X)
#undef X
};

const char *kd_shape_words(unsigned int kind)
{
	return kind < KD_SHAPE_COUNT ? kinds[kind].words : "?";
}

const char *kd_shape_claims(unsigned int kind)
{
	return kind < KD_SHAPE_COUNT ? kinds[kind].claims : "?";
}

int kd_shape_new(struct kd_shape **ret, const struct kd_shape_flow *flow)
{
	struct kd_shape *s = calloc(1, sizeof(*s));

	if (s == NULL)
		return -ENOMEM;
	s->flow = *flow;
	s->mss = MSS_DEFAULT;
	s->why = "its opener sent no whole TLS or HTTP hello with a name";
	s->frames_room = KD_SHAPE_HELLO_MAX + KD_CAPTURE_PACKET_MAX + KD_SHAPE_PIECES * KD_SHAPE_HEADERS_MAX;
	s->bytes = malloc(KD_SHAPE_HELLO_MAX);
	s->got = calloc(1, KD_SHAPE_HELLO_MAX);
	s->flat = malloc(KD_SHAPE_HELLO_MAX);
	s->put = malloc(KD_SHAPE_HELLO_MAX + 64);
	s->frames = malloc(s->frames_room);
	if (s->bytes == NULL || s->got == NULL || s->flat == NULL || s->put == NULL || s->frames == NULL) {
		kd_shape_free(s);
		return -ENOMEM;
	}
	*ret = s;
	return 0;
}

void kd_shape_free(struct kd_shape *s)
{
	if (s == NULL)
		return;
	free(s->bytes);
	free(s->got);
	free(s->flat);
	free(s->put);
	free(s->frames);
	free(s);
}

const char *kd_shape_why(const struct kd_shape *s)
{
	return s->why;
}

bool kd_shape_done(const struct kd_shape *s)
{
	return s->sent && !s->failed;
}

long kd_shape_added(const struct kd_shape *s)
{
	return s->added;
}

static int cannot(struct kd_shape *s, const char *why)
{
	s->why = why;
	return -EOPNOTSUPP;
}

static bool is_end(const struct kd_tuple *t, unsigned int side, const uint8_t *addr, uint16_t port)
{
	return t->port[side] == port && memcmp(t->addr[side], addr, t->ip_version == 6 ? 16 : 4) == 0;
}

/* Whether it is a whole TCP packet of the flow; *ret_opener: from the end that opened it. */
static bool is_of(const struct kd_shape *s, const struct kd_view *v, uint64_t number, bool *ret_opener)
{
	const struct kd_tuple *t = &s->flow.tuple;
	unsigned int by = t->opened & 1;

	if (number < s->flow.first || number >= s->flow.until || v->reason != 0 ||
		v->ip_version != t->ip_version || v->ip_proto != KD_PROTO_TCP || t->ip_proto != KD_PROTO_TCP)
		return false;
	*ret_opener = is_end(t, by, v->src, v->sport) && is_end(t, by ^ 1, v->dst, v->dport);
	return *ret_opener || (is_end(t, by ^ 1, v->src, v->sport) && is_end(t, by, v->dst, v->dport));
}

/* What the other side says it takes in one segment (RFC 9293 3.7.1). */
static void read_mss(struct kd_shape *s, const struct kd_captured *c, const struct kd_view *v)
{
	struct kd_cur options = kd_cur(c->data + v->l4_off + 20, v->payload_off - v->l4_off - 20);

	while (kd_cur_left(&options) > 0) {
		uint8_t kind = kd_cur_u8(&options), len;

		if (kind == 0)
			return;
		if (kind == 1)
			continue;
		len = kd_cur_u8(&options);
		if (options.bad || len < 2)
			return;
		if (kind == 2 && len == 4)
			s->mss = kd_cur_be16(&options);
		else
			kd_cur_skip(&options, len - 2u);
	}
}

/* The records that a ClientHello at the start of the bytes takes, as one; false: not all there. */
static bool join_records(struct kd_shape *s)
{
	struct kd_cur c = kd_cur(s->bytes, s->have);
	size_t len = 0, need = 4;

	while (len < need) {
		const uint8_t *head = kd_cur_take(&c, RECORD_HEADER), *body;
		uint16_t record = head != NULL ? kd_get16(head + 3) : 0;

		body = kd_cur_take(&c, record);
		if (body == NULL || record == 0 || head[0] != 0x16 || len + record > PLAINTEXT_MAX)
			return false;
		memcpy(s->flat + RECORD_HEADER + len, body, record);
		len += record;
		if (len >= 4)
			need = 4u + ((size_t)s->flat[RECORD_HEADER + 1] << 16 |
					    kd_get16(s->flat + RECORD_HEADER + 2));
	}
	memcpy(s->flat, s->bytes, 3);
	kd_put16(s->flat + 3, (uint16_t)len);
	s->flat_len = RECORD_HEADER + len;
	s->hello_len = (size_t)(c.p - s->bytes);
	return true;
}

/* Makes the hello one piece and finds its name there. */
static bool flatten(struct kd_shape *s, unsigned int protocol)
{
	struct kd_app app = {0};

	s->tls = protocol == KD_PROTOCOL_tls;
	if (!s->tls) {
		memcpy(s->flat, s->bytes, s->have);
		s->flat_len = s->hello_len = s->have;
	} else if (!join_records(s)) {
		return false;
	}
	if (kd_protocols[protocol]->parse(s->flat, s->flat_len, &app) != KD_MATCH || app.field[0].p == NULL)
		return false;
	s->name_at = (size_t)(app.field[0].p - s->flat);
	s->name_len = app.field[0].len;
	return s->name_at < s->flat_len && s->name_len >= NAME_MIN;
}

static bool is_whole(struct kd_shape *s)
{
	static const unsigned int tried[] = {KD_PROTOCOL_tls, KD_PROTOCOL_http};

	for (unsigned int i = 0; i < sizeof(tried) / sizeof(tried[0]); i++) {
		/* The put bytes are room for pieces that nobody keeps. */
		struct kd_app app = {.how = {.to = (uint32_t)s->have,
					     .join = KD_JOIN_STREAM,
					     .room = s->put,
					     .room_len = KD_SHAPE_HELLO_MAX}};

		if (kd_protocols[tried[i]]->parse(s->bytes, s->have, &app) == KD_MATCH &&
			app.field[0].p != NULL && flatten(s, tried[i]))
			return true;
	}
	return false;
}

/* Payload of the opener into the bytes. */
static int gather(struct kd_shape *s, const struct kd_captured *c, const struct kd_view *v, uint64_t number)
{
	size_t at = v->seq - s->start;

	if ((v->tcp_flags & (KD_TCP_SYN | KD_TCP_FIN | KD_TCP_RST | KD_TCP_URG)) != 0)
		return cannot(s, "its hello came with a SYN, FIN, RST or urgent byte");
	if (v->payload_len < v->payload_wire_len)
		return cannot(s, "the capture cut its hello");
	if (at > KD_SHAPE_HELLO_MAX || v->payload_len > KD_SHAPE_HELLO_MAX - at)
		return cannot(s, "its opener sent something from elsewhere before the hello was whole");
	if (s->ncarriers == KD_SHAPE_CARRIERS_MAX)
		return cannot(s, "its hello came in too many packets");
	for (size_t i = 0; i < v->payload_len; i++) {
		uint8_t byte = c->data[v->payload_off + i];

		if (s->got[at + i] && s->bytes[at + i] != byte)
			return cannot(s, "its opener sent two different things at one place");
		s->got[at + i] = 1;
		s->bytes[at + i] = byte;
	}
	while (s->have < KD_SHAPE_HELLO_MAX && s->got[s->have])
		s->have++;
	s->carrier[s->ncarriers++] = number;
	return is_whole(s) ? 0 : 1;
}

int kd_shape_show(struct kd_shape *s, const struct kd_captured *c, uint64_t number, unsigned int link)
{
	struct kd_view v;
	bool opener;

	kd_decode(&v, c->data, c->len, c->wire_len, link);
	if (!is_of(s, &v, number, &opener))
		return 1;
	if (!opener) {
		if ((v.tcp_flags & KD_TCP_SYN) != 0)
			read_mss(s, c, &v);
		return 1;
	}
	if (!s->started && ((v.tcp_flags & KD_TCP_SYN) != 0 || v.payload_len > 0)) {
		s->started = true;
		s->start = v.seq + ((v.tcp_flags & KD_TCP_SYN) != 0);
	}
	return v.payload_len > 0 ? gather(s, c, &v, number) : 1;
}

/* The flat record as two, the first of which ends before byte `cut`. */
static void two_records(struct kd_shape *s, size_t cut)
{
	memcpy(s->put, s->flat, cut);
	kd_put16(s->put + 3, (uint16_t)(cut - RECORD_HEADER));
	memcpy(s->put + cut, s->flat, 3);
	kd_put16(s->put + cut + 3, (uint16_t)(s->flat_len - cut));
	memcpy(s->put + cut + RECORD_HEADER, s->flat + cut, s->flat_len - cut);
	s->put_len = s->flat_len + RECORD_HEADER;
}

/* Where the length of all extensions stands in the flat record; 0: the hello is not as expected. */
static size_t extensions_at(const struct kd_shape *s)
{
	struct kd_cur c = kd_cur(s->flat, s->flat_len);

	kd_cur_skip(&c, RECORD_HEADER + 4 + 2 + 32);
	kd_cur_skip(&c, kd_cur_u8(&c));
	kd_cur_skip(&c, kd_cur_be16(&c));
	kd_cur_skip(&c, kd_cur_u8(&c));
	return c.bad || kd_cur_left(&c) < 2 ? 0 : (size_t)(c.p - s->flat);
}

static void one_more(uint8_t *p)
{
	kd_put16(p, (uint16_t)(kd_get16(p) + 1));
}

/* The lengths around a name, from the inside (RFC 6066 3): name, list, extension, extensions, hello, record.
 */
static bool dot(struct kd_shape *s)
{
	size_t behind = s->name_at + s->name_len, extensions = s->tls ? extensions_at(s) : 0;
	uint32_t hello;

	if (s->flat[behind - 1] == '.' || s->flat_len > PLAINTEXT_MAX ||
		(s->tls && (extensions == 0 || extensions + 11 > s->name_at)))
		return false;
	memcpy(s->put, s->flat, behind);
	s->put[behind] = '.';
	memcpy(s->put + behind + 1, s->flat + behind, s->flat_len - behind);
	s->put_len = s->flat_len + 1;
	if (!s->tls)
		return true;
	one_more(s->put + s->name_at - 2);
	one_more(s->put + s->name_at - 5);
	one_more(s->put + s->name_at - 7);
	one_more(s->put + extensions);
	hello = ((uint32_t)s->put[RECORD_HEADER + 1] << 16 | kd_get16(s->put + RECORD_HEADER + 2)) + 1;
	s->put[RECORD_HEADER + 1] = (uint8_t)(hello >> 16);
	kd_put16(s->put + RECORD_HEADER + 2, (uint16_t)hello);
	one_more(s->put + 3);
	return true;
}

static void as_it_is(struct kd_shape *s, size_t before)
{
	static const uint8_t change_cipher_spec[] = {0x14, 3, 3, 0, 1, 1}; /* RFC 5246 7.1 */

	memcpy(s->put, change_cipher_spec, before);
	memcpy(s->put + before, s->flat, s->flat_len);
	s->put_len = before + s->flat_len;
}

int kd_shape_choose(struct kd_shape *s, enum kd_shape_kind kind)
{
	size_t middle = s->name_at + s->name_len / 2;
	bool records = kind == KD_SHAPE_RECORDS || kind == KD_SHAPE_BOTH;

	s->cut = s->fragment = 0;
	s->added = 0;
	s->sent = s->failed = false;
	if (!s->tls && (records || kind == KD_SHAPE_RECORD_BEFORE))
		return -EOPNOTSUPP;
	if (records)
		two_records(s, middle);
	else if (kind == KD_SHAPE_DOT && !dot(s))
		return -EOPNOTSUPP;
	else if (kind != KD_SHAPE_DOT)
		as_it_is(s, kind == KD_SHAPE_RECORD_BEFORE ? 6 : 0);
	if (kind == KD_SHAPE_SEGMENTS)
		s->cut = middle;
	if (kind == KD_SHAPE_BOTH)
		s->cut = s->name_at + 1; /* not where the record is cut */
	if (kind == KD_SHAPE_FRAGMENTS)
		s->fragment = middle;
	return 0;
}

static bool is_carrier(const struct kd_shape *s, uint64_t number)
{
	for (unsigned int i = 0; i < s->ncarriers; i++)
		if (s->carrier[i] == number)
			return true;
	return false;
}

unsigned int kd_shape_apply(struct kd_shape *s, const struct kd_captured *c, uint64_t number,
	unsigned int link, struct kd_captured out[KD_SHAPE_PIECES])
{
	struct kd_view v;
	bool opener;
	int32_t off;

	kd_decode(&v, c->data, c->len, c->wire_len, link);
	out[0] = *c;
	if (!is_of(s, &v, number, &opener))
		return 1;
	s->out = out;
	s->nout = 0;
	s->frames_used = 0;
	off = (int32_t)(v.seq - s->start);
	if (opener && !s->sent && is_carrier(s, number)) {
		s->sent = true;
		if (!kd_shape_frames(s, c, &v)) {
			s->failed = true;
			out[0] = *c;
			return 1;
		}
	}
	if (!opener || v.payload_len == 0 || off < 0 || (size_t)off >= s->hello_len)
		kd_shape_move(s, c, &v, opener);
	else if ((size_t)off + v.payload_len > s->hello_len)
		kd_shape_trim(s, c, &v, s->hello_len - (size_t)off);
	s->added += (long)s->nout - 1;
	return s->nout;
}
