/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The `when` of a rule as a tree: all, any and not over terms. Read from the file with every mistake said,
 * shown by `list` and `diff`, written canonically for the policy's hash, and lowered to the flat program of
 * policy.h. Not for the packet path.
 */
#ifndef KD_WHEN_H
#define KD_WHEN_H

#include "rulebook/list.h"
#include "rulebook/schema.h"

enum kd_when_kind { KD_WHEN_ALL, KD_WHEN_ANY, KD_WHEN_NOT, KD_WHEN_TERM };

/* Names written in the rule, sorted, no doubles; then whole lists. */
struct kd_name_term {
	struct kd_name_list own;
	const struct kd_list **lists; /* sorted by name, no doubles */
	unsigned int nlists;
};

struct kd_address_term {
	const struct kd_book_tag **tags; /* in the order of the rule */
	unsigned int ntags;
	struct kd_prefix *own;
	unsigned int nown;
};

struct kd_count_term {
	uint16_t keys;					  /* KD_KEY_* of policy.h */
	struct kd_book_number window, spacing, more_than; /* spacing.text NULL: none */
};

struct kd_when {
	uint8_t kind; /* enum kd_when_kind */
	struct kd_when *child, *next;
	/* KD_WHEN_TERM */
	struct kd_at at;
	const char *key;  /* as written: "sni", "to_port" */
	uint8_t term;	  /* enum kd_term_kind; KD_TERM_NEVER: announced, see `words` for what it says */
	uint8_t of;	  /* enum kd_end, for addresses and ports; enum kd_side or KD_ANY_SIDE for sides */
	uint8_t protocol; /* FIELD: index */
	uint8_t field;
	uint64_t mask; /* PROTOCOL, TRANSPORT, FAKE; NAME: the protocols whose name it is */
	struct kd_name_term names;
	struct kd_address_term addresses;
	struct kd_span *spans; /* PORT, LENGTH, NTH, FIELD with numbers, HOURS (minutes) */
	unsigned int nspans;
	struct kd_byte_run *runs; /* BYTES */
	unsigned int nruns;
	const char **words; /* SIGNATURE ids, FIELD texts, ALREADY rule id, announced values; FAKE, PROTOCOL:
			       the words as written, announced ones too */
	unsigned int nwords;
	const struct kd_list *pairs;
	struct kd_count_term count;
};

/* What reading a `when` found out about its rule. */
struct kd_when_facts {
	const struct kd_when *count; /* the one count term, NULL = none */
	uint64_t protocols;	     /* protocols its terms imply: for parts of evidence and messages */
};

/* NULL only without memory or when the group is empty (matches everything). Pending terms and protocols are
 * added to the rule's needs (kd_rule_need of rule.h); numbers to its numbers. */
struct kd_when *kd_when_read(struct kd_book *book, const config_setting_t *group, struct kd_book_rule *rule,
	struct kd_when_facts *facts);

/* Says which of its terms cannot hold together, and which stand where they never hold; `when` was read
 * without a mistake. */
void kd_when_check(struct kd_book *book, const struct kd_book_rule *rule, const struct kd_when *when);
/* KD_TRANSPORT_* of the packets it may match: all that nothing in it rules out. */
uint8_t kd_when_transports(const struct kd_book *book, const struct kd_when *when);

/* One line, the same for the same meaning as written: `protocol=tls opened_from=inside sni=[a.example
 * @list]`, not(...), any(... | ...). Lists by name and digest. In the arena; NULL = no memory. "" for NULL.
 */
const char *kd_when_text(struct kd_arena *arena, const struct kd_when *when);
bool kd_name_term_same(const struct kd_name_term *a, const struct kd_name_term *b);

#endif
