/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What only the whole book can show: a rule that an earlier one always forestalls, a claim that nothing rests
 * on, a built-in number whose claim is missing.
 */
#include "rulebook/claims.h"
#include "rulebook/schema.h"
#include "rulebook/setting.h"
#include "rulebook/term.h"

#include <stdio.h>
#include <string.h>

static bool same_days(const struct kd_book *book, const struct kd_scope *a, const struct kd_scope *b)
{
	if (book->own != NULL)
		return true;
	return a->since < b->until && b->since < a->until && (a->networks & b->networks) != 0;
}

static bool same_match(const struct kd_book_rule *a, const struct kd_book_rule *b)
{
	return a->protocols == b->protocols && a->opened_from == b->opened_from && a->from == b->from &&
	       a->signature == b->signature && (a->name_key == NULL) == (b->name_key == NULL) &&
	       kd_term_same(&a->names, &b->names);
}

static void unreachable_rules(struct kd_book *book)
{
	char hint[400];

	for (unsigned int j = 0; j < book->nrules; j++) {
		const struct kd_book_rule *later = &book->rules[j];

		/* What observes is never final, so nothing hides behind it. */
		if (later->phase == KD_PHASE_OBSERVE || later->broken)
			continue;
		for (unsigned int i = 0; i < j; i++) {
			const struct kd_book_rule *first = &book->rules[i];

			if (first->broken || first->phase != later->phase || !same_match(first, later) ||
				!same_days(book, &first->scope, &later->scope))
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

void kd_book_lint(struct kd_book *book)
{
	unreachable_rules(book);
	/* Without any claim the file is missing, which was said; a user's own file owes nothing. */
	if (book->own != NULL || book->nclaims == 0)
		return;
	for (unsigned int i = 0; i < KD_SETTING_COUNT; i++)
		if (strcmp(kd_setting_rows[i].claim, "assumed") != 0 &&
			!kd_claim_use(book, kd_setting_rows[i].claim))
			kd_diag(book->diags, KD_DIAG_ERROR, NULL, 0, kd_setting_rows[i].key, NULL,
				"its default cites the unknown claim \"%s\"", kd_setting_rows[i].claim);
	for (unsigned int i = 0; i < book->nclaims; i++)
		if (!book->claims[i].used)
			kd_diag(book->diags, KD_DIAG_WARNING, book->claims[i].at.file,
				book->claims[i].at.line, book->claims[i].at.path, NULL, "unused claim \"%s\"",
				book->claims[i].id);
}
