/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The smallest pieces of the language: words of a line, numbers, durations, TCP flags; and the memory a
 * scenario owns. It knows no directive.
 */
#include "scn.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "engine/decode.h"

bool scn_fail(struct scn_error *e, int line, const char *format, ...)
{
	va_list ap;

	e->line = line;
	va_start(ap, format);
	vsnprintf(e->text, sizeof(e->text), format, ap);
	va_end(ap);
	return false;
}

static void *checked(void *p)
{
	if (p == NULL) {
		fputs("scenario runner: out of memory\n", stderr);
		exit(5);
	}
	return p;
}

void *scn_alloc(struct scn *s, size_t size)
{
	void *p = checked(calloc(1, size != 0 ? size : 1));
	void **slot;

	s->owned = checked(realloc(s->owned, (s->nowned + 1) * sizeof(*s->owned)));
	slot = &s->owned[s->nowned++];
	*slot = p;
	return p;
}

char *scn_text(struct scn *s, const char *from, size_t len)
{
	char *copy = scn_alloc(s, len + 1);

	memcpy(copy, from, len);
	return copy;
}

void *scn_grow(void **array, unsigned int *count, size_t size)
{
	char *grown = *array;

	/* Room doubles, so it is there unless the count is 0 or a power of two. */
	if ((*count & (*count - 1)) == 0)
		grown = checked(realloc(grown, (*count == 0 ? 1 : 2 * *count) * size));
	*array = grown;
	grown += (*count)++ * size;
	memset(grown, 0, size);
	return grown;
}

void scn_free(struct scn *s)
{
	for (unsigned int i = 0; i < s->nowned; i++)
		free(s->owned[i]);
	free(s->owned);
	free(s->flows);
	free(s->packets);
	free(s->steps);
	free(s->switches);
	free(s->expects);
	memset(s, 0, sizeof(*s));
}

/* The end of the word that starts at p: quotes and brackets hold it together. */
static const char *word_end(const char *p, const char *end)
{
	int depth = 0;
	bool quoted = false;

	for (; p < end; p++) {
		if (quoted && *p == '\\' && p + 1 < end) {
			p++;
			continue;
		}
		if (*p == '"')
			quoted = !quoted;
		if (quoted)
			continue;
		if (*p == '(')
			depth++;
		if (*p == ')')
			depth--;
		if (isspace((unsigned char)*p) && depth <= 0)
			break;
	}
	return quoted || depth != 0 ? NULL : p;
}

bool scn_words(
	struct scn *s, struct scn_words *w, const char *line, size_t len, int number, struct scn_error *e)
{
	const char *p = line, *end = line + len, *stop;

	w->line = number;
	for (;;) {
		while (p < end && isspace((unsigned char)*p))
			p++;
		if (p == end || *p == '#')
			return true;
		stop = word_end(p, end);
		if (stop == NULL)
			return scn_fail(
				e, number, "a quote or bracket is not closed: %.*s", (int)(end - p), p);
		if (w->count == SCN_WORDS)
			return scn_fail(e, number, "more than %d words", SCN_WORDS);
		w->word[w->count++] = scn_text(s, p, (size_t)(stop - p));
		p = stop;
	}
}

const char *scn_word(struct scn_words *w)
{
	return w->at < w->count ? w->word[w->at++] : NULL;
}

bool scn_word_is(struct scn_words *w, const char *word)
{
	if (w->at == w->count || strcmp(w->word[w->at], word) != 0)
		return false;
	w->at++;
	return true;
}

const char *scn_after(const char *word, const char *prefix)
{
	size_t len = strlen(prefix);

	return strncmp(word, prefix, len) == 0 ? word + len : NULL;
}

bool scn_u64(const char *text, uint64_t max, uint64_t *ret)
{
	char *end;
	unsigned long long n;

	if (text == NULL || !isdigit((unsigned char)text[0]))
		return false;
	n = strtoull(text, &end, 0);
	if (*end != '\0' || n > max)
		return false;
	*ret = n;
	return true;
}

bool scn_duration(const char *text, uint64_t *ret_ns)
{
	static const struct {
		const char *unit;
		uint64_t ns;
	} units[] = {{"ns", 1}, {"us", 1000}, {"ms", 1000000}, {"s", 1000000000},
		{"min", UINT64_C(60000000000)}, {"h", UINT64_C(3600000000000)}};
	char *end;
	double n;

	if (text == NULL || !isdigit((unsigned char)text[0]))
		return false;
	if (strcmp(text, "0") == 0) {
		*ret_ns = 0;
		return true;
	}
	n = strtod(text, &end);
	for (unsigned int i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
		if (strcmp(end, units[i].unit) != 0 || n > 1e9)
			continue;
		*ret_ns = (uint64_t)(n * (double)units[i].ns + 0.5);
		return true;
	}
	return false;
}

int scn_flags(const char *letters)
{
	static const char names[] = "FSRPAU";
	int flags = 0;

	for (const char *p = letters; *p != '\0'; p++) {
		const char *at = strchr(names, *p);

		if (at == NULL)
			return SCN_ANY;
		flags |= 1 << (at - names);
	}
	return letters[0] != '\0' ? flags : SCN_ANY;
}

int scn_flow_find(const struct scn *s, const char *name)
{
	for (unsigned int i = 0; i < s->nflows; i++)
		if (strcmp(s->flows[i].name, name) == 0)
			return (int)i;
	return -1;
}
