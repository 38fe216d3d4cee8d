/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The numbers that entries state, and what they wait for. `pending` has to name exactly the things an entry
 * uses that do not exist yet: one that is not named would let a reader believe that it works, one too many
 * would outlive its reason. Which things do not exist is the business of announced.c.
 */
#include "rulebook/rule.h"

#include "engine/knob.h"
#include "engine/mechanism.h"
#include "engine/protocol.h"
#include "rulebook/announced.h"
#include "rulebook/setting.h"
#include "rulebook/units.h"

#include <stdio.h>
#include <string.h>

const char *kd_scalar_text(const config_setting_t *s, char buf[KD_SCALAR_TEXT])
{
	switch (config_setting_type(s)) {
	case CONFIG_TYPE_STRING:
		return config_setting_get_string(s);
	case CONFIG_TYPE_INT:
	case CONFIG_TYPE_INT64:
		snprintf(buf, KD_SCALAR_TEXT, "%lld", config_setting_get_int64(s));
		return buf;
	case CONFIG_TYPE_BOOL:
		return config_setting_get_bool(s) ? "true" : "false";
	default:
		snprintf(buf, KD_SCALAR_TEXT, "%g", config_setting_get_float(s));
		return buf;
	}
}

bool kd_number_read(struct kd_book *book, const config_setting_t *setting, const char *key, unsigned int kind,
	struct kd_book_number *ret)
{
	char buf[KD_SCALAR_TEXT];
	const char *text = kd_scalar_text(setting, buf);
	struct kd_book_number n = {.kind = (uint8_t)kind};
	struct kd_fault fault;

	memset(ret, 0, sizeof(*ret));
	ret->kind = (uint8_t)kind;
	if (kd_schema_cut(book, setting))
		return false;
	if (kd_units_parse(&n.n, kind, text, strlen(text), &fault) < 0) {
		kd_schema_fault(book, setting, &fault);
		return false;
	}
	n.key = kd_schema_keep(book, key);
	n.text = kd_schema_keep(book, text);
	if (n.key == NULL || n.text == NULL)
		return false;
	*ret = n;
	return true;
}

bool kd_flap_lasts(struct kd_book *book, const config_setting_t *setting, const struct kd_book_number *flap)
{
	if (flap->n.lo > 0 && flap->n.value > 0)
		return true;
	kd_schema_error(
		book, setting, "expected a time such as \"30 min (10 min..40 min)\"", "a flap of no time");
	return false;
}

bool kd_rule_number(struct kd_book *book, const config_setting_t *setting, const char *key, unsigned int kind,
	struct kd_book_rule *rule, struct kd_book_number *ret)
{
	if (!kd_number_read(book, setting, key, kind, ret)) {
		rule->ranged = true; /* said once is enough */
		return false;
	}
	rule->numbers_given = true;
	rule->ranged = rule->ranged || ret->n.ranged;
	rule->unranged = rule->unranged || !ret->n.ranged;
	rule->numbers = kd_arena_grow(book->arena, rule->numbers, rule->nnumbers, sizeof(*ret));
	if (rule->numbers == NULL) {
		book->no_memory = true;
		rule->nnumbers = 0;
		memset(ret, 0, sizeof(*ret));
		return false;
	}
	rule->numbers[rule->nnumbers++] = *ret;
	return true;
}

static bool has(const struct kd_needs *needs, const char *what)
{
	for (unsigned int i = 0; i < needs->n; i++)
		if (strcmp(needs->what[i], what) == 0)
			return true;
	return false;
}

void kd_needs_add(struct kd_book *book, struct kd_needs *needs, const char *what, bool inert)
{
	const char *copy;

	needs->inert = needs->inert || inert;
	if (has(needs, what))
		return;
	copy = kd_schema_keep(book, what);
	needs->what = kd_arena_grow(book->arena, needs->what, needs->n, sizeof(*needs->what));
	if (copy == NULL || needs->what == NULL) {
		book->no_memory = true;
		needs->n = 0;
		return;
	}
	needs->what[needs->n++] = copy;
}

void kd_rule_need(struct kd_book *book, struct kd_book_rule *rule, const char *what, bool inert)
{
	kd_needs_add(book, &rule->needs, what, inert);
}

int kd_protocol_word(
	struct kd_book *book, const config_setting_t *setting, const char *noun, const char *more)
{
	const char *name = config_setting_get_string(setting);
	int found = kd_protocol_find(name);
	const struct kd_announced *row = kd_announced_find(kd_announced_protocols, name);
	char coming[512], words[1024];
	size_t len;

	if (found >= 0)
		return found;
	if (row != NULL)
		return KD_PROTOCOL_COUNT + (int)(row - kd_announced_protocols);
	kd_announced_words(coming, sizeof(coming), kd_announced_protocols);
	len = (size_t)snprintf(words, sizeof(words), "%s", more);
	for (int i = 0; i < KD_PROTOCOL_COUNT && len < sizeof(words); i++)
		len += (size_t)snprintf(words + len, sizeof(words) - len, "%s|", kd_protocols[i]->name);
	if (len < sizeof(words))
		snprintf(words + len, sizeof(words) - len, "%s", coming);
	kd_schema_unknown(book, setting, noun, name, words);
	return -1;
}

static bool mechanism_there(const char *name)
{
	return kd_mechanism_find(name) >= 0;
}

static bool protocol_there(const char *name)
{
	return kd_protocol_find(name) >= 0;
}

static bool setting_there(const char *name)
{
	for (int i = 0; i < KD_SETTING_COUNT; i++)
		if (strcmp(kd_setting_rows[i].key, name) == 0)
			return true;
	return false;
}

static bool knob_there(const char *name)
{
	return kd_knob_find(name, strlen(name)) >= 0;
}

/* Of mechanisms, `then`, residuals and paths nothing is announced any more. */
static const struct kd_announced nothing[] = {{NULL, 0, NULL, NULL}};

/* What may be waited for. `there`: what exists by that kind; or words that are in use. */
static const struct kind {
	const char *name;
	const struct kd_announced *rows;
	bool (*there)(const char *name);
	const char *words;
} kinds[] = {
	{"mechanism", nothing, mechanism_there, ""},
	{"protocol", kd_announced_protocols, protocol_there, ""},
	{"term", kd_announced_terms, NULL,
		"protocol|transport|signature|sni|host|opened_from|from|to|by|either|to_port|by_port|either_"
		"port|"
		"length|bytes|nth|classified|already|count|hours|pairs|all|any|not"},
	{"then", nothing, NULL, "mechanism|allow|after|share|delay_before|scope"},
	{"residual", nothing, NULL,
		"key|time|4-tuple|3-tuple|pair|address|address:port|prefix|tag|protocols|for|restart|publish_"
		"after"},
	{"knob", kd_announced_knobs, knob_there, ""},
	{"setting", kd_announced_settings, setting_there, ""},
	{"path", nothing, NULL, "boxes"},
};

#define KINDS (sizeof(kinds) / sizeof(kinds[0]))
#define EXPECTED                                                                                             \
	"expected mechanism:NAME, protocol:NAME, term:NAME, then:NAME, residual:NAME, knob:NAME or "         \
	"setting:NAME"

static bool word_there(const char *words, const char *word)
{
	size_t len = strlen(word), n;

	for (const char *w = words; *w != '\0'; w += n + (w[n] == '|')) {
		n = strcspn(w, "|");
		if (n == len && memcmp(w, word, n) == 0)
			return true;
	}
	return false;
}

static const struct kind *kind_of(const char *text, const char **ret_name)
{
	for (unsigned int i = 0; i < KINDS; i++) {
		size_t len = strlen(kinds[i].name);

		if (strncmp(text, kinds[i].name, len) != 0 || text[len] != ':' || text[len + 1] == '\0')
			continue;
		*ret_name = text + len + 1;
		return &kinds[i];
	}
	return NULL;
}

/* An entry of `pending` that the needs do not have. */
static void superfluous(struct kd_book *book, const config_setting_t *e, bool alone)
{
	const char *text = config_setting_get_string(e), *name,
		   *out = alone ? "take the line out" : "take it out";
	const struct kind *k = kind_of(text, &name);
	char words[1024], noun[64];

	if (k == NULL) {
		kd_schema_error(book, e, EXPECTED, "\"%.80s\" cannot be waited for", text);
	} else if (kd_announced_find(k->rows, name) != NULL) {
		kd_schema_error(
			book, e, out, "pending on %s \"%.80s\", which is not used here", k->name, name);
	} else if ((k->there != NULL && k->there(name)) || word_there(k->words, name)) {
		kd_schema_error(book, e, out, "pending on %s \"%.80s\", which exists", k->name, name);
	} else {
		kd_announced_words(words, sizeof(words), k->rows);
		snprintf(noun, sizeof(noun), "%s to wait for", k->name);
		kd_schema_unknown(book, e, noun, name, words);
	}
}

bool kd_pending_has(const config_setting_t *pending, const char *what)
{
	for (unsigned int i = 0; i < kd_schema_count(pending); i++)
		if (strcmp(config_setting_get_string(kd_schema_element(pending, i)), what) == 0)
			return true;
	return false;
}

/* Whether it names a mechanism that nobody announced, of which nothing else is said. */
static bool unknown_mechanism(const char *text)
{
	const char *name;
	const struct kind *k = kind_of(text, &name);

	return k != NULL && k->there == mechanism_there && kd_announced_find(k->rows, name) == NULL &&
	       !mechanism_there(name);
}

/* 'mechanism "police", then "after"', and what to write: all of the needs. False: nothing is missing. */
static bool missing(struct kd_book *book, const config_setting_t *at, const config_setting_t *pending,
	const struct kd_needs *needs)
{
	char what[400] = "", hint[600];
	size_t len = 0, hint_len;
	unsigned int n = 0;

	hint_len = (size_t)snprintf(hint, sizeof(hint), "write pending = %s", needs->n > 1 ? "[ " : "");
	for (unsigned int i = 0; i < needs->n; i++) {
		const char *text = needs->what[i], *name = text;
		const struct kind *k = kind_of(text, &name);

		if (hint_len < sizeof(hint))
			hint_len += (size_t)snprintf(hint + hint_len, sizeof(hint) - hint_len, "%s\"%s\"",
				i > 0 ? ", " : "", text);
		if (kd_pending_has(pending, text))
			continue;
		if (len < sizeof(what))
			len += (size_t)snprintf(what + len, sizeof(what) - len, "%s%s%s\"%s\"",
				n > 0 ? ", " : "", k != NULL ? k->name : "", k != NULL ? " " : "", name);
		n++;
	}
	if (n == 0)
		return false;
	if (needs->n > 1 && hint_len < sizeof(hint))
		snprintf(hint + hint_len, sizeof(hint) - hint_len, " ]");
	kd_schema_error(book, pending != NULL ? pending : at, hint, "%s do%s not exist yet", what,
		n == 1 ? "es" : "");
	return true;
}

void kd_pending_read(struct kd_book *book, const config_setting_t *group, const struct kd_needs *needs,
	const char **ret_text, bool *ret_inert)
{
	const config_setting_t *pending = kd_schema_get(group, "pending", KD_TYPE_STRINGS);
	const char *joined = NULL;
	/* Then it says all that is to be written, in the place of whatever is. */
	bool told = missing(book, group, pending, needs);

	for (unsigned int i = 0; i < kd_schema_count(pending); i++) {
		const config_setting_t *e = kd_schema_element(pending, i);
		const char *text = config_setting_get_string(e);
		bool twice = false;

		for (unsigned int j = 0; j < i; j++)
			twice = twice ||
				strcmp(config_setting_get_string(kd_schema_element(pending, j)), text) == 0;
		if (told && !unknown_mechanism(text))
			; /* what it should be was said */
		else if (twice)
			kd_schema_error(book, e, NULL, "\"%.80s\" stands here twice", text);
		else if (!has(needs, text))
			superfluous(book, e, e == pending);
		joined = joined == NULL ? kd_schema_keep(book, text)
					: kd_arena_printf(book->arena, "%s, %s", joined, text);
		if (joined == NULL) {
			book->no_memory = true;
			return;
		}
	}
	*ret_text = joined;
	if (ret_inert != NULL)
		*ret_inert = needs->inert;
}
