/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Writes a canonical text of what was compiled into SHA-256. Names of protocols, options and settings stand
 * in it, never their numbers, which move when a list grows.
 */
#include "rulebook/fingerprint.h"

#include "rulebook/setting.h"

#include "engine/protocol.h"

#include <errno.h>
#include <inttypes.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>

struct hasher {
	EVP_MD_CTX *ctx;
	bool failed;
};

static void put(struct hasher *h, const char *text)
{
	/* With its end, so that neighbours cannot trade letters. */
	if (text == NULL)
		text = "-";
	if (EVP_DigestUpdate(h->ctx, text, strlen(text) + 1) != 1)
		h->failed = true;
}

static void put_number(struct hasher *h, uint64_t v)
{
	char text[24];

	snprintf(text, sizeof(text), "%" PRIu64, v);
	put(h, text);
}

static void put_rule(struct hasher *h, const struct kd_book *book, const struct kd_book_rule *r)
{
	put(h, "rule");
	put(h, r->id);
	put(h, r->scope.since_text);
	put(h, r->scope.until_text);
	put(h, kd_phase_name(r->phase));
	put_number(h, r->opened_from);
	put_number(h, r->from);
	for (int i = 0; i < KD_PROTOCOL_COUNT; i++)
		if (r->protocols >> i & 1)
			put(h, kd_protocols[i]->name);
	put(h, r->name_key);
	for (unsigned int i = 0; i < r->names.count; i++)
		put(h, r->names.names[i].text);
	put(h, r->signature != 0 ? book->signatures[r->signature - 1].id : NULL);
	put(h, r->mechanism);
	put(h, r->then);
	put(h, r->pending);
	put_number(h, r->residual_ns);
	put_number(h, r->miss);
	for (unsigned int p = 0; p < KD_PART_COUNT; p++) {
		put(h, kd_grade_name(r->evidence.grade[p]));
		put(h, r->evidence.claims[p]);
	}
}

int kd_fingerprint(char ret[65], const struct kd_book *book, const struct kd_book_rule *const *picked,
	const struct kd_policy *policy)
{
	unsigned char digest[EVP_MAX_MD_SIZE];
	struct hasher h = {.ctx = EVP_MD_CTX_new()};
	unsigned int len = 0;
	uint64_t value;

	if (h.ctx == NULL)
		return -ENOMEM;
	if (EVP_DigestInit_ex(h.ctx, EVP_sha256(), NULL) != 1)
		h.failed = true;
	put(&h, "kordon policy 1");
	for (uint32_t i = 1; i <= policy->nrules; i++)
		put_rule(&h, book, picked[i]);
	for (unsigned int i = 0; i < book->nsignatures; i++) {
		put(&h, "signature");
		put(&h, book->signatures[i].id);
		put(&h, book->signatures[i].pattern);
		put_number(&h, book->signatures[i].transports);
	}
	for (unsigned int i = 0; i < KD_SETTING_COUNT; i++) {
		memcpy(&value, (const char *)&policy->settings + kd_setting_rows[i].offset, sizeof(value));
		put(&h, kd_setting_rows[i].key);
		put_number(&h, value);
	}
	if (EVP_DigestFinal_ex(h.ctx, digest, &len) != 1 || len != 32)
		h.failed = true;
	EVP_MD_CTX_free(h.ctx);
	if (h.failed)
		return -ENOMEM;
	for (unsigned int i = 0; i < 32; i++)
		snprintf(ret + 2 * i, 3, "%02x", digest[i]);
	return 0;
}
