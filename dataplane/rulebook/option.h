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
/* The same of a rule that says nothing: `at` is the place to blame. */
void kd_options_default(struct kd_book *book, const config_setting_t *at,
	const struct kd_mechanism *mechanism, struct kd_book_rule *rule);
/* " NAME=VALUE" behind rule->then. */
void kd_option_append(struct kd_book *book, struct kd_book_rule *rule, const char *name, const char *value);

#endif
