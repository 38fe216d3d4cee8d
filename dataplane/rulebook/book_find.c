/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Which of the things of a book another thing means: a tag by its id, the variant of a rule that a query
 * takes. Rules are few and asked for rarely: no index.
 */
#include "rulebook/book.h"

#include <string.h>

const struct kd_book_tag *kd_book_tag_find(const struct kd_book *book, const char *id)
{
	for (unsigned int i = 0; i < book->ntags; i++)
		if (strcmp(book->tags[i].id, id) == 0)
			return &book->tags[i];
	return NULL;
}

const struct kd_book_rule *kd_book_variant(
	const struct kd_book *book, const struct kd_book_rule *rule, const struct kd_query *query)
{
	struct kd_sample sample = kd_sample_of(query);

	(void)book;
	if (rule->nvariants == 0)
		return rule;
	return &rule->variants[kd_sample_variant(&sample, rule->draw, rule->weights, rule->nvariants)];
}
