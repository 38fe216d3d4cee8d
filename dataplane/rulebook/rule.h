/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the readers of a rule's parts share: the numbers it states, the things it waits for, and the parts
 * themselves, which a variant may replace one by one.
 */
#ifndef KD_RULE_H
#define KD_RULE_H

#include "rulebook/schema.h"

/*
 * A number of a setting in text, said at the setting when it is wrong. Added to the rule's numbers under
 * `key`
 * ("residual.time"), its draw aspect. ret->text is NULL when it was wrong.
 */
bool kd_rule_number(struct kd_book *book, const config_setting_t *setting, const char *key, unsigned int kind,
	struct kd_book_rule *rule, struct kd_book_number *ret);
/* The same for what is no rule. */
bool kd_number_read(struct kd_book *book, const config_setting_t *setting, const char *key, unsigned int kind,
	struct kd_book_number *ret);
/* The time of a flap, read already, is not none; said. */
bool kd_flap_lasts(struct kd_book *book, const config_setting_t *setting, const struct kd_book_number *flap);
/* A scalar as text, the digits of a whole number included; in buf or where it stands. */
#define KD_SCALAR_TEXT 32
const char *kd_scalar_text(const config_setting_t *setting, char buf[KD_SCALAR_TEXT]);

/* The rule cannot do without this, which does not exist yet: "mechanism:police", "term:ja4". `inert`: while
 * it is missing the rule is matched and does nothing. */
void kd_rule_need(struct kd_book *book, struct kd_book_rule *rule, const char *what, bool inert);
void kd_needs_add(struct kd_book *book, struct kd_needs *needs, const char *what, bool inert);
/* Holds `pending` against the needs: what is not written, what is written and exists or is not used.
 * *ret_text is what was written, joined with ", ", or NULL; ret_inert may be NULL. */
void kd_pending_read(struct kd_book *book, const config_setting_t *group, const struct kd_needs *needs,
	const char **ret_text, bool *ret_inert);
/* Whether `pending` (may be NULL) has this entry, right or wrong. */
bool kd_pending_has(const config_setting_t *pending, const char *what);

/* A word that names a protocol: the index of one that exists, KD_PROTOCOL_COUNT and more for announced ones
 * (the row in their table), -1 for one that was said to be unknown. `more`: "tcp|udp|", known beside them. */
int kd_protocol_word(
	struct kd_book *book, const config_setting_t *setting, const char *noun, const char *more);

/* Variants of any entry: `weight`, 1 when it is absent or wrong. */
uint32_t kd_weight_read(struct kd_book *book, const config_setting_t *group);
/* How many groups `variants` has; fewer than two are a mistake, said. */
unsigned int kd_variants_count(struct kd_book *book, const config_setting_t *variants);

/* Parts of a rule, each read into a rule of its own. `rule` knows its phase. */
void kd_then_read(struct kd_book *book, const config_setting_t *then, const config_setting_t *pending,
	struct kd_book_rule *rule);
/* What default = "deny" does when it does not say: drop. */
void kd_then_deny(struct kd_book *book, const config_setting_t *at, struct kd_book_rule *rule);
void kd_residual_read(struct kd_book *book, const config_setting_t *residual, struct kd_book_rule *rule);
void kd_miss_read(struct kd_book *book, const config_setting_t *miss, struct kd_book_rule *rule);

/* All parts and variants of `group` into rule, whose head (place, id, phase, scope) is filled. */
void kd_parts_read(struct kd_book *book, const config_setting_t *group, struct kd_book_rule *rule);
/* KD_TYPE_STRING or KD_TYPE_GROUPS, as it is written. */
enum kd_type kd_miss_type(const config_setting_t *group);

#endif
