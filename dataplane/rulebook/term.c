/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Reads name terms; a regex is tried on Hyperscan where it stands, so that the error has a place. Which names
 * share a set is decided where sets are made, what a host name is in host.c, what a list holds in list.c.
 */
#include "rulebook/term.h"

#include "rulebook/host.h"
#include "rulebook/when.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void lower(char *text, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (text[i] >= 'A' && text[i] <= 'Z')
			text[i] = (char)(text[i] - 'A' + 'a');
}

static const char *glob_expr(struct kd_arena *arena, const char *glob, size_t len)
{
	/* Each character becomes two at most. */
	char *expr = kd_arena_alloc(arena, 2 * len + 4), *e = expr;

	if (expr == NULL)
		return NULL;
	*e++ = '^';
	for (size_t i = 0; i < len; i++) {
		if (glob[i] == '*') {
			*e++ = '.';
			*e++ = '*';
		} else if (glob[i] == '?') {
			*e++ = '.';
		} else {
			if (glob[i] == '.' || glob[i] == '-')
				*e++ = '\\';
			*e++ = glob[i];
		}
	}
	*e++ = '\\';
	*e++ = 'z';
	return expr;
}

/* Takes the mark off: what of the name is meant, and how long the mark is. */
static size_t mark_of(const char *text, size_t len, uint8_t *what)
{
	*what = KD_NAME_SELF | KD_NAME_BELOW;
	if (len > 0 && text[0] == '^') {
		*what = KD_NAME_SELF;
		return 1;
	}
	if (len > 1 && text[0] == '*' && text[1] == '.') {
		*what = KD_NAME_BELOW;
		return 2;
	}
	return 0;
}

static int read_glob(
	struct kd_name *n, struct kd_arena *arena, char *text, size_t len, struct kd_fault *fault)
{
	int rc;

	if (n->what == KD_NAME_SELF)
		return kd_fault(fault, "a pattern is always held against the whole name: leave the ^ out",
			"\"%.80s\" is both exact and a pattern", text);
	if ((kd_host_holds(text, len) & KD_HOST_OTHER) != 0)
		return kd_fault(fault, "patterns see the ASCII form: write it so (xn--...)",
			"\"%.80s\" is a pattern and not ASCII", text);
	rc = kd_host_check(text, len, true, text, fault);
	if (rc < 0)
		return rc;
	lower(text, len);
	n->what = 0;
	n->text = text;
	n->expr = glob_expr(arena, text, len);
	return n->expr != NULL ? 0 : -ENOMEM;
}

/* A name in other letters: its mark and its ASCII form. */
static int read_other(
	struct kd_name *n, struct kd_arena *arena, const char *text, size_t mark, struct kd_fault *fault)
{
	char ascii[KD_HOST_MAX + 1];
	int rc = kd_host_ascii(ascii, text + mark, text, fault);

	if (rc < 0)
		return rc;
	n->text = kd_arena_printf(arena, "%.*s%s", (int)mark, text, ascii);
	if (n->text == NULL)
		return -ENOMEM;
	n->host = n->text + mark;
	n->converted = true;
	return 0;
}

int kd_term_parse_kept(
	struct kd_name *ret, struct kd_arena *arena, char *text, size_t len, struct kd_fault *fault)
{
	struct kd_name n = {0};
	unsigned int holds;
	size_t mark;
	int rc = 0;

	if (len >= 3 && text[0] == '/' && text[len - 1] == '/') {
		n.text = text;
		n.expr = kd_arena_printf(arena, "^(?:%.*s)\\z", (int)(len - 2), text + 1);
		rc = n.expr != NULL ? 0 : -ENOMEM;
		goto done;
	}
	mark = mark_of(text, len, &n.what);
	holds = kd_host_holds(text + mark, len - mark);
	if ((holds & KD_HOST_WILD) != 0) {
		rc = read_glob(&n, arena, text, len, fault);
	} else if ((holds & KD_HOST_OTHER) != 0) {
		rc = read_other(&n, arena, text, mark, fault);
	} else {
		rc = kd_host_check(text + mark, len - mark, false, text, fault);
		if (rc == 0 && (holds & KD_HOST_UPPER) != 0)
			lower(text, len);
		n.text = text;
		n.host = text + mark;
	}
done:
	if (rc == 0)
		*ret = n;
	return rc;
}

int kd_term_parse(
	struct kd_name *ret, struct kd_arena *arena, const char *text, size_t len, struct kd_fault *fault)
{
	char *copy = kd_arena_strndup(arena, text, len);

	return copy != NULL ? kd_term_parse_kept(ret, arena, copy, len, fault) : -ENOMEM;
}

int kd_term_try(const struct kd_name *name, struct kd_fault *fault)
{
	struct kd_patterns *patterns = NULL;
	const uint16_t id = 1;
	unsigned int which;
	char *why = NULL;
	int rc;

	/* What was made here from a glob compiles. */
	if (name->expr == NULL || name->text[0] != '/')
		return 0;
	rc = kd_patterns_new(&patterns, KD_PATTERN_NAMES, &name->expr, &id, 1, &which, &why);
	if (rc == -EINVAL)
		rc = kd_fault(fault, why, "\"%.80s\" is not a pattern", name->text);
	free(why);
	kd_patterns_free(patterns);
	return rc;
}

static bool said(const struct kd_book *book, const char *message)
{
	for (unsigned int i = 0; i < book->diags->count; i++)
		if (strcmp(book->diags->list[i].message, message) == 0)
			return true;
	return false;
}

/* Once a name: the same one stands in many rules. */
static void say_converted(struct kd_book *book, const config_setting_t *e, const struct kd_name *name)
{
	char message[480];

	snprintf(message, sizeof(message), "\"%.120s\" is written \"%s\"", config_setting_get_string(e),
		name->text);
	if (!said(book, message))
		kd_schema_warn(
			book, e, "names are compared in the form they have on the wire", "%s", message);
}

static void add_name(struct kd_book *book, const config_setting_t *e, struct kd_name_list *own)
{
	const char *text = config_setting_get_string(e);
	struct kd_fault fault;
	struct kd_name name;
	int rc = kd_term_parse(&name, book->arena, text, strlen(text), &fault);

	if (rc == 0)
		rc = kd_term_try(&name, &fault);
	if (rc == -ENOMEM)
		book->no_memory = true;
	else if (rc < 0)
		kd_schema_fault(book, e, &fault);
	if (rc < 0)
		return;
	if (name.converted)
		say_converted(book, e, &name);
	own->names = kd_arena_grow(book->arena, own->names, own->count, sizeof(name));
	if (own->names == NULL) {
		book->no_memory = true;
		own->count = 0;
		return;
	}
	own->names[own->count++] = name;
}

static void add_list(struct kd_book *book, const config_setting_t *e, struct kd_name_term *term)
{
	const char *name = config_setting_get_string(e) + 1;
	const struct kd_list *list = kd_list_get(book, e, name, KD_LIST_NAMES);

	if (list == NULL)
		return;
	term->lists = kd_arena_grow(book->arena, term->lists, term->nlists, sizeof(struct kd_list *));
	if (term->lists == NULL) {
		book->no_memory = true;
		term->nlists = 0;
		return;
	}
	term->lists[term->nlists++] = list;
}

static int by_text(const void *a, const void *b)
{
	return strcmp(((const struct kd_name *)a)->text, ((const struct kd_name *)b)->text);
}

static int by_name(const void *a, const void *b)
{
	return strcmp((*(const struct kd_list *const *)a)->name, (*(const struct kd_list *const *)b)->name);
}

/* Sorts, and drops doubles; how many are left. */
static unsigned int put_in_order(
	void *array, unsigned int count, size_t size, int (*order)(const void *, const void *))
{
	unsigned int kept = 0;
	char *at = array;

	if (count == 0)
		return 0;
	qsort(array, count, size, order);
	for (unsigned int i = 1; i < count; i++)
		if (order(at + kept * size, at + i * size) != 0)
			memmove(at + ++kept * size, at + i * size, size);
	return kept + 1;
}

void kd_term_read(struct kd_book *book, const config_setting_t *setting, struct kd_name_term *ret)
{
	struct kd_name_term term = {0};

	for (unsigned int i = 0; i < kd_schema_count(setting); i++) {
		const config_setting_t *e = kd_schema_element(setting, i);

		if (config_setting_get_string(e)[0] == '@')
			add_list(book, e, &term);
		else
			add_name(book, e, &term.own);
	}
	term.own.count = put_in_order(term.own.names, term.own.count, sizeof(*term.own.names), by_text);
	term.nlists = put_in_order(term.lists, term.nlists, sizeof(struct kd_list *), by_name);
	*ret = term;
}

bool kd_name_term_same(const struct kd_name_term *a, const struct kd_name_term *b)
{
	if (a->own.count != b->own.count || a->nlists != b->nlists)
		return false;
	for (unsigned int i = 0; i < a->own.count; i++)
		if (strcmp(a->own.names[i].text, b->own.names[i].text) != 0)
			return false;
	for (unsigned int i = 0; i < a->nlists; i++)
		if (strcmp(a->lists[i]->name, b->lists[i]->name) != 0)
			return false;
	return true;
}
