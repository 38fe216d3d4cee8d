/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Blind spots: why a box did nothing about a flow whose bytes, as the endpoint gets them, match one of its
 * rules. An observer says what one had to do to see the match, a box's flow record what that box does; what
 * is left over is the blind spot. Names are stable, `kordon list blind-spots` prints them.
 */
#ifndef KD_SPOT_H
#define KD_SPOT_H

#include <stdint.h>

#include "engine/event.h"

struct kd_engine;
struct kd_flow;
struct kd_policy;

/* X(symbol, name, sentence). The first part is found in the bytes, the second in what the box says. */
#define KD_SPOTS(X)                                                                                          \
	X(SEGMENTS, "segments", "the bytes come in several segments, and the box reads each by itself")      \
	X(ORDER, "order", "segments come out of order, and the box does not keep what lies behind a gap")    \
	X(OVERLAP, "overlap", "of bytes that come twice the box keeps others than the endpoint, or none")    \
	X(AGAIN, "sent_before",                                                                              \
		"the bytes lie before what their side has sent already, and the box reads no such segment")  \
	X(SLOW, "slow", "the segments come further apart than the box waits")                                \
	X(DEPTH, "depth", "the bytes are more than the box puts together")                                   \
	X(RECORDS, "records",                                                                                \
		"the ClientHello comes in several TLS records, and the box does not join them")              \
	X(RECORDS_APART, "records_apart",                                                                    \
		"its TLS records come in several segments, and the box joins them "                          \
		"within one only")                                                                           \
	X(FRAGMENTS, "fragments", "the bytes come in IP fragments, and the box does not look into them")     \
	X(TRAILING_DOT, "trailing_dot", "the name ends in a dot, and to the box that is another name")       \
	X(NAME_CASE, "name_case", "the name has capital letters, and to the box that is another name")       \
	X(AFTER_REQUEST, "after_request", "a request before it cleared the flow, and the box looks no more") \
	X(AFTER_HELLO, "after_hello",                                                                        \
		"a ClientHello or CONNECT before it cleared the flow, and the box looks no more")            \
	X(BUDGET, "budget", "it comes behind the packets that the box looks at")                             \
	X(GAVE_UP, "gave_up", "the box gave this side up at a long first packet of nothing it knows")        \
	X(OPENED, "opened_from_outside", "the rule is for flows opened from inside, and this one is not")    \
	X(NOT_SEEN, "not_seen", "the box does not see what comes from the outside")                          \
	X(PROTOCOL, "protocol", "the box does not know the protocol")                                        \
	X(NODE, "node", "not all nodes have the rule, and the one that the flow is sent to has it not")      \
	X(DECOY_CHECKSUM, "decoy_checksum", "the box believes packets of a wrong checksum")                  \
	X(DECOY_TTL, "decoy_ttl", "the box believes packets that die before the endpoint")                   \
	X(DECOY_SEQUENCE, "decoy_sequence", "the box believes packets far out of sequence")                  \
	X(DECOY_PAST, "decoy_past_sequence", "the box believes packets from before the first byte")          \
	X(DECOY_MD5, "decoy_md5", "the box believes packets with an MD5 signature that nobody asked for")    \
	X(DECOY_TIMESTAMP, "decoy_timestamp", "the box believes packets with a timestamp of the past")       \
	X(DECOY_URGENT, "decoy_urgent", "the box reads an urgent byte that is not of the stream")            \
	X(DECOY_SYN_DATA, "decoy_syn_data", "the box reads payload of a SYN")                                \
	X(DECOY_END, "decoy_low_ttl_end", "the box believes a FIN or RST that dies before the endpoint")     \
	X(CLEARED, "cleared", "a FIN or RST ended the flow for the box, and bytes came behind it")           \
	X(DISBELIEVED, "disbelieved", "the box takes for a fake what the endpoint takes for real")           \
	X(UNKNOWN, "observer.unknown",                                                                       \
		"what reaches the endpoint is not known (--hops tells how far it is), or the box does not "  \
		"say why it did nothing")                                                                    \
	X(ROLES_LIFTED, "roles_lifted", "a SYN of the other side took away the roles that the rule goes by") \
	X(COULD_NOT_ACT, "could_not_act", "the rule matches, and its mechanism cannot act here")             \
	X(MISSED, "missed", "the rule matches, and the box missed it by chance")                             \
	X(ALLOWED, "allowed", "another rule lets the flow through")                                          \
	X(PENDING, "pending", "the rule matches, and what it does is not there yet")                         \
	X(NO_ROOM, "no_room", "the box had no room to put the bytes together")                               \
	X(GUARD, "guard", "kordon leaves flows out of the lab alone")

enum kd_spot {
#define X(symbol, name, sentence) KD_SPOT_##symbol,
	KD_SPOTS(X)
#undef X
		KD_SPOT_COUNT
};

_Static_assert(KD_SPOT_COUNT <= 64, "masks of spots");

#define KD_SPOT_BIT(symbol) (1ull << KD_SPOT_##symbol)

struct kd_spot_row {
	const char *name, *sentence;
};

extern const struct kd_spot_row kd_spots[KD_SPOT_COUNT];

/* An endpoint's knob: what it reads, whatever boxes do. NULL name = the end. */
struct kd_spot_knob {
	const char *name, *value;
};

extern const struct kd_spot_knob kd_spot_endpoint[];

#define KD_CURES_MAX 32

/* Which value of which knob takes which spot away, and what none needs to. */
struct kd_cures {
	uint64_t always;
	unsigned int n;
	struct {
		uint64_t spot;
		uint32_t values; /* bit per value */
		uint8_t knob;
	} row[KD_CURES_MAX];
};

/* The caller frees it; -ENOMEM. */
int kd_cures_new(struct kd_cures **ret);

/* Those that are none to this box on this flow, by its knobs; and how many payload packets of a side it
 * looks at. */
uint64_t kd_spots_can(struct kd_engine *e, const struct kd_flow *f, uint16_t *ret_looks);
/* Puts blind spots and the rule not seen into a box's flow record; `note` is what the observer said. */
void kd_spots_join(struct kd_event *flow, const struct kd_event *note);

#endif
