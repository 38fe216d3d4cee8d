/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Reads claims, and holds evidence against them. It judges form only: that a claim names a public source
 * (cite.c), that its grade is the one its tag stands for, that a cited id exists. Whether the source says so
 * is for people.
 */
#include "rulebook/claims.h"

#include "rulebook/bib.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define GRADE_WORDS "measured|documented|reported|assumed"

const struct kd_claim *kd_book_claim(const struct kd_book *book, const char *id, size_t len)
{
	for (unsigned int i = 0; i < book->nclaims; i++)
		if (strlen(book->claims[i].id) == len && memcmp(book->claims[i].id, id, len) == 0)
			return &book->claims[i];
	return NULL;
}

bool kd_claim_use(struct kd_book *book, const char *id)
{
	for (unsigned int i = 0; i < book->nclaims; i++) {
		if (strcmp(book->claims[i].id, id) == 0) {
			book->claims[i].used = true;
			return true;
		}
	}
	return false;
}

int32_t kd_book_newest(const struct kd_book *book)
{
	int32_t newest = KD_FIRST_DAY;

	for (unsigned int i = 0; i < book->nclaims; i++)
		if (book->claims[i].dates.last > newest)
			newest = book->claims[i].dates.last;
	return newest;
}

/*
 * The two compilations that claims are drawn from tag them with letters of their own: X-... are of papers,
 * the others of the field. M means unverified in the one and many reports in the other.
 */
static const struct tag {
	char letter;
	uint8_t papers, field; /* enum kd_grade; KD_GRADE_COUNT = no such tag there */
} tags[] = {
	{'P', KD_GRADE_MEASURED, KD_GRADE_MEASURED},
	{'Q', KD_GRADE_MEASURED, KD_GRADE_COUNT},
	{'V', KD_GRADE_DOCUMENTED, KD_GRADE_COUNT},
	{'D', KD_GRADE_COUNT, KD_GRADE_DOCUMENTED},
	{'S', KD_GRADE_REPORTED, KD_GRADE_COUNT},
	{'F', KD_GRADE_REPORTED, KD_GRADE_REPORTED},
	{'1', KD_GRADE_COUNT, KD_GRADE_REPORTED},
	{'M', KD_GRADE_ASSUMED, KD_GRADE_REPORTED},
	{'U', KD_GRADE_ASSUMED, KD_GRADE_COUNT},
	{'I', KD_GRADE_COUNT, KD_GRADE_ASSUMED},
	{'R', KD_GRADE_COUNT, KD_GRADE_ASSUMED},
};

/* grade: KD_GRADE_COUNT when it is wrong already. */
static void tag_fits(struct kd_book *book, const config_setting_t *group, const char *id, unsigned int grade)
{
	const config_setting_t *s = kd_schema_get(group, "tag", KD_TYPE_STRING);
	bool papers = strncmp(id, "X-", 2) == 0;
	const char *tag = s != NULL ? config_setting_get_string(s) : "";
	unsigned int means = KD_GRADE_COUNT;

	if (s == NULL)
		return;
	for (unsigned int i = 0; i < sizeof(tags) / sizeof(tags[0]) && strlen(tag) == 1; i++)
		if (tags[i].letter == tag[0])
			means = papers ? tags[i].papers : tags[i].field;
	if (means == KD_GRADE_COUNT)
		kd_schema_unknown(book, s,
			papers ? "tag of a paper's claim" : "tag of a field report's claim", tag,
			papers ? "P|Q|V|S|F|M|U" : "P|D|M|F|1|I|R");
	else if (grade != KD_GRADE_COUNT && grade != means)
		kd_schema_error(book, kd_schema_get(group, "grade", KD_TYPE_STRING),
			papers ? "ids that start with X- are of papers"
			       : "only ids that start with X- are of papers",
			"tag \"%s\" stands for %s, not %s", tag, kd_grade_name(means), kd_grade_name(grade));
}

static void sources(struct kd_book *book, const config_setting_t *list, struct kd_claim *c)
{
	c->nsources = kd_schema_count(list);
	if (c->nsources == 0)
		return;
	c->sources = kd_arena_alloc(book->arena, c->nsources * sizeof(*c->sources));
	if (c->sources == NULL) {
		book->no_memory = true;
		c->nsources = 0;
		return;
	}
	for (unsigned int i = 0; i < c->nsources; i++) {
		const config_setting_t *e = kd_schema_element(list, i);
		const char *text = config_setting_get_string(e);

		if (text[0] == '\0')
			kd_schema_error(book, e, NULL, "must not be empty");
		/* Numbers of a secondary compilation mean nothing to a reader; the thread it quotes does. */
		if (strstr(text, "sec:") != NULL)
			kd_schema_error(book, e, "cite the public source that it quotes",
				"\"%.80s\" is not a public source", text);
		else if (text[0] != '\0')
			kd_bib_check(book, e, text);
		c->sources[i] = kd_schema_keep(book, text);
	}
}

static void claim(struct kd_book *book, const config_setting_t *group)
{
	static const struct kd_key keys[] = {{"id", KD_TYPE_STRING, true}, {"source", KD_TYPE_STRINGS, true},
		{"date", KD_TYPE_STRING, true}, {"tag", KD_TYPE_STRING, true},
		{"grade", KD_TYPE_STRING, true}, {"read", KD_TYPE_STRING, true},
		{"text", KD_TYPE_STRING, true}, {"used_by", KD_TYPE_STRING, false}, {NULL, 0, false}};
	const config_setting_t *date, *grade, *read, *used_by;
	const char *id = kd_schema_string(group, "id"), *tag = kd_schema_string(group, "tag"),
		   *text = kd_schema_string(group, "text");
	const struct kd_claim *first;
	struct kd_fault fault;
	struct kd_claim c = {0};
	char hint[400];
	int word;

	kd_schema_check(book, group, keys);
	if (id == NULL)
		return;
	if (strcmp(id, "assumed") == 0 || strchr(id, ',') != NULL)
		kd_schema_error(
			book, kd_schema_get(group, "id", KD_TYPE_STRING), NULL, "\"%s\" cannot be an id", id);
	first = kd_book_claim(book, id, strlen(id));
	if (first != NULL) {
		snprintf(hint, sizeof(hint), "first at %s:%d", first->at.file, first->at.line);
		kd_schema_error(book, group, hint, "double id: claim \"%s\"", id);
		return;
	}
	c.at = kd_schema_at(book, group);
	c.id = kd_schema_keep(book, id);
	c.tag = tag != NULL ? kd_schema_keep(book, tag) : "";
	c.text = text != NULL ? kd_schema_keep(book, text) : "";
	c.grade = KD_GRADE_ASSUMED;
	c.date = c.read = "";
	c.dates.first = c.dates.last = KD_FIRST_DAY;
	sources(book, kd_schema_get(group, "source", KD_TYPE_STRINGS), &c);
	grade = kd_schema_get(group, "grade", KD_TYPE_STRING);
	word = grade != NULL ? kd_schema_word(book, grade, "grade", GRADE_WORDS) : -1;
	if (word >= 0)
		c.grade = (uint8_t)word;
	tag_fits(book, group, id, word >= 0 ? (unsigned int)word : KD_GRADE_COUNT);
	read = kd_schema_get(group, "read", KD_TYPE_STRING);
	if (read != NULL && kd_schema_word(book, read, "way of reading", "primary|quoted|secondary") >= 0)
		c.read = kd_schema_keep(book, config_setting_get_string(read));
	/* What a parser imitates is cited in its source, where no rulebook can see it. */
	used_by = kd_schema_get(group, "used_by", KD_TYPE_STRING);
	c.used = used_by != NULL && kd_schema_word(book, used_by, "user of a claim", "program") == 0;
	date = kd_schema_get(group, "date", KD_TYPE_STRING);
	if (date != NULL) {
		c.date = kd_schema_keep(book, config_setting_get_string(date));
		if (kd_dates_parse(&c.dates, config_setting_get_string(date),
			    strlen(config_setting_get_string(date)), &fault) < 0)
			kd_schema_fault(book, date, &fault);
	}
	book->claims = kd_arena_grow(book->arena, book->claims, book->nclaims, sizeof(c));
	if (book->claims == NULL || c.id == NULL || c.at.file == NULL) {
		book->no_memory = true;
		book->nclaims = 0;
		return;
	}
	book->claims[book->nclaims++] = c;
}

void kd_claims_read(struct kd_book *book, const config_setting_t *root)
{
	kd_schema_each(book, root, "claims", claim);
}

static void unknown_claim(struct kd_book *book, const config_setting_t *at, const char *id)
{
	size_t room = 1, len = 0;
	char *words, *near = NULL;

	for (unsigned int i = 0; i < book->nclaims; i++)
		room += strlen(book->claims[i].id) + 1;
	words = malloc(room);
	if (words != NULL) {
		words[0] = '\0';
		for (unsigned int i = 0; i < book->nclaims; i++)
			len += (size_t)snprintf(
				words + len, room - len, "%s%s", i > 0 ? "|" : "", book->claims[i].id);
		near = kd_did_you_mean(id, words);
	}
	if (near != NULL)
		kd_schema_error(book, at, NULL, "unknown claim \"%.80s\" - did you mean \"%s\"?", id, near);
	else
		kd_schema_error(book, at, "claims stand in claims.cfg; a part without one says \"assumed\"",
			"unknown claim \"%.80s\"", id);
	free(near);
	free(words);
}

static void part(struct kd_book *book, const config_setting_t *list, unsigned int p, struct kd_evidence *ev)
{
	ev->grade[p] = KD_GRADE_MEASURED;
	for (unsigned int i = 0; i < kd_schema_count(list); i++) {
		const config_setting_t *e = kd_schema_element(list, i);
		const char *id = config_setting_get_string(e);
		const struct kd_claim *c;

		if (strcmp(id, "assumed") == 0) {
			ev->grade[p] = KD_GRADE_ASSUMED;
			continue;
		}
		c = kd_book_claim(book, id, strlen(id));
		if (c == NULL) {
			unknown_claim(book, e, id);
			ev->real[p] = true; /* said once is enough: no word on what it would be worth */
			continue;
		}
		kd_claim_use(book, id);
		if (c->grade > ev->grade[p])
			ev->grade[p] = c->grade;
		if (c->grade != KD_GRADE_ASSUMED)
			ev->real[p] = true;
		ev->claims[p] = ev->claims[p] == NULL
					? c->id
					: kd_arena_printf(book->arena, "%s,%s", ev->claims[p], c->id);
		if (ev->claims[p] == NULL)
			book->no_memory = true;
	}
}

void kd_evidence_read(struct kd_book *book, const config_setting_t *group, struct kd_evidence *ret)
{
	static const struct kd_key keys[] = {{"date", KD_TYPE_STRINGS, false},
		{"target", KD_TYPE_STRINGS, false}, {"match", KD_TYPE_STRINGS, false},
		{"then", KD_TYPE_STRINGS, false}, {"numbers", KD_TYPE_STRINGS, false}, {NULL, 0, false}};
	const config_setting_t *ev = kd_schema_get(group, "evidence", KD_TYPE_GROUP), *list;

	for (unsigned int p = 0; p < KD_PART_COUNT; p++)
		ret->grade[p] = KD_GRADE_COUNT;
	if (ev == NULL)
		return;
	kd_schema_check(book, ev, keys);
	for (unsigned int p = 0; p < KD_PART_COUNT; p++) {
		list = kd_schema_get(ev, kd_part_name(p), KD_TYPE_STRINGS);
		if (list != NULL)
			part(book, list, p, ret);
	}
}
