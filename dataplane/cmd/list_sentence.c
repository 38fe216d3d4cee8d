/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Rules, knobs, settings and paths as one sentence each, and what their evidence is worth in one phrase. How
 * a match reads is list_words.c's.
 */
#include "cmd/words.h"

#include <string.h>

#include "engine/protocol.h"
#include "rulebook/announced.h"
#include "rulebook/setting.h"
#include "rulebook/when.h"

const char *kd_setting_name(const struct kd_book_setting *s)
{
	return s->key == KD_SETTING_ANNOUNCED ? s->name : kd_setting_rows[s->key].key;
}

/* text, then more behind a separator when there is any. NULL stays NULL. */
static const char *join(struct kd_arena *arena, const char *text, const char *separator, const char *more)
{
	if (text == NULL || more == NULL)
		return NULL;
	if (more[0] == '\0')
		return text;
	return kd_arena_printf(arena, "%s%s%s", text, text[0] != '\0' ? separator : "", more);
}

const char *kd_words_match(struct kd_arena *arena, const struct kd_book_rule *r, unsigned int names)
{
	if (r->deny)
		return "every flow that nothing let through";
	return kd_words_when(arena, r->when, names);
}

const char *kd_words_closes(struct kd_arena *arena, uint8_t phases)
{
	const char *text = "";

	for (unsigned int p = 0; p < KD_PHASE_COUNT; p++)
		if (phases >> p & 1)
			text = join(arena, text, ", ", kd_phase_name(p));
	return text;
}

/* The settings of the mechanism itself, ahead of those that any may have. */
static const char *settings_of(struct kd_arena *arena, const struct kd_book_rule *r)
{
	const struct {
		bool given;
		const char *key;
	} general[] = {{r->after_amount.text != NULL, " after."}, {r->flow_share.text != NULL, " share="},
		{r->delay_before.text != NULL, " delay_before="},
		{r->extent != KD_EXTENT_FROM_HERE, " scope="}};
	const char *then = r->then != NULL ? r->then : "";
	size_t len = strlen(then);

	for (size_t i = 0; i < sizeof(general) / sizeof(general[0]); i++) {
		const char *at = general[i].given ? strstr(then, general[i].key) : NULL;

		if (at != NULL && (size_t)(at - then) < len)
			len = (size_t)(at - then);
	}
	return kd_arena_printf(arena, "%.*s", (int)len, then);
}

static const char *after_words(struct kd_arena *arena, const struct kd_book_rule *r)
{
	static const char *const sides[] = {"the inside", "the outside", "either side"};
	static const char *const kinds[] = {"", " with payload", " with data"};
	const char *event = strstr(r->then, " after.event="), *text;
	const struct kd_after *a = &r->after;

	text = kd_arena_printf(arena, "only after %s", r->after_amount.text);
	if (a->unit != KD_AFTER_TIME)
		text = join(arena, join(arena, text, " of ", sides[a->side]), "", kinds[a->kind]);
	if (a->event == KD_EVENT_OF_START || event == NULL)
		text = join(arena, text, "", a->unit == KD_AFTER_TIME ? "" : " from the flow's start on");
	else
		text = join(arena, text, " behind ",
			kd_arena_printf(arena, "%.*s", (int)strcspn(event + 13, " "), event + 13));
	if (r->after_amount.n.ranged)
		text = join(arena, text, ", ", a->per_box ? "the same for a box" : "drawn for each flow");
	return text;
}

/* When, on how many flows and on what of them it acts; "" when that is at once, on all and on everything. */
static const char *limits_of(struct kd_arena *arena, const struct kd_book_rule *r)
{
	static const char *const extents[] = {"", "; on the bytes that matched and no others",
		"; on the byte that the name ends with and no others"};
	const char *text = "";

	if (r->after_amount.text != NULL)
		text = join(arena, ";", " ", after_words(arena, r));
	if (r->delay_before.text != NULL)
		text = join(arena, text, "", kd_arena_printf(arena, "; %s later", r->delay_before.text));
	if (r->flow_share.text != NULL)
		text = join(arena, text, "", kd_arena_printf(arena, "; on %s of flows", r->flow_share.text));
	return join(arena, text, "", extents[r->extent]);
}

const char *kd_words_then(struct kd_arena *arena, const struct kd_book_rule *r)
{
	const char *settings, *limits;

	const char *closes;

	if (r->closes != 0) {
		closes = kd_words_closes(arena, r->closes);
		return closes != NULL ? kd_arena_printf(arena, "let through (closes %s)", closes) : NULL;
	}
	if (r->mechanism == NULL)
		return "counted";
	if (r->mechanism_index < 0)
		return join(arena, r->mechanism, "", r->then != NULL ? r->then : "");
	settings = settings_of(arena, r);
	limits = limits_of(arena, r);
	if (settings == NULL || limits == NULL)
		return NULL;
	return kd_arena_printf(arena, "%s%s (%s)%s", r->mechanism, settings,
		kd_mechanisms[r->mechanism_index]->title, limits);
}

static const char *words_of(struct kd_arena *arena, const char *const *words, unsigned int n)
{
	const char *text = "";

	for (unsigned int i = 0; i < n; i++)
		text = join(arena, text, ", ", words[i]);
	return text;
}

const char *kd_words_residual(struct kd_arena *arena, const struct kd_book_rule *r)
{
	const struct kd_residual *res = &r->residual;
	const char *text;

	if (!res->given)
		return "";
	text = kd_arena_printf(arena, "%s on the %s", res->time.text != NULL ? res->time.text : "?",
		res->key != NULL ? res->key : "?");
	if (res->nprotocols != 0)
		text = join(arena, text, ", only ", words_of(arena, res->protocols, res->nprotocols));
	if (res->whom != NULL && strcmp(res->whom, "client") != 0)
		text = join(arena, text, " for ",
			strcmp(res->whom, "subscriber") == 0 ? "the subscriber" : res->whom);
	if (res->restart != NULL && strcmp(res->restart, "nothing") != 0)
		text = join(arena, text, ", from the start again with ",
			strcmp(res->restart, "any_packet") == 0 ? "any packet" : "the next trigger");
	if (res->publish_after.text != NULL)
		text = join(arena, text, ", at other boxes after ", res->publish_after.text);
	return text;
}

const char *kd_words_miss(struct kd_arena *arena, const struct kd_book *book, const struct kd_book_rule *r,
	const struct kd_query *query)
{
	const char *text = "", *where;

	for (unsigned int i = 0; i < r->nmisses; i++) {
		const struct kd_miss *m = &r->misses[i];

		if (m->value.text == NULL || !kd_book_in_force(book, &m->scope, r->draw, query))
			continue;
		if (query != NULL)
			return m->value.text;
		where = kd_words_where(arena, book, &m->scope);
		text = join(arena, text, ", else ", m->value.text);
		if (where != NULL && where[0] != '\0' && text != NULL)
			text = kd_arena_printf(arena, "%s (%s)", text, where);
	}
	return text;
}

static const char *places(
	struct kd_arena *arena, const struct kd_place *list, unsigned int n, uint64_t mask, const char *noun)
{
	const char *text = "";

	for (unsigned int i = 0; i < n && i < 64; i++)
		if (mask >> i & 1)
			text = join(arena, text, ", ", list[i].id);
	return text != NULL && text[0] != '\0' ? kd_arena_printf(arena, "%s %s", noun, text) : text;
}

const char *kd_words_where(struct kd_arena *arena, const struct kd_book *book, const struct kd_scope *scope)
{
	const char *text = "", *boxes = "";

	if (scope->networks != (1u << KD_NETWORK_COUNT) - 1)
		for (unsigned int i = 0; i < KD_NETWORK_COUNT; i++)
			if (scope->networks >> i & 1)
				text = join(arena, text, ",", kd_network_name(i));
	text = join(arena, text, "; ", places(arena, book->isps, book->nisps, scope->isps, "ISP"));
	text = join(
		arena, text, "; ", places(arena, book->regions, book->nregions, scope->regions, "region"));
	text = join(arena, text, "; ", places(arena, book->states, book->nstates, scope->states, "state"));
	for (unsigned int i = 0; i < book->nboxes && i < 64; i++)
		if (scope->boxes >> i & 1)
			boxes = join(arena, boxes, ", ", book->boxes[i].id);
	if (boxes != NULL && boxes[0] != '\0')
		boxes = kd_arena_printf(arena, "box %s", boxes);
	return join(arena, text, "; ", boxes);
}

const char *kd_words_protocols(struct kd_arena *arena, uint64_t protocols)
{
	const char *text = "";

	for (int i = 0; i < KD_PROTOCOL_COUNT && protocols != UINT64_MAX; i++)
		if (protocols >> i & 1)
			text = join(arena, text, ", ", kd_protocols[i]->name);
	for (int i = KD_PROTOCOL_COUNT; i < 64 && protocols != UINT64_MAX && protocols >> i != 0; i++)
		if (protocols >> i & 1)
			text = join(arena, text, ", ", kd_announced_protocols[i - KD_PROTOCOL_COUNT].name);
	return text;
}

const char *kd_words_rule(struct kd_arena *arena, const struct kd_book *book, const struct kd_book_rule *r,
	const struct kd_query *query)
{
	const char *residual = kd_words_residual(arena, r), *miss = kd_words_miss(arena, book, r, query);
	const char *text =
		join(arena, kd_words_match(arena, r, KD_NAMES_SHOWN), ": ", kd_words_then(arena, r));

	if (residual == NULL || miss == NULL)
		return NULL;
	if (residual[0] != '\0')
		text = join(arena, text, "; for ", residual);
	if (miss[0] != '\0')
		text = join(arena, text, "; missed ", miss);
	if (r->share.text != NULL)
		text = join(arena, join(arena, text, "; on ", r->share.text), "", " of nodes");
	if (r->flap.text != NULL)
		text = join(arena, text, "; by turns there and not, each for ", r->flap.text);
	if (r->other != NULL)
		text = join(arena, join(arena, text, "; where it cannot act, ", r->other), "", " does");
	if (r->pending != NULL)
		text = join(arena, text, "; not acted on yet: ", r->pending);
	return text;
}

const char *kd_words_knob(struct kd_arena *arena, const struct kd_book_knob *k, unsigned int variant)
{
	const char *to = kd_words_to(arena, k->to), *protocols = kd_words_protocols(arena, k->protocols);
	const char *text = join(arena, k->name, " = ", k->values[variant]);

	if (to == NULL || protocols == NULL)
		return NULL;
	if (to[0] != '\0')
		text = join(arena, text, " to ", to);
	if (protocols[0] != '\0')
		text = join(arena, text, " for ", protocols);
	if (k->share.text != NULL)
		text = join(arena, join(arena, text, " on ", k->share.text), "", " of nodes");
	if (k->flap.text != NULL)
		text = join(arena, text, ", by turns there and not, each for ", k->flap.text);
	if (k->pending != NULL)
		text = join(arena, text, "; not acted on yet: ", k->pending);
	return text;
}

const char *kd_words_setting(struct kd_arena *arena, const struct kd_book_setting *s, unsigned int variant)
{
	const char *value = s->values[variant].text, *text;

	text = join(arena, kd_setting_name(s), " = ", value != NULL ? value : "?");
	if (s->pending != NULL)
		text = join(arena, text, "; not acted on yet: ", s->pending);
	return text;
}

const char *kd_words_path(struct kd_arena *arena, const struct kd_book *book, const struct kd_book_path *path)
{
	const char *text = "";

	for (unsigned int i = 0; i < path->nboxes; i++) {
		const struct kd_book_box *b = &book->boxes[path->boxes[i]];

		text = join(arena, text, ", then ", b->id);
		if (b->sees == KD_SEES_UPSTREAM)
			text = join(arena, text, "", " (sees only what comes from the inside)");
	}
	return text;
}

const char *kd_words_drawn(struct kd_arena *arena, const struct kd_query *query, const char *draw,
	const struct kd_book_number *n)
{
	struct kd_sample s = {.seed = query->seed, .number = query->sample};
	uint64_t value = kd_sample_number(&s, draw, n->key, &n->n), unit = 1;
	char text[KD_UNITS_TEXT];

	/* Nobody reads nanoseconds of an hour. */
	while (n->kind == KD_UNIT_DURATION && value / unit >= 10000)
		unit *= 10;
	kd_units_text(text, n->kind, value / unit * unit);
	return kd_arena_strdup(arena, text);
}

unsigned int kd_evidence_weakest(const struct kd_evidence *ev)
{
	unsigned int weakest = KD_GRADE_COUNT;

	for (unsigned int p = 0; p < KD_PART_COUNT; p++)
		if (ev->grade[p] != KD_GRADE_COUNT && (weakest == KD_GRADE_COUNT || ev->grade[p] > weakest))
			weakest = ev->grade[p];
	return weakest;
}

const char *kd_words_evidence(struct kd_arena *arena, const struct kd_evidence *ev)
{
	unsigned int weakest = kd_evidence_weakest(ev);
	const char *text = "";

	if (weakest == KD_GRADE_COUNT)
		return text;
	for (unsigned int p = 0; p < KD_PART_COUNT; p++)
		if (ev->grade[p] != KD_GRADE_COUNT)
			text = join(arena, join(arena, text, ", ", kd_part_name(p)), " ",
				kd_grade_name(ev->grade[p]));
	return join(arena, text, ": ", kd_grade_name(weakest));
}

const struct kd_claim *kd_claim_next(const struct kd_book *book, const char **ids)
{
	size_t len = strcspn(*ids, ",");
	const struct kd_claim *c = kd_book_claim(book, *ids, len);

	*ids += len + ((*ids)[len] == ',');
	return c;
}

const struct kd_claim **kd_evidence_claims(
	struct kd_arena *arena, const struct kd_book *book, const struct kd_evidence *ev, unsigned int *n)
{
	const struct kd_claim **list = NULL;

	*n = 0;
	for (unsigned int p = 0; p < KD_PART_COUNT; p++) {
		for (const char *ids = ev->claims[p]; ids != NULL && *ids != '\0';) {
			const struct kd_claim *c = kd_claim_next(book, &ids);
			unsigned int at = 0;

			while (at < *n && list[at] != c)
				at++;
			if (c == NULL || at < *n)
				continue;
			list = kd_arena_grow(arena, list, *n, sizeof(*list));
			if (list == NULL) {
				*n = 1;
				return NULL;
			}
			list[(*n)++] = c;
		}
	}
	return list;
}
