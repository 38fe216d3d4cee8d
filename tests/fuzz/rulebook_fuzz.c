/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A whole file of the rulebook's language: read, compiled for the plain box and for a sampled one, and if
 * nothing is wrong with it, an engine runs over a few packets. A file that begins with # is the rulebook of a
 * folder, any other a user's own. What is refused says why and what is accepted says no error; the same file
 * gives the same policy twice and the same actions twice; the engine's books balance. Inputs with @include
 * are left out: they would read other files.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "few_packets.h"
#include "engine/engine.h"
#include "rulebook/book.h"

#define TEXT_MAX 16384
#define SEED 7

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
const char *__lsan_default_suppressions(void);
const char *__lsan_default_options(void);

/* libconfig 1.5 forgets its strings at a syntax error. */
const char *__lsan_default_suppressions(void)
{
	return "leak:libconfig\n";
}

const char *__lsan_default_options(void)
{
	return "print_suppressions=0";
}

/* ---- the folder: small lists, a claim, its source, and the input as its only rulebook ---- */

static char dir[64], text[96], sampled[100];
static int text_fd = -1;

#define CLAIM(id)                                                                                            \
	"{ id = \"" id "\"; source = \"one2022\"; date = \"2022-01\"; tag = \"P\"; grade = \"measured\"; "   \
	"read = \"primary\"; text = \"x\"; }"

static const struct {
	const char *name, *content; /* NULL: a folder */
} files[] = {
	{"lists", NULL},
	{"rulebook", NULL},
	{"lists/names.txt", "listed.example\n^one.example\n*.two.example\n"},
	{"lists/prefixes.txt", "198.18.20.0/24\n2001:db8:20::/48\n"},
	{"lists/pairs.txt", "listed.example 198.18.20.0/24\n"},
	{"sources.bib", "@article{one2022,\n title = {One},\n author = {Some One},\n year = {2022},\n"
			" url = {https://example.org/one}\n}\n"},
	{"claims.cfg", "claims = ( " CLAIM("X") ", " CLAIM("X-THR-2021") " );\n"},
};
#define FILES (sizeof(files) / sizeof(files[0]))

static void path_to(char *buf, size_t room, const char *name)
{
	must(snprintf(buf, room, "%s/%s", dir, name) < (int)room);
}

static void drop_folder(void)
{
	char path[96];

	unlink(text);
	for (size_t i = FILES; i > 0; i--) {
		path_to(path, sizeof(path), files[i - 1].name);
		must((files[i - 1].content != NULL ? unlink(path) : rmdir(path)) == 0);
	}
	rmdir(dir);
}

static void make_folder(void)
{
	char path[96];

	snprintf(dir, sizeof(dir), "%s/kordon-fuzz-XXXXXX",
		access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
	must(mkdtemp(dir) != NULL);
	atexit(drop_folder);
	for (size_t i = 0; i < FILES; i++) {
		FILE *f;

		path_to(path, sizeof(path), files[i].name);
		if (files[i].content == NULL) {
			must(mkdir(path, 0755) == 0);
			continue;
		}
		f = fopen(path, "w");
		must(f != NULL && fputs(files[i].content, f) >= 0 && fclose(f) == 0);
	}
	path_to(text, sizeof(text), "rulebook/text.cfg");
	snprintf(sampled, sizeof(sampled), "%s~3", text);
	text_fd = memfd_create("text", MFD_CLOEXEC);
	must(text_fd >= 0);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", text_fd);
	must(symlink(path, text) == 0);
}

static void put_text(const uint8_t *data, size_t size)
{
	must(ftruncate(text_fd, 0) == 0);
	must(size == 0 || pwrite(text_fd, data, size, 0) == (ssize_t)size);
}

/* ---- the engine ---- */

/* FNV-1a. */
static uint64_t mix(uint64_t h, const void *bytes, size_t len)
{
	for (size_t i = 0; i < len; i++)
		h = (h ^ ((const uint8_t *)bytes)[i]) * 0x100000001b3;
	return h;
}

static uint64_t check_actions(const struct kd_policy *policy, const struct kd_out *out, uint64_t h)
{
	for (uint32_t i = 0; i < out->count; i++) {
		const struct kd_action *a = &out->actions[i];

		must(a->fate < KD_FATE_COUNT && a->reason != KD_REASON_NONE && a->reason < KD_REASON_COUNT);
		must(a->rule <= policy->nrules && a->side <= KD_OUTSIDE);
		h = mix(h, &a->fate, 1);
		h = mix(h, &a->rule, sizeof(a->rule));
		h = mix(h, &a->reason, sizeof(a->reason));
		h = mix(h, &a->time_ns, sizeof(a->time_ns));
		h = mix(h, a->data, a->len);
	}
	return h;
}

static void drain(struct kd_engine *e, const struct kd_policy *policy)
{
	struct kd_event events[16];
	unsigned int n;

	while ((n = kd_engine_events(e, events, 16)) > 0)
		for (unsigned int i = 0; i < n; i++)
			must(events[i].rule <= policy->nrules);
}

/* One packet a burst; what became of them. */
static uint64_t run(struct kd_engine *e, const struct kd_policy *policy)
{
	const struct kd_counters *count = kd_engine_counters(e);
	struct kd_action actions[KD_ACTIONS_PER_PKT];
	struct kd_out out = {.actions = actions, .room = KD_ACTIONS_PER_PKT};
	uint64_t h = 0xcbf29ce484222325;

	for (unsigned int i = 0; i < nframes; i++) {
		const struct frame *f = &frames[i];
		uint8_t *copy = malloc(f->n);
		struct kd_pkt pkt = {.data = copy,
			.len = (uint32_t)f->n,
			.wire_len = (uint32_t)f->n,
			.link = KD_LINK_RAW,
			.side = (uint8_t)f->side,
			.time_ns = f->at_ns,
			.number = i + 1,
			.handle = copy};

		must(copy != NULL);
		memcpy(copy, f->b, f->n);
		kd_engine_burst(e, &pkt, 1, &out);
		h = check_actions(policy, &out, h);
		drain(e, policy);
		must(kd_counters_unbalanced(count) == NULL);
		must(count->held == 0); /* no mechanism keeps a packet */
		free(copy);
	}
	while (kd_engine_finish(e) != 0)
		drain(e, policy);
	drain(e, policy);
	must(count->in[KD_INSIDE] + count->in[KD_OUTSIDE] == nframes && count->flows_live == 0);
	must(kd_counters_unbalanced(count) == NULL);
	return h;
}

static void try_engine(const struct kd_policy *policy)
{
	struct kd_engine_config config = KD_ENGINE_CONFIG_DEFAULT;
	struct kd_engine *e;
	uint64_t first;

	config.policy = policy;
	config.flows4_max = 32;
	config.flows6_max = 1;
	config.events_max = 64;
	config.counts_max = 32;
	must(kd_engine_new(&e, &config) == 0);
	first = run(e, policy);
	kd_engine_reset(e);
	must(run(e, policy) == first);
	kd_engine_free(e);
}

/* ---- the file ---- */

static void check_diags(const struct kd_diags *d)
{
	unsigned int errors = 0;

	for (unsigned int i = 0; i < d->count; i++) {
		must(d->list[i].message != NULL && d->list[i].message[0] != '\0' && d->list[i].line >= 0);
		errors += d->list[i].level == KD_DIAG_ERROR;
	}
	must(errors == d->errors && d->count - errors == d->warnings);
}

/* The policy for a box; NULL when there is an error more. */
static struct kd_policy *compile(const struct kd_book *book, const struct kd_query *asked, uint32_t sample)
{
	struct kd_query query = *asked;
	unsigned int before = book->diags->errors;
	struct kd_policy *policy = NULL;
	int rc;

	query.seed = SEED;
	query.sample = sample;
	rc = kd_book_compile(&policy, book, &query, "text.cfg", NULL, false);
	must((rc == 0) == (policy != NULL) && (rc == 0) == (book->diags->errors == before));
	return policy;
}

/* By the front door, all over again: the sampled box is the one that was compiled. */
static void try_again(bool own, const struct kd_policy *before)
{
	const struct kd_policy_request request = {
		.profile = own ? sampled : "tspu@2024-06-15/home~3", .dir = dir, .seed = SEED};
	struct kd_policy *policy = NULL;
	struct kd_diags diags = {0};
	int rc = kd_policy_load(&policy, &request, &diags);

	check_diags(&diags);
	must((rc == 0) == (diags.errors == 0) && (rc == 0) == (before != NULL));
	if (rc == 0) {
		must(strlen(policy->hash) == 64 && strcmp(policy->hash, before->hash) == 0);
		kd_policy_free(policy);
	}
	kd_diags_free(&diags);
}

static void try_file(bool own)
{
	struct kd_policy *plain, *drawn;
	struct kd_query query = {0};
	struct kd_diags diags = {0};
	struct kd_book *book;
	unsigned int wrong;

	must(kd_book_load(&book, dir, own ? text : NULL, &diags) == 0);
	if (!own) {
		char *name = kd_book_query(book, "tspu@2024-06-15/home", &query);

		must(name != NULL);
		free(name);
	}
	wrong = diags.errors;
	plain = compile(book, &query, 0);
	drawn = compile(book, &query, 3);
	kd_book_free(book);
	check_diags(&diags);
	kd_diags_free(&diags);
	try_again(own, wrong == 0 ? drawn : NULL);
	if (wrong == 0 && plain != NULL)
		try_engine(plain);
	if (wrong == 0 && drawn != NULL)
		try_engine(drawn);
	kd_policy_free(plain);
	kd_policy_free(drawn);
}

static bool includes(const uint8_t *data, size_t size)
{
	for (size_t i = 0; i + 8 <= size; i++)
		if (strncasecmp((const char *)data + i, "@include", 8) == 0)
			return true;
	return false;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size > TEXT_MAX || includes(data, size))
		return 0;
	if (text_fd < 0) {
		make_folder();
		make_frames();
	}
	put_text(data, size);
	try_file(size == 0 || data[0] != '#');
	return 0;
}
