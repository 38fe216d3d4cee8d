/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The decoder on any bytes: byte 0 is the link type, byte 1 where the capture cuts the frame, the rest is the
 * frame. Offsets lie inside the frame and in order, and a cut hides things but never changes them.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "engine/cursor.h"
#include "engine/decode.h"
#include "engine/engine.h"
#include "engine/reason.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool holds)
{
	if (!holds)
		abort();
}

/* An option found lies whole among the options, behind its own two bytes. */
static void check_options(const struct kd_view *v, const uint8_t *frame)
{
	for (unsigned int kind = 0; kind < 32; kind++) {
		for (uint8_t len = 0; len <= 40; len++) {
			const uint8_t *o = kd_decode_option(frame, v, (uint8_t)kind, len);

			if (o == NULL)
				continue;
			must(kind > 1 && len >= 2 && o[-2] == kind && o[-1] == len);
			must(o - 2 >= frame + v->l4_off + 20 && o + len - 2 <= frame + v->payload_off);
		}
	}
}

static void check(const struct kd_view *v, const uint8_t *frame, size_t len, size_t wire_len)
{
	size_t addr = v->ip_version == 4 ? 4 : 16, header = v->ip_version == 4 ? 20 : 40;

	must(v->reason < KD_REASON_CORE_COUNT);
	must(v->ip_version == 0 || v->ip_version == 4 || v->ip_version == 6);
	must(v->fragment == (v->reason == KD_REASON_FRAG_NOT_INSPECTED) || v->reason != 0);
	must(v->pppoe_off == 0 || v->pppoe_off + 2u <= len);
	if (v->ip_version == 0) {
		must(v->reason != 0 && v->src == NULL && v->dst == NULL);
	} else {
		must(v->l3_off + header <= v->ip_end && v->ip_end <= len);
		must(v->src >= frame + v->l3_off && v->dst == v->src + addr && v->dst + addr <= frame + len);
	}
	if (v->reason == KD_REASON_FRAG_NOT_INSPECTED)
		must(v->l4_off >= v->l3_off + header && v->l4_off <= v->ip_end && v->sport == 0 &&
			v->dport == 0);
	if (v->reason != 0) {
		must(v->payload_len == 0 && v->payload_wire_len == 0);
		return;
	}
	must(v->l3_off + header <= v->l4_off && v->l4_off <= v->payload_off);
	must((size_t)v->payload_off + v->payload_len <= v->ip_end);
	must(v->payload_len <= v->payload_wire_len);
	must((size_t)v->payload_off + v->payload_wire_len <= wire_len);
	must(v->payload_len == v->payload_wire_len || v->payload_off + v->payload_len == len);
	if (v->ip_proto == KD_PROTO_TCP) {
		must(v->payload_off - v->l4_off >= 20 && v->payload_off - v->l4_off <= 60);
		must(kd_decode_urgent(frame, v) == kd_get16(frame + v->l4_off + 18));
	}
	check_options(v, frame);
	if (v->ip_proto == KD_PROTO_UDP)
		must(v->payload_off == v->l4_off + 8u);
	if (v->ip_proto == KD_PROTO_TCP || v->ip_proto == KD_PROTO_UDP)
		must(v->sport == kd_get16(frame + v->l4_off) && v->dport == kd_get16(frame + v->l4_off + 2));
	else
		must(v->sport == 0 && v->dport == 0);
}

static struct kd_view decode(const uint8_t *bytes, size_t len, size_t wire_len, unsigned int link)
{
	uint8_t *frame = malloc(len);
	struct kd_view v;

	must(frame != NULL || len == 0);
	if (len > 0)
		memcpy(frame, bytes, len);
	memset(&v, 0xaa, sizeof(v));
	kd_decode(&v, frame, len, wire_len, link);
	check(&v, frame, len, wire_len);
	free(frame);
	return v;
}

/* Behind an Ethernet header IPv4 is what it is without one: the decoder has a short way for the one, not the
 * other. */
static void check_short_way(const struct kd_view *v, const uint8_t *frame, size_t len)
{
	struct kd_view raw;

	if (len < 15 || frame[12] != 8 || frame[13] != 0 || frame[14] >> 4 != 4)
		return;
	raw = decode(frame + 14, len - 14, len - 14, KD_LINK_RAW);
	must(raw.reason == v->reason && raw.ip_version == v->ip_version && raw.ip_proto == v->ip_proto);
	must(raw.ttl == v->ttl && raw.tcp_flags == v->tcp_flags && raw.seq == v->seq && raw.ack == v->ack);
	must(raw.sport == v->sport && raw.dport == v->dport && raw.fragment == v->fragment);
	must(raw.payload_len == v->payload_len && raw.payload_wire_len == v->payload_wire_len);
	if (v->reason == 0)
		must(raw.payload_off + 14 == v->payload_off && raw.l4_off + 14 == v->l4_off);
	if (v->ip_version != 0)
		must(raw.ip_end + 14 == v->ip_end);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct kd_view whole, part;
	unsigned int link;
	size_t len, cut;

	if (size < 2)
		return 0;
	link = data[0] % (KD_LINK_COUNT + 1u);
	len = size - 2;
	cut = data[1] < len ? data[1] : len;
	whole = decode(data + 2, len, len, link);
	if (link == KD_LINK_ETHERNET)
		check_short_way(&whole, data + 2, len);
	part = decode(data + 2, cut, len, link);
	must(part.reason == whole.reason || part.reason == KD_REASON_TRUNCATED_CAPTURE);
	must(whole.reason != KD_REASON_TRUNCATED_CAPTURE);
	if (part.ip_version != 0)
		must(part.ip_version == whole.ip_version && part.l3_off == whole.l3_off);
	if (part.reason == 0) {
		must(part.l4_off == whole.l4_off && part.payload_off == whole.payload_off);
		must(part.payload_wire_len == whole.payload_wire_len && part.ip_proto == whole.ip_proto);
	}
	return 0;
}
