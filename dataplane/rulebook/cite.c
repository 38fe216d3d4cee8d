/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What a claim may cite and how it reads: a key of sources.bib, a thread or file of a public repository, or
 * an address. Whether the source is there and says so is for people; nothing is fetched.
 */
#include "rulebook/bib.h"

#include "rulebook/bib_entry.h"
#include "rulebook/diag.h"

#include <stdlib.h>
#include <string.h>

#define ALNUM "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
#define DIGITS "0123456789"
#define FORMS                                                                                                \
	"expected a key of sources.bib (\"xue2022tspu, Table 2\"), a thread or a file "                      \
	"(\"net4people/bbs#490\", "                                                                          \
	"\"owner/repo PR#7\", \"owner/repo, path\"), or an address without https://"

/* What stands before the first comma is cited; the rest says where in it. */
static size_t head_len(const char *source)
{
	return strcspn(source, ",");
}

static bool only(const char *text, size_t len, const char *of)
{
	return len > 0 && strspn(text, of) >= len;
}

/* A name with a dot in it; owners of repositories have none. */
static bool is_host(const char *text, size_t len)
{
	return memchr(text, '.', len) != NULL && only(text, len, ALNUM ".-") && text[0] != '.' &&
	       text[len - 1] != '.';
}

static int unknown_key(const struct kd_book *book, const char *key, size_t len, struct kd_fault *fault)
{
	unsigned int count = book->bib != NULL ? book->bib->count : 0;
	char *words, *near = NULL, *end;
	char typed[80];
	size_t room = 1;
	int rc;

	for (unsigned int i = 0; i < count; i++)
		room += strlen(book->bib->entries[i].key) + 1;
	words = malloc(room);
	snprintf(typed, sizeof(typed), "%.*s", (int)(len < 79 ? len : 79), key);
	if (words != NULL) {
		end = words;
		*end = '\0';
		for (unsigned int i = 0; i < count; i++)
			end += sprintf(end, "%s%s", i > 0 ? "|" : "", book->bib->entries[i].key);
		near = kd_did_you_mean(typed, words);
	}
	if (near != NULL)
		rc = kd_fault(
			fault, NULL, "no source \"%s\" in sources.bib - did you mean \"%s\"?", typed, near);
	else
		rc = kd_fault(fault, FORMS, "no source \"%s\" in sources.bib", typed);
	free(near);
	free(words);
	return rc;
}

/* Behind "owner/": repo#N, "repo PR#N", or repo alone when a path follows. */
static bool is_repository(const char *rest, size_t len, bool path)
{
	size_t repo = strspn(rest, ALNUM "._-");

	if (repo == 0 || repo > len)
		return false;
	rest += repo;
	len -= repo;
	if (len == 0)
		return path;
	if (len > 3 && memcmp(rest, " PR", 3) == 0) {
		rest += 3;
		len -= 3;
	}
	return rest[0] == '#' && only(rest + 1, len - 1, DIGITS);
}

int kd_bib_source(const struct kd_book *book, const char *source, struct kd_fault *fault)
{
	size_t len = head_len(source), part = strcspn(source, "/");
	bool where = source[len] == ',';

	if (where && (source[len + 1] != ' ' || source[len + 2 + strspn(source + len + 2, " ")] == '\0'))
		return kd_fault(fault, FORMS, "\"%.80s\" does not say where after the comma", source);
	if (part >= len) {
		if (is_host(source, len))
			return 0;
		if (!only(source, len, ALNUM "-_:+"))
			return kd_fault(fault, FORMS, "\"%.80s\" cannot be cited", source);
		return kd_bib_find(book->bib, source, len) != NULL ? 0
								   : unknown_key(book, source, len, fault);
	}
	if (strncmp(source, "https:", 6) == 0 || strncmp(source, "http:", 5) == 0)
		return kd_fault(fault, NULL, "\"%.80s\": leave %.*s// out", source, (int)part, source);
	if (is_host(source, part)) {
		if (len - part > 1 && strcspn(source, " \t") >= len)
			return 0;
	} else if (only(source, part, ALNUM "-") && is_repository(source + part + 1, len - part - 1, where)) {
		return 0;
	}
	return kd_fault(fault, FORMS, "\"%.80s\" cannot be cited", source);
}

void kd_bib_check(struct kd_book *book, const config_setting_t *at, const char *source)
{
	struct kd_fault fault;

	if (kd_bib_source(book, source, &fault) < 0)
		kd_schema_fault(book, at, &fault);
}

static const struct kd_bib_entry *entry_of(const struct kd_book *book, const char *source)
{
	return kd_bib_find(book->bib, source, head_len(source));
}

size_t kd_bib_key(const struct kd_book *book, const char *source)
{
	return entry_of(book, source) != NULL ? head_len(source) : 0;
}

/* A value without its braces. NULL: no memory. */
static const char *plain(struct kd_arena *arena, const char *value)
{
	char *text = kd_arena_strdup(arena, value), *to = text;

	if (text == NULL)
		return NULL;
	for (const char *from = text; *from != '\0'; from++)
		if (*from != '{' && *from != '}')
			*to++ = *from;
	*to = '\0';
	return text;
}

/* "Last, First" of len bytes as "First Last", behind the others in text. */
static const char *author(struct kd_arena *arena, const char *text, const char *name, size_t len)
{
	const char *comma = memchr(name, ',', len), *first;

	text = text[0] != '\0' ? kd_arena_printf(arena, "%s, ", text) : text;
	if (text == NULL || comma == NULL)
		return text != NULL ? kd_arena_printf(arena, "%s%.*s", text, (int)len, name) : NULL;
	first = comma + 1;
	first += strspn(first, " ");
	return kd_arena_printf(arena, "%s%.*s %.*s", text, first < name + len ? (int)(name + len - first) : 0,
		first, (int)(comma - name), name);
}

/* "A and B and others" as "A, B et al." */
static const char *authors(struct kd_arena *arena, const char *value)
{
	static const char and[] = " and ";
	const char *text = "", *rest = plain(arena, value);

	while (rest != NULL && text != NULL) {
		const char *cut = strstr(rest, and);

		if (cut == NULL)
			return strcmp(rest, "others") == 0 && text[0] != '\0'
				       ? kd_arena_printf(arena, "%s et al.", text)
				       : author(arena, text, rest, strlen(rest));
		text = author(arena, text, rest, (size_t)(cut - rest));
		rest = cut + strlen(and);
	}
	return NULL;
}

const char *kd_bib_text(const struct kd_book *book, struct kd_arena *arena, const char *source)
{
	static const char *const venues[] = {"booktitle", "journal", "howpublished", "institution"};
	const struct kd_bib_entry *e = entry_of(book, source);
	const char *text = "", *part, *year, *url, *venue = NULL;

	if (e == NULL)
		return kd_arena_strdup(arena, source);
	part = kd_bib_field(e, "author");
	if (part != NULL)
		text = authors(arena, part);
	part = kd_bib_field(e, "title");
	part = part != NULL && text != NULL ? plain(arena, part) : e->key;
	if (text == NULL || part == NULL)
		return NULL;
	text = kd_arena_printf(arena, "%s%s%s", text, text[0] != '\0' ? ", " : "", part);
	for (unsigned int i = 0; i < 4 && venue == NULL; i++)
		venue = kd_bib_field(e, venues[i]);
	year = kd_bib_field(e, "year");
	url = kd_bib_field(e, "url");
	venue = venue != NULL ? plain(arena, venue) : "";
	if (text == NULL || venue == NULL)
		return NULL;
	return kd_arena_printf(arena, "%s%s%s%s%s%s%s%s", text, venue[0] != '\0' ? ", " : "", venue,
		year == NULL	   ? ""
		: venue[0] != '\0' ? " "
				   : ", ",
		year != NULL ? year : "", url != NULL ? ", " : "", url != NULL ? url : "",
		source + head_len(source));
}

bool kd_bib_print(const struct kd_book *book, const char *source, FILE *to)
{
	const struct kd_bib_entry *e = entry_of(book, source);

	if (e == NULL)
		return false;
	fprintf(to, "@%s{%s", e->type, e->key);
	for (unsigned int i = 0; i < e->nfields; i++)
		fprintf(to, ",\n  %s = {%s}", e->fields[i].name, e->fields[i].value);
	fputs("\n}\n", to);
	return true;
}
