/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What `kordon list settings` says: every setting with the value it has, by whom: the program, the rulebook,
 * a sampled box or --set. Settings that nothing reads yet are shown as the rulebook has them.
 */
#include "cmd/list.h"

#include <string.h>

#include "cmd/table.h"
#include "cmd/words.h"
#include "rulebook/announced.h"
#include "rulebook/setting.h"
#include "rulebook/units.h"

static bool in_force(const struct kd_list_view *v, const struct kd_book_setting *s)
{
	return v->profile && kd_book_in_force(v->book, &s->scope, s->draw, v->query);
}

/* The setting of the book that answers for a key, or NULL when the default does. */
static const struct kd_book_setting *setting_of(const struct kd_list_view *v, unsigned int key)
{
	for (unsigned int i = 0; i < v->book->nsettings; i++)
		if (v->book->settings[i].key == key && in_force(v, &v->book->settings[i]))
			return &v->book->settings[i];
	return NULL;
}

/* What the book says for a query: as written, or what a sampled box drew from it. */
static const char *setting_value(const struct kd_list_view *v, const struct kd_book_setting *st)
{
	struct kd_sample sample = {0};
	const struct kd_book_number *n;
	const char *text;

	if (v->query != NULL)
		sample = (struct kd_sample){.seed = v->query->seed, .number = v->query->sample};
	n = &st->values[kd_sample_variant(&sample, st->draw, st->weights, st->nvalues)];
	if (sample.number == 0 || n->text == NULL || !n->n.ranged)
		return n->text;
	text = kd_words_drawn(v->arena, v->query, st->draw, n);
	return text != NULL ? kd_arena_printf(v->arena, "%s of %s", text, n->text) : NULL;
}

/* Settings that nothing reads yet: what the book says of them, in force. */
static int pending_settings(const struct kd_list_view *v, struct kd_table *t)
{
	int rc = 0;

	for (unsigned int i = 0; i < v->book->nsettings && rc == 0; i++) {
		const struct kd_book_setting *st = &v->book->settings[i];

		if (st->key != KD_SETTING_ANNOUNCED || !in_force(v, st))
			continue;
		rc = kd_table_row(t, (const char *[KD_TABLE_COLUMNS]){st->name, setting_value(v, st),
					     kd_grade_name(st->evidence.grade[KD_PART_NUMBERS]),
					     st->evidence.claims[KD_PART_NUMBERS], st->pending,
					     kd_announced_find(kd_announced_settings, st->name)->help});
	}
	return rc;
}

int kd_list_settings(const struct kd_list_view *v)
{
	struct kd_table t = {.arena = v->arena,
		.heads = {"setting", "value", "grade", "claims", "pending", "meaning"},
		.columns = 6};
	struct kd_settings plain, used;
	int rc = 0;

	kd_settings_apply(v->book, v->query, NULL, &plain);
	kd_settings_apply(v->book, v->query, v->set, &used);
	for (unsigned int i = 0; i < KD_SETTING_COUNT && rc == 0; i++) {
		const struct kd_setting_row *row = &kd_setting_rows[i];
		const struct kd_book_setting *st = setting_of(v, i);
		const struct kd_claim *claim = kd_book_claim(v->book, row->claim, strlen(row->claim));
		const char *cells[KD_TABLE_COLUMNS] = {row->key, row->deflt,
			kd_grade_name(claim != NULL ? claim->grade : KD_GRADE_ASSUMED),
			claim != NULL ? claim->id : NULL, NULL, row->help};
		char text[KD_UNITS_TEXT];

		if (memcmp((char *)&plain + row->offset, (char *)&used + row->offset, sizeof(uint64_t)) !=
			0) {
			uint64_t value;

			memcpy(&value, (char *)&used + row->offset, sizeof(value));
			kd_units_text(text, row->kind, value);
			cells[1] = kd_arena_strdup(v->arena, text);
			cells[2] = "--set";
			cells[3] = NULL;
		} else if (st != NULL) {
			cells[1] = setting_value(v, st);
			cells[2] = kd_grade_name(st->evidence.grade[KD_PART_NUMBERS]);
			cells[3] = st->evidence.claims[KD_PART_NUMBERS];
		}
		rc = kd_table_row(&t, cells);
	}
	if (rc == 0)
		rc = pending_settings(v, &t);
	return rc == 0 ? kd_table_print(&t, v->json, stdout) : rc;
}
