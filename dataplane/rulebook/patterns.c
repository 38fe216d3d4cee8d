/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Decides which expressions match a name or a payload, with Hyperscan (or Vectorscan, the same API) in block
 * mode. The two uses stay two databases: one unanchored expression makes a whole anchored database pay for
 * every byte. Plain names do not come here (names.h).
 */
#include "rulebook/patterns.h"

#include <hs.h>

#include <assert.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct kd_patterns {
	hs_database_t *db;
};

struct kd_scratch {
	hs_scratch_t *hs;
};

/* Behind the class that starts at e ('['); a ']' right after the start is a member. */
static const char *behind_class(const char *e)
{
	e += e[1] == '^' ? 2 : 1;
	if (*e == ']')
		e++;
	for (; *e != '\0' && *e != ']'; e++)
		if (*e == '\\' && e[1] != '\0')
			e++;
	return *e == ']' ? e + 1 : e;
}

/* NULL when every way through the expression starts at the first byte, else what is wrong with it. */
static const char *not_anchored(const char *e)
{
	unsigned int depth = 0;

	if (*e != '^')
		return "a payload expression must start with ^";
	if (e[1] == '?' || e[1] == '*' || e[1] == '{')
		return "the ^ of a payload expression must not be optional";
	while (*e != '\0') {
		if (*e == '[') {
			e = behind_class(e);
			continue;
		}
		if (e[0] == '\\' && e[1] == 'Q') {
			const char *quoted = strstr(e + 2, "\\E");

			e = quoted != NULL ? quoted + 2 : e + strlen(e);
			continue;
		}
		if (*e == '\\' && e[1] != '\0')
			e++;
		else if (*e == '(')
			depth++;
		else if (*e == ')' && depth > 0)
			depth--;
		else if (*e == '|' && depth == 0)
			return "alternatives of a payload expression must stand in a group behind the ^";
		e++;
	}
	return NULL;
}

static int refuse(unsigned int *bad, unsigned int index, char **why, const char *text, int error)
{
	*bad = index;
	*why = strdup(text);
	return error;
}

static unsigned int flags_of(unsigned int kind)
{
	unsigned int flags = HS_FLAG_DOTALL | HS_FLAG_SINGLEMATCH;

	return kind == KD_PATTERN_NAMES ? flags | HS_FLAG_CASELESS : flags;
}

/* Which expression the compiler means: its own word, else the first that does not compile alone, else n. */
static unsigned int culprit(
	const hs_compile_error_t *error, const char *const *exprs, unsigned int n, unsigned int flags)
{
	hs_compile_error_t *own;
	hs_database_t *db;

	if (error->expression >= 0)
		return (unsigned int)error->expression;
	for (unsigned int i = 0; i < n; i++) {
		if (hs_compile(exprs[i], flags, HS_MODE_BLOCK, NULL, &db, &own) != HS_SUCCESS) {
			hs_free_compile_error(own);
			return i;
		}
		hs_free_database(db);
	}
	return n;
}

static int compile(hs_database_t **ret, unsigned int kind, const char *const *exprs, const uint16_t *ids,
	unsigned int n, unsigned int *bad, char **why)
{
	unsigned int *flags = calloc(n, sizeof(*flags)), *numbers = calloc(n, sizeof(*numbers));
	hs_compile_error_t *error = NULL;
	int r = -ENOMEM;

	if (flags == NULL || numbers == NULL) {
		refuse(bad, n, why, "out of memory", -ENOMEM);
		goto out;
	}
	for (unsigned int i = 0; i < n; i++) {
		flags[i] = flags_of(kind);
		numbers[i] = ids[i];
	}
	r = 0;
	if (hs_compile_multi(exprs, flags, numbers, n, HS_MODE_BLOCK, NULL, ret, &error) != HS_SUCCESS) {
		r = refuse(bad, culprit(error, exprs, n, flags_of(kind)), why, error->message, -EINVAL);
		hs_free_compile_error(error);
	}
out:
	free(numbers);
	free(flags);
	return r;
}

int kd_patterns_new(struct kd_patterns **ret, unsigned int kind, const char *const *exprs,
	const uint16_t *ids, unsigned int n, unsigned int *bad, char **why)
{
	struct kd_patterns *patterns;
	hs_database_t *db;
	int r;

	if (hs_valid_platform() != HS_SUCCESS)
		return refuse(bad, n, why, "this processor lacks SSSE3, which Hyperscan needs", -ENOTSUP);
	if (n == 0)
		return refuse(bad, n, why, "no expression", -EINVAL);
	for (unsigned int i = 0; i < n; i++) {
		const char *wrong = kind == KD_PATTERN_PAYLOAD ? not_anchored(exprs[i]) : NULL;

		if (wrong == NULL && (ids[i] == 0 || ids[i] >= KD_NAME_SETS))
			wrong = "its id is out of range";
		if (wrong != NULL)
			return refuse(bad, i, why, wrong, -EINVAL);
	}
	r = compile(&db, kind, exprs, ids, n, bad, why);
	if (r != 0)
		return r;
	patterns = malloc(sizeof(*patterns));
	if (patterns == NULL) {
		hs_free_database(db);
		return refuse(bad, n, why, "out of memory", -ENOMEM);
	}
	patterns->db = db;
	*ret = patterns;
	return 0;
}

void kd_patterns_free(struct kd_patterns *patterns)
{
	if (patterns == NULL)
		return;
	hs_free_database(patterns->db);
	free(patterns);
}

int kd_patterns_freeze(const struct kd_patterns *patterns, char **ret, size_t *ret_len)
{
	return hs_serialize_database(patterns->db, ret, ret_len) == HS_SUCCESS ? 0 : -ENOMEM;
}

int kd_patterns_thaw(struct kd_patterns **ret, const void *bytes, size_t len)
{
	struct kd_patterns *patterns = malloc(sizeof(*patterns));
	hs_error_t e;

	if (patterns == NULL)
		return -ENOMEM;
	e = hs_deserialize_database(bytes, len, &patterns->db);
	if (e != HS_SUCCESS) {
		free(patterns);
		return e == HS_NOMEM ? -ENOMEM : -EINVAL;
	}
	*ret = patterns;
	return 0;
}

void kd_patterns_platform(char ret[KD_PATTERNS_PLATFORM])
{
	hs_platform_info_t info = {0};

	(void)hs_populate_platform(&info);
	snprintf(ret, KD_PATTERNS_PLATFORM, "%s tune %u features %llx", hs_version(), info.tune,
		info.cpu_features);
}

int kd_scratch_new(struct kd_scratch **ret, const struct kd_patterns *a, const struct kd_patterns *b)
{
	struct kd_scratch *scratch;

	if (a == NULL && b == NULL) {
		*ret = NULL;
		return 0;
	}
	scratch = calloc(1, sizeof(*scratch));
	if (scratch == NULL)
		return -ENOMEM;
	if ((a != NULL && hs_alloc_scratch(a->db, &scratch->hs) != HS_SUCCESS) ||
		(b != NULL && hs_alloc_scratch(b->db, &scratch->hs) != HS_SUCCESS)) {
		kd_scratch_free(scratch);
		return -ENOMEM;
	}
	*ret = scratch;
	return 0;
}

void kd_scratch_free(struct kd_scratch *scratch)
{
	if (scratch == NULL)
		return;
	hs_free_scratch(scratch->hs);
	free(scratch);
}

static int on_match(
	unsigned int id, unsigned long long from, unsigned long long to, unsigned int flags, void *out)
{
	(void)from;
	(void)to;
	(void)flags;
	kd_set_bits_add(out, id);
	return 0;
}

void kd_patterns_match(const struct kd_patterns *patterns, struct kd_scratch *scratch, const uint8_t *bytes,
	size_t len, struct kd_set_bits *out)
{
	hs_error_t e;

	if (len == 0) /* no expression may match nothing: the compiler refuses it */
		return;
	e = hs_scan(patterns->db, (const char *)bytes, (unsigned int)len, 0, scratch->hs, on_match, out);
	/* Anything else is a scratch of another engine or of none; crashes deep inside hs_scan come from
	 * that. */
	assert(e == HS_SUCCESS);
	(void)e;
}
