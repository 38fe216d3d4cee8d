/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The table of what may stand in a `when` group: keys of its own, a key for each field of a protocol that
 * exists, and the announced terms that no protocol has yet. A protocol's file alone decides what its fields
 * are called here.
 */
#include "rulebook/when_terms.h"

#include "engine/fake.h"
#include "engine/protocol.h"
#include "rulebook/announced.h"

#include <string.h>

#define KEY(key, kind, kd_term, reader)                                                                      \
	.name = key, .type = KD_TYPE_##kind, .term = KD_TERM_##kd_term, .read = reader

static const struct kd_when_row fixed[] = {
	{KEY("protocol", STRINGS, PROTOCOL, kd_when_protocol)},
	{KEY("transport", STRINGS, TRANSPORT, kd_when_transport)},
	{KEY("opened_from", STRING, OPENED, kd_when_side), .words = "inside|any"},
	{KEY("from", STRING, FROM, kd_when_side), .words = "inside|outside|any"},
	{KEY("signature", STRINGS, SIGNATURE, kd_when_signature)},
	{KEY("to", STRINGS, ADDRESS, kd_when_address), .of = KD_END_TO},
	{KEY("by", STRINGS, ADDRESS, kd_when_address), .of = KD_END_BY},
	{KEY("either", STRINGS, ADDRESS, kd_when_address), .of = KD_END_EITHER},
	{KEY("to_port", VALUES, PORT, kd_when_spans), .of = KD_END_TO, .value = kd_value_port},
	{KEY("by_port", VALUES, PORT, kd_when_spans), .of = KD_END_BY, .value = kd_value_port},
	{KEY("either_port", VALUES, PORT, kd_when_spans), .of = KD_END_EITHER, .value = kd_value_port},
	{KEY("length", VALUES, LENGTH, kd_when_spans), .value = kd_value_length},
	{KEY("bytes", STRINGS, BYTES, kd_when_bytes)},
	{KEY("nth", VALUES, NTH, kd_when_spans), .value = kd_value_nth},
	{KEY("classified", STRING, CLASSIFIED, kd_when_classified)},
	{KEY("already", STRING, ALREADY, kd_when_already)},
	{KEY("count", GROUP, COUNT, kd_when_count)},
	{KEY("hours", STRINGS, HOURS, kd_when_spans), .value = kd_value_hours},
	{KEY("pairs", STRING, PAIRS, kd_when_pairs)},
	{KEY("fake", STRINGS, FAKE, kd_when_fake), .words = KD_FAKE_WORDS},
};

#define FIXED (sizeof(fixed) / sizeof(fixed[0]))

static struct kd_when_row *find(struct kd_when_row *rows, unsigned int n, const char *key)
{
	for (unsigned int i = 0; i < n; i++)
		if (strcmp(rows[i].name, key) == 0)
			return &rows[i];
	return NULL;
}

/* Its row, filled but for its key. */
static struct kd_when_row field_row(unsigned int p, unsigned int f)
{
	const struct kd_field_spec *spec = &kd_protocols[p]->fields[f];
	bool number = spec->kind == KD_FIELD_HEX16 || spec->kind == KD_FIELD_LIST_U16;

	if (f == 0 && kd_protocols[p]->has_name)
		return (struct kd_when_row){.type = KD_TYPE_STRINGS,
			.term = KD_TERM_NAME,
			.naming = 1ull << p,
			.read = kd_when_name};
	return (struct kd_when_row){.type = number ? KD_TYPE_VALUES : KD_TYPE_STRINGS,
		.term = KD_TERM_FIELD,
		.protocol = (uint8_t)p,
		.field = (uint8_t)f,
		.words = spec->words,
		.value = number ? kd_value_number : NULL,
		.naming = 1ull << p,
		.read = kd_when_field};
}

static const char *field_key(struct kd_book *book, unsigned int p, unsigned int f)
{
	const struct kd_field_spec *spec = &kd_protocols[p]->fields[f];
	const char *key = spec->term;

	if (key == NULL && f == 0 && kd_protocols[p]->has_name)
		key = spec->name;
	if (key == NULL)
		key = kd_arena_printf(book->arena, "%s_%s", kd_protocols[p]->name, spec->name);
	if (key == NULL)
		book->no_memory = true;
	return key;
}

void kd_when_rows(struct kd_book *book, struct kd_when_row rows[KD_KEYS_MAX])
{
	struct kd_when_row *same;
	unsigned int n = FIXED;

	memcpy(rows, fixed, sizeof(fixed));
	for (unsigned int p = 0; p < KD_PROTOCOL_COUNT; p++) {
		for (unsigned int f = 0; f < KD_FIELDS_MAX && kd_protocols[p]->fields[f].name != NULL; f++) {
			const char *key = field_key(book, p, f);

			same = key != NULL ? find(rows, n, key) : NULL;
			if (same != NULL)
				same->naming |= 1ull << p; /* a name that several protocols have */
			if (same != NULL || key == NULL || n + 1 >= KD_KEYS_MAX)
				continue;
			rows[n] = field_row(p, f);
			rows[n++].name = key;
		}
	}
	for (const struct kd_announced *a = kd_announced_terms; a->name != NULL && n + 1 < KD_KEYS_MAX; a++)
		if (find(rows, n, a->name) == NULL)
			rows[n++] = (struct kd_when_row){.name = a->name,
				.type = KD_TYPE_STRINGS,
				.term = KD_TERM_NEVER,
				.words = a->words,
				.read = kd_when_announced};
	rows[n] = (struct kd_when_row){.name = NULL};
}
