/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Lines of a list: the first byte says the kind, the rest is the list. Whatever stands in it, each usable
 * name parses to itself again, no prefix has bits behind its length, and the lines that are not usable are
 * counted and shown.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "rulebook/list_lines.h"
#include "rulebook/term.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool holds)
{
	if (!holds)
		abort();
}

static void check_name(struct kd_arena *arena, const struct kd_name *n)
{
	struct kd_fault fault;
	struct kd_name again;

	must((n->host == NULL) != (n->expr == NULL));
	must(kd_term_parse(&again, arena, n->text, strlen(n->text), &fault) == 0);
	must(strcmp(again.text, n->text) == 0 && again.what == n->what && !again.converted);
	if (n->host == NULL) {
		must(n->what == 0 && strcmp(again.expr, n->expr) == 0);
		return;
	}
	must(strcmp(again.host, n->host) == 0 && strlen(n->host) >= 1 && strlen(n->host) <= 253);
	for (const char *c = n->host; *c != '\0'; c++)
		must((*c >= 'a' && *c <= 'z') || (*c >= '0' && *c <= '9') || strchr("-_.", *c) != NULL);
}

static void check_prefix(const struct kd_prefix *p)
{
	unsigned int width = p->v6 ? 128 : 32;
	struct kd_fault fault;
	char text[KD_PREFIX_TEXT];
	struct kd_prefix again;

	must(p->bits <= width);
	for (unsigned int bit = p->bits; bit < 128; bit++)
		must((p->addr[bit / 8] >> (7 - bit % 8) & 1) == 0);
	kd_prefix_text(text, p);
	must(kd_prefix_parse(&again, text, strlen(text), false, &fault) == 0);
	must(kd_prefix_order(&again, p) == 0);
}

/* Prefixes in a row from A to B, none of which could be one with the next. */
static void check_range(const char *text, size_t len)
{
	struct kd_prefix list[KD_RANGE_PREFIXES];
	struct kd_fault fault;
	int n = kd_prefix_range(list, text, len, &fault);

	must(n != 0 && n <= KD_RANGE_PREFIXES);
	for (int i = 0; i < n; i++)
		check_prefix(&list[i]);
	for (int i = 1; i < n; i++)
		must(kd_prefix_order(&list[i - 1], &list[i]) < 0);
}

static void check_list(struct kd_arena *arena, const struct kd_list *list, const struct kd_list_lines *found)
{
	must(list->garbage == found->garbage && found->garbage <= found->lines);
	must(found->converted <= list->count);
	if (list->kind != KD_LIST_PREFIXES)
		must(list->count + list->garbage == found->lines);
	for (unsigned int i = 0; i < KD_LIST_SHOWN && i < found->garbage; i++)
		must(found->bad[i].line > (i > 0 ? found->bad[i - 1].line : 0) &&
			found->bad[i].text[0] != '\0');
	for (unsigned int i = 0; i < list->count; i++) {
		if (list->kind == KD_LIST_NAMES) {
			check_name(arena, &list->names[i]);
		} else if (list->kind == KD_LIST_PREFIXES) {
			check_prefix(&list->prefixes[i]);
		} else {
			check_name(arena, &list->pairs[i].name);
			check_prefix(&list->pairs[i].prefix);
		}
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct kd_list list = {0};
	struct kd_list_lines found;
	struct kd_arena *arena;
	char *text;

	if (size == 0)
		return 0;
	list.kind = data[0] % 3;
	size--;
	text = malloc(size + 1);
	must(text != NULL);
	memcpy(text, data + 1, size);
	check_range(text, size);
	arena = kd_arena_new();
	must(arena != NULL);
	text[size] = 'x'; /* the reader writes its own end there */
	must(kd_list_lines(&list, arena, text, size, &found) == 0);
	check_list(arena, &list, &found);
	kd_arena_free(arena);
	free(text);
	return 0;
}
