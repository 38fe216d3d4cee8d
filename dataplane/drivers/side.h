/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Which side is inside, for a captured packet. In order:
 *   1. the interface, in a pcapng that kordon wrote: what entered the box at "inside" or left it at "outside"
 * came from inside; a packet without a direction counts as entering;
 *   2. a given CIDR list, when exactly one endpoint lies in it;
 *   3. the one endpoint in private, shared (100.64/10), ULA, link-local, loopback or benchmarking space.
 * Documentation space plays the internet in labs (198.18.0.2 -> 203.0.113.10), so it counts only when neither
 * endpoint is in one of those spaces, and then again only when exactly one endpoint is in it;
 *   4. the opener of the flow: the sender of its first packet, or the receiver when that is a SYN/ACK. What
 * has no ports to tell flows apart (fragments, other protocols) goes with the first flow between the two
 * addresses. Cold path: may allocate.
 */
#ifndef KD_SIDE_H
#define KD_SIDE_H

#include <stdint.h>

#include "drivers/capture.h"
#include "engine/decode.h"

struct kd_side_judge;

enum kd_side_rule {
	KD_SIDE_BY_INTERFACE,
	KD_SIDE_BY_NET,
	KD_SIDE_BY_PRIVATE,
	KD_SIDE_BY_FIRST,
	KD_SIDE_RULE_COUNT
};

/* nets: "10.0.0.0/8,fd00::/8" or NULL; a lone address is a net of one. -EINVAL with *bad pointing at the
 * first bad piece of it; -ENOMEM. */
int kd_side_new(struct kd_side_judge **ret, const char *nets, const char **bad);
void kd_side_free(struct kd_side_judge *j);

/*
 * enum kd_side the packet came from. view may be undecoded (ip_version 0): then as the interface says, else
 * inside, which no rule counts.
 */
unsigned int kd_side_of(struct kd_side_judge *j, const struct kd_capture *c, const struct kd_captured *pkt,
	const struct kd_view *view);

/* How many packets each rule decided, and the name of a rule ("interface", "inside-net", "private",
 * "first-packet"). */
uint64_t kd_side_count(const struct kd_side_judge *j, enum kd_side_rule rule);
const char *kd_side_rule_name(enum kd_side_rule rule);

#endif
