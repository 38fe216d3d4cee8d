/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Reads tags, and the address terms that name them. A tag stands for other prefixes in the lab than in the
 * world: what may be lab space is the guard's to say, so that no rulebook makes a live run act on a
 * stranger's network. Which of the two a policy takes is decided where it is compiled.
 */
#include "rulebook/claims.h"
#include "rulebook/term.h"
#include "rulebook/when.h"

#include "engine/guard.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* One literal prefix, strict; false when it was wrong, which was said. */
static bool literal(struct kd_book *book, const config_setting_t *e, struct kd_prefix *ret)
{
	const char *text = config_setting_get_string(e);
	struct kd_fault fault;

	if (kd_prefix_parse(ret, text, strlen(text), false, &fault) == 0)
		return true;
	kd_schema_fault(book, e, &fault);
	return false;
}

static int by_place(const void *a, const void *b)
{
	return kd_prefix_order(a, b);
}

static unsigned int put_in_order(struct kd_prefix *p, unsigned int count)
{
	unsigned int kept = 0;

	if (count > 0)
		qsort(p, count, sizeof(*p), by_place);
	for (unsigned int i = 0; i < count; i++)
		if (kept == 0 || kd_prefix_order(&p[kept - 1], &p[i]) != 0)
			p[kept++] = p[i];
	return kept;
}

static void add_prefix(
	struct kd_book *book, struct kd_prefix **list, unsigned int *count, const struct kd_prefix *p)
{
	*list = kd_arena_grow(book->arena, *list, *count, sizeof(*p));
	if (*list == NULL) {
		book->no_memory = true;
		*count = 0;
		return;
	}
	(*list)[(*count)++] = *p;
}

/* 0, -EPERM: somebody else's network, -ENOMEM. */
static int lab_space(const struct kd_prefix *p)
{
	struct kd_guard *guard = NULL;
	int rc = kd_guard_new(&guard);

	if (rc == 0)
		rc = kd_guard_add(guard, p->v6, p->addr, p->bits);
	kd_guard_free(guard);
	return rc;
}

static void lab_prefixes(struct kd_book *book, const config_setting_t *list, struct kd_book_tag *tag)
{
	for (unsigned int i = 0; i < kd_schema_count(list); i++) {
		const config_setting_t *e = kd_schema_element(list, i);
		struct kd_prefix p;
		int rc;

		if (!literal(book, e, &p))
			continue;
		rc = lab_space(&p);
		if (rc == -ENOMEM)
			book->no_memory = true;
		else if (rc < 0)
			kd_schema_error(book, e,
				"allowed are private (10/8, 172.16/12, 192.168/16), documentation, "
				"benchmarking "
				"(198.18/15), unique-local and link-local prefixes",
				"\"%.80s\" is not lab space", config_setting_get_string(e));
		else
			add_prefix(book, &tag->lab, &tag->nlab, &p);
	}
	tag->nlab = put_in_order(tag->lab, tag->nlab);
}

/* Whether the id is taken, which is said. */
static bool taken(struct kd_book *book, const config_setting_t *group)
{
	char hint[400];

	for (unsigned int i = 0; i < book->ntags; i++) {
		const struct kd_book_tag *t = &book->tags[i];

		if (strcmp(t->id, config_setting_name(group)) != 0)
			continue;
		snprintf(hint, sizeof(hint), "first at %s:%d", t->at.file, t->at.line);
		kd_schema_error(book, group, hint, "double id: tag \"%.80s\"", t->id);
		return true;
	}
	return false;
}

static void read_tag(struct kd_book *book, const config_setting_t *group)
{
	static const struct kd_key keys[] = {{"title", KD_TYPE_STRING, false},
		{"lab", KD_TYPE_STRINGS, false}, {"real", KD_TYPE_STRING, false},
		{"evidence", KD_TYPE_GROUP, false}, {NULL, 0, false}};
	const config_setting_t *lab, *real;
	struct kd_book_tag tag = {0};
	const char *title;

	if (!config_setting_is_group(group)) {
		kd_schema_error(book, group, "expected NAME = { lab = [ \"198.18.16.0/24\" ]; };",
			"a tag is a group of settings");
		return;
	}
	kd_schema_check(book, group, keys);
	tag.at = kd_schema_at(book, group);
	tag.id = kd_schema_keep(book, config_setting_name(group));
	title = kd_schema_string(group, "title");
	if (title != NULL)
		tag.title = kd_schema_keep(book, title);
	kd_evidence_read(book, group, &tag.evidence);
	lab = config_setting_get_member(group, "lab");
	real = config_setting_get_member(group, "real");
	if (lab == NULL && real == NULL)
		kd_schema_error(book, group,
			"lab: its prefixes in the lab; real: a list of those it has in the world",
			"a tag without prefixes");
	lab_prefixes(book, kd_schema_get(group, "lab", KD_TYPE_STRINGS), &tag);
	real = kd_schema_get(group, "real", KD_TYPE_STRING);
	if (real != NULL)
		tag.real = kd_list_prefixes_at(book, real, config_setting_get_string(real));
	if (taken(book, group))
		return;
	book->tags = kd_arena_grow(book->arena, book->tags, book->ntags, sizeof(tag));
	if (book->tags == NULL || tag.id == NULL) {
		book->no_memory = true;
		book->ntags = 0;
		return;
	}
	book->tags[book->ntags++] = tag;
}

void kd_tags_read(struct kd_book *book, const config_setting_t *root)
{
	const config_setting_t *tags = kd_schema_get(root, "tags", KD_TYPE_GROUP);

	for (int i = 0; tags != NULL && i < config_setting_length(tags); i++)
		read_tag(book, config_setting_get_elem(tags, (unsigned int)i));
}

static void unknown_tag(struct kd_book *book, const config_setting_t *e, const char *id)
{
	char words[1024] = "";
	size_t len = 0;

	for (unsigned int i = 0; i < book->ntags && len < sizeof(words); i++)
		len += (size_t)snprintf(
			words + len, sizeof(words) - len, "%s%s", len > 0 ? "|" : "", book->tags[i].id);
	kd_schema_unknown(book, e, "tag", id, words);
}

static void add_tag(struct kd_book *book, const config_setting_t *e, struct kd_address_term *term)
{
	const char *id = config_setting_get_string(e) + 1;
	const struct kd_book_tag *tag = kd_book_tag_find(book, id);

	if (tag == NULL) {
		unknown_tag(book, e, id);
		return;
	}
	for (unsigned int i = 0; i < term->ntags; i++)
		if (term->tags[i] == tag)
			return;
	term->tags = kd_arena_grow(book->arena, term->tags, term->ntags, sizeof(struct kd_book_tag *));
	if (term->tags == NULL) {
		book->no_memory = true;
		term->ntags = 0;
		return;
	}
	term->tags[term->ntags++] = tag;
}

void kd_address_read(struct kd_book *book, const config_setting_t *setting, struct kd_address_term *ret)
{
	struct kd_address_term term = {0};

	for (unsigned int i = 0; i < kd_schema_count(setting); i++) {
		const config_setting_t *e = kd_schema_element(setting, i);
		struct kd_prefix p;

		if (config_setting_get_string(e)[0] == '@')
			add_tag(book, e, &term);
		else if (literal(book, e, &p))
			add_prefix(book, &term.own, &term.nown, &p);
	}
	term.nown = put_in_order(term.own, term.nown);
	*ret = term;
}
