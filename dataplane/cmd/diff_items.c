/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What a profile has in force, taken to pieces that can be compared one by one. In a sampled box the pieces
 * are what it drew.
 */
#include "cmd/diff.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cmd/words.h"
#include "rulebook/picked.h"
#include "rulebook/place.h"
#include "rulebook/when.h"

const char *const kd_diff_parts[KD_DIFF_PARTS] = {
	[KD_DIFF_PLACE] = "place",
	[KD_DIFF_PHASE] = "phase",
	[KD_DIFF_MATCH] = "match",
	[KD_DIFF_THEN] = "mechanism",
	[KD_DIFF_RESIDUAL] = "residual",
	[KD_DIFF_MISS] = "miss",
	[KD_DIFF_SHARE] = "share",
	[KD_DIFF_FLAP] = "flap",
	[KD_DIFF_ELSE] = "else",
	[KD_DIFF_VALUE] = "value",
	[KD_DIFF_DRAWN] = "drawn",
	[KD_DIFF_PENDING] = "pending",
	[KD_DIFF_EVIDENCE] = "evidence",
};

/* Takes the item when all of its texts are there. */
static int keep(struct kd_diff_side *side, struct kd_diff_item *item)
{
	if (item->id == NULL || item->words == NULL || item->match == NULL)
		return -ENOMEM;
	for (unsigned int p = 0; p < KD_DIFF_PARTS; p++)
		if (item->part[p] == NULL)
			return -ENOMEM;
	side->items = kd_arena_grow(side->view.arena, side->items, side->nitems, sizeof(*item));
	if (side->items == NULL) {
		side->nitems = 0;
		return -ENOMEM;
	}
	side->items[side->nitems++] = *item;
	return 0;
}

static struct kd_diff_item new_item(const char *kind, const char *id, const struct kd_evidence *evidence)
{
	struct kd_diff_item item = {.kind = kind, .id = id, .match = "", .evidence = evidence};

	for (unsigned int p = 0; p < KD_DIFF_PARTS; p++)
		item.part[p] = "";
	return item;
}

static const char *or_none(const char *text)
{
	return text != NULL ? text : "";
}

/* "date reported ID,ID; match assumed" */
static const char *evidence_text(struct kd_arena *arena, const struct kd_evidence *ev)
{
	const char *text = "";

	for (unsigned int p = 0; p < KD_PART_COUNT && text != NULL; p++)
		if (ev->grade[p] != KD_GRADE_COUNT)
			text = kd_arena_printf(arena, "%s%s%s %s%s%s", text, text[0] != '\0' ? "; " : "",
				kd_part_name(p), kd_grade_name(ev->grade[p]),
				ev->claims[p] != NULL ? " " : "", or_none(ev->claims[p]));
	return text;
}

/* The match without its names, which go to the item. Signatures count by their pattern, too. */
struct walk {
	struct kd_diff_side *side;
	struct kd_diff_item *item;
	const char *patterns;
	bool no_memory;
};

static void add_name(struct walk *w, const char *text)
{
	struct kd_diff_item *item = w->item;

	item->names = kd_arena_grow(w->side->view.arena, item->names, item->nnames, sizeof(*item->names));
	if (item->names == NULL) {
		item->nnames = 0;
		w->no_memory = true;
		return;
	}
	item->names[item->nnames++] = text;
}

static void signature_text(struct walk *w, const char *id)
{
	const struct kd_book *book = w->side->book;

	for (unsigned int i = 0; i < book->nsignatures && w->patterns != NULL; i++)
		if (strcmp(book->signatures[i].id, id) == 0)
			w->patterns = kd_arena_printf(w->side->view.arena, "%s %s=/%s/", w->patterns, id,
				or_none(book->signatures[i].pattern));
}

static struct kd_when *nameless(struct walk *w, const struct kd_when *when)
{
	struct kd_when *copy = kd_arena_alloc(w->side->view.arena, sizeof(*copy)), **tail;

	if (copy == NULL) {
		w->no_memory = true;
		return NULL;
	}
	*copy = *when;
	copy->next = NULL;
	tail = &copy->child;
	*tail = NULL;
	for (const struct kd_when *c = when->child; c != NULL && !w->no_memory; c = c->next) {
		*tail = nameless(w, c);
		if (*tail != NULL)
			tail = &(*tail)->next;
	}
	if (when->kind != KD_WHEN_TERM)
		return copy;
	for (unsigned int i = 0; when->term == KD_TERM_SIGNATURE && i < when->nwords; i++)
		signature_text(w, when->words[i]);
	if (when->term != KD_TERM_NAME)
		return copy;
	for (unsigned int i = 0; i < when->names.own.count && !w->no_memory; i++)
		add_name(w, when->names.own.names[i].text);
	for (unsigned int l = 0; l < when->names.nlists; l++)
		for (unsigned int i = 0; i < when->names.lists[l]->count && !w->no_memory; i++)
			add_name(w, when->names.lists[l]->names[i].text);
	memset(&copy->names, 0, sizeof(copy->names));
	return copy;
}

static int by_text(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static const char *match_text(
	struct kd_diff_side *side, struct kd_diff_item *item, const struct kd_book_rule *r)
{
	struct walk w = {.side = side, .item = item, .patterns = ""};
	struct kd_when *bare;
	const char *text;

	if (r->deny)
		return kd_words_match(side->view.arena, r, 0);
	if (r->when == NULL)
		return "everything";
	bare = nameless(&w, r->when);
	text = w.no_memory ? NULL : kd_when_text(side->view.arena, bare);
	if (text == NULL || w.patterns == NULL)
		return NULL;
	if (item->nnames > 0)
		qsort(item->names, item->nnames, sizeof(*item->names), by_text);
	return kd_arena_printf(side->view.arena, "%s%s", text, w.patterns);
}

/* "residual.time 71 s, miss 0.1 %" of a sampled box; "" of a plain one. */
static const char *drawn_text(
	const struct kd_diff_side *side, const struct kd_book_rule *base, const struct kd_book_rule *r)
{
	const char *text = "", *value;

	for (unsigned int i = 0; side->query.sample != 0 && i < r->nnumbers && text != NULL; i++) {
		const struct kd_book_number *n = &r->numbers[i];

		if (n->text == NULL || !n->n.ranged || kd_picked_per_flow(r, n))
			continue;
		value = kd_words_drawn(side->view.arena, &side->query, base->draw, n);
		if (value == NULL)
			return NULL;
		text = kd_arena_printf(
			side->view.arena, "%s%s%s %s", text, text[0] != '\0' ? ", " : "", n->key, value);
	}
	return text;
}

static int rule(struct kd_diff_side *side, const struct kd_book_rule *base)
{
	const struct kd_list_view *v = &side->view;
	const struct kd_book_rule *r =
		v->query != NULL || base->nvariants > 0 ? kd_book_variant(v->book, base, v->query) : base;
	struct kd_diff_item item = new_item("rule", base->id, &base->evidence);

	item.words = kd_words_rule(v->arena, v->book, r, v->query);
	item.match = kd_words_match(v->arena, r, KD_NAMES_SHOWN);
	item.part[KD_DIFF_PLACE] = kd_words_where(v->arena, v->book, &base->scope);
	item.part[KD_DIFF_PHASE] = kd_phase_name(base->phase);
	item.part[KD_DIFF_MATCH] = match_text(side, &item, r);
	item.part[KD_DIFF_THEN] = kd_words_then(v->arena, r);
	item.part[KD_DIFF_RESIDUAL] = kd_words_residual(v->arena, r);
	item.part[KD_DIFF_MISS] = kd_words_miss(v->arena, v->book, r, v->query);
	item.part[KD_DIFF_SHARE] = or_none(r->share.text);
	item.part[KD_DIFF_FLAP] = or_none(r->flap.text);
	item.part[KD_DIFF_ELSE] = or_none(r->other);
	item.part[KD_DIFF_DRAWN] = drawn_text(side, base, r);
	item.part[KD_DIFF_PENDING] = or_none(r->pending);
	item.part[KD_DIFF_EVIDENCE] = evidence_text(v->arena, &base->evidence);
	return keep(side, &item);
}

static struct kd_sample sample_of(const struct kd_diff_side *side)
{
	return (struct kd_sample){.seed = side->query.seed, .number = side->query.sample};
}

/* The first in force stands. */
static bool known(const struct kd_diff_side *side, const struct kd_diff_item *item)
{
	for (unsigned int i = 0; i < side->nitems; i++)
		if (strcmp(side->items[i].kind, item->kind) == 0 && strcmp(side->items[i].id, item->id) == 0)
			return true;
	return false;
}

/* What a sampled box drew of a knob's share and flap. */
static const char *knob_drawn(const struct kd_diff_side *side, const struct kd_book_knob *k)
{
	const struct kd_book_number *const numbers[] = {&k->share, &k->flap};
	const char *text = "";

	for (unsigned int i = 0; i < 2 && text != NULL; i++) {
		const char *drawn;

		if (side->query.sample == 0 || numbers[i]->text == NULL || !numbers[i]->n.ranged)
			continue;
		drawn = kd_words_drawn(side->view.arena, &side->query, k->draw, numbers[i]);
		text = drawn == NULL ? NULL
				     : kd_arena_printf(side->view.arena, "%s%s%s", text,
					       text[0] != '\0' ? ", " : "", drawn);
	}
	return text;
}

/* The same knob may stand several times, for some destinations and for all. */
static int knob(struct kd_diff_side *side, const struct kd_book_knob *k)
{
	struct kd_arena *arena = side->view.arena;
	const char *to = kd_words_to(arena, k->to), *protocols = kd_words_protocols(arena, k->protocols);
	struct kd_sample s = sample_of(side);
	unsigned int variant = kd_sample_variant(&s, k->draw, k->weights, k->nvalues);
	struct kd_diff_item item = new_item("knob", k->name, &k->evidence);

	if (to == NULL || protocols == NULL)
		return -ENOMEM;
	item.id = kd_arena_printf(arena, "%s%s%s%s%s", k->name, to[0] != '\0' ? " to " : "", to,
		protocols[0] != '\0' ? " for " : "", protocols);
	if (item.id != NULL && known(side, &item))
		return 0;
	item.words = kd_words_knob(arena, k, variant);
	item.part[KD_DIFF_PLACE] = kd_words_where(arena, side->book, &k->scope);
	item.part[KD_DIFF_VALUE] = k->values[variant];
	item.part[KD_DIFF_SHARE] = or_none(k->share.text);
	item.part[KD_DIFF_FLAP] = or_none(k->flap.text);
	item.part[KD_DIFF_DRAWN] = knob_drawn(side, k);
	item.part[KD_DIFF_PENDING] = or_none(k->pending);
	item.part[KD_DIFF_EVIDENCE] = evidence_text(arena, &k->evidence);
	return keep(side, &item);
}

static int setting(struct kd_diff_side *side, const struct kd_book_setting *st)
{
	struct kd_arena *arena = side->view.arena;
	struct kd_sample s = sample_of(side);
	unsigned int variant = kd_sample_variant(&s, st->draw, st->weights, st->nvalues);
	const struct kd_book_number *n = &st->values[variant];
	struct kd_diff_item item = new_item("setting", kd_setting_name(st), &st->evidence);

	if (known(side, &item))
		return 0;
	item.words = kd_words_setting(arena, st, variant);
	item.part[KD_DIFF_VALUE] = or_none(n->text);
	if (s.number != 0 && n->text != NULL && n->n.ranged)
		item.part[KD_DIFF_DRAWN] = kd_words_drawn(arena, &side->query, st->draw, n);
	item.part[KD_DIFF_PLACE] = kd_words_where(arena, side->book, &st->scope);
	item.part[KD_DIFF_PENDING] = or_none(st->pending);
	item.part[KD_DIFF_EVIDENCE] = evidence_text(arena, &st->evidence);
	return keep(side, &item);
}

/* The first path in force is the one that is walked. */
static int path(struct kd_diff_side *side, const struct kd_book_path *p)
{
	struct kd_arena *arena = side->view.arena;
	struct kd_diff_item item = new_item("path", p->id, &p->evidence);

	item.words = item.part[KD_DIFF_VALUE] = kd_words_path(arena, side->book, p);
	item.part[KD_DIFF_PLACE] = kd_words_where(arena, side->book, &p->scope);
	item.part[KD_DIFF_PENDING] = or_none(NULL);
	item.part[KD_DIFF_EVIDENCE] = evidence_text(arena, &p->evidence);
	return keep(side, &item);
}

int kd_diff_items(struct kd_diff_side *side)
{
	const struct kd_book *b = side->book;
	const struct kd_query *query = side->view.query;
	int rc = 0;

	for (unsigned int phase = 0; phase < KD_PHASE_COUNT; phase++)
		for (unsigned int i = 0; i < b->nrules && rc == 0; i++)
			if (b->rules[i].phase == phase &&
				kd_book_in_force(b, &b->rules[i].scope, b->rules[i].draw, query))
				rc = rule(side, &b->rules[i]);
	for (unsigned int i = 0; i < b->nknobs && rc == 0; i++)
		if (kd_book_in_force(b, &b->knobs[i].scope, b->knobs[i].draw, query))
			rc = knob(side, &b->knobs[i]);
	for (unsigned int i = 0; i < b->nsettings && rc == 0; i++)
		if (kd_book_in_force(b, &b->settings[i].scope, b->settings[i].draw, query))
			rc = setting(side, &b->settings[i]);
	for (unsigned int i = 0; i < b->npaths && rc == 0; i++) {
		const char *draw = kd_arena_printf(side->view.arena, "path:%s", b->paths[i].id);

		if (draw == NULL)
			return -ENOMEM;
		if (kd_book_in_force(b, &b->paths[i].scope, draw, query))
			return path(side, &b->paths[i]);
	}
	return rc;
}
