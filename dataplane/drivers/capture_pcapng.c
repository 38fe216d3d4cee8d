/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The pcapng format: sections, interfaces, and packets in enhanced, simple and obsolete packet blocks. Every
 * section may turn the byte order round and counts its interfaces from 0; to the caller they are numbered
 * over the whole file. Blocks of other types are stepped over; a block whose frame is wrong ends the reading,
 * for what follows is unknown.
 */
#include "drivers/capture_parts.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define BLOCK_SECTION 0x0a0d0d0a
#define BLOCK_INTERFACE 1
#define BLOCK_PACKET 2 /* obsolete: a 16-bit interface and a drop count, else like the enhanced one */
#define BLOCK_SIMPLE 3
#define BLOCK_STATISTICS 5
#define BLOCK_ENHANCED 6

#define BYTE_ORDER_MAGIC 0x1a2b3c4d
#define FRAME_LEN 12 /* type, length, and the length again behind the body */
#define SECTION_MIN_LEN 28

#define OPTION_END 0
#define OPTION_COMMENT 1
#define OPTION_IF_NAME 2
#define OPTION_EPB_FLAGS 2 /* of both packet blocks that have options */
#define OPTION_ISB_ENDTIME 3
#define OPTION_SHB_USERAPPL 4
#define OPTION_IF_TSRESOL 9
#define OPTION_IF_TSOFFSET 14

#define NS_PER_S 1000000000u

struct block {
	uint64_t start; /* offset in the capture */
	uint32_t type;
	struct kd_cur body;
};

/* Sets the byte order that the section header at p, of at least 12 bytes, was written in. */
static int section_order(struct kd_capture *c, const uint8_t *p)
{
	uint32_t magic = kd_get32(p + 8);

	if (magic != BYTE_ORDER_MAGIC && magic != __builtin_bswap32(BYTE_ORDER_MAGIC))
		return kd_capture_fail(c, c->source.offset,
			"%s: a section header whose byte-order magic is %08" PRIx32,
			c->source.offset == 0 ? "not a capture" : "broken", magic);
	c->little = magic != BYTE_ORDER_MAGIC;
	return 0;
}

/* Takes the next block, whole. 1, 0 at the end of the capture, -EINVAL. */
static int block_take(struct kd_capture *c, struct block *b)
{
	struct kd_source *s = &c->source;
	struct kd_cur cur;
	uint32_t len;
	int r = kd_source_want(s, FRAME_LEN);

	if (r < 0)
		return kd_capture_fail_read(c, r);
	if (s->have == 0)
		return 0;
	if (s->have < FRAME_LEN)
		return kd_capture_fail(
			c, s->offset, "truncated: the file ends %zu bytes into a block", s->have);
	if (kd_get32(s->p) == BLOCK_SECTION && section_order(c, s->p) < 0)
		return -EINVAL;
	cur = kd_cur(s->p, FRAME_LEN);
	b->start = s->offset;
	b->type = kd_capture_u32(c, &cur);
	len = kd_capture_u32(c, &cur);
	if (len < (b->type == BLOCK_SECTION ? SECTION_MIN_LEN : FRAME_LEN) || len % 4 != 0 ||
		len > KD_CAPTURE_BLOCK_MAX)
		return kd_capture_fail(c, s->offset,
			"broken: a block of type %" PRIu32 " says its length is %" PRIu32, b->type, len);
	r = kd_source_want(s, len);
	if (r < 0)
		return kd_capture_fail_read(c, r);
	if (s->have < len)
		return kd_capture_fail(c, s->offset,
			"truncated: the file ends %zu bytes into a block of %" PRIu32, s->have, len);
	cur = kd_cur(s->p + 8, len - 8);
	b->body = kd_cur_sub(&cur, len - FRAME_LEN);
	if (kd_capture_u32(c, &cur) != len)
		return kd_capture_fail(
			c, s->offset, "broken: a block of %" PRIu32 " ends with another length", len);
	kd_source_skip(s, len);
	return 1;
}

/* 1 and an option, 0 at the end of the list, -EINVAL when it runs past the block. */
static int option_next(struct kd_capture *c, const struct block *b, struct kd_cur *list, uint16_t *code,
	struct kd_cur *value)
{
	uint16_t len;

	if (kd_cur_left(list) == 0)
		return 0;
	*code = kd_capture_u16(c, list);
	len = kd_capture_u16(c, list);
	if (!list->bad && *code == OPTION_END)
		return 0;
	*value = kd_cur_sub(list, len);
	kd_cur_skip(list, -len & 3u);
	if (list->bad)
		return kd_capture_fail(c, b->start, "broken: an option runs past its block");
	return 1;
}

static int section_block(struct kd_capture *c, struct block *b)
{
	static const char kordon[] = "kordon";
	uint16_t major, minor, code;
	struct kd_cur value;
	int r;

	kd_cur_skip(&b->body, 4); /* the byte-order magic: section_order has read it */
	major = kd_capture_u16(c, &b->body);
	minor = kd_capture_u16(c, &b->body);
	if (major != 1)
		return kd_capture_fail(
			c, b->start, "unsupported: pcapng version %u.%u; 1.0 is read", major, minor);
	kd_cur_skip(&b->body, 8); /* the section's length: often unknown, and never needed */
	c->first_iface = c->nifaces;
	c->kordon = false;
	c->writer[0] = '\0';
	while ((r = option_next(c, b, &b->body, &code, &value)) > 0) {
		size_t len = sizeof(kordon) - 1;

		if (code != OPTION_SHB_USERAPPL)
			continue;
		c->kordon = kd_cur_left(&value) >= len && memcmp(value.p, kordon, len) == 0;
		len = kd_cur_left(&value) < sizeof(c->writer) - 1 ? kd_cur_left(&value)
								  : sizeof(c->writer) - 1;
		memcpy(c->writer, value.p, len);
		c->writer[len] = '\0';
	}
	return r;
}

static int interface_option(
	struct kd_capture *c, struct kd_capture_iface *iface, uint16_t code, struct kd_cur *value)
{
	uint32_t first, second;
	char *name;

	switch (code) {
	case OPTION_IF_NAME:
		name = strndup((const char *)value->p, kd_cur_left(value));
		if (name == NULL)
			return -ENOMEM;
		free(iface->name);
		iface->name = name;
		return 0;
	case OPTION_IF_TSRESOL:
		iface->tsresol = kd_cur_u8(value);
		break;
	case OPTION_IF_TSOFFSET:
		first = kd_capture_u32(c, value);
		second = kd_capture_u32(c, value);
		iface->offset_s = (int64_t)(c->little ? (uint64_t)second << 32 | first
						      : (uint64_t)first << 32 | second);
		break;
	}
	return value->bad ? -EINVAL : 0;
}

static int interface_block(struct kd_capture *c, struct block *b)
{
	struct kd_capture_iface *iface;
	struct kd_cur value;
	uint16_t code;
	int r;

	if (c->nifaces == KD_CAPTURE_IFACES_MAX)
		return kd_capture_fail(
			c, b->start, "unsupported: more than %u interfaces", KD_CAPTURE_IFACES_MAX);
	iface = &c->iface[c->nifaces++];
	*iface = (struct kd_capture_iface){.tsresol = 6};
	iface->dlt = kd_capture_u16(c, &b->body);
	kd_cur_skip(&b->body, 2);
	iface->snaplen = kd_capture_u32(c, &b->body);
	if (b->body.bad)
		return kd_capture_fail(c, b->start, "broken: an interface block too short for its fields");
	while ((r = option_next(c, b, &b->body, &code, &value)) > 0) {
		r = interface_option(c, iface, code, &value);
		if (r == -ENOMEM)
			return kd_capture_fail(c, b->start, "unreadable: out of memory");
		if (r < 0)
			return kd_capture_fail(c, b->start, "broken: interface option %u is too short", code);
	}
	return r;
}

/* Ticks of an interface's clock to ns since the epoch; false when that is before it or after what 64 bits
 * hold. */
static bool ticks_to_ns(const struct kd_capture_iface *iface, uint64_t ticks, uint64_t *ret_ns)
{
	unsigned int exponent = iface->tsresol & 0x7f;
	__int128 ns;

	if (iface->tsresol & 0x80) {
		ns = (__int128)((unsigned __int128)ticks * NS_PER_S >> exponent);
	} else if (exponent <= 9) {
		uint32_t factor = 1;

		for (; exponent < 9; exponent++)
			factor *= 10;
		ns = (__int128)ticks * factor;
	} else {
		for (; exponent > 9 && ticks > 0; exponent--)
			ticks /= 10;
		ns = ticks;
	}
	ns += (__int128)iface->offset_s * NS_PER_S;
	if (ns < 0 || ns > UINT64_MAX)
		return false;
	*ret_ns = (uint64_t)ns;
	return true;
}

/* Begins a packet with what its interface says; number counts within the section. */
static int packet_of(struct kd_capture *c, const struct block *b, uint32_t number, struct kd_captured *pkt)
{
	const struct kd_capture_iface *iface;

	if (number >= c->nifaces - c->first_iface)
		return kd_capture_fail(c, b->start,
			"broken: a packet of interface %" PRIu32 " where the section has declared %" PRIu32,
			number, c->nifaces - c->first_iface);
	iface = &c->iface[c->first_iface + number];
	*pkt = (struct kd_captured){
		.dlt = iface->dlt,
		.iface = c->first_iface + number,
		.if_name = iface->name == NULL ? "" : iface->name,
		.direction = KD_DIR_UNKNOWN,
	};
	return 0;
}

static int packet_data(struct kd_capture *c, const struct block *b, struct kd_cur *body, uint32_t len,
	uint32_t wire_len, struct kd_captured *pkt)
{
	if (body->bad)
		return kd_capture_fail(c, b->start, "broken: a packet block too short for its fields");
	if (len > KD_CAPTURE_PACKET_MAX)
		return kd_capture_fail(c, b->start,
			"broken: a packet of %" PRIu32 " bytes; at most %u are possible", len,
			KD_CAPTURE_PACKET_MAX);
	pkt->data = kd_cur_take(body, len);
	if (body->bad)
		return kd_capture_fail(c, b->start,
			"broken: a packet of %" PRIu32 " bytes in a block too short for it", len);
	kd_cur_skip(body, -len & 3u);
	pkt->len = len;
	pkt->wire_len = wire_len < len ? len : wire_len;
	return 0;
}

static int packet_options(
	struct kd_capture *c, const struct block *b, struct kd_cur *list, struct kd_captured *pkt)
{
	static const uint8_t direction[4] = {KD_DIR_UNKNOWN, KD_DIR_INBOUND, KD_DIR_OUTBOUND, KD_DIR_UNKNOWN};
	struct kd_cur value;
	uint16_t code;
	int r;

	while ((r = option_next(c, b, list, &code, &value)) > 0) {
		if (code != OPTION_EPB_FLAGS)
			continue;
		pkt->direction = direction[kd_capture_u32(c, &value) & 3];
		if (value.bad)
			return kd_capture_fail(c, b->start, "broken: the packet's flags are too short");
	}
	return r;
}

/* The enhanced packet block and its obsolete predecessor. */
static int packet_block(struct kd_capture *c, struct block *b, struct kd_captured *pkt)
{
	struct kd_cur *body = &b->body;
	uint32_t number, high, low, len, wire_len;
	uint64_t time_ns;
	int r;

	if (b->type == BLOCK_PACKET) {
		number = kd_capture_u16(c, body);
		kd_cur_skip(body, 2);
	} else {
		number = kd_capture_u32(c, body);
	}
	high = kd_capture_u32(c, body);
	low = kd_capture_u32(c, body);
	len = kd_capture_u32(c, body);
	wire_len = kd_capture_u32(c, body);
	r = packet_of(c, b, number, pkt);
	if (r == 0)
		r = packet_data(c, b, body, len, wire_len, pkt);
	if (r == 0)
		r = packet_options(c, b, body, pkt);
	if (r < 0)
		return r;
	if (!ticks_to_ns(&c->iface[pkt->iface], (uint64_t)high << 32 | low, &time_ns))
		return kd_capture_fail(c, b->start, "broken: a packet's time lies outside 1970 to 2554");
	pkt->time_ns = time_ns;
	c->last_ns = time_ns;
	return 1;
}

/* No interface, no time, no captured length: they are the section's first, the packet's before, and the
 * snaplen's. */
static int simple_block(struct kd_capture *c, struct block *b, struct kd_captured *pkt)
{
	uint32_t wire_len = kd_capture_u32(c, &b->body);
	uint32_t len = wire_len;
	uint32_t snaplen;
	int r = packet_of(c, b, 0, pkt);

	if (r < 0)
		return r;
	snaplen = c->iface[pkt->iface].snaplen;
	if (snaplen != 0 && snaplen < len)
		len = snaplen;
	r = packet_data(c, b, &b->body, len, wire_len, pkt);
	if (r < 0)
		return r;
	pkt->time_ns = c->last_ns;
	return 1;
}

static uint64_t both(uint32_t high, uint32_t low)
{
	return (uint64_t)high << 32 | low;
}

/* A comment of kordon's own. */
static int note(struct kd_capture *c, const struct block *b, const struct kd_capture_iface *iface,
	uint64_t ticks, struct kd_cur text)
{
	struct kd_capture_note *n = &c->note[c->nnotes];
	size_t len = kd_cur_left(&text);

	if (!c->kordon)
		return 0;
	if (c->nnotes == KD_CAPTURE_NOTES)
		return kd_capture_fail(
			c, b->start, "unsupported: more than %u notes between two packets", KD_CAPTURE_NOTES);
	if (!ticks_to_ns(iface, ticks, &n->time_ns))
		return kd_capture_fail(c, b->start, "broken: a note's time lies outside 1970 to 2554");
	if (len >= sizeof(n->text))
		len = sizeof(n->text) - 1;
	memcpy(n->text, text.p, len);
	n->text[len] = '\0';
	c->nnotes++;
	return 0;
}

bool kd_capture_note(struct kd_capture *c, struct kd_capture_note *ret)
{
	if (c->nnotes == 0)
		return false;
	*ret = c->note[0];
	memmove(c->note, c->note + 1, --c->nnotes * sizeof(c->note[0]));
	return true;
}

/* The end of the capture and notes are of interest; a block that does not tell them first is stepped over
 * like any other. */
static int statistics_block(struct kd_capture *c, struct block *b)
{
	uint32_t number = kd_capture_u32(c, &b->body), high, low;
	uint16_t code, len;
	uint64_t ns, ticks;

	high = kd_capture_u32(c, &b->body);
	low = kd_capture_u32(c, &b->body);
	ticks = both(high, low);
	code = kd_capture_u16(c, &b->body);
	len = kd_capture_u16(c, &b->body);
	if (b->body.bad || number >= c->nifaces - c->first_iface)
		return 0;
	if (code == OPTION_COMMENT) {
		struct kd_cur text = kd_cur_sub(&b->body, len);

		return b->body.bad ? 0 : note(c, b, &c->iface[c->first_iface + number], ticks, text);
	}
	high = kd_capture_u32(c, &b->body);
	low = kd_capture_u32(c, &b->body);
	if (b->body.bad || code != OPTION_ISB_ENDTIME || len != 8)
		return 0;
	if (ticks_to_ns(&c->iface[c->first_iface + number], both(high, low), &ns) && ns > c->end_ns)
		c->end_ns = ns;
	return 0;
}

static int pcapng_next(struct kd_capture *c, struct kd_captured *pkt)
{
	struct block b;
	int r;

	while ((r = block_take(c, &b)) > 0) {
		switch (b.type) {
		case BLOCK_SECTION:
			r = section_block(c, &b);
			break;
		case BLOCK_INTERFACE:
			r = interface_block(c, &b);
			break;
		case BLOCK_STATISTICS:
			r = statistics_block(c, &b);
			break;
		case BLOCK_ENHANCED:
		case BLOCK_PACKET:
			return packet_block(c, &b, pkt);
		case BLOCK_SIMPLE:
			return simple_block(c, &b, pkt);
		}
		if (r < 0)
			return r;
	}
	return r;
}

int kd_capture_pcapng_begin(struct kd_capture *c)
{
	struct block b;
	int r = block_take(c, &b);

	if (r < 0)
		return r;
	c->next = pcapng_next;
	return section_block(c, &b);
}
