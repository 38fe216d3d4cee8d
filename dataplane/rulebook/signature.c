/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Reads payload signatures and runs each one's own samples through it: what it must match and what it must
 * not.
 */
#include "rulebook/claims.h"
#include "rulebook/schema.h"

#include "engine/protocol.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int nibble(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

/* "16 03 01" or "160301" to bytes; the caller frees. */
static int hex_bytes(uint8_t **ret, size_t *ret_len, const char *text)
{
	uint8_t *bytes = malloc(strlen(text) / 2 + 1);
	size_t len = 0;

	if (bytes == NULL)
		return -ENOMEM;
	while (*text != '\0') {
		if (*text == ' ') {
			text++;
			continue;
		}
		if (nibble(text[0]) < 0 || nibble(text[1]) < 0) {
			free(bytes);
			return -EINVAL;
		}
		bytes[len++] = (uint8_t)(nibble(text[0]) << 4 | nibble(text[1]));
		text += 2;
	}
	*ret = bytes;
	*ret_len = len;
	return 0;
}

static void samples(struct kd_book *book, const config_setting_t *list, const struct kd_patterns *patterns,
	struct kd_scratch *scratch, bool must)
{
	for (unsigned int i = 0; i < kd_schema_count(list); i++) {
		const config_setting_t *e = kd_schema_element(list, i);
		const char *text = config_setting_get_string(e);
		struct kd_set_bits bits = {0};
		uint8_t *bytes;
		size_t len;
		int rc = hex_bytes(&bytes, &len, text);

		if (rc == -ENOMEM) {
			book->no_memory = true;
			return;
		}
		if (rc < 0) {
			kd_schema_error(
				book, e, "expected pairs of hex digits", "\"%.80s\" is not hex", text);
			continue;
		}
		if (patterns != NULL) {
			kd_patterns_match(patterns, scratch, bytes, len, &bits);
			if (kd_set_bits_has(&bits, 1) != (must ? 1 : 0))
				kd_schema_error(book, e, NULL, "the signature %s match this sample",
					must ? "does not" : "must not");
		}
		free(bytes);
	}
}

/* Compiles the pattern alone, so that one bad signature says so for itself; false when it does not compile.
 */
static bool try_out(struct kd_book *book, const config_setting_t *group, const config_setting_t *pattern)
{
	const char *expr = config_setting_get_string(pattern);
	struct kd_patterns *patterns = NULL;
	struct kd_scratch *scratch = NULL;
	const uint16_t id = 1;
	unsigned int bad;
	char *why = NULL;
	int rc = kd_patterns_new(&patterns, KD_PATTERN_PAYLOAD, &expr, &id, 1, &bad, &why);

	if (rc == -EINVAL)
		kd_schema_error(book, pattern, why, "\"%.80s\" is not a signature", expr);
	free(why);
	if (rc == 0)
		rc = kd_scratch_new(&scratch, patterns, NULL);
	if (rc == -ENOMEM)
		book->no_memory = true;
	samples(book, kd_schema_get(group, "must", KD_TYPE_STRINGS), rc == 0 ? patterns : NULL, scratch,
		true);
	samples(book, kd_schema_get(group, "must_not", KD_TYPE_STRINGS), rc == 0 ? patterns : NULL, scratch,
		false);
	kd_scratch_free(scratch);
	kd_patterns_free(patterns);
	return rc == 0;
}

static void signature(struct kd_book *book, const config_setting_t *group)
{
	static const struct kd_key keys[] = {{"id", KD_TYPE_STRING, true},
		{"transport", KD_TYPE_STRING, true}, {"pattern", KD_TYPE_STRING, true},
		{"must", KD_TYPE_STRINGS, true}, {"must_not", KD_TYPE_STRINGS, true},
		{"evidence", KD_TYPE_GROUP, false}, {NULL, 0, false}};
	static const uint8_t transports[] = {
		KD_TRANSPORT_TCP, KD_TRANSPORT_UDP, KD_TRANSPORT_TCP | KD_TRANSPORT_UDP};
	struct kd_book_signature sg = {0};
	const config_setting_t *pattern, *s;
	const char *id = kd_schema_string(group, "id");
	char hint[400];
	bool compiles;
	int word;

	kd_schema_check(book, group, keys);
	sg.at = kd_schema_at(book, group);
	kd_evidence_read(book, group, &sg.evidence);
	if (book->own == NULL && !sg.evidence.real[KD_PART_MATCH])
		kd_schema_error(book, group, "expected evidence = { match = [ ... ]; }",
			"a signature without a claim");
	s = kd_schema_get(group, "transport", KD_TYPE_STRING);
	word = s != NULL ? kd_schema_word(book, s, "transport", "tcp|udp|any") : -1;
	sg.transports = word >= 0 ? transports[word] : 0;
	pattern = kd_schema_get(group, "pattern", KD_TYPE_STRING);
	compiles = pattern != NULL && try_out(book, group, pattern);
	if (id == NULL || pattern == NULL)
		return;
	for (unsigned int i = 0; i < book->nsignatures; i++) {
		if (strcmp(book->signatures[i].id, id) != 0)
			continue;
		snprintf(hint, sizeof(hint), "first at %s:%d", book->signatures[i].at.file,
			book->signatures[i].at.line);
		kd_schema_error(book, group, hint, "double id: signature \"%.80s\"", id);
		return;
	}
	if (book->nsignatures + 1 >= KD_NAME_SETS) {
		kd_schema_error(book, group, NULL, "more than %d signatures", KD_NAME_SETS - 1);
		return;
	}
	sg.id = kd_schema_keep(book, id);
	sg.pattern = compiles ? kd_schema_keep(book, config_setting_get_string(pattern)) : NULL;
	book->signatures = kd_arena_grow(book->arena, book->signatures, book->nsignatures, sizeof(sg));
	if (book->signatures == NULL || sg.id == NULL) {
		book->no_memory = true;
		book->nsignatures = 0;
		return;
	}
	book->signatures[book->nsignatures++] = sg;
}

void kd_signatures_read(struct kd_book *book, const config_setting_t *root)
{
	kd_schema_each(book, root, "signatures", signature);
}
