/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Knobs: what a box makes of an ambiguity of TCP/IP or TLS. This is the table of those that something reads;
 * rulebooks give them values for some flows, on some nodes, from some day on. A flow's values are one set,
 * and flows with equal values share it.
 */
#ifndef KD_KNOB_H
#define KD_KNOB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A kind of fake packet is taken for real, seen through, or held against who sent it. */
#define KD_FAKE_VALUES "believe|ignore|punish"

/* X(symbol, name, values, default, claim of the default or "assumed", help). Values are enums below, in that
 * order. */
#define KD_KNOBS(X)                                                                                          \
	X(TCP_REASSEMBLE, "tcp.reassemble", "off|in-order|any-order", "off", "X-SEG-1",                      \
		"segments are put together before they are read")                                            \
	X(TCP_OVERLAP, "tcp.overlap", "first|last|strict", "first", "assumed",                               \
		"which bytes of overlapping segments count; strict: different ones end putting together")    \
	X(TLS_JOIN_RECORDS, "tls.join_records", "off|within_segment|stream", "off", "X-SEG-1",               \
		"a ClientHello split over records is joined")                                                \
	X(TLS_PARSER_2021, "tls.parser_2021", "off|on", "off", "assumed",                                    \
		"flows are given up and looked on at as the throttling boxes of 2021 did")                   \
	X(FLOW_REMOTE_SYN, "flow.remote_syn", "ignored|lifts", "ignored", "assumed",                         \
		"a SYN of the side that did not open the flow")                                              \
	X(TLS_PADDED_HELLO, "tls.padded_hello", "unparsed|parsed", "unparsed", "X-THR-2021",                 \
		"a ClientHello that goes on past its segment is read as far as it came")                     \
	X(HTTP_REQUESTS, "http.requests", "first|all", "first", "X-RATE-1",                                  \
		"which requests of a connection are read")                                                   \
	X(NAMES_CASE, "names.case", "ignored|exact", "ignored", "assumed",                                   \
		"upper and lower case of names on the wire")                                                 \
	X(NAMES_TRAILING_DOT, "names.trailing_dot", "exact|ignored", "exact", "X-THR-2021",                  \
		"a name on the wire that ends with a dot")                                                   \
	X(FLOW_CLEAN_HELLO, "flow.clean_hello", "clears|looks_on", "clears", "assumed",                      \
		"a flow with a ClientHello that no rule takes")                                              \
	X(FAKE_CHECKSUM, "fake.checksum", KD_FAKE_VALUES, "believe", "P-checksum-ttl-md5-ts-check",          \
		"a TCP, UDP or IPv4 checksum is wrong")                                                      \
	X(FAKE_TTL, "fake.ttl", KD_FAKE_VALUES, "believe", "P-checksum-ttl-md5-ts-check",                    \
		"the TTL is too far from what systems begin with to come from so near")                      \
	X(FAKE_SEQUENCE, "fake.sequence", KD_FAKE_VALUES, "believe", "assumed",                              \
		"a segment far before its side's start, or far ahead of what it sent")                       \
	X(FAKE_PAST_SEQUENCE, "fake.past_sequence", KD_FAKE_VALUES, "believe", "L-fake-pastseq",             \
		"a segment that begins a little before its side's start")                                    \
	X(FAKE_MD5, "fake.md5", KD_FAKE_VALUES, "believe", "P-checksum-ttl-md5-ts-check",                    \
		"a segment with a TCP MD5 option")                                                           \
	X(FAKE_TIMESTAMP, "fake.timestamp", KD_FAKE_VALUES, "believe", "P-checksum-ttl-md5-ts-check",        \
		"a segment with a TCP timestamp older than its side's latest")                               \
	X(FAKE_IP_ID, "fake.ip_id", KD_FAKE_VALUES, "believe", "assumed",                                    \
		"an IPv4 ID that another packet with payload of its side had")                               \
	X(FAKE_URGENT, "fake.urgent", KD_FAKE_VALUES, "believe", "assumed",                                  \
		"a segment with an urgent byte; ignore leaves out that byte alone")                          \
	X(FAKE_SYN_DATA, "fake.syn_data", KD_FAKE_VALUES, "believe", "assumed", "payload on a SYN")          \
	X(FAKE_OVERLAP, "fake.overlap", KD_FAKE_VALUES, "believe", "assumed",                                \
		"a segment with other bytes where some were put together before")                            \
	X(FAKE_LOW_TTL_END, "fake.low_ttl_end", KD_FAKE_VALUES, "believe", "assumed",                        \
		"a RST or FIN with a TTL as of fake.ttl; seen through, it clears nothing")                   \
	X(FAKE_NAME_LENGTH, "fake.name_length", KD_FAKE_VALUES, "believe", "assumed",                        \
		"a hello behind a clean one names a host of another length: the first was a decoy")          \
	X(TCP_RETRANSMIT, "tcp.retransmit", "read|skipped", "read", "assumed",                               \
		"a segment that ends at or before what its side has sent already")                           \
	X(FLOW_FIN_RST, "flow.fin_rst", "ignored|clears", "ignored", "X-THR-2021",                           \
		"a FIN or RST, also on a flow that a rule has hold of")                                      \
	X(FLOW_NEW_SYN, "flow.new_syn", "keeps|clears", "keeps", "assumed",                                  \
		"a SYN that begins another connection on a flow that a rule has hold of")                    \
	X(FLOW_ICMP_ERRORS, "flow.icmp_errors", "pass|with_flow", "pass", "assumed",                         \
		"an ICMP error about a flow whose packets a rule drops")                                     \
	X(FRAG_INSPECT, "frag.inspect", "no|yes", "no", "X-FR-6",                                            \
		"a packet in fragments is read once all of them are here")

enum kd_knob_index {
#define X(symbol, name, values, deflt, claim, help) KD_KNOB_##symbol,
	KD_KNOBS(X)
#undef X
		KD_KNOB_COUNT
};

enum kd_reassemble { KD_REASSEMBLE_OFF, KD_REASSEMBLE_IN_ORDER, KD_REASSEMBLE_ANY_ORDER };
enum kd_overlap { KD_OVERLAP_FIRST, KD_OVERLAP_LAST, KD_OVERLAP_STRICT };
enum kd_join { KD_JOIN_OFF, KD_JOIN_WITHIN_SEGMENT, KD_JOIN_STREAM };
enum kd_parser_2021 { KD_PARSER_2021_OFF, KD_PARSER_2021_ON };
enum kd_remote_syn { KD_REMOTE_SYN_IGNORED, KD_REMOTE_SYN_LIFTS };
enum kd_padded_hello { KD_PADDED_HELLO_UNPARSED, KD_PADDED_HELLO_PARSED };
enum kd_requests { KD_REQUESTS_FIRST, KD_REQUESTS_ALL };
enum kd_name_case { KD_NAME_CASE_IGNORED, KD_NAME_CASE_EXACT };
enum kd_trailing_dot { KD_TRAILING_DOT_EXACT, KD_TRAILING_DOT_IGNORED };
enum kd_clean_hello { KD_CLEAN_HELLO_CLEARS, KD_CLEAN_HELLO_LOOKS_ON };
enum kd_fake_is { KD_FAKE_IS_BELIEVED, KD_FAKE_IS_IGNORED, KD_FAKE_IS_PUNISHED };
enum kd_retransmit { KD_RETRANSMIT_READ, KD_RETRANSMIT_SKIPPED };
enum kd_fin_rst { KD_FIN_RST_IGNORED, KD_FIN_RST_CLEARS };
enum kd_new_syn { KD_NEW_SYN_KEEPS, KD_NEW_SYN_CLEARS };
enum kd_icmp_errors { KD_ICMP_ERRORS_PASS, KD_ICMP_ERRORS_WITH_FLOW };
enum kd_frag_inspect { KD_FRAG_INSPECT_NO, KD_FRAG_INSPECT_YES };

struct kd_knob_row {
	const char *name, *values, *deflt, *claim, *help;
};

extern const struct kd_knob_row kd_knob_rows[KD_KNOB_COUNT];

/* Index of a knob by name, and of one of its values; -ENOENT. */
int kd_knob_find(const char *name, size_t len);
int kd_knob_value(unsigned int knob, const char *value, size_t len);

/* Entries of one policy that come and go. */
#define KD_FLAPS_MAX 32

struct kd_knob_set {
	uint8_t value[KD_KNOB_COUNT];
	uint8_t flaps[KD_FLAPS_MAX / 8]; /* bit per kd_policy.flaps: it was there */
};

/* Distinct sets of one engine; a flow keeps an index, 0 = not resolved yet. [1] holds the defaults. */
#define KD_KNOB_SETS 64
#define KD_KNOB_SET_DEFAULTS 1

struct kd_knob_table {
	struct kd_knob_set set[KD_KNOB_SETS];
	unsigned int n; /* in use: [1..n) */
};

void kd_knob_table_reset(struct kd_knob_table *t);
/* The index of an equal set, put in if need be; KD_KNOB_SET_DEFAULTS and *ret_full when there is no room. */
uint8_t kd_knob_intern(struct kd_knob_table *t, const struct kd_knob_set *set, bool *ret_full);

#endif
