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

#include "engine/mechanism.h"
#include "rulebook/names.h"
#include "rulebook/patterns.h"

struct kd_diags;

/* Grades of evidence, weakest last. */
enum kd_grade { KD_GRADE_MEASURED, KD_GRADE_DOCUMENTED, KD_GRADE_REPORTED, KD_GRADE_ASSUMED, KD_GRADE_COUNT };

/* The parts of a rule that evidence belongs to. */
enum kd_part { KD_PART_DATE, KD_PART_TARGET, KD_PART_MATCH, KD_PART_THEN, KD_PART_NUMBERS, KD_PART_COUNT };

/* Order of evaluation; the first match wins inside a phase. */
enum kd_phase {
	KD_PHASE_ADDRESSES,
	KD_PHASE_OBSERVE,
	KD_PHASE_NAMES_ALLOWED,
	KD_PHASE_NAMES_BLOCKED,
	KD_PHASE_PROTOCOL,
	KD_PHASE_FALLBACK,
	KD_PHASE_COUNT
};

#define KD_RULE_NONE 0
#define KD_RULES_MAX 16383 /* a decided flow keeps 14 bits */
#define KD_ANY_SIDE 2

struct kd_rule {
	const char *id; /* all strings belong to the policy */
	const char *file;
	int line;
	const char *since, *until; /* as written; NULL = open */
	uint8_t phase;		   /* enum kd_phase */
	uint8_t opened_from;	   /* enum kd_side of the flow's first packet, or KD_ANY_SIDE */
	uint8_t from;		   /* enum kd_side the trigger packet comes from, or KD_ANY_SIDE */
	uint8_t mechanism;	   /* index; undefined when pending */
	const char *pending;	   /* "mechanism:police" or NULL */
	uint64_t protocols;	   /* bit per protocol index; 0 = whatever it is */
	uint16_t name_set;	   /* kd_names / kd_patterns set, 0 = no name term */
	uint16_t signature;	   /* 1-based signature of the policy, 0 = no such term */
	uint64_t residual_ns;	   /* 0 = as long as the flow lives */
	uint64_t miss;		   /* a draw below this misses: share * 2^64 */
	uint8_t params[KD_MECH_PARAMS];
	const char *claims[KD_PART_COUNT]; /* ids, comma-separated; NULL = no evidence given for the part */
	uint8_t grade[KD_PART_COUNT];	   /* enum kd_grade; KD_GRADE_COUNT = the part has no evidence */
};

/* Settings of a box. X(symbol, key, kind, default, claim of the default or "assumed", help) */
#define KD_SETTINGS(X)                                                                                       \
	X(idle_tcp_ns, "flow.idle_tcp", DURATION, "10 min (5 min..11 min)", "X-THR-2021",                    \
		"a TCP flow idle for this long is forgotten")                                                \
	X(idle_udp_ns, "flow.idle_udp", DURATION, "10 min (30 s..10 min)", "assumed",                        \
		"a UDP flow idle for this long is forgotten; no source gives a number, 420 s residuals ask " \
		"for more")                                                                                  \
	X(idle_other_ns, "flow.idle_other", DURATION, "60 s (10 s..10 min)", "assumed",                      \
		"flows of other IP protocols; no source gives a number")                                     \
	X(inspect_pkts, "inspect.packets", COUNT, "20 pkt (15..20)", "X-THR-2021",                           \
		"payload packets of one side looked at before the box gives a flow up")

struct kd_settings {
#define X(symbol, key, kind, deflt, claim, help) uint64_t symbol;
	KD_SETTINGS(X)
#undef X
};

struct kd_policy {
	const char *profile; /* canonical: "null", "tspu@2022-03-20/home", or a file's base name */
	char hash[65];	     /* SHA-256 over the selected rules and settings as compiled, lower-case hex */
	struct kd_rule
		*rules; /* [1..nrules], in order of evaluation: phase, then file order; [0] is zeroed */
	uint32_t nrules;
	uint32_t phase_first[KD_PHASE_COUNT + 1]; /* rules of phase p: [phase_first[p], phase_first[p + 1]) */
	struct kd_names *names;			  /* NULL = no plain name */
	struct kd_patterns *name_patterns;	  /* NULL = none; unanchored database over lower-case names */
	struct kd_patterns *signatures;		  /* NULL = none; anchored database over first payloads */
	const char **signature_ids;		  /* [1..nsignatures] */
	uint8_t *signature_transports;		  /* [1..nsignatures]: KD_TRANSPORT_* it may be matched on */
	uint32_t nsignatures;
	struct kd_settings settings;
	void *arena; /* owns every string and array above */
};

struct kd_policy_request {
	const char *profile;	/* as the user wrote it */
	const char *dir;	/* policies folder */
	const char *const *set; /* "flow.idle_tcp=5 min", NULL-terminated; may be NULL */
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
