/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The settings of a box, by the table KD_SETTINGS: defaults, what the rulebook says, what --set says over it.
 */
#ifndef KD_SETTING_H
#define KD_SETTING_H

#include "rulebook/book.h"

struct kd_setting_row {
	const char *key;
	uint8_t kind; /* enum kd_unit_kind */
	const char *deflt, *claim, *help;
	size_t offset; /* of the uint64_t in struct kd_settings */
};

#define X(symbol, key, kind, deflt, claim, help) +1
enum { KD_SETTING_COUNT = 0 KD_SETTINGS(X) };
#undef X

extern const struct kd_setting_row kd_setting_rows[KD_SETTING_COUNT];

/* Defaults, then the settings of the book in force, then `set` (KEY=VALUE, NULL-terminated; may be NULL). */
void kd_settings_apply(const struct kd_book *book, const struct kd_query *query, const char *const *set,
	struct kd_settings *ret);

#endif
