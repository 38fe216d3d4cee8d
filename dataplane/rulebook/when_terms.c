/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Reads the terms of `when`, each by its row of the table. A wrong value is said where it stands and the rest
 * of the term is read all the same. Whether a rule that `already` names exists is seen when all rules are
 * read.
 */
#include "rulebook/when_terms.h"

#include "engine/protocol.h"
#include "rulebook/announced.h"
#include "rulebook/rule.h"
#include "rulebook/term.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WORDS_MAX 2048
#define TRANSPORTS "tcp|udp|icmp|other"

static int by_word(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static void add_word(struct kd_book *book, struct kd_when *w, const char *word)
{
	word = kd_schema_keep(book, word);
	w->words = kd_arena_grow(book->arena, w->words, w->nwords, sizeof(*w->words));
	if (w->words == NULL || word == NULL) {
		book->no_memory = true;
		w->nwords = 0;
		return;
	}
	w->words[w->nwords++] = word;
}

/* In order, doubles gone. */
static bool tidy_words(struct kd_when *w)
{
	unsigned int kept = 0;

	if (w->nwords == 0)
		return false;
	qsort(w->words, w->nwords, sizeof(*w->words), by_word);
	for (unsigned int i = 1; i < w->nwords; i++)
		if (strcmp(w->words[kept], w->words[i]) != 0)
			w->words[++kept] = w->words[i];
	w->nwords = kept + 1;
	return true;
}

static void append(char *buf, size_t room, const char *word)
{
	size_t len = strlen(buf), n = strlen(word);

	if (n == 0 || len + n + 2 > room)
		return;
	if (len > 0)
		buf[len++] = '|';
	memcpy(buf + len, word, n + 1);
}

/* Something that does not exist yet. Where it is negated, its absence would make the rule match more than it
 * says, so the rule is not to match. */
static void need(struct kd_when_reader *r, const char *kind, const char *name)
{
	const char *what = kd_arena_printf(r->book->arena, "%s:%s", kind, name);

	if (what == NULL)
		r->book->no_memory = true;
	else
		kd_rule_need(r->book, r->rule, what, false);
	r->rule->needs.never = r->rule->needs.never || r->negated;
}

static void imply(struct kd_when_reader *r, uint64_t protocols)
{
	if (!r->negated)
		r->facts->protocols |= protocols;
}

bool kd_when_protocol(
	struct kd_when_reader *r, const struct kd_when_row *row, const config_setting_t *s, struct kd_when *w)
{
	(void)row;
	for (unsigned int i = 0; i < kd_schema_count(s); i++) {
		const config_setting_t *e = kd_schema_element(s, i);
		const char *name = config_setting_get_string(e);
		int found = kd_protocol_word(r->book, e, "protocol", "");

		if (found < 0)
			continue;
		if (found < KD_PROTOCOL_COUNT)
			w->mask |= 1ull << found;
		else
			need(r, "protocol", name);
		add_word(r->book, w, name);
	}
	r->protocols = w->mask;
	imply(r, w->mask);
	return tidy_words(w);
}

bool kd_when_transport(
	struct kd_when_reader *r, const struct kd_when_row *row, const config_setting_t *s, struct kd_when *w)
{
	static const uint8_t bits[] = {
		KD_TRANSPORT_TCP, KD_TRANSPORT_UDP, KD_TRANSPORT_ICMP, KD_TRANSPORT_OTHER};

	(void)row;
	for (unsigned int i = 0; i < kd_schema_count(s); i++) {
		int word = kd_schema_word(r->book, kd_schema_element(s, i), "transport", TRANSPORTS);

		if (word >= 0)
			w->mask |= bits[word];
	}
	return w->mask != 0;
}

bool kd_when_signature(
	struct kd_when_reader *r, const struct kd_when_row *row, const config_setting_t *s, struct kd_when *w)
{
	const struct kd_book *book = r->book;
	char known[WORDS_MAX] = "";

	(void)row;
	for (unsigned int i = 0; i < book->nsignatures; i++)
		append(known, sizeof(known), book->signatures[i].id);
	for (unsigned int i = 0; i < kd_schema_count(s); i++) {
		const config_setting_t *e = kd_schema_element(s, i);
		const char *id = config_setting_get_string(e);
		unsigned int k = 0;

		while (k < book->nsignatures && strcmp(book->signatures[k].id, id) != 0)
			k++;
		if (k < book->nsignatures)
			add_word(r->book, w, id);
		else
			kd_schema_unknown(r->book, e, "signature", id, known);
	}
	return tidy_words(w);
}

/* Inside and outside are in the order of enum kd_side; "any" asks nothing. */
bool kd_when_side(
	struct kd_when_reader *r, const struct kd_when_row *row, const config_setting_t *s, struct kd_when *w)
{
	int word = kd_schema_word(r->book, s, "side", row->words);

	if (word < 0 || strcmp(config_setting_get_string(s), "any") == 0)
		return false;
	w->of = (uint8_t)word;
	return true;
}

/* The protocols that the group gives must have what `row` asks for. Announced ones will. */
static void agree(struct kd_when_reader *r, const struct kd_when_row *row, const config_setting_t *s)
{
	for (int i = 0; i < KD_PROTOCOL_COUNT; i++)
		if ((r->protocols & ~row->naming) >> i & 1)
			kd_schema_error(r->book, s, NULL, "protocol \"%s\" has no \"%s\"",
				kd_protocols[i]->name, row->name);
}

bool kd_when_name(
	struct kd_when_reader *r, const struct kd_when_row *row, const config_setting_t *s, struct kd_when *w)
{
	agree(r, row, s);
	w->mask = r->protocol_given ? row->naming & r->protocols : row->naming;
	imply(r, w->mask);
	kd_term_read(r->book, s, &w->names);
	return w->names.own.count > 0 || w->names.nlists > 0;
}

bool kd_when_address(
	struct kd_when_reader *r, const struct kd_when_row *row, const config_setting_t *s, struct kd_when *w)
{
	(void)row;
	kd_address_read(r->book, s, &w->addresses);
	return w->addresses.ntags > 0 || w->addresses.nown > 0;
}

bool kd_when_spans(
	struct kd_when_reader *r, const struct kd_when_row *row, const config_setting_t *s, struct kd_when *w)
{
	struct kd_span found[KD_VALUE_SPANS];
	char buf[KD_SCALAR_TEXT];
	struct kd_fault fault;

	for (unsigned int i = 0; i < kd_schema_count(s); i++) {
		const config_setting_t *e = kd_schema_element(s, i);
		const char *text = kd_scalar_text(e, buf);
		int n;

		if (kd_schema_cut(r->book, e))
			continue;
		n = row->value(found, row->words, text, strlen(text), &fault);
		if (n < 0)
			kd_schema_fault(r->book, e, &fault);
		for (int k = 0; k < n; k++) {
			w->spans = kd_arena_grow(r->book->arena, w->spans, w->nspans, sizeof(*w->spans));
			if (w->spans == NULL) {
				r->book->no_memory = true;
				w->nspans = 0;
				return false;
			}
			w->spans[w->nspans++] = found[k];
		}
	}
	w->nspans = kd_spans_tidy(w->spans, w->nspans);
	if (w->nspans == 1 && w->spans[0].lo == 0 && w->spans[0].hi == UINT64_MAX)
		kd_schema_error(r->book, s,
			"a list is met by one of its values; both ends are \"100 B..200 B\"",
			"\"%s\" leaves nothing out", row->name);
	return w->nspans > 0;
}

bool kd_when_bytes(
	struct kd_when_reader *r, const struct kd_when_row *row, const config_setting_t *s, struct kd_when *w)
{
	struct kd_fault fault;

	(void)row;
	for (unsigned int i = 0; i < kd_schema_count(s); i++) {
		const config_setting_t *e = kd_schema_element(s, i);
		const char *text = config_setting_get_string(e);
		struct kd_byte_run run;
		int rc = kd_value_bytes(&run, r->book->arena, text, strlen(text), &fault);

		if (rc == -EINVAL) {
			kd_schema_fault(r->book, e, &fault);
			continue;
		}
		w->runs = kd_arena_grow(r->book->arena, w->runs, w->nruns, sizeof(run));
		if (rc < 0 || w->runs == NULL) {
			r->book->no_memory = true;
			w->nruns = 0;
			return false;
		}
		w->runs[w->nruns++] = run;
	}
	return w->nruns > 0;
}

/* Texts of any kind, none of them empty. */
static bool texts(struct kd_when_reader *r, const config_setting_t *s, struct kd_when *w)
{
	for (unsigned int i = 0; i < kd_schema_count(s); i++) {
		const config_setting_t *e = kd_schema_element(s, i);
		const char *text = config_setting_get_string(e);

		if (text[0] == '\0')
			kd_schema_error(r->book, e, NULL, "must not be empty");
		else
			add_word(r->book, w, text);
	}
	return tidy_words(w);
}

bool kd_when_field(
	struct kd_when_reader *r, const struct kd_when_row *row, const config_setting_t *s, struct kd_when *w)
{
	agree(r, row, s);
	imply(r, row->naming);
	w->protocol = row->protocol;
	w->field = row->field;
	return row->value != NULL ? kd_when_spans(r, row, s, w) : texts(r, s, w);
}

bool kd_when_classified(
	struct kd_when_reader *r, const struct kd_when_row *row, const config_setting_t *s, struct kd_when *w)
{
	(void)row;
	(void)w;
	return kd_schema_word(r->book, s, "classification", "none") >= 0;
}

bool kd_when_already(
	struct kd_when_reader *r, const struct kd_when_row *row, const config_setting_t *s, struct kd_when *w)
{
	(void)row;
	return texts(r, s, w);
}

bool kd_when_pairs(
	struct kd_when_reader *r, const struct kd_when_row *row, const config_setting_t *s, struct kd_when *w)
{
	const char *text = config_setting_get_string(s);

	(void)row;
	if (text[0] != '@') {
		kd_schema_error(r->book, s, "expected \"@NAME\", a file of lines NAME PREFIX",
			"\"%.80s\" is not a list", text);
		return false;
	}
	w->pairs = kd_list_get(r->book, s, text + 1, KD_LIST_PAIRS);
	return w->pairs != NULL;
}

bool kd_when_fake(
	struct kd_when_reader *r, const struct kd_when_row *row, const config_setting_t *s, struct kd_when *w)
{
	for (unsigned int i = 0; i < kd_schema_count(s); i++) {
		const config_setting_t *e = kd_schema_element(s, i);
		int word = kd_schema_word(r->book, e, "fake", row->words);

		if (word < 0)
			continue;
		w->mask |= 1ull << word;
		add_word(r->book, w, config_setting_get_string(e));
	}
	return tidy_words(w);
}

static bool positive(
	struct kd_when_reader *r, const config_setting_t *group, const char *key, struct kd_book_number *ret)
{
	const config_setting_t *s = kd_schema_get(group, key, KD_TYPE_STRING);
	char aspect[32];

	snprintf(aspect, sizeof(aspect), "count.%s", key);
	if (s == NULL || !kd_rule_number(r->book, s, aspect, KD_UNIT_DURATION, r->rule, ret))
		return false;
	if (ret->n.lo == 0)
		kd_schema_error(r->book, s, NULL, "\"%.80s\": must be more than 0", ret->text);
	return true;
}

bool kd_when_count(
	struct kd_when_reader *r, const struct kd_when_row *row, const config_setting_t *s, struct kd_when *w)
{
	static const struct kd_key keys[] = {{"key", KD_TYPE_STRINGS, true}, {"window", KD_TYPE_STRING, true},
		{"spacing", KD_TYPE_STRING, false}, {"more_than", KD_TYPE_NUMBER, true}, {NULL, 0, false}};
	const config_setting_t *list = kd_schema_get(s, "key", KD_TYPE_STRINGS), *more;
	char hint[400];

	(void)row;
	kd_schema_check(r->book, s, keys);
	for (unsigned int i = 0; i < kd_schema_count(list); i++) {
		int word = kd_schema_word(r->book, kd_schema_element(list, i), "count key", KD_KEY_WORDS);

		if (word >= 0)
			w->count.keys |= (uint16_t)(1u << word); /* KD_KEY_* are in the order of the words */
	}
	more = kd_schema_get(s, "more_than", KD_TYPE_NUMBER);
	if (more != NULL)
		kd_rule_number(r->book, more, "count.more_than", KD_UNIT_COUNT, r->rule, &w->count.more_than);
	positive(r, s, "window", &w->count.window);
	positive(r, s, "spacing", &w->count.spacing);
	if (r->count != NULL) {
		snprintf(hint, sizeof(hint), "first at %s:%d", r->facts->count->at.file,
			r->facts->count->at.line);
		kd_schema_error(r->book, s, hint, "a rule has one \"count\"");
		return false;
	}
	r->count = s;
	r->facts->count = w;
	return true;
}

bool kd_when_announced(
	struct kd_when_reader *r, const struct kd_when_row *row, const config_setting_t *s, struct kd_when *w)
{
	const bool names = strcmp(row->name, "certificate_name") == 0;
	struct kd_name_term checked;
	bool some = true;

	need(r, "term", row->name);
	if (row->words == NULL)
		some = texts(r, s, w);
	for (unsigned int i = 0; row->words != NULL && i < kd_schema_count(s); i++) {
		const config_setting_t *e = kd_schema_element(s, i);

		if (kd_schema_word(r->book, e, row->name, row->words) >= 0)
			add_word(r->book, w, config_setting_get_string(e));
	}
	if (names && some)
		kd_term_read(r->book, s, &checked);
	return tidy_words(w);
}
