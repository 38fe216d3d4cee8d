/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * kordon list knobs, tags, places, claims, sources: what the rulebook holds beside rules and settings. What
 * they mean for traffic is for the verbs that send some.
 */
#include "cmd/list.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cmd/table.h"
#include "cmd/words.h"
#include "engine/knob.h"
#include "report/json.h"
#include "rulebook/announced.h"
#include "rulebook/bib.h"
#include "rulebook/list.h"
#include "rulebook/when.h"

#define PREFIXES_SHOWN 4

static int print(const struct kd_list_view *v, const struct kd_table *t, int rc)
{
	return rc == 0 ? kd_table_print(t, v->json, stdout) : rc;
}

static bool in_force(const struct kd_list_view *v, const struct kd_scope *scope, const char *draw)
{
	return kd_book_in_force(v->book, scope, draw, v->query);
}

/* "reported ID ID" of the weakest grade and all claims. */
static const char *evidence_text(const struct kd_list_view *v, const struct kd_evidence *ev)
{
	unsigned int weakest = kd_evidence_weakest(ev), n;
	const struct kd_claim **claims = kd_evidence_claims(v->arena, v->book, ev, &n);
	const char *text = weakest != KD_GRADE_COUNT ? kd_grade_name(weakest) : "";

	if (claims == NULL)
		return n > 0 ? NULL : text;
	for (unsigned int i = 0; i < n && text != NULL; i++)
		text = kd_arena_printf(v->arena, "%s %s", text, claims[i]->id);
	return text;
}

/* What there is to set. */
static int knob_table(const struct kd_list_view *v)
{
	struct kd_table t = {
		.arena = v->arena, .heads = {"knob", "values", "default", "claim", "meaning"}, .columns = 5};
	int rc = 0;

	for (unsigned int i = 0; i < KD_KNOB_COUNT && rc == 0; i++)
		rc = kd_table_row(
			&t, (const char *[KD_TABLE_COLUMNS]){kd_knob_rows[i].name, kd_knob_rows[i].values,
				    kd_knob_rows[i].deflt, kd_knob_rows[i].claim, kd_knob_rows[i].help});
	for (const struct kd_announced *k = kd_announced_knobs; k->name != NULL && rc == 0; k++)
		rc = kd_table_row(
			&t, (const char *[KD_TABLE_COLUMNS]){k->name, k->words, NULL, "pending", k->help});
	return print(v, &t, rc);
}

/* "60 % (30 %..95 %)", or what a sampled box drew from it. */
static const char *number_text(
	const struct kd_list_view *v, const struct kd_book_knob *k, const struct kd_book_number *n)
{
	const char *text;

	if (v->query == NULL || v->query->sample == 0 || n->text == NULL || !n->n.ranged)
		return n->text;
	text = kd_words_drawn(v->arena, v->query, k->draw, n);
	return text != NULL ? kd_arena_printf(v->arena, "%s of %s", text, n->text) : NULL;
}

static int knob_row(const struct kd_list_view *v, struct kd_table *t, const struct kd_book_knob *k)
{
	struct kd_sample s = {.seed = v->query != NULL ? v->query->seed : 0,
		.number = v->query != NULL ? v->query->sample : 0};
	const char *value = k->values[kd_sample_variant(&s, k->draw, k->weights, k->nvalues)];
	const char *to = kd_words_to(v->arena, k->to),
		   *protocols = kd_words_protocols(v->arena, k->protocols);

	if (to == NULL || protocols == NULL)
		return -ENOMEM;
	if (protocols[0] != '\0')
		to = kd_arena_printf(v->arena, "%s%s%s", to, to[0] != '\0' ? " for " : "for ", protocols);
	return kd_table_row(
		t, (const char *[KD_TABLE_COLUMNS]){k->name, value, to, number_text(v, k, &k->share),
			   number_text(v, k, &k->flap), k->pending, evidence_text(v, &k->evidence)});
}

int kd_list_knobs(const struct kd_list_view *v)
{
	struct kd_table t = {.arena = v->arena,
		.heads = {"knob", "value", "to", "share", "flap", "pending", "evidence"},
		.columns = 7};
	int rc = 0;

	if (!v->profile)
		return knob_table(v);
	for (unsigned int i = 0; i < v->book->nknobs && rc == 0; i++)
		if (in_force(v, &v->book->knobs[i].scope, v->book->knobs[i].draw))
			rc = knob_row(v, &t, &v->book->knobs[i]);
	rc = print(v, &t, rc);
	for (unsigned int i = 0; v->cite && !v->json && i < v->book->nknobs && rc == 0; i++) {
		const struct kd_book_knob *k = &v->book->knobs[i];
		unsigned int n;
		const struct kd_claim **claims;

		if (!in_force(v, &k->scope, k->draw))
			continue;
		claims = kd_evidence_claims(v->arena, v->book, &k->evidence, &n);
		for (unsigned int c = 0; claims != NULL && c < n; c++)
			kd_list_cite(v, claims[c], "  ");
	}
	return rc;
}

static const char *when_text(const struct kd_list_view *v, const struct kd_scope *scope)
{
	if (scope->since_text == NULL && scope->until_text == NULL)
		return "";
	return kd_arena_printf(v->arena, "%s .. %s", scope->since_text != NULL ? scope->since_text : "",
		scope->until_text != NULL ? scope->until_text : "");
}

/* One entry, whenever and wherever it holds: its limits in one cell. */
static int attested_row(const struct kd_list_view *v, struct kd_table *t, const struct kd_book_knob *k)
{
	const char *to = kd_words_to(v->arena, k->to), *of = kd_words_protocols(v->arena, k->protocols);
	const char *where = kd_words_where(v->arena, v->book, &k->scope), *when = when_text(v, &k->scope);
	const char *values = k->values[0];

	for (unsigned int i = 1; i < k->nvalues && values != NULL; i++)
		values = kd_arena_printf(v->arena, "%s|%s", values, k->values[i]);
	if (to == NULL || of == NULL || where == NULL || when == NULL || values == NULL)
		return -ENOMEM;
	where = kd_arena_printf(v->arena, "%s%s%s%s%s", where, where[0] != '\0' && to[0] != '\0' ? "; " : "",
		to[0] != '\0' ? "to " : "", to, of[0] != '\0' ? "; for " : "");
	if (where != NULL && of[0] != '\0')
		where = kd_arena_printf(v->arena, "%s%s", where, of);
	return kd_table_row(t, (const char *[KD_TABLE_COLUMNS]){k->name, values, when, where, k->share.text,
				       k->flap.text, evidence_text(v, &k->evidence)});
}

int kd_list_attested(const struct kd_list_view *v)
{
	struct kd_table t = {.arena = v->arena,
		.heads = {"knob", "value", "days", "where", "share", "flap", "evidence"},
		.columns = 7};
	int rc = 0;

	for (unsigned int knob = 0; knob < KD_KNOB_COUNT && rc == 0; knob++) {
		const struct kd_knob_row *row = &kd_knob_rows[knob];

		rc = kd_table_row(&t, (const char *[KD_TABLE_COLUMNS]){row->name, row->deflt, "",
					      "where no entry says otherwise", NULL, NULL, row->claim});
		for (unsigned int i = 0; i < v->book->nknobs && rc == 0; i++)
			if (strcmp(v->book->knobs[i].name, row->name) == 0)
				rc = attested_row(v, &t, &v->book->knobs[i]);
	}
	return print(v, &t, rc);
}

static const char *prefixes_text(const struct kd_list_view *v, const struct kd_book_tag *tag)
{
	struct kd_address_term shown = {
		.own = tag->lab, .nown = tag->nlab < PREFIXES_SHOWN ? tag->nlab : PREFIXES_SHOWN};
	const char *text = kd_words_to(v->arena, &shown);

	if (text == NULL || tag->nlab <= PREFIXES_SHOWN)
		return text;
	return kd_arena_printf(v->arena, "%s and %u more", text, tag->nlab - PREFIXES_SHOWN);
}

int kd_list_tags(const struct kd_list_view *v)
{
	struct kd_table t = {
		.arena = v->arena, .heads = {"tag", "lab", "real", "evidence", "title"}, .columns = 5};
	int rc = 0;

	for (unsigned int i = 0; i < v->book->ntags && rc == 0; i++) {
		const struct kd_book_tag *tag = &v->book->tags[i];
		const char *real = "";

		if (tag->real != NULL)
			real = kd_arena_printf(v->arena, "%s (%u)", tag->real->name, tag->real->count);
		rc = kd_table_row(&t, (const char *[KD_TABLE_COLUMNS]){tag->id, prefixes_text(v, tag), real,
					      evidence_text(v, &tag->evidence), tag->title});
	}
	return print(v, &t, rc);
}

static int place_rows(const struct kd_list_view *v, struct kd_table *t, const char *kind,
	const struct kd_place *list, unsigned int n)
{
	int rc = 0;

	for (unsigned int i = 0; i < n && rc == 0; i++) {
		const char *networks = "";

		for (unsigned int k = 0; k < KD_NETWORK_COUNT && networks != NULL; k++)
			if (list[i].networks >> k & 1)
				networks = kd_arena_printf(v->arena, "%s%s%s", networks,
					networks[0] != '\0' ? "," : "", kd_network_name(k));
		rc = kd_table_row(t, (const char *[KD_TABLE_COLUMNS]){kind, list[i].id, networks,
					     when_text(v, &list[i].scope), NULL,
					     evidence_text(v, &list[i].evidence), list[i].title});
	}
	return rc;
}

static int path_rows(const struct kd_list_view *v, struct kd_table *t)
{
	int rc = 0;

	for (unsigned int i = 0; i < v->book->nboxes && rc == 0; i++) {
		const struct kd_book_box *b = &v->book->boxes[i];

		rc = kd_table_row(t, (const char *[KD_TABLE_COLUMNS]){"box", b->id,
					     b->sees == KD_SEES_UPSTREAM ? "sees upstream" : "sees both",
					     NULL, NULL, evidence_text(v, &b->evidence), b->title});
	}
	for (unsigned int i = 0; i < v->book->npaths && rc == 0; i++) {
		const struct kd_book_path *p = &v->book->paths[i];

		rc = kd_table_row(t,
			(const char *[KD_TABLE_COLUMNS]){"path", p->id,
				kd_words_where(v->arena, v->book, &p->scope), when_text(v, &p->scope), NULL,
				evidence_text(v, &p->evidence), kd_words_path(v->arena, v->book, p)});
	}
	return rc;
}

int kd_list_places(const struct kd_list_view *v)
{
	struct kd_table t = {.arena = v->arena,
		.heads = {"place", "id", "of", "seen", "pending", "evidence", "title"},
		.columns = 7};
	const struct kd_book *b = v->book;
	int rc = 0;

	for (unsigned int i = 0; i < KD_NETWORK_COUNT && rc == 0; i++)
		rc = kd_table_row(&t, (const char *[KD_TABLE_COLUMNS]){"network", kd_network_name(i)});
	rc = rc == 0 ? place_rows(v, &t, "isp", b->isps, b->nisps) : rc;
	rc = rc == 0 ? place_rows(v, &t, "region", b->regions, b->nregions) : rc;
	rc = rc == 0 ? place_rows(v, &t, "state", b->states, b->nstates) : rc;
	rc = rc == 0 ? path_rows(v, &t) : rc;
	return print(v, &t, rc);
}

static bool rests_on(const struct kd_book *book, const struct kd_evidence *ev, const struct kd_claim *c)
{
	for (unsigned int p = 0; p < KD_PART_COUNT; p++)
		for (const char *ids = ev->claims[p]; ids != NULL && *ids != '\0';)
			if (kd_claim_next(book, &ids) == c)
				return true;
	return false;
}

/* Without -p every claim; else those that something in force rests on. */
static bool wanted(const struct kd_list_view *v, const struct kd_claim *c)
{
	const struct kd_book *b = v->book;

	if (!v->profile)
		return true;
	for (unsigned int i = 0; i < b->nrules; i++)
		if (rests_on(b, &b->rules[i].evidence, c) &&
			in_force(v, &b->rules[i].scope, b->rules[i].draw))
			return true;
	for (unsigned int i = 0; i < b->nknobs; i++)
		if (rests_on(b, &b->knobs[i].evidence, c) &&
			in_force(v, &b->knobs[i].scope, b->knobs[i].draw))
			return true;
	for (unsigned int i = 0; i < b->nsettings; i++)
		if (rests_on(b, &b->settings[i].evidence, c) &&
			in_force(v, &b->settings[i].scope, b->settings[i].draw))
			return true;
	return false;
}

static int json_claim(const struct kd_list_view *v, const struct kd_claim *c, bool first)
{
	char *buf = malloc(KD_TABLE_JSON_ROOM);
	struct kd_json j;

	if (buf == NULL)
		return -ENOMEM;
	kd_json_start(&j, buf, KD_TABLE_JSON_ROOM);
	kd_list_json_claim(&j, v, c);
	if (!j.full)
		printf("%s\n%.*s", first ? "" : ",", (int)j.len, buf);
	free(buf);
	return j.full ? -ENOMEM : 0;
}

int kd_list_claims(const struct kd_list_view *v)
{
	bool first = true;
	int rc = 0;

	if (v->json)
		fputs("[", stdout);
	for (unsigned int i = 0; i < v->book->nclaims && rc == 0; i++) {
		const struct kd_claim *c = &v->book->claims[i];

		if (!wanted(v, c))
			continue;
		if (v->json) {
			rc = json_claim(v, c, first);
		} else {
			printf("%s%s  %s  %s  %s\n  %s\n", first ? "" : "\n", c->id, kd_grade_name(c->grade),
				c->read, c->date, c->text);
			for (unsigned int s = 0; s < c->nsources; s++)
				printf("  %s\n", c->sources[s]);
		}
		first = false;
	}
	if (v->json)
		fputs("\n]\n", stdout);
	return rc;
}

/* The sources of all wanted claims: each key or text once, in order of the claims. */
static const char **collect(const struct kd_list_view *v, unsigned int *n)
{
	const char **list = kd_arena_alloc(v->arena, sizeof(*list));

	*n = 0;
	for (unsigned int i = 0; i < v->book->nclaims && list != NULL; i++) {
		const struct kd_claim *c = &v->book->claims[i];

		for (unsigned int s = 0; wanted(v, c) && s < c->nsources && list != NULL; s++) {
			size_t key = kd_bib_key(v->book, c->sources[s]);
			const char *text =
				key > 0 ? kd_arena_strndup(v->arena, c->sources[s], key) : c->sources[s];
			unsigned int at = 0;

			if (text == NULL)
				return NULL;
			while (at < *n && strcmp(list[at], text) != 0)
				at++;
			if (at < *n)
				continue;
			list = kd_arena_grow(v->arena, *n > 0 ? list : NULL, *n, sizeof(*list));
			if (list != NULL)
				list[(*n)++] = text;
		}
	}
	return list;
}

int kd_list_sources(const struct kd_list_view *v)
{
	struct kd_table t = {.arena = v->arena, .heads = {"source", "text"}, .columns = 2};
	unsigned int n, entries = 0;
	const char **list = collect(v, &n);
	int rc = 0;

	if (list == NULL)
		return -ENOMEM;
	for (unsigned int i = 0; i < n && !v->json; i++)
		if (kd_bib_print(v->book, list[i], stdout))
			entries++;
	if (entries > 0 && entries < n)
		fputc('\n', stdout);
	for (unsigned int i = 0; i < n && rc == 0; i++) {
		if (v->json)
			rc = kd_table_row(&t, (const char *[KD_TABLE_COLUMNS]){
						      list[i], kd_bib_text(v->book, v->arena, list[i])});
		else if (kd_bib_key(v->book, list[i]) == 0)
			printf("%s\n", list[i]);
	}
	return v->json ? print(v, &t, rc) : rc;
}
