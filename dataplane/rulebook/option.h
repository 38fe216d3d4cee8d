/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The settings of a mechanism as a rule writes them, by the mechanism's own table: checked, and stored as the
 * block that the mechanism will read.
 */
#ifndef KD_OPTION_H
#define KD_OPTION_H

#include "rulebook/schema.h"

/* Fills rule->params and rule->then from `then`; defaults for what is absent. */
void kd_options_read(struct kd_book *book, const config_setting_t *then, const struct kd_mechanism *mechanism,
	struct kd_book_rule *rule);
/* Mechanisms that rules may wait for, as a '|'-list; of those whose settings are settled, the settings are
 * checked as strictly as those of a mechanism that exists. */
#define KD_ANNOUNCED_WORDS "police|delay|impair|answer|redirect"
bool kd_mechanism_announced(const char *name);
/* Fills rule->then from the settings of an announced mechanism. */
void kd_options_announced(struct kd_book *book, const config_setting_t *then, struct kd_book_rule *rule);

/* A number of a setting in text, said at the setting when it is wrong; counted among the rule's numbers. */
bool kd_rule_number(struct kd_book *book, const config_setting_t *setting, unsigned int kind,
	struct kd_book_rule *rule, uint64_t *ret);

#endif
