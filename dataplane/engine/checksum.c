/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Judges the checksums of a captured packet: right, wrong, or left to hardware that stood behind the capture.
 * It changes nothing and decides nothing: what a wrong checksum means for a packet is a knob of the box.
 */
#include "engine/checksum.h"

#include <string.h>

#include "engine/cursor.h"
#include "engine/reason.h"

#define IP6_HEADER_LEN 40

/* The largest MTU of an access network, with 100 bytes for the outer headers of a tunnel that was taken off.
 */
#define IP_LEN_MAX (1500 + 100)

/* Words in the host's byte order, which the ones' complement sum does not mind until the end (RFC 1071, 2 B).
 */
static uint64_t sum_bytes(const uint8_t *p, size_t len)
{
	uint64_t sum = 0;
	uint32_t word;
	uint16_t half = 0;

	for (; len >= sizeof(word); p += sizeof(word), len -= sizeof(word)) {
		memcpy(&word, p, sizeof(word));
		sum += word;
	}
	if (len >= sizeof(half)) {
		memcpy(&half, p, sizeof(half));
		sum += half;
		p += sizeof(half);
		len -= sizeof(half);
	}
	half = 0;
	memcpy(&half, p, len);
	return sum + half;
}

static uint16_t net16(uint16_t host)
{
	return __builtin_bswap16(host);
}

static uint16_t fold(uint64_t sum)
{
	while (sum >> 16 != 0)
		sum = (sum & 0xffff) + (sum >> 16);
	return net16((uint16_t)sum);
}

static uint64_t sum_pseudo(const struct kd_view *v, uint32_t len)
{
	size_t addr_len = v->ip_version == 4 ? 4 : 16;

	return sum_bytes(v->src, addr_len) + sum_bytes(v->dst, addr_len) + net16(v->ip_proto) +
	       net16((uint16_t)(len >> 16)) + net16((uint16_t)len);
}

static uint8_t judge_ip4(const uint8_t *ip, size_t have)
{
	size_t header_len = have > 0 ? (*ip & 0x0fu) * 4 : 0;

	if (have < 20 || have < header_len)
		return KD_SUM_UNKNOWN;
	if (header_len < 20)
		return KD_SUM_BAD;
	if (fold(sum_bytes(ip, header_len)) == 0xffff)
		return KD_SUM_GOOD;
	return kd_get16(ip + 10) == 0 ? KD_SUM_PARTIAL : KD_SUM_BAD;
}

/* As the headers say; where they say 0 (a super-frame longer than they can), as the frame does. */
static uint32_t ip_wire_len(const uint8_t *ip, const struct kd_view *v)
{
	uint32_t len = v->ip_version == 4 ? kd_get16(ip + 2) : kd_get16(ip + 4);

	if (len == 0)
		return v->ip_end - v->l3_off + (v->payload_wire_len - v->payload_len);
	return v->ip_version == 4 ? len : IP6_HEADER_LEN + len;
}

/*
 * The transport's bytes with the pseudo-header. Linux leaves the folded pseudo-header sum, not inverted and
 * with the length, in a packet whose checksum the device is to complete (CHECKSUM_PARTIAL), whatever its
 * size, and the same in packets it has merged on receipt. Windows and the BSDs leave the length out when the
 * device is also to cut it up.
 */
static uint8_t judge_with_pseudo(
	const uint8_t *l4, uint32_t len, uint16_t field, const struct kd_view *v, bool super)
{
	uint64_t pseudo = sum_pseudo(v, len);

	if (fold(sum_bytes(l4, len) + pseudo) == 0xffff)
		return KD_SUM_GOOD;
	if (field == fold(pseudo) || (super && field == fold(sum_pseudo(v, 0))))
		return KD_SUM_PARTIAL;
	return KD_SUM_BAD;
}

static uint8_t judge_udp(const uint8_t *l4, uint32_t have, uint32_t wire_len, const struct kd_view *v)
{
	uint32_t len;

	if (have < 8)
		return KD_SUM_UNKNOWN;
	len = kd_get16(l4 + 4);
	if (kd_get16(l4 + 6) == 0)
		return v->ip_version == 4 ? KD_SUM_ABSENT : KD_SUM_BAD;
	if (len == 0)
		len = wire_len;
	if (len > wire_len)
		return KD_SUM_BAD;
	return have < len ? KD_SUM_UNKNOWN : judge_with_pseudo(l4, len, kd_get16(l4 + 6), v, false);
}

static uint8_t judge_transport(
	const uint8_t *l4, uint32_t have, uint32_t wire_len, const struct kd_view *v, bool super)
{
	switch (v->ip_proto) {
	case KD_PROTO_UDP:
		return judge_udp(l4, have, wire_len, v);
	case KD_PROTO_TCP:
		if (have < wire_len || have < 20)
			return KD_SUM_UNKNOWN;
		return judge_with_pseudo(l4, wire_len, kd_get16(l4 + 16), v, super);
	case KD_PROTO_ICMP:
		if (v->ip_version != 4)
			return KD_SUM_ABSENT;
		if (have < wire_len || have < 4)
			return KD_SUM_UNKNOWN;
		return fold(sum_bytes(l4, wire_len)) == 0xffff ? KD_SUM_GOOD : KD_SUM_BAD;
	case KD_PROTO_ICMP6:
		if (v->ip_version != 6)
			return KD_SUM_ABSENT;
		if (have < wire_len || have < 4)
			return KD_SUM_UNKNOWN;
		return judge_with_pseudo(l4, wire_len, kd_get16(l4 + 2), v, false);
	default:
		return KD_SUM_ABSENT;
	}
}

void kd_sums_judge(struct kd_sums *s, const uint8_t *data, const struct kd_view *v)
{
	const uint8_t *ip = data + v->l3_off;
	uint32_t ip_len, head_len;

	*s = (struct kd_sums){.ip = KD_SUM_ABSENT, .transport = KD_SUM_ABSENT};
	if (v->ip_version == 0)
		return;
	s->ip = v->ip_version == 4 ? judge_ip4(ip, v->ip_end - v->l3_off) : KD_SUM_GOOD;
	if (v->reason == KD_REASON_TRUNCATED_CAPTURE)
		s->transport = KD_SUM_UNKNOWN;
	if (v->reason != 0 || v->fragment)
		return;
	ip_len = ip_wire_len(ip, v);
	head_len = v->l4_off - v->l3_off;
	if (ip_len < head_len) /* no decoder lets this through */
		return;
	s->super_frame = v->ip_proto == KD_PROTO_TCP && ip_len > IP_LEN_MAX && v->payload_wire_len > 0;
	s->transport = judge_transport(
		data + v->l4_off, v->ip_end - v->l4_off, ip_len - head_len, v, s->super_frame);
}
