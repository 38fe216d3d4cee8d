/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What only the whole book can show: a rule that an earlier one always forestalls, a rule that names one
 * which is not there, one about fakes that no knob punishes, a claim that nothing rests on, a built-in number
 * whose claim is missing. Tags, lists and places may stand unused: they are a stock to write rules from.
 */
#include "rulebook/claims.h"
#include "rulebook/place.h"
#include "rulebook/setting.h"
#include "rulebook/when.h"

#include "engine/mechanism.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The match of a rule in text; NULL for variants that do not match alike, or without memory. */
static const char *match_text(struct kd_book *book, const struct kd_book_rule *r)
{
	const char *text = kd_when_text(book->arena, r->nvariants > 0 ? r->variants[0].when : r->when), *next;

	for (unsigned int i = 1; text != NULL && i < r->nvariants; i++) {
		if (r->variants[i].when == r->variants[0].when)
			continue;
		next = kd_when_text(book->arena, r->variants[i].when);
		if (next == NULL)
			book->no_memory = true;
		if (next == NULL || strcmp(text, next) != 0)
			return NULL;
	}
	if (text == NULL)
		book->no_memory = true;
	return text;
}

/* Whatever matches `later` stops at `first`, where both are in force. */
static bool hides(const struct kd_book *book, const struct kd_book_rule *first, const char *text,
	const struct kd_book_rule *later, const char *later_text)
{
	/* A rule that is not on every node, or not always this one, leaves something for the next. */
	if (first->broken || first->phase != later->phase || first->share.text != NULL ||
		first->flap.text != NULL || first->nvariants > 0)
		return false;
	return strcmp(text, later_text) == 0 && kd_scopes_meet(book, &first->scope, &later->scope);
}

static void unreachable_rules(struct kd_book *book)
{
	const char **texts = kd_arena_alloc(book->arena, (book->nrules + 1) * sizeof(*texts));
	char hint[400];

	if (texts == NULL) {
		book->no_memory = true;
		return;
	}
	for (unsigned int i = 0; i < book->nrules; i++)
		texts[i] = match_text(book, &book->rules[i]);
	if (book->no_memory)
		return;
	for (unsigned int j = 0; j < book->nrules; j++) {
		const struct kd_book_rule *later = &book->rules[j];

		/* What observes is never final, so nothing hides behind it. */
		if (later->phase == KD_PHASE_OBSERVE || later->broken || texts[j] == NULL)
			continue;
		for (unsigned int i = 0; i < j; i++) {
			const struct kd_book_rule *first = &book->rules[i];

			if (!hides(book, first, texts[i], later, texts[j]))
				continue;
			snprintf(hint, sizeof(hint),
				"%s:%d: \"%.80s\" matches the same earlier in the same phase", first->at.file,
				first->at.line, first->id);
			kd_diag(book->diags, KD_DIAG_ERROR, later->at.file, later->at.line, later->at.path,
				hint, "unreachable rule \"%.80s\"", later->id);
			break;
		}
	}
}

static void unknown_rule(struct kd_book *book, const struct kd_at *at, const char *id)
{
	size_t room = 1, len = 0;
	char *words, *near = NULL;

	for (unsigned int i = 0; i < book->nrules; i++)
		room += strlen(book->rules[i].id) + 1;
	words = malloc(room);
	if (words != NULL) {
		words[0] = '\0';
		for (unsigned int i = 0; i < book->nrules; i++)
			len += (size_t)snprintf(
				words + len, room - len, "%s%s", i > 0 ? "|" : "", book->rules[i].id);
		near = kd_did_you_mean(id, words);
	}
	if (near != NULL)
		kd_diag(book->diags, KD_DIAG_ERROR, at->file, at->line, at->path, NULL,
			"unknown rule \"%.80s\" - did you mean \"%s\"?", id, near);
	else
		kd_diag(book->diags, KD_DIAG_ERROR, at->file, at->line, at->path, NULL,
			"unknown rule \"%.80s\"", id);
	free(near);
	free(words);
}

static bool mask_within(uint64_t outer, uint64_t inner)
{
	return outer == 0 || (inner != 0 && (inner & ~outer) == 0);
}

/* Wherever and whenever `inner` is in force, `outer` is too. */
static bool covers(const struct kd_scope *outer, const struct kd_scope *inner)
{
	return outer->since.last <= inner->since.last && outer->until.last >= inner->until.last &&
	       (inner->networks & ~outer->networks) == 0 && mask_within(outer->isps, inner->isps) &&
	       mask_within(outer->regions, inner->regions) && mask_within(outer->states, inner->states) &&
	       mask_within(outer->boxes, inner->boxes);
}

static bool needs_downstream(const struct kd_book_rule *r)
{
	const struct kd_mechanism *m = r->mechanism_index >= 0 ? kd_mechanisms[r->mechanism_index] : NULL;
	bool needs = m != NULL && m->needs != NULL && (m->needs(r->params) & KD_NEEDS_DOWNSTREAM) != 0;

	for (unsigned int i = 0; i < r->nvariants && !needs; i++)
		needs = needs_downstream(&r->variants[i]);
	return needs;
}

/* The boxes of paths that see one way only. */
static uint64_t upstream_boxes(const struct kd_book *book)
{
	uint64_t mask = 0;

	for (unsigned int p = 0; p < book->npaths; p++)
		for (unsigned int i = 0; i < book->paths[p].nboxes; i++)
			if (book->boxes[book->paths[p].boxes[i]].sees == KD_SEES_UPSTREAM)
				mask |= 1ull << book->paths[p].boxes[i];
	return mask;
}

/* In force wherever the rule may not be able to act: everywhere, or at the boxes at which it cannot. */
static bool stands_in(
	const struct kd_book *book, const struct kd_book_rule *other, const struct kd_book_rule *r)
{
	uint64_t where = upstream_boxes(book);
	struct kd_scope anywhere = other->scope;

	if (covers(&other->scope, &r->scope))
		return true;
	if (r->scope.boxes != 0)
		where &= r->scope.boxes;
	anywhere.boxes = 0;
	return where != 0 && needs_downstream(r) && mask_within(other->scope.boxes, where) &&
	       covers(&anywhere, &r->scope);
}

static const struct kd_book_rule *stand_in(const struct kd_book *book, const struct kd_book_rule *r)
{
	unsigned int found = r->other != NULL ? kd_book_rule_find(book, r->other) : 0;

	return found > 0 ? &book->rules[found - 1] : NULL;
}

/* Whether following `else` from the rule comes back to it; said at the first rule of the circle in the book.
 */
static bool circle(const struct kd_book *book, const struct kd_book_rule *rule)
{
	const struct kd_book_rule *r = stand_in(book, rule);

	for (unsigned int steps = 0; r != NULL && steps < book->nrules; steps++) {
		if (r == rule)
			return true;
		if (r < rule)
			return false;
		r = stand_in(book, r);
	}
	return false;
}

static void stand_ins(struct kd_book *book)
{
	for (unsigned int i = 0; i < book->nrules; i++) {
		const struct kd_book_rule *r = &book->rules[i], *other = stand_in(book, r);
		const struct kd_at *at = &r->other_at;
		char hint[400];

		if (r->other == NULL)
			continue;
		if (other == NULL) {
			unknown_rule(book, at, r->other);
		} else if (other == r) {
			kd_diag(book->diags, KD_DIAG_ERROR, at->file, at->line, at->path, NULL,
				"rule \"%.80s\" stands in for itself", r->id);
		} else if (circle(book, r)) {
			kd_diag(book->diags, KD_DIAG_ERROR, at->file, at->line, at->path,
				"one of the rules must have no \"else\"",
				"\"else\" goes in a circle, back to \"%.80s\"", r->id);
		} else if (book->own == NULL && !stands_in(book, other, r)) {
			snprintf(hint, sizeof(hint), "%s:%d: \"%.80s\" is limited to other days or places",
				other->at.file, other->at.line, other->id);
			kd_diag(book->diags, KD_DIAG_WARNING, at->file, at->line, at->path, hint,
				"\"%.80s\" is not in force wherever \"%.80s\" is", other->id, r->id);
		}
	}
}

static void already(struct kd_book *book, const struct kd_book_rule *r, const struct kd_when *when)
{
	for (; when != NULL; when = when->next) {
		already(book, r, when->child);
		if (when->kind != KD_WHEN_TERM || when->term != KD_TERM_ALREADY)
			continue;
		for (unsigned int i = 0; i < when->nwords; i++) {
			const struct kd_at *at = &when->at;

			if (strcmp(when->words[i], r->id) == 0)
				kd_diag(book->diags, KD_DIAG_ERROR, at->file, at->line, at->path, NULL,
					"rule \"%.80s\" asks for itself", r->id);
			else if (kd_book_rule_find(book, when->words[i]) == 0)
				unknown_rule(book, at, when->words[i]);
		}
	}
}

/* The rule that must have matched before: an `already` that all of `when` rests on. */
static const struct kd_book_rule *before(const struct kd_book *book, const struct kd_when *when)
{
	const struct kd_book_rule *found;
	unsigned int index;

	if (when == NULL)
		return NULL;
	if (when->kind == KD_WHEN_TERM && when->term == KD_TERM_ALREADY && when->nwords == 1) {
		index = kd_book_rule_find(book, when->words[0]);
		return index > 0 ? &book->rules[index - 1] : NULL;
	}
	if (when->kind != KD_WHEN_ALL)
		return NULL;
	for (const struct kd_when *w = when->child; w != NULL; w = w->next) {
		found = before(book, w);
		if (found != NULL)
			return found;
	}
	return NULL;
}

static const struct kd_when *own_when(const struct kd_book_rule *r)
{
	return r->nvariants == 0 ? r->when : NULL;
}

/* Rules that wait for each other: none of them can be the first. */
static void already_circles(struct kd_book *book)
{
	for (unsigned int i = 0; i < book->nrules; i++) {
		const struct kd_book_rule *rule = &book->rules[i], *r = before(book, own_when(rule));

		if (r == rule)
			continue; /* said */
		for (unsigned int steps = 0; r != NULL && r > rule && steps < book->nrules; steps++)
			r = before(book, own_when(r));
		if (r == rule)
			kd_diag(book->diags, KD_DIAG_ERROR, rule->at.file, rule->at.line, rule->at.path,
				"of rules that wait for each other none can be the first",
				"\"already\" goes in a circle, back to \"%.80s\"", rule->id);
	}
}

static void named_rules(struct kd_book *book)
{
	stand_ins(book);
	for (unsigned int i = 0; i < book->nrules; i++) {
		const struct kd_book_rule *r = &book->rules[i];

		already(book, r, r->when);
		/* A variant that has no `when` of its own has the rule's. */
		for (unsigned int v = 0; v < r->nvariants; v++)
			if (r->variants[v].when != r->when)
				already(book, r, r->variants[v].when);
	}
	already_circles(book);
}

static bool is_punished(const struct kd_book *book, const char *fake)
{
	for (unsigned int i = 0; i < book->nknobs; i++) {
		const struct kd_book_knob *k = &book->knobs[i];

		if (strncmp(k->name, "fake.", 5) != 0 || strcmp(k->name + 5, fake) != 0)
			continue;
		for (unsigned int v = 0; v < k->nvalues; v++)
			if (strcmp(k->values[v], "punish") == 0)
				return true;
	}
	return false;
}

/* A fake is shown to rules only where its knob says so. */
static void unpunished(struct kd_book *book, const struct kd_when *when)
{
	char hint[160];

	for (; when != NULL; when = when->next) {
		unpunished(book, when->child);
		for (unsigned int i = 0;
			when->kind == KD_WHEN_TERM && when->term == KD_TERM_FAKE && i < when->nwords; i++) {
			if (is_punished(book, when->words[i]))
				continue;
			snprintf(hint, sizeof(hint), "expected a knob \"fake.%.80s\" of value \"punish\"",
				when->words[i]);
			kd_diag(book->diags, KD_DIAG_WARNING, when->at.file, when->at.line, when->at.path,
				hint, "no box of the rulebook punishes the fake \"%.80s\"", when->words[i]);
		}
	}
}

static void fakes(struct kd_book *book)
{
	for (unsigned int i = 0; i < book->nrules; i++) {
		const struct kd_book_rule *r = &book->rules[i];

		unpunished(book, r->when);
		for (unsigned int v = 0; v < r->nvariants; v++)
			if (r->variants[v].when != r->when)
				unpunished(book, r->variants[v].when);
	}
}

void kd_book_lint(struct kd_book *book)
{
	unreachable_rules(book);
	named_rules(book);
	fakes(book);
	/* Without any claim the file is missing, which was said; a user's own file owes nothing. */
	if (book->own != NULL || book->nclaims == 0)
		return;
	for (unsigned int i = 0; i < KD_SETTING_COUNT; i++)
		if (strcmp(kd_setting_rows[i].claim, "assumed") != 0 &&
			!kd_claim_use(book, kd_setting_rows[i].claim))
			kd_diag(book->diags, KD_DIAG_ERROR, NULL, 0, kd_setting_rows[i].key, NULL,
				"its default cites the unknown claim \"%s\"", kd_setting_rows[i].claim);
	for (unsigned int i = 0; i < book->nclaims && !book->unread; i++)
		if (!book->claims[i].used)
			kd_diag(book->diags, KD_DIAG_WARNING, book->claims[i].at.file,
				book->claims[i].at.line, book->claims[i].at.path, NULL, "unused claim \"%s\"",
				book->claims[i].id);
}
