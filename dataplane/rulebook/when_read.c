/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Reads `when` groups as a tree: several keys are all of them; all, any and not nest. Each key is read by its
 * row (when_terms.c). Keys of one group come out in the order of the table, whatever their order in the file;
 * members of all and any in that of the file.
 */
#include "rulebook/when_terms.h"

#include <string.h>

#define DEPTH_MAX 16

struct reading {
	struct kd_when_reader r;
	struct kd_when_row rows[KD_KEYS_MAX];
	struct kd_key keys[KD_KEYS_MAX];
};

/* What a group says: `always` when nothing is asked, else node; neither when all that it asks was wrong. */
struct said {
	struct kd_when *node;
	bool always;
};

static struct said group(struct reading *rd, const config_setting_t *g);

static struct kd_when *new_node(struct kd_book *book, unsigned int kind, const config_setting_t *s)
{
	struct kd_when *w = kd_arena_alloc(book->arena, sizeof(*w));

	if (w == NULL) {
		book->no_memory = true;
		return NULL;
	}
	w->kind = (uint8_t)kind;
	w->at = kd_schema_at(book, s);
	return w;
}

/* A chain of children as one node. */
static struct kd_when *joined(
	struct kd_book *book, unsigned int kind, const config_setting_t *s, struct kd_when *first)
{
	struct kd_when *w;

	if (first == NULL || first->next == NULL)
		return first;
	w = new_node(book, kind, s);
	if (w != NULL)
		w->child = first;
	return w;
}

static void hang(struct kd_when ***tail, struct kd_when *w)
{
	if (w == NULL)
		return;
	**tail = w;
	*tail = &w->next;
}

/* The members of `all` and `any`; *always: how many ask nothing. */
static struct kd_when *members(struct reading *rd, const config_setting_t *list, unsigned int *always)
{
	struct kd_when *first = NULL, **tail = &first;

	*always = 0;
	if (config_setting_length(list) == 0)
		kd_schema_error(rd->r.book, list, NULL, "must not be empty");
	for (int i = 0; i < config_setting_length(list); i++) {
		const config_setting_t *e = config_setting_get_elem(list, (unsigned int)i);
		struct said one;

		if (!config_setting_is_group(e))
			continue; /* said by kd_schema_check */
		one = group(rd, e);
		*always += one.always;
		hang(&tail, one.node);
	}
	return first;
}

static struct kd_when *all(struct reading *rd, const config_setting_t *list)
{
	unsigned int always;
	struct kd_when *first = members(rd, list, &always);

	return joined(rd->r.book, KD_WHEN_ALL, list, first);
}

static struct kd_when *any(struct reading *rd, const config_setting_t *list)
{
	unsigned int always;
	struct kd_when *first = members(rd, list, &always);

	if (always > 0)
		kd_schema_error(rd->r.book, list, "an empty group matches everything", "this always matches");
	return joined(rd->r.book, KD_WHEN_ANY, list, first);
}

static struct kd_when * not(struct reading * rd, const config_setting_t *g)
{
	struct kd_when *w = new_node(rd->r.book, KD_WHEN_NOT, g);
	struct said one;

	rd->r.negated = !rd->r.negated;
	one = group(rd, g);
	rd->r.negated = !rd->r.negated;
	if (one.always)
		kd_schema_error(rd->r.book, g, "an empty group matches everything", "this can never match");
	if (w == NULL || one.node == NULL)
		return NULL;
	w->child = one.node;
	return w;
}

static struct kd_when *term(struct reading *rd, const struct kd_when_row *row, const config_setting_t *s)
{
	struct kd_when *w = new_node(rd->r.book, KD_WHEN_TERM, s);

	if (w == NULL)
		return NULL;
	w->key = row->name;
	w->term = row->term;
	w->of = row->of;
	return row->read(&rd->r, row, s, w) ? w : NULL;
}

static void terms(struct reading *rd, const config_setting_t *g, struct kd_when ***tail)
{
	rd->r.protocol_given = config_setting_get_member(g, "protocol") != NULL;
	rd->r.protocols = 0;
	for (const struct kd_when_row *row = rd->rows; row->name != NULL; row++) {
		const config_setting_t *s = kd_schema_get(g, row->name, row->type);

		if (s != NULL)
			hang(tail, term(rd, row, s));
	}
}

static struct said group(struct reading *rd, const config_setting_t *g)
{
	struct kd_book *book = rd->r.book;
	unsigned int errors = book->diags->errors;
	struct kd_when *first = NULL, **tail = &first;
	const config_setting_t *s;
	struct said said = {0};

	if (rd->r.depth == DEPTH_MAX) {
		kd_schema_error(book, g, NULL, "groups stand more than %d deep in each other", DEPTH_MAX);
		return said;
	}
	rd->r.depth++;
	kd_schema_check(book, g, rd->keys);
	terms(rd, g, &tail);
	s = kd_schema_get(g, "all", KD_TYPE_GROUPS);
	if (s != NULL)
		hang(&tail, all(rd, s));
	s = kd_schema_get(g, "any", KD_TYPE_GROUPS);
	if (s != NULL)
		hang(&tail, any(rd, s));
	s = kd_schema_get(g, "not", KD_TYPE_GROUP);
	if (s != NULL)
		hang(&tail, not(rd, s));
	rd->r.depth--;
	said.node = joined(book, KD_WHEN_ALL, g, first);
	said.always = first == NULL && book->diags->errors == errors && !book->no_memory;
	return said;
}

static void keys_of(struct reading *rd)
{
	static const struct kd_key logic[] = {{"all", KD_TYPE_GROUPS, false}, {"any", KD_TYPE_GROUPS, false},
		{"not", KD_TYPE_GROUP, false}};
	unsigned int n = 0;

	for (const struct kd_when_row *row = rd->rows; row->name != NULL; row++)
		rd->keys[n++] = (struct kd_key){row->name, row->type, false};
	for (unsigned int i = 0; i < sizeof(logic) / sizeof(logic[0]) && n + 1 < KD_KEYS_MAX; i++)
		rd->keys[n++] = logic[i];
	rd->keys[n] = (struct kd_key){NULL, 0, false};
}

static bool tags_in_to(const struct kd_when *w)
{
	for (; w != NULL; w = w->next) {
		if (w->kind == KD_WHEN_TERM && w->term == KD_TERM_ADDRESS && w->of == KD_END_TO &&
			w->addresses.ntags > 0)
			return true;
		if (tags_in_to(w->child))
			return true;
	}
	return false;
}

struct kd_when *kd_when_read(struct kd_book *book, const config_setting_t *when, struct kd_book_rule *rule,
	struct kd_when_facts *facts)
{
	struct reading rd = {.r = {.book = book, .rule = rule, .facts = facts}};
	unsigned int errors = book->diags->errors;
	struct said said;

	*facts = (struct kd_when_facts){0};
	kd_when_rows(book, rd.rows);
	keys_of(&rd);
	said = group(&rd, when);
	if (rd.r.count != NULL && (facts->count->count.keys & KD_KEY_TAG) != 0 &&
		book->diags->errors == errors && !tags_in_to(said.node))
		kd_schema_error(book, rd.r.count, "expected to = [ \"@TAG\", ... ] beside it",
			"a count by \"tag\" without a tag in \"to\"");
	if (book->diags->errors == errors && !book->no_memory)
		kd_when_check(book, rule, said.node);
	return said.node;
}
