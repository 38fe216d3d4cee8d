/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Checksums of captured packets, and the marks that offloading leaves on a capture taken at the sending host:
 * a transport checksum that holds just the pseudo-header sum, and super-frames no wire ever carried.
 */
#ifndef KD_CHECKSUM_H
#define KD_CHECKSUM_H

#include <stdbool.h>
#include <stdint.h>

#include "engine/decode.h"

enum kd_sum_state {
	KD_SUM_GOOD,
	KD_SUM_ABSENT,	/* UDP over IPv4 with 0, a fragment, no transport decoded */
	KD_SUM_UNKNOWN, /* bytes cut by the capture */
	KD_SUM_PARTIAL, /* holds the pseudo-header sum only: transmit offload */
	KD_SUM_BAD,
	KD_SUM_COUNT
};

struct kd_sums {
	uint8_t ip; /* enum kd_sum_state of the IPv4 header (0x0000 from an offloading host is PARTIAL); GOOD
		       for IPv6 */
	uint8_t transport; /* of TCP, UDP, ICMP, ICMPv6 */
	bool super_frame;  /* TCP payload over 1500 - headers in one IP packet longer than 1500 bytes + tunnel
			      room: not a wire packet */
};

void kd_sums_judge(struct kd_sums *s, const uint8_t *data, const struct kd_view *view);

#endif
