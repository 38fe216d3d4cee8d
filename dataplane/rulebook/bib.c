/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Reads sources.bib. It takes less than BibTeX does: what it refuses is said with its line, and reading goes
 * on at the next entry. What a source looks like in words, and what may be cited at all, is decided in
 * cite.c.
 */
#include "rulebook/bib.h"

#include "engine/cursor.h"
#include "rulebook/bib_entry.h"
#include "rulebook/diag.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#define FILE_MAX (1u << 20)
#define WORD_MAX 64
#define FIELD_WORDS                                                                                          \
	"author|title|booktitle|journal|howpublished|institution|year|month|volume|number|pages|publisher|"  \
	"doi|url|note"
#define TYPE_WORDS "article|inproceedings|misc|techreport|book|phdthesis|mastersthesis|online"

struct reader {
	struct kd_cur c;
	int line;
	const char *file;
	struct kd_book *book;
};

static void wrong(struct reader *r, int line, const char *hint, const char *format, ...)
	__attribute__((format(printf, 4, 5)));

static void wrong(struct reader *r, int line, const char *hint, const char *format, ...)
{
	char message[256];
	va_list args;

	va_start(args, format);
	vsnprintf(message, sizeof(message), format, args);
	va_end(args);
	kd_diag(r->book->diags, KD_DIAG_ERROR, r->file, line, NULL, hint, "%s", message);
}

/* The next byte, or -1 at the end. */
static int peek(const struct reader *r)
{
	return kd_cur_left(&r->c) > 0 ? *r->c.p : -1;
}

static int next(struct reader *r)
{
	int byte = peek(r);

	if (byte < 0)
		return byte;
	kd_cur_skip(&r->c, 1);
	r->line += byte == '\n';
	return byte;
}

static bool is_blank(int byte)
{
	return byte == ' ' || byte == '\t' || byte == '\n' || byte == '\r';
}

static bool is_digit(int byte)
{
	return byte >= '0' && byte <= '9';
}

static bool is_word(int byte)
{
	return is_digit(byte) || (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') ||
	       byte == '-' || byte == '_' || byte == ':' || byte == '+';
}

static void blanks(struct reader *r)
{
	while (is_blank(peek(r)))
		next(r);
}

static bool take(struct reader *r, int byte)
{
	blanks(r);
	if (peek(r) != byte)
		return false;
	next(r);
	return true;
}

/* Length of the word that was put into buf; 0: none, or too long. */
static size_t word(struct reader *r, char buf[WORD_MAX])
{
	size_t len = 0;

	blanks(r);
	for (; is_word(peek(r)); next(r))
		if (len < WORD_MAX)
			buf[len++] = (char)peek(r);
	if (len == WORD_MAX)
		len = 0;
	buf[len] = '\0';
	return len;
}

static bool listed(const char *words, const char *text)
{
	size_t len = strlen(text), n;

	for (const char *w = words; *w != '\0'; w += n + (w[n] == '|')) {
		n = strcspn(w, "|");
		if (n == len && memcmp(w, text, n) == 0)
			return true;
	}
	return false;
}

static void unknown(struct reader *r, int line, const char *noun, const char *text, const char *words)
{
	char *near = kd_did_you_mean(text, words);
	char hint[320] = "known: ";
	size_t len = strlen(hint);

	for (const char *w = words; *w != '\0' && len + 3 < sizeof(hint); w++)
		len += (size_t)snprintf(
			hint + len, sizeof(hint) - len, "%c%s", *w == '|' ? ',' : *w, *w == '|' ? " " : "");
	if (near != NULL)
		wrong(r, line, hint, "unknown %s \"%s\" - did you mean \"%s\"?", noun, text, near);
	else
		wrong(r, line, hint, "unknown %s \"%s\"", noun, text);
	free(near);
}

/* len bytes of a value in the book's memory, each run of blanks one space. NULL was said. */
static const char *fold(struct reader *r, const uint8_t *p, size_t len, int line)
{
	char *text = kd_arena_alloc(r->book->arena, len + 1);
	size_t n = 0;

	if (text == NULL) {
		r->book->no_memory = true;
		return NULL;
	}
	for (struct kd_cur c = kd_cur(p, len); kd_cur_left(&c) > 0;) {
		uint8_t byte = kd_cur_u8(&c);

		if (byte == '\\' || (byte < ' ' && !is_blank(byte))) {
			wrong(r, line, "write the letter itself, in UTF-8",
				"%s in a value: TeX is not understood",
				byte == '\\' ? "a backslash" : "a control character");
			return NULL;
		}
		if (!is_blank(byte))
			text[n++] = (char)byte;
		else if (n > 0 && text[n - 1] != ' ')
			text[n++] = ' ';
	}
	while (n > 0 && text[n - 1] == ' ')
		n--;
	text[n] = '\0';
	if (strspn(text, "{} ") == n) {
		wrong(r, line, NULL, "an empty value");
		return NULL;
	}
	return text;
}

/* {...}, "..." or digits. *ended: the value's end was found, so that reading can go on behind it. */
static const char *value(struct reader *r, bool *ended)
{
	int line = r->line, first, depth = 0;
	const uint8_t *start;

	blanks(r);
	line = r->line;
	first = peek(r);
	*ended = false;
	if (is_digit(first)) {
		start = r->c.p;
		while (is_digit(peek(r)))
			next(r);
		*ended = true;
		return fold(r, start, (size_t)(r->c.p - start), line);
	}
	if (first != '{' && first != '"') {
		wrong(r, line, NULL, "expected a value: {...}, \"...\" or digits");
		return NULL;
	}
	next(r);
	start = r->c.p;
	for (int byte = peek(r); byte >= 0; byte = peek(r)) {
		if (depth == 0 && byte == (first == '{' ? '}' : '"')) {
			const uint8_t *end = r->c.p;

			next(r);
			*ended = true;
			return fold(r, start, (size_t)(end - start), line);
		}
		depth += byte == '{' ? 1 : byte == '}' ? -1 : 0;
		if (depth < 0)
			break;
		next(r);
	}
	wrong(r, line, NULL, "a value without its end: %s is missing", first == '{' ? "}" : "a quote");
	return NULL;
}

const char *kd_bib_field(const struct kd_bib_entry *e, const char *name)
{
	for (unsigned int i = 0; i < e->nfields; i++)
		if (strcmp(e->fields[i].name, name) == 0)
			return e->fields[i].value;
	return NULL;
}

/* NAME = VALUE; false: what follows cannot be read. */
static bool field(struct reader *r, struct kd_bib_entry *e)
{
	int line = r->line;
	const char *text;
	char name[WORD_MAX];
	bool ended = false;

	if (word(r, name) == 0) {
		wrong(r, r->line, NULL, "expected the name of a field or }");
		return false;
	}
	line = r->line;
	if (!take(r, '=')) {
		wrong(r, r->line, NULL, "expected = after \"%s\"", name);
		return false;
	}
	text = value(r, &ended);
	if (!listed(FIELD_WORDS, name))
		unknown(r, line, "field", name, FIELD_WORDS);
	else if (kd_bib_field(e, name) != NULL)
		wrong(r, line, NULL, "\"%s\" stands twice", name);
	else if (text != NULL) {
		e->fields = kd_arena_grow(r->book->arena, e->fields, e->nfields, sizeof(*e->fields));
		if (e->fields == NULL) {
			r->book->no_memory = true;
			e->nfields = 0;
			return false;
		}
		e->fields[e->nfields].name = kd_schema_keep(r->book, name);
		e->fields[e->nfields].value = text;
		e->nfields += e->fields[e->nfields].name != NULL;
	}
	return ended && !r->book->no_memory;
}

const struct kd_bib_entry *kd_bib_find(const struct kd_bib *bib, const char *key, size_t len)
{
	for (unsigned int i = 0; bib != NULL && i < bib->count; i++)
		if (strlen(bib->entries[i].key) == len && memcmp(bib->entries[i].key, key, len) == 0)
			return &bib->entries[i];
	return NULL;
}

static void keep(struct reader *r, const struct kd_bib_entry *e)
{
	static const char *const required[] = {"author", "title", "year"};
	struct kd_bib *bib = r->book->bib;
	const struct kd_bib_entry *first = kd_bib_find(bib, e->key, strlen(e->key));
	const char *year = kd_bib_field(e, "year");
	char hint[64];

	for (unsigned int i = 0; i < 3; i++)
		if (kd_bib_field(e, required[i]) == NULL)
			wrong(r, e->line, NULL, "\"%s\" is missing", required[i]);
	if (year != NULL && (strspn(year, "0123456789") != 4 || strlen(year) != 4))
		wrong(r, e->line, "expected four digits", "\"%.40s\" is not a year", year);
	if (first != NULL) {
		snprintf(hint, sizeof(hint), "first in line %d", first->line);
		wrong(r, e->line, hint, "double key: \"%s\"", e->key);
		return;
	}
	bib->entries = kd_arena_grow(r->book->arena, bib->entries, bib->count, sizeof(*e));
	if (bib->entries == NULL) {
		r->book->no_memory = true;
		bib->count = 0;
		return;
	}
	bib->entries[bib->count++] = *e;
}

/* Behind the @. false: the entry cannot be read to its end. */
static bool entry(struct reader *r)
{
	struct kd_bib_entry e = {.line = r->line};
	char text[WORD_MAX];

	word(r, text);
	if (!listed(TYPE_WORDS, text))
		unknown(r, e.line, "kind of entry", text, TYPE_WORDS);
	e.type = kd_schema_keep(r->book, text);
	if (!take(r, '{') || word(r, text) == 0) {
		wrong(r, r->line, NULL, "expected @KIND{KEY, ...");
		return false;
	}
	e.key = kd_schema_keep(r->book, text);
	if (e.type == NULL || e.key == NULL)
		return false;
	while (!take(r, '}')) {
		if (!take(r, ',')) {
			wrong(r, r->line, NULL, "expected , or } in the entry \"%s\"", e.key);
			return false;
		}
		if (take(r, '}'))
			break;
		if (!field(r, &e))
			return false;
	}
	keep(r, &e);
	return true;
}

/* To the next @ that begins a line. */
static void skip(struct reader *r)
{
	int byte;

	while ((byte = next(r)) >= 0)
		if (byte == '\n' && peek(r) == '@')
			return;
}

void kd_bib_parse(struct kd_book *book, const char *file, const char *text, size_t len)
{
	struct reader r = {.c = kd_cur((const uint8_t *)text, len), .line = 1, .file = file, .book = book};

	if (book->bib == NULL)
		book->bib = kd_arena_alloc(book->arena, sizeof(*book->bib));
	if (book->bib == NULL)
		book->no_memory = true;
	while (!book->no_memory) {
		blanks(&r);
		if (peek(&r) < 0)
			return;
		if (peek(&r) == '%') {
			while (peek(&r) >= 0 && next(&r) != '\n')
				;
			continue;
		}
		if (take(&r, '@')) {
			if (!entry(&r))
				skip(&r);
			continue;
		}
		wrong(&r, r.line, "comments begin with %", "expected @KIND{KEY, ...");
		skip(&r);
	}
}

void kd_bib_read(struct kd_book *book)
{
	const char *path = kd_arena_printf(book->arena, "%s/sources.bib", book->dir);
	FILE *file = path != NULL ? fopen(path, "re") : NULL;
	char *text;
	size_t len;

	book->no_memory |= path == NULL;
	if (file == NULL) {
		if (path != NULL && errno != ENOENT)
			kd_diag(book->diags, KD_DIAG_ERROR, path, 0, NULL, NULL, "cannot be read: %s",
				strerror(errno));
		return;
	}
	text = malloc(FILE_MAX + 1);
	len = text != NULL ? fread(text, 1, FILE_MAX + 1, file) : 0;
	if (text == NULL)
		book->no_memory = true;
	else if (ferror(file))
		kd_diag(book->diags, KD_DIAG_ERROR, path, 0, NULL, NULL, "cannot be read");
	else if (len > FILE_MAX)
		kd_diag(book->diags, KD_DIAG_ERROR, path, 0, NULL, NULL, "longer than %u bytes", FILE_MAX);
	else
		kd_bib_parse(book, path, text, len);
	free(text);
	fclose(file);
}
