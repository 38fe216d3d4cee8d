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
#include "engine/engine.h"
#include "engine/protocol.h"
#include "report/json.h"

#define NAMES_SHOWN 12

static const char *const sides[] = {[KD_INSIDE] = "inside", [KD_OUTSIDE] = "outside", [KD_ANY_SIDE] = "any"};

/* One claim id of a comma-separated list at a time. */
static const struct kd_claim *next_claim(const struct kd_book *book, const char **ids)
{
	size_t len = strcspn(*ids, ",");
	const struct kd_claim *c = kd_book_claim(book, *ids, len);

	*ids += len + ((*ids)[len] == ',');
	return c;
}

static void text_when(const struct kd_book *book, const struct kd_book_rule *r)
{
	bool first = true;

	fputs("  when      ", stdout);
	for (int i = 0; i < KD_PROTOCOL_COUNT; i++) {
		if ((r->protocols >> i & 1) == 0)
			continue;
		printf("%s%s", first ? "" : ",", kd_protocols[i]->name);
		first = false;
	}
	if (first)
		fputs("any protocol", stdout);
	if (r->opened_from != KD_ANY_SIDE)
		printf(", opened from %s", sides[r->opened_from]);
	if (r->from != KD_ANY_SIDE)
		printf(", sent from %s", sides[r->from]);
	if (r->signature != 0)
		printf(", signature %s", book->signatures[r->signature - 1].id);
	if (r->name_key != NULL)
		printf(", %s", r->name_key);
	for (unsigned int i = 0; i < r->names.count && i < NAMES_SHOWN; i++)
		printf(" %s", r->names.names[i].text);
	if (r->names.count > NAMES_SHOWN)
		printf(" and %u more", r->names.count - NAMES_SHOWN);
	fputc('\n', stdout);
}

static void text_networks(uint32_t networks)
{
	const char *comma = "  ";

	if (networks == (1u << KD_NETWORK_COUNT) - 1)
		return;
	for (unsigned int i = 0; i < KD_NETWORK_COUNT; i++) {
		if ((networks >> i & 1) == 0)
			continue;
		printf("%s%s", comma, kd_network_name(i));
		comma = ",";
	}
}

static void text_evidence(const struct kd_book *book, const struct kd_book_rule *r, bool cite)
{
	for (unsigned int p = 0; p < KD_PART_COUNT; p++) {
		const char *ids = r->evidence.claims[p];

		if (r->evidence.grade[p] == KD_GRADE_COUNT)
			continue;
		printf("  %-8s  %s", kd_part_name(p), kd_grade_name(r->evidence.grade[p]));
		for (const char *rest = ids; rest != NULL && *rest != '\0';) {
			const struct kd_claim *c = next_claim(book, &rest);

			printf("  %s", c != NULL ? c->id : "?");
		}
		fputc('\n', stdout);
		while (cite && ids != NULL && *ids != '\0') {
			const struct kd_claim *c = next_claim(book, &ids);

			for (unsigned int i = 0; c != NULL && i < c->nsources; i++)
				printf("            %s: %s [%s, %s]\n", c->id, c->sources[i],
					kd_grade_name(c->grade), c->read);
		}
	}
}

static void text_rule(const struct kd_book *book, const struct kd_book_rule *r, bool cite)
{
	printf("%s  %s  %s .. %s", r->id, kd_phase_name(r->phase),
		r->scope.since_text != NULL ? r->scope.since_text : "",
		r->scope.until_text != NULL ? r->scope.until_text : "");
	text_networks(r->scope.networks);
	fputc('\n', stdout);
	text_when(book, r);
	printf("  then      %s%s%s%s\n", r->mechanism, r->then != NULL ? r->then : "",
		r->pending != NULL ? "  pending " : "", r->pending != NULL ? r->pending : "");
	if (r->residual_text != NULL)
		printf("  residual  %s on the 4-tuple\n", r->residual_text);
	if (r->miss_text != NULL)
		printf("  miss      %s\n", r->miss_text);
	text_evidence(book, r, cite);
}

static void json_evidence(
	struct kd_json *j, const struct kd_book *book, const struct kd_book_rule *r, bool cite)
{
	kd_json_open(j, "evidence", '{');
	for (unsigned int p = 0; p < KD_PART_COUNT; p++) {
		const char *ids = r->evidence.claims[p];

		if (r->evidence.grade[p] == KD_GRADE_COUNT)
			continue;
		kd_json_open(j, kd_part_name(p), '{');
		kd_json_str(j, "grade", kd_grade_name(r->evidence.grade[p]));
		kd_json_open(j, "claims", '[');
		while (ids != NULL && *ids != '\0') {
			const struct kd_claim *c = next_claim(book, &ids);

			if (c == NULL)
				continue;
			if (!cite) {
				kd_json_str(j, NULL, c->id);
				continue;
			}
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
			kd_json_close(j, '}');
		}
		kd_json_close(j, ']');
		kd_json_close(j, '}');
	}
	kd_json_close(j, '}');
}

static void optional(struct kd_json *j, const char *key, const char *value)
{
	if (value != NULL)
		kd_json_str(j, key, value);
}

static void json_rule(struct kd_json *j, const struct kd_book *book, const struct kd_book_rule *r, bool cite)
{
	kd_json_open(j, NULL, '{');
	kd_json_str(j, "id", r->id);
	kd_json_str(j, "phase", kd_phase_name(r->phase));
	optional(j, "since", r->scope.since_text);
	optional(j, "until", r->scope.until_text);
	kd_json_open(j, "network", '[');
	for (unsigned int i = 0; i < KD_NETWORK_COUNT; i++)
		if (r->scope.networks >> i & 1)
			kd_json_str(j, NULL, kd_network_name(i));
	kd_json_close(j, ']');
	kd_json_open(j, "protocol", '[');
	for (int i = 0; i < KD_PROTOCOL_COUNT; i++)
		if (r->protocols >> i & 1)
			kd_json_str(j, NULL, kd_protocols[i]->name);
	kd_json_close(j, ']');
	kd_json_str(j, "opened_from", sides[r->opened_from]);
	kd_json_str(j, "from", sides[r->from]);
	if (r->signature != 0)
		kd_json_str(j, "signature", book->signatures[r->signature - 1].id);
	if (r->name_key != NULL) {
		kd_json_u64(j, "name_count", r->names.count);
		kd_json_open(j, r->name_key, '[');
		for (unsigned int i = 0; i < r->names.count && i < NAMES_SHOWN; i++)
			kd_json_str(j, NULL, r->names.names[i].text);
		kd_json_close(j, ']');
	}
	kd_json_str(j, "mechanism", r->mechanism);
	optional(j, "options", r->then != NULL ? r->then + 1 : NULL);
	optional(j, "residual", r->residual_text);
	optional(j, "miss", r->miss_text);
	optional(j, "pending", r->pending);
	json_evidence(j, book, r, cite);
	kd_json_close(j, '}');
}

int kd_list_rules(const struct kd_book *book, const struct kd_query *query, bool json, bool cite)
{
	char *buf = json ? malloc(KD_TABLE_JSON_ROOM) : NULL;
	unsigned int shown = 0;
	int rc = json && buf == NULL ? -ENOMEM : 0;

	if (json)
		fputs("[", stdout);
	for (unsigned int phase = 0; phase < KD_PHASE_COUNT; phase++) {
		for (unsigned int i = 0; i < book->nrules && rc == 0; i++) {
			const struct kd_book_rule *r = &book->rules[i];
			struct kd_json j;

			if (r->phase != phase || !kd_book_in_force(book, &r->scope, query))
				continue;
			if (!json) {
				if (shown++ > 0)
					fputc('\n', stdout);
				text_rule(book, r, cite);
				continue;
			}
			kd_json_start(&j, buf, KD_TABLE_JSON_ROOM);
			json_rule(&j, book, r, cite);
			if (j.full)
				rc = -ENOMEM;
			else
				printf("%s\n%.*s", shown++ > 0 ? "," : "", (int)j.len, buf);
		}
	}
	if (json)
		fputs("\n]\n", stdout);
	free(buf);
	return rc;
}
