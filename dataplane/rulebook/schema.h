/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The walk over what libconfig parsed: libconfig accepts any key and any type, so each group is held against
 * a table of what may stand in it. Says what is wrong and goes on; readers then ask only for what has the
 * right type.
 */
#ifndef KD_SCHEMA_H
#define KD_SCHEMA_H

#include <libconfig.h>

#include "rulebook/book.h"

enum kd_type {
	KD_TYPE_STRING,
	KD_TYPE_STRINGS, /* one string, or a list of them */
	KD_TYPE_VALUES,	 /* a string or a plain integer, or a list of these */
	KD_TYPE_GROUP,	 /* { ... } */
	KD_TYPE_GROUPS,	 /* ( { ... }, { ... } ) */
	KD_TYPE_NUMBER,	 /* a plain integer, or a string with a unit */
	KD_TYPE_SCALAR,	 /* anything that is one value */
};

struct kd_key {
	const char *name; /* NULL ends a table */
	uint8_t type;	  /* enum kd_type */
	bool required;
};

#define KD_KEYS_MAX 80

/* Unknown keys, wrong types, empty values, missing required keys. In a list of groups each element that is
 * none is said for itself. */
void kd_schema_check(struct kd_book *book, const config_setting_t *group, const struct kd_key *keys);

/* The member if it is there and of that type, else NULL. */
config_setting_t *kd_schema_get(const config_setting_t *group, const char *name, enum kd_type type);
/* Calls each for every group of a KD_TYPE_GROUPS member; what is not a group was said by kd_schema_check. */
void kd_schema_each(struct kd_book *book, const config_setting_t *root, const char *name,
	void (*each)(struct kd_book *book, const config_setting_t *group));
/* A string member, or NULL. */
const char *kd_schema_string(const config_setting_t *group, const char *name);

/* Elements of a KD_TYPE_STRINGS or KD_TYPE_VALUES setting; the setting itself when it is one value. NULL has
 * none. */
unsigned int kd_schema_count(const config_setting_t *list);
const config_setting_t *kd_schema_element(const config_setting_t *list, unsigned int i);

/* Where a setting stands, in the book's memory. */
struct kd_at kd_schema_at(struct kd_book *book, const config_setting_t *setting);

/* A diagnostic at a setting. hint may be NULL. */
void kd_schema_error(struct kd_book *book, const config_setting_t *setting, const char *hint,
	const char *format, ...) __attribute__((format(printf, 4, 5)));
void kd_schema_warn(struct kd_book *book, const config_setting_t *setting, const char *hint,
	const char *format, ...) __attribute__((format(printf, 4, 5)));
void kd_schema_fault(struct kd_book *book, const config_setting_t *setting, const struct kd_fault *fault);
/* "unknown NOUN "WORD"", with the nearest of words or all of them. */
void kd_schema_unknown(struct kd_book *book, const config_setting_t *setting, const char *noun,
	const char *word, const char *words);

/* Copies into the book's memory; NULL sets no_memory. */
const char *kd_schema_keep(struct kd_book *book, const char *text);

/* Whether the integer that stands here is not what was written, which was said. */
bool kd_schema_cut(const struct kd_book *book, const config_setting_t *setting);

/* One word of a '|'-list: its index, or -1 with a diagnostic. */
int kd_schema_word(
	struct kd_book *book, const config_setting_t *setting, const char *noun, const char *words);

/* The parsers of one kind of entry each. */
void kd_claims_read(struct kd_book *book, const config_setting_t *root);
void kd_signatures_read(struct kd_book *book, const config_setting_t *root);
void kd_rules_read(struct kd_book *book, const config_setting_t *root);
void kd_settings_read(struct kd_book *book, const config_setting_t *root);
void kd_knobs_read(struct kd_book *book, const config_setting_t *root);
void kd_tags_read(struct kd_book *book, const config_setting_t *root);
/* What can only be seen with everything at hand. */
void kd_book_lint(struct kd_book *book);

#endif
