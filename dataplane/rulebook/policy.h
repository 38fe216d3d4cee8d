/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A compiled policy: one immutable object that engines read and nobody writes after kd_policy_load. Shared by
 * any number of engines and threads; freed by its owner when the last engine is gone.
 */
#ifndef KD_POLICY_H
#define KD_POLICY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "engine/knob.h"
#include "engine/mechanism.h"
#include "rulebook/names.h"
#include "rulebook/patterns.h"
#include "rulebook/prefixes.h"

struct kd_diags;

/* Grades of evidence, weakest last. */
enum kd_grade { KD_GRADE_MEASURED, KD_GRADE_DOCUMENTED, KD_GRADE_REPORTED, KD_GRADE_ASSUMED, KD_GRADE_COUNT };

/* The parts of a rule that evidence belongs to. */
enum kd_part { KD_PART_DATE, KD_PART_TARGET, KD_PART_MATCH, KD_PART_THEN, KD_PART_NUMBERS, KD_PART_COUNT };

/* Order of evaluation; the first match wins inside a phase. Files cannot name the last one: it is where
 * `default = "deny"` stands. */
enum kd_phase {
	KD_PHASE_ADDRESSES, /* once, on a flow's first packet, whatever its IP protocol */
	KD_PHASE_OBSERVE,   /* every match counts; never final */
	KD_PHASE_NAMES_ALLOWED,
	KD_PHASE_NAMES_BLOCKED,
	KD_PHASE_PROTOCOL,
	KD_PHASE_FALLBACK, /* before a flow is given up, and for those not recognised after a while */
	KD_PHASE_DEFAULT,
	KD_PHASE_COUNT
};

#define KD_RULE_NONE 0
#define KD_RULES_MAX 16383 /* a decided flow keeps 14 bits */
#define KD_ANY_SIDE 2
#define KD_MECHANISM_NONE 0xff

/* What a term asks. Terms about payload are false where there is none. */
enum kd_term_kind {
	KD_TERM_NEVER,	   /* waits for something that does not exist yet */
	KD_TERM_PROTOCOL,  /* recognised as one of mask */
	KD_TERM_TRANSPORT, /* IP protocol is one of mask (KD_TRANSPORT_*, KD_TRANSPORT_ICMP,
			      KD_TRANSPORT_OTHER) */
	KD_TERM_SIGNATURE, /* payload matches signature `set`, on its transports */
	KD_TERM_NAME,	   /* recognised as one of mask, and its name stands in name set `set` */
	KD_TERM_OPENED,	   /* the flow was opened from side `of` */
	KD_TERM_FROM,	   /* the packet came from side `of` */
	KD_TERM_ADDRESS,   /* address of end `of` stands in prefix set `set` */
	KD_TERM_PORT,	   /* port of end `of` lies in one of n spans */
	KD_TERM_LENGTH,	   /* payload bytes on the wire */
	KD_TERM_BYTES,	   /* all n runs are in the payload */
	KD_TERM_NTH,	   /* payload packets of this side looked at so far, this one too */
	KD_TERM_FIELD, /* recognised as `protocol`, and its `field` is or has one of spans (numbers) or texts
			*/
	KD_TERM_CLASSIFIED, /* nothing was recognised in this flow so far */
	KD_TERM_ALREADY,    /* the flow's `seen` has bit `set`, or rule `mask` has hold of it */
	KD_TERM_COUNT,	    /* counter `set` is over its limit with this packet */
	KD_TERM_HOURS,	    /* minute of the day in Moscow lies in one of n spans */
	KD_TERM_FAKE,	    /* a fake of one of the kinds in mask (KD_FAKE_BIT), held against its flow */
	KD_TERM_PAIRS,	    /* name and opened-to address fit one of n pairings */
	KD_TERM_KINDS
};

/* Beside the KD_TRANSPORT_TCP and _UDP of protocol.h. */
#define KD_TRANSPORT_ICMP 0x4
#define KD_TRANSPORT_OTHER 0x8

/* Whose address or port. */
enum kd_end {
	KD_END_TO, /* the end the flow was opened to */
	KD_END_BY, /* the end that opened it */
	KD_END_EITHER,
};

struct kd_span {
	uint64_t lo, hi; /* both included */
};

/* (payload[offset + i] & mask[i]) == bytes[i] */
struct kd_byte_run {
	uint32_t offset, len;
	const uint8_t *bytes, *mask;
};

struct kd_pairing {
	uint16_t name_set, prefix_set;
};

/* Where a term sends evaluation: an index into kd_policy.terms, or one of these. */
#define KD_TERM_TRUE 0xffff
#define KD_TERM_FALSE 0xfffe

struct kd_term {
	uint8_t kind; /* enum kd_term_kind */
	uint8_t of;   /* enum kd_side or enum kd_end */
	uint8_t protocol, field;
	uint16_t on_true, on_false;
	uint16_t set;
	uint16_t n;
	union {
		uint64_t mask;
		const struct kd_span *spans;
		const struct kd_byte_run *runs;
		const struct kd_text *texts; /* FIELD: of text and list-of-text fields */
		const struct kd_pairing *pairings;
	};
};

/* What a counter is kept by. */
#define KD_KEY_CLIENT 0x001	   /* inside address */
#define KD_KEY_SUBSCRIBER 0x002	   /* inside address, IPv6 its /64 */
#define KD_KEY_SERVER 0x004	   /* outside address */
#define KD_KEY_SERVER_PREFIX 0x008 /* outside /24, /48 */
#define KD_KEY_TAG 0x010	   /* first of the rule's `to` tags that covers the opened-to address */
#define KD_KEY_PORT 0x020	   /* opened-to port */
#define KD_KEY_NAME 0x040	   /* the recognised name */
#define KD_KEY_FLOW 0x080
#define KD_KEY_WORDS "client|subscriber|server|server-prefix|tag|port|name|flow"

/* What a residual is kept by, and for whom: of the inside address all, an IPv6 /64, nothing. */
enum kd_residual_key {
	KD_RESIDUAL_FLOW, /* the 4-tuple: it lies in the flow */
	KD_RESIDUAL_3_TUPLE,
	KD_RESIDUAL_PAIR,
	KD_RESIDUAL_ADDRESS,
	KD_RESIDUAL_PORT,   /* outside address and port */
	KD_RESIDUAL_PREFIX, /* outside /24, /48 */
	KD_RESIDUAL_TAG,    /* first of the rule's `to` tags that covers the outside address */
};

enum kd_residual_for { KD_FOR_CLIENT, KD_FOR_SUBSCRIBER, KD_FOR_EVERYONE };
enum kd_restart { KD_RESTART_NOTHING, KD_RESTART_ANY_PACKET, KD_RESTART_NEXT_TRIGGER };

#define KD_RESIDUAL_KEY_WORDS "4-tuple|3-tuple|pair|address|address:port|prefix|tag"
#define KD_RESIDUAL_FOR_WORDS "client|subscriber|everyone"
#define KD_RESTART_WORDS "nothing|any_packet|next_trigger"

#define KD_COUNTERS_MAX 64
#define KD_SEEN_MAX 32 /* rules that an `already` may name, in one policy */

/* True from the packet that makes it more than more_than within window_ns, each at most spacing_ns (0 = any)
 * after the one before; a longer gap, or the window's end, starts again from 1. */
struct kd_counter {
	uint16_t rule; /* whose */
	uint16_t keys; /* KD_KEY_* */
	uint16_t ntags;
	const uint16_t *tags; /* prefix sets, for KD_KEY_TAG */
	uint64_t window_ns, spacing_ns;
	uint32_t more_than;
	bool negated; /* it stands under `not`: its rule holds until it is over */
};

/* What an `after` counts, and from what on. */
enum kd_after_unit { KD_AFTER_NONE, KD_AFTER_PACKETS, KD_AFTER_BYTES, KD_AFTER_TIME };
enum kd_after_kind { KD_AFTER_ANY, KD_AFTER_PAYLOAD, KD_AFTER_DATA };
enum kd_after_event {
	KD_EVENT_OF_START, /* of the flow */
	KD_EVENT_OF_HANDSHAKE,
	KD_EVENT_OF_HELLO,
	KD_EVENT_OF_APPDATA,
	KD_EVENT_OF_SIGNATURE
};

struct kd_after {
	uint8_t unit;	    /* enum kd_after_unit */
	uint8_t side;	    /* enum kd_side, or KD_ANY_SIDE */
	uint8_t kind;	    /* enum kd_after_kind */
	uint8_t event;	    /* enum kd_after_event */
	uint16_t signature; /* of KD_EVENT_OF_SIGNATURE */
	uint64_t lo, hi; /* packets, bytes or ns; drawn for each flow, equal where they are drawn per box */
	bool per_box;
};

/* What of a flow its mechanism acts on. */
enum kd_extent { KD_EXTENT_FROM_HERE, KD_EXTENT_THIS_PACKET, KD_EXTENT_NAME_END };

struct kd_rule {
	const char *id; /* all strings belong to the policy */
	const char *file;
	int line;
	const char *since, *until; /* as written; NULL = open */
	uint8_t phase;		   /* enum kd_phase */
	uint8_t mechanism; /* index; KD_MECHANISM_NONE: it allows, only observes, or its mechanism is pending
			    */
	uint8_t closes;	   /* an allow: bit per enum kd_phase; 0 = no allow */
	uint8_t seen_bit;  /* bit + 1 in a flow's `seen`, for rules an `already` names; 0 = nobody asks */
	bool inert;	   /* matched, never acts: a part of `then` or `residual` is pending */
	const char *pending;	  /* "mechanism:police", joined with ", ", or NULL */
	uint16_t first_term;	  /* index into terms, or KD_TERM_TRUE */
	uint16_t counter;	  /* index + 1 of its counter; 0 = none */
	uint16_t other;		  /* the rule of `else`, tried when this one cannot act; 0 = none */
	uint64_t presence;	  /* on a node whose draw is below this; UINT64_MAX = on all */
	uint64_t draw;		  /* hash of its draw name: rules with the same one are on the same nodes */
	uint8_t flap;		  /* index + 1 of kd_policy.flaps; 0 = it stays */
	uint8_t residual_key;	  /* enum kd_residual_key */
	uint8_t residual_for;	  /* enum kd_residual_for */
	uint8_t residual_restart; /* enum kd_restart */
	uint8_t residual_transports; /* KD_TRANSPORT_* it holds for; with no protocols 0 = all */
	uint64_t residual_protocols; /* likewise, of those recognised */
	uint64_t residual_ns;	     /* 0 = as long as the flow lives */
	uint64_t publish_after_ns;   /* how long before other flows feel it */
	uint16_t nresidual_tags;
	const uint16_t *residual_tags; /* prefix sets, for KD_RESIDUAL_TAG */
	uint64_t miss;		       /* a draw below this misses: share * 2^64 */
	struct kd_after after;
	uint64_t delay_before_ns; /* behind `after` */
	uint64_t spared;	  /* a draw below this is of a flow it does not act on: 2^64 - 1 - share */
	uint8_t scope;		  /* enum kd_extent */
	_Alignas(uint64_t) uint8_t params[KD_MECH_PARAMS];
	const char *claims[KD_PART_COUNT]; /* ids, comma-separated; NULL = no evidence given for the part */
	uint8_t grade[KD_PART_COUNT];	   /* enum kd_grade; KD_GRADE_COUNT = the part has no evidence */
};

enum kd_sees { KD_SEES_BOTH, KD_SEES_UPSTREAM };

/* The box this policy is for. */
struct kd_box {
	const char *id;	    /* "box" when the rulebook names none */
	uint8_t sees;	    /* enum kd_sees: upstream = packets from the inside only */
	uint8_t number;	    /* on its path, from 0 */
	uint8_t of;	    /* boxes on the path */
	uint64_t protocols; /* those it recognises; UINT64_MAX = all */
};

/* A knob's value for the flows it fits, in order of precedence. */
struct kd_knob {
	const char *name, *value;
	uint8_t index, value_index; /* enum kd_knob_index and its value; KD_KNOB_COUNT = only announced */
	uint64_t share;		    /* of nodes; UINT64_MAX = all */
	uint64_t draw;		    /* as a rule's: which nodes they are */
	uint8_t flap;		    /* as a rule's */
	uint64_t protocols;	    /* 0 = any */
	uint16_t to_set;	    /* prefix set of the opened-to address, 0 = any */
};

/* There for so long, then not there for as long. Entries of one draw name and time come and go together. */
struct kd_flap {
	uint64_t draw, time_ns;
};

/* A number that a sampled box drew. */
struct kd_drawn {
	const char *what;  /* "rule:sni-ii.then.after.packets", "knob:tcp.reassemble.share" */
	const char *value; /* with its unit */
};

/* Settings of a box. X(symbol, key, kind, default, claim of the default or "assumed", help); a default that
 * is the key of another setting is that one's value. */
#define KD_SETTINGS(X)                                                                                       \
	X(idle_tcp_ns, "flow.idle_tcp", DURATION, "10 min (5 min..11 min)", "X-THR-2021",                    \
		"a TCP flow idle for this long is forgotten: stands for both that follow")                   \
	X(idle_syn_ns, "flow.idle_syn", DURATION, "flow.idle_tcp", "assumed",                                \
		"the same while only one side has sent anything")                                            \
	X(idle_established_ns, "flow.idle_established", DURATION, "flow.idle_tcp", "X-THR-2021",             \
		"the same once both sides have, or where a box sees one side only")                          \
	X(idle_udp_ns, "flow.idle_udp", DURATION, "10 min (30 s..10 min)", "assumed",                        \
		"a UDP flow idle for this long is forgotten; no source gives a number, 420 s residuals ask " \
		"for more")                                                                                  \
	X(idle_other_ns, "flow.idle_other", DURATION, "60 s (10 s..10 min)", "assumed",                      \
		"flows of other IP protocols; no source gives a number")                                     \
	X(inspect_pkts, "inspect.packets", COUNT, "20 pkt (15..20)", "X-THR-2021",                           \
		"payload packets of one side looked at before the box gives a flow up")                      \
	X(give_up_bytes, "inspect.give_up_bytes", BYTES, "101 B", "X-THR-2021",                              \
		"tls.parser_2021: a payload this long that is nothing known ends the look at its side")      \
	X(later_pkts, "inspect.later_packets", COUNT, "20 pkt (15..20)", "X-THR-2021",                       \
		"tls.parser_2021: payload packets of one side looked at behind its first")                   \
	X(stream_depth, "stream.depth", BYTES, "16 kB (4 kB..64 kB)", "assumed",                             \
		"bytes of one side that are put together at most; no source gives a number")                 \
	X(stream_timeout_ns, "stream.timeout", DURATION, "60 s (5 s..10 min)", "assumed",                    \
		"how long a side is put together before it is let go; no source gives a number")             \
	X(fallback_pkts, "fallback.packets", COUNT, "3 pkt (1..10)", "assumed",                              \
		"payload packets of both sides after which fallback rules see a flow not recognised")        \
	X(frag_most, "frag.most", COUNT, "45 (45..64)", "assumed",                                           \
		"fragments of one packet; with more the packet is lost")                                     \
	X(frag_lifetime_ns, "frag.lifetime", DURATION, "5 s (1 s..30 s)", "assumed",                         \
		"fragments wait this long for the rest of their packet, counted from the first")             \
	X(overload_pkts, "overload.packets", COUNT, "off", "assumed",                                        \
		"of more packets in a second of packet time the rest passes uninspected; no source gives a " \
		"number")                                                                                    \
	X(fake_ttl_slack, "fake.ttl_slack", COUNT, "30 (10..40)", "assumed",                                 \
		"a TTL further below 64, 128 or 255 is too low (fake.ttl)")                                  \
	X(fake_near, "fake.near", BYTES, "4096 B (1500 B..6999 B)", "assumed",                               \
		"a segment that begins further before its side's start is fake.sequence, else "              \
		"fake.past_sequence; 7000 was believed when those were punished")                            \
	X(fake_ahead, "fake.ahead", BYTES, "64 kB (16 kB..1 MB)", "assumed",                                 \
		"a segment further ahead of what its side sent is fake.sequence")

struct kd_settings {
#define X(symbol, key, kind, deflt, claim, help) uint64_t symbol;
	KD_SETTINGS(X)
#undef X
};

struct kd_policy {
	const char *profile; /* canonical: "null", "tspu@2022-03-20/home", or a file's base name */
	char hash[65];	     /* SHA-256 over the selected rules and settings as compiled, lower-case hex */
	uint32_t
		time_scale; /* its slow timers are this many times as fast as the hash says; 0 = once, as 1 */
	struct kd_rule
		*rules; /* [1..nrules], in order of evaluation: phase, then file order; [0] is zeroed */
	uint32_t nrules;
	uint32_t phase_first[KD_PHASE_COUNT + 1]; /* rules of phase p: [phase_first[p], phase_first[p + 1]) */
	struct kd_term *terms;			  /* [0..nterms), nterms below KD_TERM_FALSE */
	uint32_t nterms;
	struct kd_counter *counters; /* [0..ncounters) */
	uint32_t ncounters;
	struct kd_names *names;		   /* NULL = no plain name */
	struct kd_patterns *name_patterns; /* NULL = none; unanchored database over lower-case names */
	struct kd_prefixes *prefixes;	   /* NULL = no address term */
	struct kd_patterns *signatures;	   /* NULL = none; anchored database over first payloads */
	const char **signature_ids;	   /* [1..nsignatures] */
	uint8_t *signature_transports;	   /* [1..nsignatures]: KD_TRANSPORT_* it may be matched on */
	uint32_t nsignatures;
	const struct kd_text *texts; /* settings of mechanisms: [1..ntexts]; [0] is empty. NULL = none */
	uint32_t ntexts;
	struct kd_box box;
	struct kd_knob *knobs;
	uint32_t nknobs;
	struct kd_flap *flaps; /* [0..nflaps), KD_FLAPS_MAX at most */
	uint32_t nflaps;
	struct kd_drawn *drawn; /* empty unless the profile is a sampled box */
	uint32_t ndrawn;
	struct kd_settings settings;
	struct kd_cache_entry
		*cached; /* where the matchers' bytes lie when they came from the cache; else NULL */
	void *arena;	 /* owns every string and array above */
};

struct kd_policy_request {
	const char *profile;	/* as the user wrote it */
	const char *dir;	/* policies folder */
	const char *const *set; /* "flow.idle_tcp=5 min", NULL-terminated; may be NULL */
	uint64_t seed;		/* of the draws of a sampled box (PROFILE~K) */
	uint8_t box;		/* on the profile's path, from 0 */
	uint32_t time_scale;	/* 1..KD_TIME_SCALE_MAX (scale.h); 0 = 1 */
	bool real;		/* real prefixes of tags too: captures of real traffic are read */
	const char *cache;	/* folder of compiled matchers (cache.h); NULL = none */
};

/*
 * Loads the rulebook (or the file that `profile` names), answers the query, compiles. Every problem is
 * appended to diags; -EINVAL if there was an error among them, -ENOMEM, or 0 with *ret owned by the caller.
 */
int kd_policy_load(struct kd_policy **ret, const struct kd_policy_request *request, struct kd_diags *diags);
void kd_policy_free(struct kd_policy *policy);

/* 1-based rule index by id; 0 if there is none. */
uint16_t kd_policy_rule_find(const struct kd_policy *policy, const char *id);

const char *kd_grade_name(unsigned int grade);
const char *kd_part_name(unsigned int part);
const char *kd_phase_name(unsigned int phase);

#endif
