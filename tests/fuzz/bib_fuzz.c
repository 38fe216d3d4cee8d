/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * sources.bib. Every mistake is said with a line that the text has; what was taken is printed, read again
 * without a mistake, and printed the same. The text is also tried as a claim's source.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "rulebook/bib.h"
#include "rulebook/bib_entry.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool holds)
{
	if (!holds)
		abort();
}

static void parse(struct kd_book *book, const void *text, size_t len)
{
	char *copy = malloc(len > 0 ? len : 1);

	must(copy != NULL);
	if (len > 0)
		memcpy(copy, text, len);
	book->arena = kd_arena_new();
	must(book->arena != NULL);
	kd_bib_parse(book, "f", copy, len);
	free(copy);
	must(!book->no_memory);
}

static void done(struct kd_book *book)
{
	kd_diags_free(book->diags);
	kd_arena_free(book->arena);
}

/* The whole file as it would be printed. */
static char *print(const struct kd_book *book, size_t *len)
{
	char *buf = NULL;
	FILE *f = open_memstream(&buf, len);

	must(f != NULL);
	for (unsigned int i = 0; i < book->bib->count; i++)
		must(kd_bib_print(book, book->bib->entries[i].key, f));
	must(fclose(f) == 0);
	return buf;
}

static void read_again(const struct kd_book *book)
{
	struct kd_diags diags = {0};
	struct kd_book again = {.diags = &diags};
	size_t len, len_again;
	char *text = print(book, &len), *text_again;

	parse(&again, text, len);
	must(diags.count == 0);
	must(again.bib->count == book->bib->count);
	text_again = print(&again, &len_again);
	must(len_again == len && memcmp(text, text_again, len) == 0);
	free(text);
	free(text_again);
	done(&again);
}

static void cite(struct kd_book *book, const uint8_t *data, size_t size)
{
	struct kd_fault fault = {.message = "", .hint = ""};
	char *source = malloc(size + 1);

	must(source != NULL);
	if (size > 0)
		memcpy(source, data, size);
	source[size] = '\0';
	if (kd_bib_source(book, source, &fault) < 0)
		must(fault.message[0] != '\0');
	must(kd_bib_text(book, book->arena, source) != NULL);
	free(source);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct kd_diags diags = {0};
	struct kd_book book = {.diags = &diags};
	int lines = 1;

	for (size_t i = 0; i < size; i++)
		lines += data[i] == '\n';
	parse(&book, data, size);
	for (unsigned int i = 0; i < diags.count; i++)
		must(diags.list[i].line >= 1 && diags.list[i].line <= lines);
	for (unsigned int i = 0; i < book.bib->count; i++)
		must(kd_bib_text(&book, book.arena, book.bib->entries[i].key) != NULL);
	if (diags.count == 0)
		read_again(&book);
	cite(&book, data, size);
	done(&book);
	return 0;
}
