/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The packet that an ICMP error quotes. A byte says the version of IP and whether the quotation stands in a
 * longer frame; the rest is the ICMP message. What is found lies in the message, is what the bytes there say,
 * and is found for errors only; cut before the ports it is not found.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "engine/cursor.h"
#include "engine/icmp.h"

#define HEADERS 40 /* in front of the message: what they say does not matter */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool holds)
{
	if (!holds)
		abort();
}

static bool is_error(bool v6, uint8_t type)
{
	return v6 ? (type & 0x80) == 0 : type == 3 || type == 4 || type == 5 || type == 11 || type == 12;
}

/* IPv4 by hand; IPv6 only where the transport follows at once. */
static void check(const struct kd_view *q, bool v6, const uint8_t *quoted, size_t len)
{
	size_t addr = v6 ? 16 : 4, l4 = v6 ? 40 : (size_t)(quoted[0] & 15) * 4;
	bool ports = q->ip_proto == 6 || q->ip_proto == 17;

	must(q->ip_version == (v6 ? 6 : 4) && quoted[0] >> 4 == q->ip_version);
	must(q->src == quoted + (v6 ? 8 : 12) && q->dst == q->src + addr);
	must(q->l4_off >= l4 && q->l4_off + 8u <= len);
	must(ports || (q->sport == 0 && q->dport == 0));
	if (ports)
		must(q->sport == kd_get16(quoted + q->l4_off) &&
			q->dport == kd_get16(quoted + q->l4_off + 2));
	if (!v6) {
		must(q->l4_off == l4 && q->ip_proto == quoted[9]);
		must((kd_get16(quoted + 6) & 0x1fff) == 0);
	} else if (q->l4_off == 40) {
		must(q->ip_proto == quoted[6]);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	bool v6 = size > 0 && (data[0] & 1) != 0;
	size_t len = size > 0 ? size - 1 : 0;
	struct kd_view v = {.ip_version = v6 ? 6 : 4,
			       .ip_proto = v6 ? KD_PROTO_ICMP6 : KD_PROTO_ICMP,
			       .l4_off = HEADERS,
			       .payload_off = HEADERS + 8},
		       q, cut;
	uint8_t *frame;

	if (len < 8)
		return 0;
	frame = calloc(1, HEADERS + len);
	must(frame != NULL);
	memcpy(frame + HEADERS, data + 1, len);
	v.payload_len = (uint32_t)(len - 8);
	if (kd_icmp_quoted(&q, &v, frame, HEADERS + len)) {
		must(is_error(v6, data[1]));
		check(&q, v6, frame + HEADERS + 8, v.payload_len);
		/* Neither needs the bytes behind the ports. */
		v.payload_len = q.l4_off + 8u;
		must(kd_icmp_quoted(&cut, &v, frame, HEADERS + 8 + v.payload_len));
		must(cut.sport == q.sport && cut.dport == q.dport && cut.src == q.src);
		v.payload_len--;
		must(!kd_icmp_quoted(&cut, &v, frame, HEADERS + 8 + v.payload_len));
	}
	free(frame);
	return 0;
}
