/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Lines of names, prefixes or pairs: which of them are comments, which are usable, and what they say. The
 * good line costs no copy and no formatting, because a list may have millions of them; words are found only
 * for the first few that are no good.
 */
#include "rulebook/list_lines.h"

#include "rulebook/term.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* An array on the heap while its length is not known. */
struct rows {
	char *at;
	size_t size;
	unsigned int count, room;
};

struct reader {
	struct kd_arena *arena;
	struct rows rows;
	struct kd_list_lines *found;
	struct kd_fault fault; /* of the line in hand, once something was wrong */
};

static bool blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\f' || c == '\v';
}

/* The next word of [*at, end), moved behind it; empty at the end. */
static size_t next_word(const char **at, const char *end, const char **word)
{
	const char *p = *at;

	while (p < end && blank(*p))
		p++;
	*word = p;
	while (p < end && !blank(*p))
		p++;
	*at = p;
	return (size_t)(p - *word);
}

static bool is_word(const char *word, size_t len, const char *what)
{
	return len == strlen(what) && memcmp(word, what, len) == 0;
}

static int add_row(struct reader *r, const void *row)
{
	struct rows *rows = &r->rows;

	if (rows->count == rows->room) {
		unsigned int room = rows->room != 0 ? rows->room * 2 : 64;
		char *bigger = room > rows->room ? reallocarray(rows->at, room, rows->size) : NULL;

		if (bigger == NULL)
			return -ENOMEM;
		rows->at = bigger;
		rows->room = room;
	}
	memcpy(rows->at + (size_t)rows->count++ * rows->size, row, rows->size);
	return 0;
}

static int parse_name(struct reader *r, char *text, size_t len, struct kd_name *ret)
{
	int rc = kd_term_parse_kept(ret, r->arena, text, len, &r->fault);

	if (rc == 0)
		rc = kd_term_try(ret, &r->fault);
	if (rc == 0 && ret->converted)
		r->found->converted++;
	return rc;
}

static int name_line(struct reader *r, char *text, size_t len)
{
	struct kd_name name;
	int rc = parse_name(r, text, len, &name);

	return rc < 0 ? rc : add_row(r, &name);
}

/* "192.0.2.0/24", "192.0.2.1", "192.0.2.1-192.0.2.9". */
static int some_prefixes(struct reader *r, const char *text, size_t len)
{
	struct kd_prefix list[KD_RANGE_PREFIXES];
	int n = 1, rc;

	if (memchr(text, '-', len) != NULL)
		n = kd_prefix_range(list, text, len, &r->fault);
	else if (kd_prefix_parse(list, text, len, true, &r->fault) < 0)
		return -EINVAL;
	if (n < 0)
		return n;
	for (int i = 0; i < n; i++) {
		rc = add_row(r, &list[i]);
		if (rc < 0)
			return rc;
	}
	return 0;
}

/* What `ipset save` writes: "add SET ADDRESS [timeout 0] [comment "..."]"; its "create" lines say nothing
 * here. */
static int ipset_line(struct reader *r, const char *text, size_t len)
{
	const char *at = text, *end = text + len, *word, *address;
	size_t n, address_len;

	if (is_word(text, next_word(&at, end, &word), "create"))
		return 0;
	next_word(&at, end, &word); /* the set's name */
	address_len = next_word(&at, end, &address);
	while ((n = next_word(&at, end, &word)) > 0)
		if (is_word(word, n, "nomatch"))
			return kd_fault(&r->fault, "exceptions cannot be listed", "\"nomatch\"");
	return some_prefixes(r, address, address_len);
}

static int prefix_line(struct reader *r, const char *text, size_t len)
{
	const char *at = text, *word;
	size_t n = next_word(&at, text + len, &word);

	if (is_word(word, n, "add") || is_word(word, n, "create"))
		return ipset_line(r, text, len);
	return some_prefixes(r, text, len);
}

static int pair_line(struct reader *r, char *text, size_t len)
{
	struct kd_pair pair;
	size_t name_len = len, start;
	int rc;

	while (name_len > 0 && !blank(text[name_len - 1]))
		name_len--;
	start = name_len;
	while (name_len > 0 && blank(text[name_len - 1]))
		name_len--;
	if (name_len == 0)
		return kd_fault(&r->fault, "expected NAME PREFIX", "one word");
	if (kd_prefix_parse(&pair.prefix, text + start, len - start, true, &r->fault) < 0)
		return -EINVAL;
	text[name_len] = '\0';
	rc = parse_name(r, text, name_len, &pair.name);
	if (rc < 0) {
		text[name_len] = ' '; /* the line will be shown */
		return rc;
	}
	return add_row(r, &pair);
}

static void note_bad(struct reader *r, unsigned int line, const char *text, size_t len)
{
	struct kd_list_bad *bad;
	const char *why = r->fault.hint[0] != '\0' ? r->fault.hint : r->fault.message;

	if (r->found->garbage++ >= KD_LIST_SHOWN)
		return;
	bad = &r->found->bad[r->found->garbage - 1];
	bad->line = line;
	if (len >= sizeof(bad->text)) {
		len = sizeof(bad->text) - 1;
		/* Not in the middle of a character, if it is one. */
		for (unsigned int i = 0; i < 3 && ((unsigned char)text[len] & 0xc0) == 0x80; i++)
			len--;
	}
	memcpy(bad->text, text, len);
	for (size_t i = 0; i < len; i++)
		if (bad->text[i] == '\0')
			bad->text[i] = '?';
	if (strlen(why) < sizeof(bad->why))
		memcpy(bad->why, why, strlen(why) + 1);
}

/* [text, text + len) without comment and blanks around it; text[len] may be written. */
static int one_line(struct reader *r, unsigned int kind, unsigned int line, char *text, size_t len)
{
	int rc;

	r->found->lines++;
	text[len] = '\0';
	if (memchr(text, '\0', len) != NULL)
		rc = kd_fault(&r->fault, NULL, "it has a zero byte");
	else if (kind == KD_LIST_NAMES)
		rc = name_line(r, text, len);
	else if (kind == KD_LIST_PREFIXES)
		rc = prefix_line(r, text, len);
	else
		rc = pair_line(r, text, len);
	if (rc == -EINVAL)
		note_bad(r, line, text, len);
	return rc == -ENOMEM ? rc : 0;
}

/* Where the comment of a line begins, or its end. In a regex # is an ordinary character unless a blank stands
 * before it. */
static size_t without_comment(const char *text, size_t len)
{
	const char *hash = memchr(text, '#', len);

	if (text[0] != '/')
		return hash != NULL ? (size_t)(hash - text) : len;
	while (hash != NULL && !blank(hash[-1]))
		hash = memchr(hash + 1, '#', len - (size_t)(hash + 1 - text));
	return hash != NULL ? (size_t)(hash - text) : len;
}

static int all_lines(struct reader *r, unsigned int kind, char *text, size_t len)
{
	char *end = text + len, *next, *stop;
	unsigned int line = 0;
	size_t n;
	int rc;

	/* The mark that editors of one system begin a file with. */
	if (len >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0)
		text += 3;
	for (; text < end; text = next) {
		stop = memchr(text, '\n', (size_t)(end - text));
		if (stop == NULL)
			stop = end;
		next = stop < end ? stop + 1 : end;
		line++;
		while (text < stop && blank(*text))
			text++;
		n = text < stop ? without_comment(text, (size_t)(stop - text)) : 0;
		while (n > 0 && blank(text[n - 1]))
			n--;
		if (n == 0)
			continue;
		rc = one_line(r, kind, line, text, n);
		if (rc < 0)
			return rc;
	}
	return 0;
}

int kd_list_lines(
	struct kd_list *list, struct kd_arena *arena, char *text, size_t len, struct kd_list_lines *ret)
{
	static const size_t sizes[] = {
		sizeof(struct kd_name), sizeof(struct kd_prefix), sizeof(struct kd_pair)};
	struct kd_list_lines found = {0};
	struct reader r = {.arena = arena, .found = &found, .rows.size = sizes[list->kind]};
	void *array = NULL;
	int rc;

	rc = all_lines(&r, list->kind, text, len);
	if (rc == 0 && r.rows.count > 0) {
		array = kd_arena_alloc(arena, r.rows.count * r.rows.size);
		if (array != NULL)
			memcpy(array, r.rows.at, r.rows.count * r.rows.size);
		else
			rc = -ENOMEM;
	}
	free(r.rows.at);
	if (rc < 0)
		return rc;
	list->names = list->kind == KD_LIST_NAMES ? array : NULL;
	list->prefixes = list->kind == KD_LIST_PREFIXES ? array : NULL;
	list->pairs = list->kind == KD_LIST_PAIRS ? array : NULL;
	list->count = r.rows.count;
	list->garbage = found.garbage;
	*ret = found;
	return 0;
}
