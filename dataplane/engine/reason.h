/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Every fate of a packet and every outcome of a flow has one named reason: this name is the counter, the
 * event field, the pcapng comment and the row in docs/reference.md. Names are `stage.what_happened`, unique,
 * never renamed. Protocols and mechanisms bring their own reasons in their own file; they are numbered behind
 * these by the registry.
 */
#ifndef KD_REASON_H
#define KD_REASON_H

#include <stdint.h>

#include "kd_registry.h" /* generated from the meson lists: KD_PROTOCOL_COUNT, KD_MECHANISM_COUNT */

/* X(symbol, name, sentence) */
#define KD_REASONS(X)                                                                                        \
	X(NONE, "none", "no reason (never given to a packet)")                                               \
	X(TRUNCATED_CAPTURE, "truncated.capture",                                                            \
		"the capture cut this packet before what decides its fate")                                  \
	X(DECODE_TRUNCATED_LINK, "decode.truncated_link", "the link header is longer than the packet")       \
	X(DECODE_NOT_IP, "decode.not_ip", "no IP header found; the box passes such frames")                  \
	X(DECODE_TAGS, "decode.too_many_tags", "more link tags or labels than the box unpacks")              \
	X(DECODE_PPP, "decode.pppoe_bad", "PPPoE header is malformed or its length is a lie")                \
	X(DECODE_TRUNCATED_IP, "decode.truncated_ip", "the IP header is longer than the packet")             \
	X(DECODE_BAD_IP, "decode.bad_ip", "not a valid IP header (version or header length)")                \
	X(DECODE_IP_LENGTH, "decode.ip_length",                                                              \
		"the IP length is less than its header or more than the packet")                             \
	X(DECODE_EXT_HEADERS, "decode.ext_headers",                                                          \
		"an IPv6 extension header is cut, lies, or there are too many")                              \
	X(DECODE_ROUTED, "decode.source_routed", "an IPv6 routing header has stations left; passed unseen")  \
	X(DECODE_TRUNCATED_TCP, "decode.truncated_tcp", "the TCP header is longer than the segment")         \
	X(DECODE_TCP_OFFSET, "decode.tcp_offset", "the TCP data offset is below 5 or past the segment")      \
	X(DECODE_TRUNCATED_UDP, "decode.truncated_udp", "the UDP header is longer than the datagram")        \
	X(DECODE_UDP_LENGTH, "decode.udp_length", "the UDP length is below 8 or past the datagram")          \
	X(DECODE_TRUNCATED_ICMP, "decode.truncated_icmp", "the ICMP header is longer than the packet")       \
	X(DECODE_CHECKSUM, "decode.bad_checksum",                                                            \
		"a checksum is wrong and --checksums verify was asked for")                                  \
	X(FRAG_NOT_INSPECTED, "frag.not_inspected", "an IP fragment: forwarded as one, not inspected")       \
	X(FRAG_HELD, "frag.held", "an IP fragment, held until all of its packet are here")                   \
	X(FRAG_TOO_MANY, "frag.too_many", "its packet came in more fragments than the box takes: all lost")  \
	X(FRAG_OVERLAP, "frag.overlap", "a fragment came twice or overlaps another: all of the packet lost") \
	X(FRAG_TIMEOUT, "frag.timeout", "the rest of its packet's fragments did not come in time")           \
	X(FRAG_NO_ROOM, "frag.no_room", "no room to hold all fragments of its packet: forwarded untouched")  \
	X(FRAG_BAD_LENGTH, "frag.bad_length",                                                                \
		"a fragment of a length or at an offset that no packet has: forwarded untouched")            \
	X(FRAG_NOT_EDITED, "frag.not_edited",                                                                \
		"a rule would edit this packet, but it came in fragments: forwarded as they are")            \
	X(FRAG_END_OF_RUN, "frag.end_of_run",                                                                \
		"the run ended while the fragment waited for the rest of its packet")                        \
	X(LATER_HELD, "later.held", "held back until its time comes, or for those held before it")           \
	X(LATER_NO_ROOM, "later.no_room", "no room to hold another packet back")                             \
	X(LATER_END_OF_RUN, "later.end_of_run", "the run ended while it was held back")                      \
	X(GUARD_OUTSIDE_LAB, "guard.outside_lab",                                                            \
		"an end of this flow is not in the lab: forwarded untouched")                                \
	X(GUARD_LAB_SIZE, "guard.lab_size", "more inside addresses than a lab has: forwarded untouched")     \
	X(BOX_NOT_SEEN, "box.not_seen", "comes from the outside, and this box sees upstream only")           \
	X(BOX_BYPASSED, "box.bypassed", "the box is bypassed: forwarded, and nobody looked")                 \
	X(BOX_OVERLOADED, "box.overloaded",                                                                  \
		"more packets in this second than the box takes: forwarded, and nobody looked")              \
	X(FLOW_TABLE_FULL, "flow.table_full", "no room for another flow; its packets are judged one by one") \
	X(FLOW_DONE, "flow.done", "the rule acted earlier on this flow and has no more to do with it")       \
	X(FLOW_NO_PAYLOAD, "flow.no_payload", "no payload yet; nothing to inspect")                          \
	X(FLOW_OTHER_PROTOCOL, "flow.other_protocol", "not TCP or UDP, and no rule took its first packet")   \
	X(FLOW_ROLE_LIFTED, "flow.role_lifted",                                                              \
		"a rule matches, but a SYN of the other side has taken the roles away that it goes by")      \
	X(FLOW_ICMP_ERROR, "flow.icmp_error", "an ICMP error about a flow that a rule drops: lost with it")  \
	X(FLOW_IDLE, "flow.idle", "the flow was idle past its time")                                         \
	X(FLOW_REOPENED, "flow.reopened", "a new SYN took the 4-tuple over")                                 \
	X(FLOW_CLEARED, "flow.cleared",                                                                      \
		"a FIN or RST was seen: the box lets go of the flow and looks at it no more")                \
	X(FLOW_FINISHED, "flow.end_of_run", "the run ended while the flow was live")                         \
	X(STREAM_WAITS, "stream.waits", "behind a gap in what is put together; the box waits for the rest")  \
	X(STREAM_NOTHING_NEW, "stream.nothing_new", "holds nothing that was not seen before")                \
	X(STREAM_NO_ROOM, "stream.no_room", "no room to put it together with others; inspected by itself")   \
	X(STREAM_DIFFERS, "stream.differs",                                                                  \
		"differs from what came before at the same place; its side is not put together any more")    \
	X(STREAM_RETRANSMITTED, "stream.retransmitted",                                                      \
		"ends at or before what its side sent already; not read again")                              \
	X(FAKE_CHECKSUM, "fake.checksum", "a checksum is wrong: the other end throws it away")               \
	X(FAKE_TTL, "fake.ttl", "its TTL is too low to come from so near: it may not reach the other end")   \
	X(FAKE_SEQUENCE, "fake.sequence", "its sequence number lies far outside of what its side sends")     \
	X(FAKE_PAST_SEQUENCE, "fake.past_sequence", "it begins before its side's first byte")                \
	X(FAKE_MD5, "fake.md5", "it has a TCP MD5 option that nobody agreed on")                             \
	X(FAKE_TIMESTAMP, "fake.timestamp", "its TCP timestamp is older than its side's latest")             \
	X(FAKE_IP_ID, "fake.ip_id", "another packet of its side had the same IP ID")                         \
	X(FAKE_URGENT, "fake.urgent", "it holds an urgent byte and nothing else")                            \
	X(FAKE_SYN_DATA, "fake.syn_data", "payload on a SYN")                                                \
	X(FAKE_OVERLAP, "fake.overlap", "it holds other bytes where some were put together before")          \
	X(FAKE_LOW_TTL_END, "fake.low_ttl_end",                                                              \
		"a RST or FIN that may not reach the other end: it clears nothing")                          \
	X(FAKE_NAME_LENGTH, "fake.name_length",                                                              \
		"no rule takes this hello, but it may be a decoy: one with a name of another length may "    \
		"follow")                                                                                    \
	X(CLASSIFY_UNKNOWN, "classify.unknown", "no protocol recognises this payload; more is looked at")    \
	X(CLASSIFY_BUDGET, "classify.budget_spent",                                                          \
		"nothing recognised within the inspection budget; given up")                                 \
	X(CLASSIFY_BYTES, "classify.too_long", "begins like a protocol and does not end within its bytes")   \
	X(DECIDE_NO_RULE, "decide.no_rule", "recognised, and no rule matches")                               \
	X(DECIDE_MISSED, "decide.missed", "a trigger that the box missed by chance, as real ones do")        \
	X(DECIDE_NOT_IN_SHARE, "decide.not_in_share",                                                        \
		"a trigger, but the rule acts on a share of flows and this is none of them")                 \
	X(DECIDE_WAITS, "decide.waits", "a rule has hold of the flow and does not act yet")                  \
	X(DECIDE_OTHER_BYTES, "decide.other_bytes",                                                          \
		"a rule has hold of the flow, and acts on other bytes of it than these")                     \
	X(DECIDE_BYPASSED, "decide.bypassed", "the rule that has hold of the flow is bypassed")              \
	X(DECIDE_PENDING, "decide.pending",                                                                  \
		"a rule matches but its mechanism does not exist yet; forwarded")                            \
	X(DECIDE_OBSERVED, "decide.observed", "a rule that only watches matches; the flow goes on")          \
	X(DECIDE_ALLOWED, "decide.allowed", "a rule that lets the flow through some phases matches")         \
	X(DECIDE_COULD_NOT_ACT, "decide.could_not_act",                                                      \
		"a rule matches, and its mechanism cannot act on this flow or from this place")              \
	X(DECIDE_RESIDUAL, "decide.residual", "under the residual of a trigger on another flow")             \
	X(DECIDE_RESIDUAL_NO_ROOM, "decide.residual_no_room",                                                \
		"no room for a residual that is for other flows: it holds for its own alone")                \
	X(DECIDE_RESIDUAL_OVER, "decide.residual_over", "the residual of an earlier trigger has ended")      \
	X(INJECT_NO_ROOM, "inject.no_room", "no room for another injected packet in this burst")             \
	X(INJECT_MPLS, "inject.no_reverse_stack",                                                            \
		"cannot answer backwards: the reverse MPLS stack is unknown")                                \
	X(INJECT_TOO_LONG, "inject.template_too_long",                                                       \
		"the trigger's headers do not fit an injected packet")                                       \
	X(INJECT_FRAME_TOO_LONG, "inject.frame_too_long", "the frame is too long for a copy to be injected") \
	X(CHAIN_NO_ROOM, "chain.no_room", "no room to carry an injected packet on through the path's boxes")

enum kd_reason_core {
#define X(symbol, name, sentence) KD_REASON_##symbol,
	KD_REASONS(X)
#undef X
		KD_REASON_CORE_COUNT
};

/* Reasons that one protocol or mechanism file may bring. */
#define KD_LOCAL_REASONS 16

#define KD_REASON_PROTOCOL(index, local)                                                                     \
	((uint16_t)(KD_REASON_CORE_COUNT + (index)*KD_LOCAL_REASONS + (local)))
#define KD_REASON_MECHANISM(index, local)                                                                    \
	((uint16_t)(KD_REASON_CORE_COUNT + (KD_PROTOCOL_COUNT + (index)) * KD_LOCAL_REASONS + (local)))
#define KD_REASON_COUNT (KD_REASON_CORE_COUNT + (KD_PROTOCOL_COUNT + KD_MECHANISM_COUNT) * KD_LOCAL_REASONS)

struct kd_reason {
	const char *name;
	const char *sentence;
};

/* The row of a reason; NULL for a number nobody uses. */
const struct kd_reason *kd_reason(uint16_t reason);
/* Its name, "none" at worst. */
const char *kd_reason_name(uint16_t reason);

#endif
