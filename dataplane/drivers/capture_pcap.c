/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The pcap format: a file header and records. What writers get wrong harmlessly is taken as it is (snaplen, a
 * fraction of a second over one second, a wire length below the captured one); a length that cannot be is an
 * error, because where the next record starts is then unknown. Versions before 2.4 swapped the two lengths
 * and are refused.
 */
#include "drivers/capture_parts.h"

#include <inttypes.h>

#define FILE_HEADER_LEN 24
#define RECORD_HEADER_LEN 16

static int pcap_next(struct kd_capture *c, struct kd_captured *pkt)
{
	struct kd_source *s = &c->source;
	uint64_t start = s->offset;
	uint64_t seconds, fraction;
	uint32_t len, wire_len;
	struct kd_cur cur;
	int r = kd_source_want(s, RECORD_HEADER_LEN);

	if (r < 0)
		return kd_capture_fail_read(c, r);
	if (s->have == 0)
		return 0;
	if (s->have < RECORD_HEADER_LEN)
		return kd_capture_fail(
			c, start, "truncated: the file ends %zu bytes into a record header", s->have);
	cur = kd_cur(s->p, RECORD_HEADER_LEN);
	seconds = kd_capture_u32(c, &cur);
	fraction = kd_capture_u32(c, &cur);
	len = kd_capture_u32(c, &cur);
	wire_len = kd_capture_u32(c, &cur);
	if (len > KD_CAPTURE_PACKET_MAX)
		return kd_capture_fail(c, start,
			"broken: a record of %" PRIu32 " bytes; at most %u are possible", len,
			KD_CAPTURE_PACKET_MAX);
	r = kd_source_want(s, RECORD_HEADER_LEN + (size_t)len);
	if (r < 0)
		return kd_capture_fail_read(c, r);
	if (s->have < RECORD_HEADER_LEN + (size_t)len)
		return kd_capture_fail(c, start,
			"truncated: the file ends %zu bytes into a record of %" PRIu32 " bytes",
			s->have - RECORD_HEADER_LEN, len);
	*pkt = (struct kd_captured){
		.data = s->p + RECORD_HEADER_LEN,
		.len = len,
		.wire_len = wire_len < len ? len : wire_len,
		.time_ns = seconds * 1000000000u + fraction * c->pcap_unit_ns,
		.dlt = c->pcap_dlt,
		.if_name = "",
		.direction = KD_DIR_UNKNOWN,
	};
	kd_source_skip(s, RECORD_HEADER_LEN + (size_t)len);
	return 1;
}

int kd_capture_pcap_begin(struct kd_capture *c)
{
	struct kd_source *s = &c->source;
	uint32_t magic, major, minor;
	struct kd_cur cur;
	int r = kd_source_want(s, FILE_HEADER_LEN);

	if (r < 0) {
		kd_capture_fail_read(c, r);
		return r;
	}
	if (s->have < FILE_HEADER_LEN)
		return kd_capture_fail(
			c, 0, "truncated: the file ends %zu bytes into the pcap header", s->have);
	cur = kd_cur(s->p, FILE_HEADER_LEN);
	c->little = s->p[0] != 0xa1;
	magic = kd_capture_u32(c, &cur);
	c->pcap_unit_ns = magic == 0xa1b23c4d ? 1 : 1000;
	major = kd_capture_u16(c, &cur);
	minor = kd_capture_u16(c, &cur);
	if (major != 2 || minor < 4)
		return kd_capture_fail(
			c, 0, "unsupported: pcap version %" PRIu32 ".%" PRIu32 "; 2.4 is read", major, minor);
	kd_cur_skip(&cur, 12); /* time zone, accuracy, snaplen: no writer can be held to them */
	/* The upper half holds the length of the frame check sequence and reserved bits. */
	c->pcap_dlt = kd_capture_u32(c, &cur) & 0xffff;
	kd_source_skip(s, FILE_HEADER_LEN);
	c->next = pcap_next;
	return 0;
}
