/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Reads name terms; a regex is tried on Hyperscan where it stands, so that the error has a place. Which names
 * share a set is decided in compile.c.
 */
#include "rulebook/term.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HOST_MAX 253 /* RFC 1035 2.3.4, as text without the root's dot */
#define LABEL_MAX 63

static int shown(size_t len)
{
	return len < 80 ? (int)len : 80;
}

static bool name_char(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
}

static int bad(struct kd_fault *fault, const char *hint, const char *text, size_t len)
{
	return kd_fault(fault, hint, "\"%.*s\" is not a host name", shown(len), text);
}

/* Labels of [at, at + len), where * and ? may stand if `glob`. */
static int check_host(
	const char *at, size_t len, bool glob, const char *text, size_t text_len, struct kd_fault *fault)
{
	char hint[80];
	size_t label = 0;

	if (len == 0)
		return bad(fault, "it is empty", text, text_len);
	if (len > HOST_MAX)
		return bad(fault, "it is longer than 253 characters", text, text_len);
	for (size_t i = 0; i <= len; i++) {
		if (i == len || at[i] == '.') {
			if (label == 0 && !glob)
				return bad(fault, "it has an empty label", text, text_len);
			label = 0;
			continue;
		}
		if ((unsigned char)at[i] >= 0x80)
			return bad(fault, "write it in its ASCII form (punycode, xn--...)", text, text_len);
		if (!name_char(at[i]) && !(glob && (at[i] == '*' || at[i] == '?'))) {
			if (at[i] > 0x20 && at[i] < 0x7f)
				snprintf(hint, sizeof(hint), "'%c' cannot stand in one", at[i]);
			else
				snprintf(hint, sizeof(hint),
					"a space or control character cannot stand in one");
			return bad(fault, hint, text, text_len);
		}
		if (++label > LABEL_MAX)
			return bad(fault, "it has a label of more than 63 characters", text, text_len);
	}
	return 0;
}

static char *lowered(struct kd_arena *arena, const char *text, size_t len)
{
	char *copy = kd_arena_strndup(arena, text, len);

	for (size_t i = 0; copy != NULL && i < len; i++)
		if (copy[i] >= 'A' && copy[i] <= 'Z')
			copy[i] = (char)(copy[i] - 'A' + 'a');
	return copy;
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

int kd_term_parse(
	struct kd_name *ret, struct kd_arena *arena, const char *text, size_t len, struct kd_fault *fault)
{
	struct kd_name n = {.what = KD_NAME_SELF | KD_NAME_BELOW};
	size_t mark = 0, host_len;
	int rc;

	if (len >= 3 && text[0] == '/' && text[len - 1] == '/') {
		n.text = kd_arena_strndup(arena, text, len);
		n.expr = kd_arena_printf(arena, "^(?:%.*s)\\z", (int)(len - 2), text + 1);
		goto done;
	}
	n.text = lowered(arena, text, len);
	if (n.text == NULL)
		return -ENOMEM;
	if (len > 0 && text[0] == '^') {
		n.what = KD_NAME_SELF;
		mark = 1;
	} else if (len > 1 && text[0] == '*' && text[1] == '.') {
		n.what = KD_NAME_BELOW;
		mark = 2;
	}
	host_len = len - mark;
	if (memchr(n.text + mark, '*', host_len) != NULL || memchr(n.text + mark, '?', host_len) != NULL) {
		if (n.what == KD_NAME_SELF)
			return kd_fault(fault,
				"a pattern is always held against the whole name: leave the ^ out",
				"\"%.*s\" is both exact and a pattern", shown(len), text);
		rc = check_host(n.text, len, true, text, len, fault);
		if (rc < 0)
			return rc;
		n.expr = glob_expr(arena, n.text, len);
	} else {
		rc = check_host(n.text + mark, host_len, false, text, len, fault);
		if (rc < 0)
			return rc;
		n.host = n.text + mark;
	}
done:
	if (n.text == NULL || (n.host == NULL && n.expr == NULL))
		return -ENOMEM;
	if (n.host == NULL)
		n.what = 0;
	*ret = n;
	return 0;
}

/* Only what a user wrote as a regex can fail to compile. 0, -EINVAL, -ENOMEM. */
static int try_out(const struct kd_name *name, struct kd_fault *fault)
{
	struct kd_patterns *patterns = NULL;
	const uint16_t id = 1;
	unsigned int which;
	char *why = NULL;
	int rc;

	if (name->expr == NULL || name->text[0] != '/')
		return 0;
	rc = kd_patterns_new(&patterns, KD_PATTERN_NAMES, &name->expr, &id, 1, &which, &why);
	if (rc == -EINVAL)
		rc = kd_fault(fault, why, "\"%.80s\" is not a pattern", name->text);
	free(why);
	kd_patterns_free(patterns);
	return rc;
}

static void add(struct kd_book *book, struct kd_name_list *list, const struct kd_name *name)
{
	list->names = kd_arena_grow(book->arena, list->names, list->count, sizeof(*name));
	if (list->names == NULL) {
		book->no_memory = true;
		list->count = 0;
		return;
	}
	list->names[list->count++] = *name;
}

/* One line of a list file, its comment and blanks already gone. */
static void list_line(struct kd_book *book, struct kd_name_list *list, const char *path, int line,
	const char *text, size_t len)
{
	struct kd_fault fault;
	struct kd_name name;
	int rc = kd_term_parse(&name, book->arena, text, len, &fault);

	if (rc == 0)
		rc = try_out(&name, &fault);
	if (rc == -ENOMEM)
		book->no_memory = true;
	else if (rc < 0)
		kd_diag(book->diags, KD_DIAG_ERROR, path, line, NULL,
			fault.hint[0] != '\0' ? fault.hint : NULL, "%s", fault.message);
	else
		add(book, list, &name);
}

static bool blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static void list_lines(struct kd_book *book, struct kd_name_list *list, const char *path, FILE *file)
{
	char *line = NULL, *start;
	size_t room = 0, len;
	int number = 0;

	while (getline(&line, &room, file) >= 0) {
		number++;
		line[strcspn(line, "#")] = '\0';
		start = line;
		while (blank(*start))
			start++;
		len = strlen(start);
		while (len > 0 && blank(start[len - 1]))
			len--;
		if (len > 0)
			list_line(book, list, path, number, start, len);
	}
	free(line);
}

static bool list_name_ok(const char *name)
{
	size_t len = strlen(name);

	for (size_t i = 0; i < len; i++)
		if (!name_char(name[i]))
			return false;
	return len > 0;
}

/* The names of DIR/lists/NAME.txt, read once; NULL when there is no such list. */
static const struct kd_name_list *list_get(struct kd_book *book, const config_setting_t *at, const char *name)
{
	struct kd_list_file l = {0};
	const char *path;
	FILE *file;

	for (unsigned int i = 0; i < book->nlists; i++)
		if (strcmp(book->lists[i].name, name) == 0)
			return &book->lists[i].names;
	path = kd_arena_printf(book->arena, "%s/lists/%s.txt", book->dir, name);
	if (path == NULL)
		goto no_memory;
	file = list_name_ok(name) ? fopen(path, "re") : NULL;
	if (file == NULL) {
		kd_schema_error(book, at,
			list_name_ok(name) ? path : "letters, digits, - and _ make a list's name",
			"unknown list \"@%.80s\"", name);
		return NULL;
	}
	list_lines(book, &l.names, path, file);
	if (ferror(file))
		kd_schema_error(book, at, path, "list \"@%.80s\" cannot be read", name);
	fclose(file);
	l.name = kd_schema_keep(book, name);
	book->lists = kd_arena_grow(book->arena, book->lists, book->nlists, sizeof(l));
	if (book->lists == NULL || l.name == NULL)
		goto no_memory;
	book->lists[book->nlists++] = l;
	return &book->lists[book->nlists - 1].names;
no_memory:
	book->nlists = 0;
	book->no_memory = true;
	return NULL;
}

static int by_text(const void *a, const void *b)
{
	return strcmp(((const struct kd_name *)a)->text, ((const struct kd_name *)b)->text);
}

void kd_term_read(struct kd_book *book, const config_setting_t *setting, struct kd_name_list *ret)
{
	struct kd_name_list list = {0};
	unsigned int kept = 0;

	for (unsigned int i = 0; i < kd_schema_count(setting); i++) {
		const config_setting_t *e = kd_schema_element(setting, i);
		const char *text = config_setting_get_string(e);
		const struct kd_name_list *file;
		struct kd_fault fault;
		struct kd_name name;
		int rc;

		if (text[0] == '@') {
			file = list_get(book, e, text + 1);
			for (unsigned int k = 0; file != NULL && k < file->count; k++)
				add(book, &list, &file->names[k]);
			continue;
		}
		rc = kd_term_parse(&name, book->arena, text, strlen(text), &fault);
		if (rc == 0)
			rc = try_out(&name, &fault);
		if (rc == -ENOMEM)
			book->no_memory = true;
		else if (rc < 0)
			kd_schema_fault(book, e, &fault);
		else
			add(book, &list, &name);
	}
	if (list.count > 0)
		qsort(list.names, list.count, sizeof(*list.names), by_text);
	for (unsigned int i = 0; i < list.count; i++)
		if (kept == 0 || strcmp(list.names[kept - 1].text, list.names[i].text) != 0)
			list.names[kept++] = list.names[i];
	list.count = kept;
	*ret = list;
}

bool kd_term_same(const struct kd_name_list *a, const struct kd_name_list *b)
{
	if (a->count != b->count)
		return false;
	for (unsigned int i = 0; i < a->count; i++)
		if (strcmp(a->names[i].text, b->names[i].text) != 0)
			return false;
	return true;
}
