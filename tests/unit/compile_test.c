/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What a query makes of a book beyond picking days: logic of `when`, boxes and paths, misses, else, allows,
 * tags with and without their real prefixes, knobs, numbers of mechanisms. Each test writes the rulebook it
 * needs. Sampled boxes are ensemble_test.c's.
 */
#include "compile_rig.h"

#include <arpa/inet.h>

#include "engine/engine.h"
#include "engine/protocol.h"
#include "rulebook/book.h"
#include "rulebook/list.h"

struct packet {
	unsigned int transport; /* KD_TRANSPORT_* */
	unsigned int from, port, length;
};

static bool in_spans(const struct kd_term *t, uint64_t v)
{
	for (unsigned int i = 0; i < t->n; i++)
		if (t->spans[i].lo <= v && v <= t->spans[i].hi)
			return true;
	return false;
}

/* A tiny engine: as many kinds of terms as the test uses. */
static bool takes(const struct kd_policy *p, const char *id, struct packet packet)
{
	uint16_t at = rule(p, id)->first_term;

	while (at < KD_TERM_FALSE) {
		const struct kd_term *t = &p->terms[at];
		bool yes = false;

		switch (t->kind) {
		case KD_TERM_TRANSPORT:
			yes = (t->mask & packet.transport) != 0;
			break;
		case KD_TERM_FROM:
			yes = t->of == packet.from;
			break;
		case KD_TERM_PORT:
			yes = in_spans(t, packet.port);
			break;
		case KD_TERM_LENGTH:
			yes = in_spans(t, packet.length);
			break;
		case KD_TERM_NEVER:
			break;
		default:
			fail_msg("term %d", t->kind);
		}
		at = yes ? t->on_true : t->on_false;
	}
	return at == KD_TERM_TRUE;
}

static void logic(void **state)
{
	const char *const text =
		"rules = (\n"
		"{ id = \"all\"; phase = \"protocol\"; when = { transport = \"udp\"; from = \"inside\"; "
		"};" DROP "},\n"
		"{ id = \"any\"; phase = \"protocol\"; when = { any = ( { transport = \"tcp\"; to_port = "
		"443; },\n"
		"  { transport = \"udp\"; to_port = \"50000-50100\"; } ); };" DROP "},\n"
		"{ id = \"not\"; phase = \"protocol\"; when = { transport = \"udp\"; not = { to_port = [ "
		"\"53\", \"443\" ]; };\n"
		"  };" DROP "},\n"
		"{ id = \"neither\"; phase = \"protocol\"; when = { not = { transport = \"udp\"; to_port = "
		"53; }; };" DROP "},\n"
		"{ id = \"nested\"; phase = \"protocol\"; when = { all = ( { any = ( { transport = \"tcp\"; "
		"}, { from = \"outside\"; } ); },\n"
		"  { not = { any = ( { to_port = 1; }, { length = \">= 1001 B\"; } ); }; } ); };" DROP "},\n"
		"{ id = \"waits\"; phase = \"protocol\"; when = { transport = \"udp\"; ja4 = \"x\"; };" DROP
		"  pending = \"term:ja4\"; } );\n";
	struct kd_policy *p;
	char *path = in_dir("own.cfg");

	(void)state;
	write_file("own.cfg", text);
	p = load(path);
	free(path);
	for (unsigned int i = 0; i < 2 * 2 * 4 * 2; i++) {
		static const unsigned int ports[] = {53, 443, 50050, 1};
		const bool udp = (i & 1) != 0, outside = (i & 2) != 0, large = (i & 16) != 0;
		const unsigned int port = ports[i >> 2 & 3];
		const struct packet k = {udp ? KD_TRANSPORT_UDP : KD_TRANSPORT_TCP,
			outside ? KD_OUTSIDE : KD_INSIDE, port, large ? 1001 : 1000};

		assert_int_equal(takes(p, "all", k), udp && !outside);
		assert_int_equal(takes(p, "any", k), udp ? port == 50050 : port == 443);
		assert_int_equal(takes(p, "not", k), udp && port != 53 && port != 443);
		assert_int_equal(takes(p, "neither", k), !(udp && port == 53));
		assert_int_equal(takes(p, "nested", k), (!udp || outside) && port != 1 && !large);
		assert_false(takes(p, "waits", k));
	}
	assert_false(rule(p, "waits")->inert);
	assert_string_equal(rule(p, "waits")->pending, "term:ja4");
	kd_policy_free(p);
}

static const struct kd_term *last_term(const struct kd_policy *p, const char *id, unsigned int kind)
{
	const struct kd_term *t = &p->terms[rule(p, id)->first_term];

	while (t->kind != kind)
		t = &p->terms[t->on_true];
	return t;
}

static void shared_sets(void **state)
{
	struct kd_policy *p;

	(void)state;
	write_file("lists/n.txt", "c.example\n");
	write_file("rulebook/x.cfg",
		"tags = { cloud = { lab = [ \"198.18.16.0/24\" ]; evidence = { match = \"X-THR-2021\"; }; }; "
		"};\n"
		"rules = (\n"
		"{ id = \"a\"; phase = \"names-blocked\"; since = \"2022-01-01\"; when = { sni = [ "
		"\"a.example\", \"@n\" ];\n"
		"  to = [ \"@cloud\", \"192.0.2.0/24\" ]; };" DROP EVIDENCE "},\n"
		"{ id = \"b\"; phase = \"names-blocked\"; since = \"2022-01-01\"; when = { host = [ \"@n\", "
		"\"a.example\" ];\n"
		"  by = [ \"192.0.2.0/24\", \"@cloud\" ]; };" DROP EVIDENCE "},\n"
		"{ id = \"c\"; phase = \"names-blocked\"; since = \"2022-01-01\"; when = { sni = "
		"\"a.example\";\n"
		"  to = [ \"@cloud\" ]; };" DROP EVIDENCE "} );\n");
	p = load("tspu@2022-02-01");
	assert_int_equal(last_term(p, "a", KD_TERM_NAME)->set, last_term(p, "b", KD_TERM_NAME)->set);
	assert_int_not_equal(last_term(p, "a", KD_TERM_NAME)->set, last_term(p, "c", KD_TERM_NAME)->set);
	assert_int_equal(last_term(p, "a", KD_TERM_ADDRESS)->set, last_term(p, "b", KD_TERM_ADDRESS)->set);
	assert_int_equal(last_term(p, "b", KD_TERM_ADDRESS)->of, KD_END_BY);
	assert_int_not_equal(
		last_term(p, "a", KD_TERM_ADDRESS)->set, last_term(p, "c", KD_TERM_ADDRESS)->set);
	kd_policy_free(p);
}

#define BOXES                                                                                                \
	"boxes = ( { id = \"near\"; sees = \"upstream\"; phases = [ \"names-blocked\", \"default\" ]; "      \
	"protocols = [ \"tls\" ]; },\n  { id = \"far\"; } );\n"                                              \
	"paths = ( { id = \"p-mobile\"; boxes = [ \"near\" ]; where = { network = \"mobile\"; }; },\n"       \
	"  { id = \"p-rest\"; boxes = [ \"far\" ]; } );\n"                                                   \
	"isps = ( { id = \"one\"; }, { id = \"two\"; } );\n"                                                 \
	"rules = (\n"                                                                                        \
	"{ id = \"all-else\"; default = \"deny\"; since = \"2022-01-01\";" EVIDENCE "},\n"                   \
	"{ id = \"early\"; phase = \"addresses\"; since = \"2022-01-01\"; when = { };" DROP EVIDENCE         \
	"else = \"name\"; },\n"                                                                              \
	"{ id = \"name\"; phase = \"names-blocked\"; since = \"2022-01-01\"; when = { sni = \"a.example\"; " \
	"};" DROP EVIDENCE "\n  miss = ( { value = \"50 %\"; where = { isp = \"two\"; }; }, { value = \"25 " \
	"%\"; } ); else = \"far-only\"; },\n"                                                                \
	"{ id = \"far-only\"; phase = \"names-blocked\"; since = \"2022-01-01\"; where = { box = \"far\"; "  \
	"}; when = { sni = \"b.example\"; };" DROP EVIDENCE "} );\n"

static void boxes(void **state)
{
	const struct kd_policy_request second = {.box = 1};
	struct kd_policy *p;

	(void)state;
	write_file("rulebook/x.cfg", "rules = ( );\n");
	p = load("tspu@2022-02-01/mobile"); /* nothing said: one box that sees all */
	assert_string_equal(p->box.id, "box");
	assert_int_equal(p->box.sees, KD_SEES_BOTH);
	assert_int_equal(p->box.of, 1);
	assert_true(p->box.protocols == UINT64_MAX);
	kd_policy_free(p);
	write_file("rulebook/x.cfg", BOXES);
	p = load("tspu@2022-02-01/mobile");
	assert_string_equal(p->box.id, "near");
	assert_int_equal(p->box.sees, KD_SEES_UPSTREAM);
	assert_int_equal(p->box.number, 0);
	assert_int_equal(p->box.of, 1);
	assert_true(p->box.protocols == 1ull << kd_protocol_find("tls"));
	assert_int_equal(p->nrules, 2);
	assert_string_equal(p->rules[1].id, "name");
	assert_string_equal(p->rules[2].id, "all-else");
	assert_int_equal(p->phase_first[KD_PHASE_ADDRESSES], 1);
	assert_int_equal(p->phase_first[KD_PHASE_NAMES_BLOCKED], 1);
	assert_int_equal(p->phase_first[KD_PHASE_PROTOCOL], 2);
	assert_int_equal(p->phase_first[KD_PHASE_DEFAULT], 2);
	assert_int_equal(p->phase_first[KD_PHASE_COUNT], 3);
	assert_int_equal(rule(p, "name")->other, 0); /* not on this box */
	kd_policy_free(p);
	p = load("tspu@2022-02-01/home");
	assert_string_equal(p->box.id, "far");
	assert_int_equal(p->box.sees, KD_SEES_BOTH);
	assert_int_equal(p->nrules, 4);
	assert_string_equal(p->rules[1].id, "early");
	assert_string_equal(p->rules[4].id, "all-else");
	assert_int_equal(rule(p, "all-else")->phase, KD_PHASE_DEFAULT);
	assert_int_equal(rule(p, "all-else")->first_term, KD_TERM_TRUE);
	assert_int_equal(rule(p, "all-else")->mechanism, kd_mechanism_find("drop"));
	assert_int_equal(rule(p, "early")->other, kd_policy_rule_find(p, "name"));
	assert_int_equal(rule(p, "name")->other, kd_policy_rule_find(p, "far-only"));
	kd_policy_free(p);
	load_fails(&second, "tspu@2022-02-01/home", "no box 2 on its path");
}

static void misses(void **state)
{
	static const struct {
		const char *profile;
		uint64_t miss;
	} cases[] = {{"tspu@2022-02-01", 1ull << 62}, {"tspu@2022-02-01/home/one", 1ull << 62},
		{"tspu@2022-02-01/home/two", 1ull << 63}};

	(void)state;
	write_file("rulebook/x.cfg", BOXES);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct kd_policy *p = load(cases[i].profile);

		assert_true(rule(p, "name")->miss == cases[i].miss);
		assert_true(rule(p, "early")->miss == 0);
		kd_policy_free(p);
	}
}

static void phase_names(void **state)
{
	(void)state;
	assert_string_equal(kd_phase_name(KD_PHASE_ADDRESSES), "addresses");
	assert_string_equal(kd_phase_name(KD_PHASE_FALLBACK), "fallback");
	assert_string_equal(kd_phase_name(KD_PHASE_DEFAULT), "default");
	assert_string_equal(kd_phase_name(KD_PHASE_COUNT), "?");
}

static void allows(void **state)
{
	struct kd_policy *p;

	(void)state;
	write_file("rulebook/x.cfg",
		"rules = ( { id = \"free\"; phase = \"names-allowed\"; since = \"2022-01-01\"; when = { sni "
		"= \"a.example\"; };\n"
		"  then = { allow = [ \"names-blocked\", \"default\" ]; };" EVIDENCE "},\n"
		"  { id = \"sees\"; phase = \"observe\"; since = \"2022-01-01\"; when = { already = "
		"\"free\"; }; "
		"evidence = { match = \"X-THR-2021\"; }; } );\n");
	p = load("tspu@2022-02-01");
	assert_int_equal(rule(p, "free")->closes, 1 << KD_PHASE_NAMES_BLOCKED | 1 << KD_PHASE_DEFAULT);
	assert_int_equal(rule(p, "free")->mechanism, KD_MECHANISM_NONE);
	assert_false(rule(p, "free")->inert);
	assert_int_equal(rule(p, "free")->seen_bit, 1);
	assert_int_equal(rule(p, "sees")->mechanism, KD_MECHANISM_NONE);
	assert_int_equal(p->terms[rule(p, "sees")->first_term].mask, kd_policy_rule_find(p, "free"));
	kd_policy_free(p);
}

static bool tagged(const struct kd_policy *p, const char *address)
{
	uint8_t bytes[4];

	assert_int_equal(inet_pton(AF_INET, address, bytes), 1);
	return kd_set_bits_has(
		kd_prefixes_match(p->prefixes, bytes, false), last_term(p, "a", KD_TERM_ADDRESS)->set);
}

#define TAGS(lab)                                                                                            \
	"tags = { cloud = { lab = [ \"" lab                                                                  \
	"\" ]; real = \"lists/real.txt\"; evidence = { match = \"X-THR-2021\"; "                             \
	"}; };\n  unused = { lab = [ \"198.18.99.0/24\" ]; evidence = { match = \"X-THR-2021\"; }; }; };\n"  \
	"rules = ( { id = \"a\"; phase = \"addresses\"; since = \"2022-01-01\"; when = { to = \"@cloud\"; "  \
	"};" DROP EVIDENCE "} );\n"

static void tags(void **state)
{
	const struct kd_policy_request real = {.real = true}, lab = {.real = false};
	struct kd_policy *p, *q;

	(void)state;
	write_file("lists/real.txt", "203.0.113.0/24\n");
	write_file("rulebook/x.cfg", TAGS("198.18.16.0/24"));
	p = load_as(&lab, "tspu@2022-02-01");
	q = load_as(&real, "tspu@2022-02-01");
	assert_true(tagged(p, "198.18.16.1"));
	assert_true(tagged(q, "198.18.16.1"));
	assert_false(tagged(p, "203.0.113.1"));
	assert_true(tagged(q, "203.0.113.1"));
	assert_string_equal(p->hash, q->hash); /* one profile, live and replayed */
	kd_policy_free(q);
	write_file("lists/real.txt", "203.0.113.0/25\n");
	q = load_as(&lab, "tspu@2022-02-01");
	assert_string_not_equal(p->hash, q->hash);
	kd_policy_free(q);
	write_file("lists/real.txt", "203.0.113.0/24\n");
	q = load_as(&lab, "tspu@2022-02-02");
	assert_string_equal(p->hash, q->hash);
	kd_policy_free(q);
	write_file("rulebook/x.cfg", TAGS("198.18.17.0/24"));
	q = load_as(&lab, "tspu@2022-02-01");
	assert_string_not_equal(p->hash, q->hash);
	kd_policy_free(q);
	kd_policy_free(p);
}

#define KNOB(lab)                                                                                            \
	"tags = { cloud = { lab = [ \"" lab "\" ]; real = \"lists/real.txt\"; evidence = { match = "         \
	"\"X-THR-2021\"; }; }; };\nknobs = ( { set = \"tcp.overlap\"; value = \"last\"; to = "               \
	"\"@cloud\"; " EVIDENCE "} );\n"

/* The prefixes of a tag count too when no rule asks for it. */
static void tags_of_knobs(void **state)
{
	static const struct {
		const char *book, *real;
		bool same;
	} cases[] = {{KNOB("198.18.16.0/24"), "203.0.113.0/24\n", true},
		{KNOB("198.18.17.0/24"), "203.0.113.0/24\n", false},
		{KNOB("198.18.16.0/24"), "203.0.113.0/25\n", false}};
	struct kd_policy *p, *q;

	(void)state;
	write_file("rulebook/x.cfg", cases[0].book);
	write_file("lists/real.txt", cases[0].real);
	p = load("tspu@2022-02-01");
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		write_file("rulebook/x.cfg", cases[i].book);
		write_file("lists/real.txt", cases[i].real);
		q = load("tspu@2022-02-01");
		assert_int_equal(strcmp(p->hash, q->hash) == 0, cases[i].same);
		kd_policy_free(q);
	}
	kd_policy_free(p);
}

/* A list long enough for the cache to be worth it, whose last name is given. */
static void write_list(const char *last)
{
	char *path = in_dir("lists/n.txt");
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	for (unsigned int i = 0; i < KD_LIST_LAZY_BYTES / 15; i++)
		fprintf(f, "n%06u.example\n", i);
	fprintf(f, "%s\n", last);
	assert_int_equal(fclose(f), 0);
	free(path);
}

static bool listed(const struct kd_policy *p, const char *name)
{
	struct kd_set_bits bits = {0};

	kd_names_match(p->names, (const uint8_t *)name, strlen(name), &bits);
	return kd_set_bits_has(&bits, last_term(p, "n", KD_TERM_NAME)->set);
}

/* Matchers come from the cache only if they are made of the same lines. */
static void cached(void **state)
{
	char *cache = in_dir("cache"), command[160];
	const struct kd_policy_request lab = {.cache = cache}, real = {.cache = cache, .real = true};
	struct kd_policy *p;

	(void)state;
	write_file("lists/real.txt", "203.0.113.0/24\n");
	write_file("rulebook/x.cfg", "tags = { cloud = { lab = [ \"198.18.16.0/24\" ]; real = "
				     "\"lists/real.txt\"; evidence = { match "
				     "= \"X-THR-2021\"; }; }; };\nrules = (\n"
				     "{ id = \"a\"; phase = \"addresses\"; since = \"2022-01-01\"; when = { "
				     "to = \"@cloud\"; };" DROP EVIDENCE "},\n"
				     "{ id = \"n\"; phase = \"names-blocked\"; since = \"2022-01-01\"; when "
				     "= { sni = \"@n\"; };" DROP EVIDENCE "} );\n");
	write_list("last.example");
	for (unsigned int again = 0; again < 2; again++) {
		p = load_as(&lab, "tspu@2022-02-01");
		assert_int_equal(p->cached != NULL, again);
		assert_true(listed(p, "last.example"));
		assert_true(listed(p, "n000007.example"));
		assert_false(tagged(p, "203.0.113.1"));
		kd_policy_free(p);
	}
	for (unsigned int again = 0; again < 2; again++) {
		p = load_as(&real, "tspu@2022-02-01");
		assert_int_equal(p->cached != NULL, again);
		assert_true(tagged(p, "203.0.113.1"));
		kd_policy_free(p);
	}
	write_list("lost.example");
	p = load_as(&lab, "tspu@2022-02-01");
	assert_null(p->cached);
	assert_false(listed(p, "last.example"));
	assert_true(listed(p, "lost.example"));
	kd_policy_free(p);
	snprintf(command, sizeof(command), "rm -rf '%s'", cache);
	assert_int_equal(system(command), 0);
	free(cache);
}

static void set_knobs(void **state)
{
	struct kd_diags diags = {0};
	const char *const set[] = {"tcp.overlap=last", "tcp.reassemble=off", "tcp.reassemble=in-order", NULL};
	const char *const wrong[] = {"tcp.reassemble=inorder", "tcp.reasemble=off", NULL};
	struct kd_policy_request r = {.profile = "tspu@2022-02-01", .dir = dir};
	struct kd_policy *p = NULL, *q = NULL;

	(void)state;
	write_file("rulebook/x.cfg",
		"knobs = (\n"
		"{ set = \"tcp.reassemble\"; value = \"any-order\"; since = \"2022-01-01\";" EVIDENCE "},\n"
		"{ set = \"tls.join_records\"; value = \"stream\"; since = \"2022-01-01\";" EVIDENCE
		"} );\n");
	assert_int_equal(kd_policy_load(&p, &r, &diags), 0);
	r.set = set;
	assert_int_equal(kd_policy_load(&q, &r, &diags), 0);
	/* The last of a knob counts, the book's entry of that knob is gone, others stay. */
	assert_int_equal(q->nknobs, 4);
	assert_int_equal(q->knobs[0].index, KD_KNOB_TCP_REASSEMBLE);
	assert_int_equal(q->knobs[0].value_index, KD_REASSEMBLE_IN_ORDER);
	assert_true(q->knobs[0].share == UINT64_MAX);
	assert_int_equal(q->knobs[2].index, KD_KNOB_TCP_OVERLAP);
	assert_int_equal(q->knobs[2].value_index, KD_OVERLAP_LAST);
	assert_string_equal(q->knobs[3].value, "stream");
	assert_string_not_equal(p->hash, q->hash);
	kd_policy_free(q);
	r.set = wrong;
	assert_int_equal(kd_policy_load(&q, &r, &diags), -EINVAL);
	assert_int_equal(diags.errors, 2);
	assert_string_equal(diags.list[0].message, "tcp.reassemble: unknown value \"inorder\"");
	assert_string_equal(diags.list[0].hint, "expected off|in-order|any-order");
	assert_string_equal(diags.list[1].hint, "did you mean \"tcp.reassemble\"?");
	kd_diags_free(&diags);
	kd_policy_free(p);
}

static void knobs(void **state)
{
	struct kd_policy *p, *q;
	uint8_t address[4] = {198, 18, 16, 5};

	(void)state;
	write_file("rulebook/x.cfg",
		"tags = { cloud = { lab = [ \"198.18.16.0/24\" ]; evidence = { match = \"X-THR-2021\"; }; }; "
		"};\n"
		"knobs = (\n"
		"{ set = \"tcp.reassemble\"; value = \"any-order\"; since = \"2022-01-01\"; to = [ "
		"\"@cloud\" ]; protocol = [ \"tls\" ];\n" EVIDENCE "},\n"
		"{ set = \"tcp.reassemble\"; value = \"in-order\"; since = \"2022-02-01\"; share = \"50 % "
		"(10 %..90 %)\";\n" EVIDENCE "},\n"
		"{ set = \"tcp.overlap\"; since = \"2022-01-01\"; variants = ( { weight = 1; value = "
		"\"last\"; }, { weight = 9; value = \"first\"; } );\n" EVIDENCE "} );\n");
	p = load("tspu@2022-02-01");
	assert_int_equal(p->nknobs, 3);
	assert_string_equal(p->knobs[0].name, "tcp.reassemble");
	assert_string_equal(p->knobs[0].value, "any-order");
	assert_int_equal(p->knobs[0].index, KD_KNOB_TCP_REASSEMBLE);
	assert_int_equal(p->knobs[0].value_index, KD_REASSEMBLE_ANY_ORDER);
	assert_int_equal(p->knobs[1].value_index, KD_REASSEMBLE_IN_ORDER);
	assert_true(p->knobs[0].draw == p->knobs[1].draw && p->knobs[0].draw != p->knobs[2].draw);
	assert_true(p->knobs[0].share == UINT64_MAX);
	assert_int_equal(p->knobs[0].protocols, 1ull << kd_protocol_find("tls"));
	assert_true(kd_set_bits_has(kd_prefixes_match(p->prefixes, address, false), p->knobs[0].to_set));
	assert_true(p->knobs[1].share == 1ull << 63);
	assert_int_equal(p->knobs[1].to_set, 0);
	assert_int_equal(p->knobs[1].protocols, 0);
	assert_string_equal(p->knobs[2].value, "first");
	q = load("tspu@2022-01-31");
	assert_int_equal(q->nknobs, 2);
	assert_string_not_equal(p->hash, q->hash);
	kd_policy_free(q);
	q = load("tspu@2022-02-01~1");
	assert_true(q->knobs[1].share != 1ull << 63);
	assert_non_null(drawn(q, "knob:tcp.reassemble.2.share"));
	assert_string_equal(drawn(q, "knob:tcp.overlap.variant"), q->knobs[2].value);
	assert_int_equal(q->ndrawn, 2);
	kd_policy_free(q);
	kd_policy_free(p);
}

/* Entries that come and go: one of kd_policy.flaps for each draw name and time, for rules and knobs alike. */
static void flaps(void **state)
{
	struct kd_policy *p, *q;

	(void)state;
	write_file("rulebook/x.cfg",
		"rules = (\n"
		"{ id = \"one\"; phase = \"names-blocked\"; since = \"2022-01-01\"; draw = \"rollout\"; "
		"when = { sni = \"a.example\"; };" DROP "flap = \"30 min (10 min..40 min)\";" EVIDENCE "},\n"
		"{ id = \"two\"; phase = \"names-blocked\"; since = \"2022-01-01\"; "
		"when = { sni = \"a.example\"; };" DROP EVIDENCE "} );\n"
		"knobs = (\n"
		"{ set = \"tcp.overlap\"; value = \"last\"; since = \"2022-01-01\"; draw = \"rollout\"; "
		"flap = \"30 min (10 min..40 min)\";" EVIDENCE "},\n"
		"{ set = \"tcp.overlap\"; value = \"strict\"; since = \"2022-01-01\"; flap = \"20 "
		"min\";" EVIDENCE "},\n"
		"{ set = \"tcp.overlap\"; value = \"first\"; since = \"2022-01-01\";" EVIDENCE "} );\n");
	p = load("tspu@2022-02-01");
	assert_int_equal(p->nflaps, 2);
	assert_true(p->flaps[0].time_ns == 1800000000000 && p->flaps[1].time_ns == 1200000000000);
	assert_true(p->flaps[0].draw == p->rules[1].draw && p->flaps[1].draw == p->knobs[1].draw);
	assert_int_equal(p->rules[1].flap, 1);
	assert_int_equal(p->rules[2].flap, 0);
	assert_int_equal(p->knobs[0].flap, 1);
	assert_int_equal(p->knobs[1].flap, 2);
	assert_int_equal(p->knobs[2].flap, 0);
	q = load("tspu@2022-02-01~1");
	assert_int_equal(q->nflaps, 2); /* drawn together, so still one */
	assert_true(q->flaps[0].time_ns != 1800000000000);
	assert_in_range(q->flaps[0].time_ns, 600000000000, 2400000000000);
	assert_string_equal(drawn(q, "rule:one.flap"), drawn(q, "knob:tcp.overlap.flap"));
	assert_string_not_equal(p->hash, q->hash);
	kd_policy_free(q);
	kd_policy_free(p);
}

/* Numbers of a mechanism go where its options say; no mechanism has one yet, so the book is made by hand. */
static void params(void **state)
{
	struct kd_book_number numbers[] = {{.key = "then.count",
						   .text = "t",
						   .kind = KD_UNIT_COUNT,
						   .size = 4,
						   .offset = 4,
						   .n = {7, 1, 4000000, true}},
		{.key = "then.time",
			.text = "t",
			.kind = KD_UNIT_DURATION,
			.size = 8,
			.offset = 8,
			.n = {9, 9, 9, false}},
		{.key = "residual.time", .text = "t", .kind = KD_UNIT_DURATION, .n = {5, 5, 5, false}}};
	struct kd_book_rule made = {.at = {"x.cfg", 1, "rules.[0]"},
		.id = "a",
		.draw = "rule:a",
		.phase = KD_PHASE_PROTOCOL,
		.mechanism = "drop",
		.mechanism_index = 0,
		.params = {1, 2, 3, 4, 0xff, 0xff, 0xff, 0xff, [16] = 0xaa},
		.residual = {.given = true, .key = "4-tuple", .whom = "client", .restart = "nothing"},
		.numbers = numbers,
		.nnumbers = 3};
	struct kd_diags diags = {0};
	struct kd_book book = {.diags = &diags, .dir = "", .own = "x.cfg", .rules = &made, .nrules = 1};
	struct kd_query query = {.seed = 1};
	const uint8_t *bytes;
	struct kd_policy *p;
	uint64_t time;
	uint32_t count;

	(void)state;
	made.residual.time = numbers[2];
	for (unsigned int k = 0; k < 2; k++) {
		query.sample = k;
		assert_int_equal(kd_book_compile(&p, &book, &query, "x", NULL, false), 0);
		bytes = p->rules[1].params;
		memcpy(&count, bytes + 4, sizeof(count));
		memcpy(&time, bytes + 8, sizeof(time));
		assert_memory_equal(bytes, "\1\2\3\4", 4);
		assert_int_equal(bytes[16], 0xaa);
		assert_int_equal(time, 9);
		assert_int_equal(p->rules[1].residual_ns, 5);
		if (k == 0) {
			assert_int_equal(count, 7);
		} else {
			struct kd_sample s = kd_sample_of(&query);

			assert_int_equal(count, kd_sample_number(&s, "rule:a", "then.count", &numbers[0].n));
			assert_int_not_equal(count, 7);
			assert_int_equal(p->ndrawn, 1);
		}
		kd_policy_free(p);
	}
	kd_diags_free(&diags);
}

/* What is drawn together is on the same nodes, and its policy is another. */
static void draws(void **state)
{
#define SHARED(id, phase, draw)                                                                              \
	"{ id = \"" id "\"; since = \"2022-01\"; phase = \"" phase                                           \
	"\"; when = { }; share = \"50 %\";" draw DROP EVIDENCE "}"
	struct kd_policy *together, *alone;

	(void)state;
	write_file("rulebook/x.cfg", "rules = ( " SHARED("a", "protocol", "draw = \"d\";") ", " SHARED(
					     "b", "fallback", "draw = \"d\";") " );");
	together = load("tspu@2022-02-01");
	write_file("rulebook/x.cfg",
		"rules = ( " SHARED("a", "protocol", "draw = \"d\";") ", " SHARED("b", "fallback", "") " );");
	alone = load("tspu@2022-02-01");
	assert_true(rule(together, "a")->draw == rule(together, "b")->draw);
	assert_true(rule(alone, "a")->draw == rule(together, "a")->draw);
	assert_true(rule(alone, "b")->draw != rule(alone, "a")->draw);
	assert_string_not_equal(together->hash, alone->hash);
	kd_policy_free(together);
	kd_policy_free(alone);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(logic),
		cmocka_unit_test(shared_sets),
		cmocka_unit_test(boxes),
		cmocka_unit_test(misses),
		cmocka_unit_test(phase_names),
		cmocka_unit_test(allows),
		cmocka_unit_test(tags),
		cmocka_unit_test(tags_of_knobs),
		cmocka_unit_test(cached),
		cmocka_unit_test(knobs),
		cmocka_unit_test(flaps),
		cmocka_unit_test(draws),
		cmocka_unit_test(set_knobs),
		cmocka_unit_test(params),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
