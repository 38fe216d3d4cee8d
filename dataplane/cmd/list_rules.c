/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * kordon list rules: each rule as a block of words, or as one JSON object: what it matches, what it does, and
 * on what evidence. Long name terms are cut short; the lists stand in the files.
 */
#include "cmd/list.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cmd/table.h"
#include "cmd/words.h"
#include "engine/engine.h"
#include "engine/protocol.h"
#include "report/json.h"
#include "rulebook/bib.h"
#include "rulebook/picked.h"
#include "rulebook/when.h"

#define NAMES_SHOWN 12

static const char *const sides[] = {[KD_INSIDE] = "inside", [KD_OUTSIDE] = "outside", [KD_ANY_SIDE] = "any"};

/* A text of the arena, or what stands for it when there was no memory. */
static const char *said(const char *text)
{
	return text != NULL ? text : "(out of memory)";
}

static void line(const char *head, const char *text)
{
	if (said(text)[0] != '\0')
		printf("  %-8s  %s\n", head, said(text));
}

void kd_list_cite(const struct kd_list_view *v, const struct kd_claim *c, const char *indent)
{
	for (unsigned int i = 0; c != NULL && i < c->nsources; i++)
		printf("%s%s: %s [%s, %s]\n", indent, c->id,
			said(kd_bib_text(v->book, v->arena, c->sources[i])), kd_grade_name(c->grade),
			c->read);
}

static void text_evidence(const struct kd_list_view *v, const struct kd_evidence *ev)
{
	for (unsigned int p = 0; p < KD_PART_COUNT; p++) {
		const char *ids = ev->claims[p];

		if (ev->grade[p] == KD_GRADE_COUNT)
			continue;
		printf("  %-8s  %s", kd_part_name(p), kd_grade_name(ev->grade[p]));
		for (const char *rest = ids; rest != NULL && *rest != '\0';) {
			const struct kd_claim *c = kd_claim_next(v->book, &rest);

			printf("  %s", c != NULL ? c->id : "?");
		}
		fputc('\n', stdout);
		while (v->cite && ids != NULL && *ids != '\0')
			kd_list_cite(v, kd_claim_next(v->book, &ids), "            ");
	}
	line("worth", kd_words_evidence(v->arena, ev));
}

static bool sampled(const struct kd_list_view *v)
{
	return v->query != NULL && v->query->sample != 0;
}

static void text_numbers(
	const struct kd_list_view *v, const struct kd_book_rule *base, const struct kd_book_rule *r)
{
	for (unsigned int i = 0; sampled(v) && i < r->nnumbers; i++)
		if (r->numbers[i].text != NULL && r->numbers[i].n.ranged &&
			!kd_picked_per_flow(r, &r->numbers[i]))
			printf("  %-8s  %s %s of %s\n", "drawn", r->numbers[i].key,
				said(kd_words_drawn(v->arena, v->query, base->draw, &r->numbers[i])),
				r->numbers[i].text);
}

/* What a variant says otherwise than its rule. */
static void text_variant(const struct kd_list_view *v, const struct kd_book_rule *base, unsigned int i)
{
	const struct kd_book_rule *r = &base->variants[i];
	const struct {
		const char *head, *was, *is;
	} parts[] = {
		{"when", kd_words_match(v->arena, base, NAMES_SHOWN),
			kd_words_match(v->arena, r, NAMES_SHOWN)},
		{"then", kd_words_then(v->arena, base), kd_words_then(v->arena, r)},
		{"residual", kd_words_residual(v->arena, base), kd_words_residual(v->arena, r)},
		{"miss", kd_words_miss(v->arena, v->book, base, NULL),
			kd_words_miss(v->arena, v->book, r, NULL)},
		{"share", base->share.text != NULL ? base->share.text : "none",
			r->share.text != NULL ? r->share.text : "none"},
		{"flap", base->flap.text != NULL ? base->flap.text : "none",
			r->flap.text != NULL ? r->flap.text : "none"},
	};
	const char *separator = ": ";

	printf("  %-8s  %s, weight %u", "variant", base->variant_names[i], base->weights[i]);
	for (unsigned int p = 0; p < sizeof(parts) / sizeof(parts[0]); p++) {
		if (strcmp(said(parts[p].was), said(parts[p].is)) == 0)
			continue;
		printf("%s%s %s", separator, parts[p].head, said(parts[p].is));
		separator = "; ";
	}
	fputc('\n', stdout);
}

static void text_variants(
	const struct kd_list_view *v, const struct kd_book_rule *base, const struct kd_book_rule *r)
{
	for (unsigned int i = 0; i < base->nvariants; i++) {
		if (v->query == NULL)
			text_variant(v, base, i);
		else if (r == &base->variants[i])
			line("variant", base->variant_names[i]);
	}
}

static void text_rule(const struct kd_list_view *v, const struct kd_book_rule *base)
{
	const struct kd_book_rule *r = v->query != NULL ? kd_book_variant(v->book, base, v->query) : base;
	const char *where = kd_words_where(v->arena, v->book, &base->scope);

	printf("%s  %s  %s .. %s%s%s\n", base->id, base->deny ? "default" : kd_phase_name(base->phase),
		base->scope.since_text != NULL ? base->scope.since_text : "",
		base->scope.until_text != NULL ? base->scope.until_text : "",
		said(where)[0] != '\0' ? "  " : "", said(where));
	if (base->title != NULL)
		line("title", base->title);
	line("when", kd_words_match(v->arena, r, NAMES_SHOWN));
	printf("  %-8s  %s%s%s\n", "then", said(kd_words_then(v->arena, r)),
		r->pending != NULL ? "  pending " : "", r->pending != NULL ? r->pending : "");
	line("residual", kd_words_residual(v->arena, r));
	line("miss", kd_words_miss(v->arena, v->book, r, v->query));
	if (r->share.text != NULL)
		line("share", kd_arena_printf(v->arena, "%s of nodes", r->share.text));
	if (r->flap.text != NULL)
		line("flap", kd_arena_printf(v->arena, "there for %s, then not, by turns", r->flap.text));
	if (r->other != NULL)
		line("else", r->other);
	text_variants(v, base, r);
	text_numbers(v, base, r);
	text_evidence(v, &base->evidence);
}

void kd_list_json_claim(struct kd_json *j, const struct kd_list_view *v, const struct kd_claim *c)
{
	kd_json_open(j, NULL, '{');
	kd_json_str(j, "id", c->id);
	kd_json_str(j, "grade", kd_grade_name(c->grade));
	kd_json_str(j, "tag", c->tag);
	kd_json_str(j, "read", c->read);
	kd_json_str(j, "date", c->date);
	kd_json_str(j, "text", c->text);
	kd_json_open(j, "source", '[');
	for (unsigned int i = 0; i < c->nsources; i++)
		kd_json_str(j, NULL, c->sources[i]);
	kd_json_close(j, ']');
	kd_json_open(j, "source_text", '[');
	for (unsigned int i = 0; i < c->nsources; i++)
		kd_json_str(j, NULL, said(kd_bib_text(v->book, v->arena, c->sources[i])));
	kd_json_close(j, ']');
	kd_json_close(j, '}');
}

void kd_list_json_evidence(struct kd_json *j, const struct kd_list_view *v, const struct kd_evidence *ev)
{
	unsigned int weakest = kd_evidence_weakest(ev);

	kd_json_open(j, "evidence", '{');
	for (unsigned int p = 0; p < KD_PART_COUNT; p++) {
		const char *ids = ev->claims[p];

		if (ev->grade[p] == KD_GRADE_COUNT)
			continue;
		kd_json_open(j, kd_part_name(p), '{');
		kd_json_str(j, "grade", kd_grade_name(ev->grade[p]));
		kd_json_open(j, "claims", '[');
		while (ids != NULL && *ids != '\0') {
			const struct kd_claim *c = kd_claim_next(v->book, &ids);

			if (c != NULL && v->cite)
				kd_list_json_claim(j, v, c);
			else if (c != NULL)
				kd_json_str(j, NULL, c->id);
		}
		kd_json_close(j, ']');
		kd_json_close(j, '}');
	}
	kd_json_close(j, '}');
	if (weakest != KD_GRADE_COUNT)
		kd_json_str(j, "weakest", kd_grade_name(weakest));
}

static void optional(struct kd_json *j, const char *key, const char *value)
{
	if (value != NULL && value[0] != '\0')
		kd_json_str(j, key, value);
}

static void json_places(
	struct kd_json *j, const char *key, const struct kd_place *list, unsigned int n, uint64_t mask)
{
	if (mask == 0)
		return;
	kd_json_open(j, key, '[');
	for (unsigned int i = 0; i < n && i < 64; i++)
		if (mask >> i & 1)
			kd_json_str(j, NULL, list[i].id);
	kd_json_close(j, ']');
}

static void json_scope(struct kd_json *j, const struct kd_book *book, const struct kd_scope *scope)
{
	optional(j, "since", scope->since_text);
	optional(j, "until", scope->until_text);
	kd_json_open(j, "network", '[');
	for (unsigned int i = 0; i < KD_NETWORK_COUNT; i++)
		if (scope->networks >> i & 1)
			kd_json_str(j, NULL, kd_network_name(i));
	kd_json_close(j, ']');
	json_places(j, "isp", book->isps, book->nisps, scope->isps);
	json_places(j, "region", book->regions, book->nregions, scope->regions);
	json_places(j, "state", book->states, book->nstates, scope->states);
	if (scope->boxes == 0)
		return;
	kd_json_open(j, "box", '[');
	for (unsigned int i = 0; i < book->nboxes && i < 64; i++)
		if (scope->boxes >> i & 1)
			kd_json_str(j, NULL, book->boxes[i].id);
	kd_json_close(j, ']');
}

/* The terms that nearly every rule has, where they stand at the top: a query of the JSON need not parse
 * `when`. */
static void json_terms(struct kd_json *j, const struct kd_when *when)
{
	const struct kd_when *w = when != NULL && when->kind == KD_WHEN_ALL ? when->child : when;

	for (; w != NULL; w = when->kind == KD_WHEN_ALL ? w->next : NULL) {
		if (w->kind != KD_WHEN_TERM)
			continue;
		if (w->term == KD_TERM_PROTOCOL || w->term == KD_TERM_SIGNATURE) {
			kd_json_open(j, w->key, '[');
			for (unsigned int i = 0; i < w->nwords; i++)
				kd_json_str(j, NULL, w->words[i]);
			kd_json_close(j, ']');
		} else if (w->term == KD_TERM_OPENED || w->term == KD_TERM_FROM) {
			kd_json_str(j, w->key, sides[w->of <= KD_ANY_SIDE ? w->of : KD_ANY_SIDE]);
		} else if (w->term == KD_TERM_NAME) {
			unsigned int count = w->names.own.count;

			for (unsigned int i = 0; i < w->names.nlists; i++)
				count += w->names.lists[i]->count;
			kd_json_u64(j, "name_count", count);
			kd_json_open(j, w->key, '[');
			for (unsigned int i = 0; i < w->names.own.count && i < NAMES_SHOWN; i++)
				kd_json_str(j, NULL, w->names.own.names[i].text);
			for (unsigned int i = 0; i < w->names.nlists; i++)
				kd_json_str(j, NULL, said(w->names.lists[i]->name));
			kd_json_close(j, ']');
		}
	}
}

static void json_numbers(struct kd_json *j, const struct kd_list_view *v, const struct kd_book_rule *base,
	const struct kd_book_rule *r)
{
	if (r->nnumbers == 0)
		return;
	kd_json_open(j, "numbers", '{');
	for (unsigned int i = 0; i < r->nnumbers; i++) {
		if (r->numbers[i].text == NULL)
			continue;
		kd_json_open(j, r->numbers[i].key, '{');
		kd_json_str(j, "text", r->numbers[i].text);
		if (sampled(v) && !kd_picked_per_flow(r, &r->numbers[i]))
			kd_json_str(j, "drawn",
				said(kd_words_drawn(v->arena, v->query, base->draw, &r->numbers[i])));
		kd_json_close(j, '}');
	}
	kd_json_close(j, '}');
}

static void json_variants(struct kd_json *j, const struct kd_list_view *v, const struct kd_book_rule *base,
	const struct kd_book_rule *r)
{
	if (base->nvariants == 0)
		return;
	kd_json_open(j, "variants", '[');
	for (unsigned int i = 0; i < base->nvariants; i++) {
		kd_json_open(j, NULL, '{');
		kd_json_str(j, "name", base->variant_names[i]);
		kd_json_u64(j, "weight", base->weights[i]);
		kd_json_str(j, "words", said(kd_words_rule(v->arena, v->book, &base->variants[i], v->query)));
		if (v->query != NULL)
			kd_json_bool(j, "taken", r == &base->variants[i]);
		kd_json_close(j, '}');
	}
	kd_json_close(j, ']');
}

static void json_rule(struct kd_json *j, const struct kd_list_view *v, const struct kd_book_rule *base)
{
	const struct kd_book_rule *r = v->query != NULL ? kd_book_variant(v->book, base, v->query) : base;

	kd_json_open(j, NULL, '{');
	kd_json_str(j, "id", base->id);
	optional(j, "title", base->title);
	kd_json_str(j, "phase", kd_phase_name(base->phase));
	json_scope(j, v->book, &base->scope);
	if (base->deny)
		kd_json_str(j, "default", "deny");
	kd_json_str(j, "words", said(kd_words_rule(v->arena, v->book, r, v->query)));
	kd_json_str(j, "when", said(kd_when_text(v->arena, r->when)));
	json_terms(j, r->when);
	optional(j, "mechanism", r->mechanism);
	if (r->then != NULL && r->then[0] == ' ')
		kd_json_str(j, "options", r->then + 1);
	optional(j, "residual", kd_words_residual(v->arena, r));
	optional(j, "miss", kd_words_miss(v->arena, v->book, r, v->query));
	optional(j, "share", r->share.text);
	optional(j, "flap", r->flap.text);
	optional(j, "else", r->other);
	if (r->closes != 0) {
		kd_json_open(j, "closes", '[');
		for (unsigned int p = 0; p < KD_PHASE_COUNT; p++)
			if (r->closes >> p & 1)
				kd_json_str(j, NULL, kd_phase_name(p));
		kd_json_close(j, ']');
	}
	optional(j, "pending", r->pending);
	json_variants(j, v, base, r);
	json_numbers(j, v, base, r);
	kd_list_json_evidence(j, v, &base->evidence);
	kd_json_close(j, '}');
}

int kd_list_rules(const struct kd_list_view *v)
{
	char *buf = v->json ? malloc(KD_TABLE_JSON_ROOM) : NULL;
	unsigned int shown = 0;
	int rc = v->json && buf == NULL ? -ENOMEM : 0;

	if (v->json)
		fputs("[", stdout);
	for (unsigned int phase = 0; phase < KD_PHASE_COUNT; phase++) {
		for (unsigned int i = 0; i < v->book->nrules && rc == 0; i++) {
			const struct kd_book_rule *r = &v->book->rules[i];
			struct kd_json j;

			if (r->phase != phase || !kd_book_in_force(v->book, &r->scope, r->draw, v->query))
				continue;
			if (!v->json) {
				if (shown++ > 0)
					fputc('\n', stdout);
				text_rule(v, r);
				continue;
			}
			kd_json_start(&j, buf, KD_TABLE_JSON_ROOM);
			json_rule(&j, v, r);
			if (j.full)
				rc = -ENOMEM;
			else
				printf("%s\n%.*s", shown++ > 0 ? "," : "", (int)j.len, buf);
		}
	}
	if (v->json)
		fputs("\n]\n", stdout);
	free(buf);
	return rc;
}
