/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The `when` of a rule: what each key says and refuses, at which place, how groups nest, and the line that
 * stands for it. The book is made by hand; lists come from a folder of its own.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "engine/fake.h"
#include "engine/protocol.h"
#include "rulebook/announced.h"
#include "rulebook/when.h"

static char dir[] = "/tmp/kordon-when-test-XXXXXX";

static const struct file {
	const char *name, *text;
} files[] = {
	{"lists", NULL},
	{"lists/names.txt", "one.example\n"},
	{"lists/pairs.txt", "one.example 192.0.2.0/24\n"},
};

static struct kd_book_signature signatures[] = {{.id = "stun"}, {.id = "wg-start"}};
static struct kd_prefix lab[] = {{{198, 18, 16}, 24, false}, {{0x20, 0x01, 0x0d, 0xb8}, 32, true}};
static struct kd_book_tag tags[] = {
	{.id = "cloudflare", .lab = lab, .nlab = 2}, {.id = "google", .lab = lab, .nlab = 1}};

/* One `when`, read. */
struct fixture {
	struct kd_book book;
	struct kd_diags diags;
	struct kd_book_rule rule;
	struct kd_when_facts facts;
	struct kd_when *when;
	config_t config;
};

static char *path_in(const char *name)
{
	char *path;

	assert_true(asprintf(&path, "%s/%s", dir, name) > 0);
	return path;
}

static int set_up(void **state)
{
	(void)state;
	if (mkdtemp(dir) == NULL)
		return -1;
	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		char *path = path_in(files[i].name);
		FILE *f = files[i].text != NULL ? fopen(path, "w") : NULL;

		if (files[i].text == NULL ? mkdir(path, 0755) < 0
					  : f == NULL || fputs(files[i].text, f) < 0 || fclose(f) != 0)
			return -1;
		free(path);
	}
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	for (size_t i = sizeof(files) / sizeof(files[0]); i-- > 0;) {
		char *path = path_in(files[i].name);

		if (remove(path) < 0)
			return -1;
		free(path);
	}
	return rmdir(dir);
}

/* Reads the inside of a group. */
static void reads(struct fixture *f, const char *inside)
{
	char *text;

	memset(f, 0, sizeof(*f));
	f->rule.phase = KD_PHASE_PROTOCOL;
	f->book = (struct kd_book){.arena = kd_arena_new(),
		.diags = &f->diags,
		.dir = dir,
		.reading = "t.cfg",
		.signatures = signatures,
		.nsignatures = 2,
		.tags = tags,
		.ntags = 2};
	assert_non_null(f->book.arena);
	config_init(&f->config);
	assert_true(asprintf(&text, "when = {\n%s\n};", inside) > 0);
	if (config_read_string(&f->config, text) != CONFIG_TRUE)
		fail_msg("%s: %s", inside, config_error_text(&f->config));
	free(text);
	f->when = kd_when_read(&f->book, config_lookup(&f->config, "when"), &f->rule, &f->facts);
	assert_false(f->book.no_memory);
}

static void done(struct fixture *f)
{
	config_destroy(&f->config);
	kd_arena_free(f->book.arena);
	kd_diags_free(&f->diags);
}

/* Nothing is wrong, and this is its line. */
static void is(const char *inside, const char *line)
{
	struct fixture f;

	reads(&f, inside);
	if (f.diags.count > 0)
		fail_msg("%s: %s", inside, f.diags.list[0].message);
	assert_string_equal(kd_when_text(f.book.arena, f.when), line);
	done(&f);
}

/* One thing is wrong: on that line of the file, 2 being the first of the inside. */
static void wrong(const char *inside, int line, const char *path, const char *message, const char *hint)
{
	struct fixture f;
	const struct kd_diag *d;

	reads(&f, inside);
	if (f.diags.count != 1)
		fail_msg("%s: %u diagnostics", inside, f.diags.count);
	d = &f.diags.list[0];
	assert_int_equal(d->level, KD_DIAG_ERROR);
	assert_string_equal(d->file, "t.cfg");
	assert_int_equal(d->line, line);
	assert_string_equal(d->path, path);
	assert_string_equal(d->message, message);
	if (hint != NULL) {
		assert_non_null(d->hint);
		assert_string_equal(d->hint, hint);
	} else {
		assert_null(d->hint);
	}
	done(&f);
}

static bool needs(const struct fixture *f, const char *what)
{
	for (unsigned int i = 0; i < f->rule.needs.n; i++)
		if (strcmp(f->rule.needs.what[i], what) == 0)
			return true;
	return false;
}

static void empty(void **state)
{
	struct fixture f;

	(void)state;
	reads(&f, "");
	assert_null(f.when);
	assert_int_equal(f.diags.count, 0);
	done(&f);
	reads(&f, "opened_from = \"any\"; from = \"any\";");
	assert_null(f.when);
	assert_int_equal(f.diags.count, 0);
	done(&f);
	assert_string_equal(kd_when_text(NULL, NULL), "");
}

static void tree(void **state)
{
	const struct kd_when *w;
	struct fixture f;

	(void)state;
	reads(&f, "from = \"outside\";");
	assert_int_equal(f.when->kind, KD_WHEN_TERM);
	assert_int_equal(f.when->term, KD_TERM_FROM);
	assert_int_equal(f.when->of, KD_OUTSIDE);
	assert_string_equal(f.when->key, "from");
	assert_string_equal(f.when->at.path, "when.from");
	assert_int_equal(f.when->at.line, 2);
	assert_null(f.when->next);
	done(&f);

	/* The table's order, not the file's. */
	reads(&f, "sni = \"b.example\"; opened_from = \"inside\"; protocol = \"tls\";");
	assert_int_equal(f.when->kind, KD_WHEN_ALL);
	w = f.when->child;
	assert_int_equal(w->term, KD_TERM_PROTOCOL);
	assert_int_equal(w->mask, 1ull << kd_protocol_find("tls"));
	assert_int_equal(w->next->term, KD_TERM_OPENED);
	assert_int_equal(w->next->of, KD_INSIDE);
	assert_int_equal(w->next->next->term, KD_TERM_NAME);
	assert_int_equal(w->next->next->mask, 1ull << kd_protocol_find("tls"));
	assert_null(w->next->next->next);
	assert_int_equal(f.facts.protocols, 1ull << kd_protocol_find("tls"));
	assert_null(f.facts.count);
	done(&f);

	reads(&f, "not = { any = ( { from = \"inside\"; }, { all = ( { nth = 1; }, { to_port = 443; } ); } "
		  "); };");
	assert_int_equal(f.when->kind, KD_WHEN_NOT);
	w = f.when->child;
	assert_int_equal(w->kind, KD_WHEN_ANY);
	assert_int_equal(w->child->term, KD_TERM_FROM);
	assert_int_equal(w->child->next->kind, KD_WHEN_ALL);
	assert_int_equal(w->child->next->child->term, KD_TERM_NTH);
	assert_int_equal(w->child->next->child->next->term, KD_TERM_PORT);
	assert_int_equal(w->child->next->child->next->of, KD_END_TO);
	assert_int_equal(f.diags.count, 0);
	done(&f);
}

static void words(void **state)
{
	(void)state;
	is("protocol = \"tls\";", "protocol=tls");
	is("protocol = [ \"tls\", \"http\", \"tls\" ];", "protocol=[http tls]");
	is("transport = [ \"other\", \"tcp\" ];", "transport=[tcp other]");
	is("transport = [ \"icmp\", \"udp\" ];", "transport=[udp icmp]");
	is("signature = [ \"wg-start\", \"stun\" ];", "signature=[stun wg-start]");
	is("opened_from = \"inside\"; from = \"inside\";", "opened_from=inside from=inside");
	is("classified = \"none\";", "classified=none");
	is("already = \"some-rule\";", "already=some-rule");
	wrong("protcol = \"tls\";", 2, "when.protcol", "unknown setting - did you mean \"protocol\"?", NULL);
	wrong("\nprotocol = [ \"tls\", \"qiuc\" ];", 3, "when.protocol.[1]",
		"unknown protocol \"qiuc\" - did you mean \"quic\"?",
		"known: tls, http, dns, quic, dtls, stun, wireguard, openvpn, ssh, socks, mtproto, discord");
	wrong("protocol = 6;", 2, "when.protocol",
		"expected a string in quotes, or a list of them: [ \"a\", \"b\" ], not a number", NULL);
	wrong("protocol = [ ];", 2, "when.protocol", "must not be empty", NULL);
	wrong("transport = \"icpm\";", 2, "when.transport",
		"unknown transport \"icpm\" - did you mean \"icmp\"?", "known: tcp, udp, icmp, other");
	wrong("signature = \"stnu\";", 2, "when.signature",
		"unknown signature \"stnu\" - did you mean \"stun\"?", "known: stun, wg-start");
	wrong("opened_from = \"outside\";", 2, "when.opened_from", "unknown side \"outside\"",
		"known: inside, any");
	wrong("from = \"insde\";", 2, "when.from", "unknown side \"insde\" - did you mean \"inside\"?",
		"known: inside, outside, any");
	wrong("classified = \"tls\";", 2, "when.classified", "unknown classification \"tls\"", "known: none");
	wrong("already = [ \"a\" ];", 2, "when.already", "expected a string in quotes, not a list", NULL);
	wrong("already = \"\";", 2, "when.already", "must not be empty", NULL);
}

static void names(void **state)
{
	(void)state;
	is("sni = [ \"B.example\", \"^a.example\", \"b.example\" ];", "sni=[^a.example b.example]");
	is("host = \"/^(a|b) c$/\";", "host=[\"/^(a|b) c$/\"]");
	wrong("protocol = [ \"tls\", \"http\" ]; sni = \"a.example\";", 2, "when.sni",
		"protocol \"http\" has no \"sni\"", NULL);
	wrong("protocol = \"tls\"; http_method = \"GET\";", 2, "when.http_method",
		"protocol \"tls\" has no \"http_method\"", NULL);
	wrong("sni = [ \"a.example\", \"a..example\" ];", 2, "when.sni.[1]",
		"\"a..example\" is not a host name", "it has an empty label");
	/* Each group speaks for itself. */
	is("any = ( { protocol = \"http\"; }, { sni = \"a.example\"; } );",
		"any(protocol=http | sni=[a.example])");
}

static void lists(void **state)
{
	struct fixture f;

	(void)state;
	/* sha256sum of "one.example\n" and of "one.example 192.0.2.0/24\n" */
	is("sni = [ \"@names\", \"a.example\" ];", "sni=[a.example @names#a6ceab197d52482a]");
	is("pairs = \"@pairs\";", "pairs=@pairs#6004aa52c5e31256");
	wrong("pairs = \"pairs\";", 2, "when.pairs", "\"pairs\" is not a list",
		"expected \"@NAME\", a file of lines NAME PREFIX");
	reads(&f, "pairs = \"@missing\"; sni = \"@missing\";");
	assert_int_equal(f.diags.errors, 2);
	assert_string_equal(f.diags.list[0].path, "when.pairs");
	done(&f);
}

static void addresses(void **state)
{
	struct fixture f;
	const char *text;

	(void)state;
	is("to = [ \"198.18.0.0/15\", \"192.0.2.1\", \"2001:db8::/32\" ];",
		"to=[192.0.2.1/32 198.18.0.0/15 2001:db8::/32]");
	is("by = \"192.0.2.0/24\"; either = \"198.51.100.0/24\";",
		"by=[192.0.2.0/24] either=[198.51.100.0/24]");
	/* sha256sum of "198.18.16.0/24 2001:db8::/32" */
	is("to = [ \"192.0.2.0/24\", \"@cloudflare\" ];", "to=[@cloudflare#64ea025fcc226b0c 192.0.2.0/24]");
	reads(&f, "to = \"@google\";");
	text = kd_when_text(f.book.arena, f.when);
	assert_non_null(strstr(text, "to=[@google#"));
	assert_null(strstr(text, "#64ea025fcc226b0c"));
	assert_int_equal(f.when->addresses.ntags, 1);
	assert_ptr_equal(f.when->addresses.tags[0], &tags[1]);
	done(&f);
	reads(&f, "to = [ \"@gogle\", \"192.0.2.1/24\", \"here\" ];");
	assert_int_equal(f.diags.errors, 3);
	assert_string_equal(f.diags.list[0].path, "when.to.[0]");
	assert_string_equal(f.diags.list[2].path, "when.to.[2]");
	done(&f);
}

static void ports(void **state)
{
	const char *hint = "expected 1 to 65535, or two of them as in \"50000-50100\"";
	struct fixture f;

	(void)state;
	is("to_port = 443;", "to_port=[443]");
	is("by_port = \"443\";", "by_port=[443]");
	is("either_port = ( \"50000-50100\", 443, \"50101 - 50200\", \"60000-60001\", 444 );",
		"either_port=[443-444 50000-50200 60000-60001]");
	is("to_port = [ 1, 65535 ];", "to_port=[1 65535]");
	reads(&f, "to_port = [ \"1000-2000\", \"1500-1600\", \"7\" ];");
	assert_int_equal(f.when->nspans, 2);
	assert_int_equal(f.when->spans[0].lo, 7);
	assert_int_equal(f.when->spans[0].hi, 7);
	assert_int_equal(f.when->spans[1].lo, 1000);
	assert_int_equal(f.when->spans[1].hi, 2000);
	done(&f);
	wrong("to_port = [ 1, 0 ];", 2, "when.to_port.[1]", "\"0\" is not a port", hint);
	wrong("to_port = 65536;", 2, "when.to_port", "\"65536\" is not a port", hint);
	wrong("to_port = -1;", 2, "when.to_port", "\"-1\" is not a port", hint);
	wrong("to_port = \"1-\";", 2, "when.to_port", "\"1-\" is not a port", hint);
	wrong("to_port = \"http\";", 2, "when.to_port", "\"http\" is not a port", hint);
	wrong("to_port = \"20-10\";", 2, "when.to_port", "\"20-10\" has its range upside down", NULL);
	wrong("to_port = 4.5;", 2, "when.to_port",
		"expected a whole number, a string in quotes, or a list of them, not a number with decimals",
		NULL);
}

static void lengths(void **state)
{
	const char *forms = "expected \"148 B\", \">= 100 B\" or \"100 B..200 B\"";

	(void)state;
	is("length = \"148 B\";", "length=[148]");
	is("length = \">= 1001 B\";", "length=[1001..]");
	is("length = \"<= 0.1 kB\";", "length=[0..100]");
	is("length = \"> 1000 B\";", "length=[1001..]");
	is("length = \"<101 B\";", "length=[0..100]");
	is("length = [ \"300 B..400 B\", \"100 B .. 200 B\" ];", "length=[100..200 300..400]");
	wrong("length = 148;", 2, "when.length", "\"148\" is not a length", forms);
	wrong("length = \">= 75 s\";", 2, "when.length", "\" 75 s\" is not a length", forms);
	wrong("length = \"200 B..100 B\";", 2, "when.length", "\"200 B..100 B\" has its range upside down",
		NULL);
	wrong("length = \"100 B..\";", 2, "when.length", "\"100 B..\" has no proper range", forms);
	wrong("length = \"=> 100 B\";", 2, "when.length", "\"=> 100 B\" is not a length", forms);
	wrong("length = \"< 0 B\";", 2, "when.length", "\"< 0 B\": nothing is shorter than 0 B", NULL);
	wrong("length = [ \">= 100 B\", \"<= 200 B\" ];", 2, "when.length", "\"length\" leaves nothing out",
		"a list is met by one of its values; both ends are \"100 B..200 B\"");
}

static void runs(void **state)
{
	const char *shape = "expected \"OFFSET: HEX HEX\", as in \"4: 21 12 a4 42\"";
	const char *pairs = "expected pairs of hex digits, each ? for any digit";
	struct fixture f;

	(void)state;
	is("bytes = \"0x10: 16 03 ?? 0A\";", "bytes=[16:1603??0a]");
	is("bytes = [ \"4:2112a442\", \"0: 00 01\" ];", "bytes=[0:0001 4:2112a442]");
	reads(&f, "bytes = \"65535: ff ?? 00\";");
	assert_int_equal(f.when->nruns, 1);
	assert_int_equal(f.when->runs[0].offset, 65535);
	assert_int_equal(f.when->runs[0].len, 3);
	assert_memory_equal(f.when->runs[0].bytes, "\xff\x00\x00", 3);
	assert_memory_equal(f.when->runs[0].mask, "\xff\x00\xff", 3);
	done(&f);
	wrong("bytes = \"16 03\";", 2, "when.bytes", "\"16 03\" is not bytes at an offset", shape);
	wrong("bytes = \"65536: 00\";", 2, "when.bytes", "\"65536: 00\" is not bytes at an offset", shape);
	wrong("bytes = [ \"0: 16\", \"0: 1\" ];", 2, "when.bytes.[1]", "\"0: 1\" is not bytes at an offset",
		pairs);
	wrong("bytes = \"0: 1g\";", 2, "when.bytes", "\"0: 1g\" is not bytes at an offset", pairs);
	is("bytes = \"0: c? 00 ?1 ?? F?\";", "bytes=[0:c?00?1??f?]");
	reads(&f, "bytes = \"0: c? ?1\";");
	assert_int_equal(f.when->runs[0].len, 2);
	assert_memory_equal(f.when->runs[0].bytes, "\xc0\x01", 2);
	assert_memory_equal(f.when->runs[0].mask, "\xf0\x0f", 2);
	done(&f);
	wrong("bytes = \"0: ?g\";", 2, "when.bytes", "\"0: ?g\" is not bytes at an offset", pairs);
	wrong("bytes = \"0: ? 1\";", 2, "when.bytes", "\"0: ? 1\" is not bytes at an offset", pairs);
	wrong("bytes = \"0: 1 6\";", 2, "when.bytes", "\"0: 1 6\" is not bytes at an offset", pairs);
	wrong("bytes = \"3: ?? ??\";", 2, "when.bytes", "\"3: ?? ??\" names no byte",
		"a length is asked for with \"length\"");
	wrong("bytes = \"3:\";", 2, "when.bytes", "\"3:\" names no byte",
		"a length is asked for with \"length\"");
}

static void counted(void **state)
{
	(void)state;
	is("nth = 2;", "nth=[2]");
	is("nth = \"1..3\";", "nth=[1..3]");
	is("nth = [ \"5 pkt\", \"1\" ];", "nth=[1 5]");
	wrong("nth = 0;", 2, "when.nth", "\"0\": there is no packet 0", "packets are counted from 1");
	wrong("nth = \"0..3\";", 2, "when.nth", "\"0..3\": there is no packet 0",
		"packets are counted from 1");
	wrong("nth = \"3..1\";", 2, "when.nth", "\"3..1\" has its range upside down", NULL);
	wrong("nth = \"2 (1..3)\";", 2, "when.nth", "\"2 (1\" has no proper range",
		"expected VALUE UNIT (LO..HI), as in \"10 min (5..15)\"");
}

static void hours(void **state)
{
	const char *shape = "expected \"HH:MM-HH:MM\", as in \"08:00-23:00\"";
	struct fixture f;

	(void)state;
	is("hours = \"08:00-23:00\";", "hours=[08:00-23:00]");
	is("hours = \"22:30-06:15\";", "hours=[00:00-06:15 22:30-24:00]");
	is("hours = [ \"22:30-24:00\", \"00:00-06:15\" ];", "hours=[00:00-06:15 22:30-24:00]");
	is("hours = \"23:00-00:00\";", "hours=[23:00-24:00]");
	reads(&f, "hours = \"08:00-08:01\";");
	assert_int_equal(f.when->nspans, 1);
	assert_int_equal(f.when->spans[0].lo, 480);
	assert_int_equal(f.when->spans[0].hi, 480);
	done(&f);
	wrong("hours = \"8-23\";", 2, "when.hours", "\"8-23\" is not a time of day", shape);
	wrong("hours = \"08:00-24:01\";", 2, "when.hours", "\"08:00-24:01\" is not a time of day", shape);
	wrong("hours = \"08:60-09:00\";", 2, "when.hours", "\"08:60-09:00\" is not a time of day", shape);
	wrong("hours = \"24:00-08:00\";", 2, "when.hours", "\"24:00-08:00\" is not a time of day", shape);
	wrong("hours = \"08:0-09:00\";", 2, "when.hours", "\"08:0-09:00\" is not a time of day", shape);
	wrong("hours = \"08:00\";", 2, "when.hours", "\"08:00\" is not a time of day", shape);
	wrong("hours = \"08:00-08:00\";", 2, "when.hours", "\"08:00-08:00\" is no time at all",
		"\"00:00-24:00\" is the whole day");
}

static void fakes(void **state)
{
	struct fixture f;

	(void)state;
	reads(&f, "fake = [ \"name_length\", \"checksum\", \"ttl\", \"ttl\" ];");
	assert_string_equal(kd_when_text(f.book.arena, f.when), "fake=[checksum name_length ttl]");
	assert_int_equal(
		f.when->mask, 1u << KD_FAKE_NAME_LENGTH | 1u << KD_FAKE_CHECKSUM | 1u << KD_FAKE_TTL);
	done(&f);
	wrong("fake = \"pastseq\";", 2, "when.fake", "unknown fake \"pastseq\"",
		"known: checksum, ttl, sequence, past_sequence, md5, timestamp, ip_id, urgent, syn_data, "
		"overlap, low_ttl_end, name_length");
}

static void fields(void **state)
{
	const char *versions = "known: 1.0, 1.1, 1.2, 1.3; or 0 to 65535, as in \"0xfe0d\"";
	struct fixture f;

	(void)state;
	is("tls_extension = [ 0xfe0d, 16 ];", "tls_extension=[0x0010 0xfe0d]");
	is("tls_extension = \"0xfe0d\";", "tls_extension=[0xfe0d]");
	is("tls_extension = \"10..20\";", "tls_extension=[0x000a..0x0014]");
	is("tls_version = \"1.3\";", "tls_version=[0x0304]");
	is("tls_version = \"1.0..1.2\";", "tls_version=[0x0301..0x0303]");
	is("tls_legacy_version = 0x0303;", "tls_legacy_version=[0x0303]");
	is("http_version = \"1.1\";", "http_version=[0x0101]");
	is("tls_alpn = [ \"http/1.1\", \"h2\" ];", "tls_alpn=[h2 http/1.1]");
	is("http_method = \"POST\"; http_url = \"/a b\";", "http_method=[POST] http_url=[\"/a b\"]");
	is("not = { tls_extension = 0xfe0d; };", "not(tls_extension=[0xfe0d])");
	reads(&f, "tls_alpn = \"h2\";");
	assert_int_equal(f.when->term, KD_TERM_FIELD);
	assert_int_equal(f.when->protocol, kd_protocol_find("tls"));
	assert_string_equal(kd_protocols[f.when->protocol]->fields[f.when->field].name, "alpn");
	assert_int_equal(f.facts.protocols, 1ull << kd_protocol_find("tls"));
	done(&f);
	wrong("tls_version = \"1.4\";", 2, "when.tls_version",
		"\"1.4\" is not one of the words here, nor a number", versions);
	wrong("tls_version = \"1.3..1.2\";", 2, "when.tls_version", "\"1.3..1.2\" has its range upside down",
		NULL);
	wrong("tls_extension = [ 1, 0x10000 ];", 2, "when.tls_extension.[1]",
		"\"65536\" is not a number of 16 bits",
		"expected 0 to 65535, as in \"0xfe0d\" or \"10..20\"");
	wrong("tls_alpn = [ \"h2\", \"\" ];", 2, "when.tls_alpn.[1]", "must not be empty", NULL);
	wrong("tls_extensions = 1;", 2, "when.tls_extensions",
		"unknown setting - did you mean \"tls_extension\"?", NULL);
}

static void counts(void **state)
{
	struct fixture f;

	(void)state;
	is("count = { key = [ \"server\", \"client\" ]; window = \"60 s (30..90)\"; more_than = 3; };",
		"count=[key=client+server window=1 min (30 s..90 s) more_than=3 pkt]");
	reads(&f, "to = \"@google\"; count = { key = \"tag\"; window = \"1 min\"; spacing = \"500 ms\"; "
		  "more_than = \"12 (10..15)\"; };");
	assert_int_equal(f.diags.count, 0);
	assert_int_equal(f.facts.count->term, KD_TERM_COUNT);
	assert_int_equal(f.facts.count->count.keys, KD_KEY_TAG);
	assert_int_equal(f.facts.count->count.window.n.value, 60000000000);
	assert_int_equal(f.facts.count->count.spacing.n.value, 500000000);
	assert_int_equal(f.facts.count->count.more_than.n.hi, 15);
	assert_int_equal(f.rule.nnumbers, 3);
	assert_string_equal(f.facts.count->count.window.key, "count.window");
	assert_string_equal(f.facts.count->count.spacing.key, "count.spacing");
	assert_string_equal(f.facts.count->count.more_than.key, "count.more_than");
	done(&f);
	wrong("count = { key = \"clint\"; window = \"1 s\"; more_than = 1; };", 2, "when.count.key",
		"unknown count key \"clint\" - did you mean \"client\"?",
		"known: client, subscriber, server, server-prefix, tag, port, name, flow");
	wrong("count = { key = \"flow\"; more_than = 1; };", 2, "when.count", "\"window\" is missing", NULL);
	wrong("count = { key = \"flow\"; window = \"0 s\"; more_than = 1; };", 2, "when.count.window",
		"\"0 s\": must be more than 0", NULL);
	wrong("count = { key = \"flow\"; window = \"3 B\"; more_than = 1; };", 2, "when.count.window",
		"\"3 B\" is not a duration", "expected a number and one of ns, us, ms, s, min, h, d");
	wrong("all = ( { count = { key = \"flow\"; window = \"1 s\"; more_than = 1; }; },\n"
	      "{ count = { key = \"flow\"; window = \"1 s\"; more_than = 2; }; } );",
		3, "when.all.[1].count", "a rule has one \"count\"", "first at t.cfg:2");
	wrong("by = \"@google\"; count = { key = \"tag\"; window = \"1 s\"; more_than = 1; };", 2,
		"when.count", "a count by \"tag\" without a tag in \"to\"",
		"expected to = [ \"@TAG\", ... ] beside it");
}

static void nested(void **state)
{
	char deep[1024] = "", wide[1024] = "any = ( { nth = 1; }";
	struct fixture f;

	(void)state;
	for (int i = 0; i < 20; i++)
		strcat(wide, ", { nth = 1; }");
	strcat(wide, " );");
	is(wide, "nth=[1]");
	/* What must not be recognised is not implied. */
	reads(&f, "protocol = \"http\"; not = { sni = \"a.example\"; };");
	assert_int_equal(f.diags.count, 0);
	assert_int_equal(f.facts.protocols, 1ull << kd_protocol_find("http"));
	done(&f);
	is("all = ( { nth = 1; }, { } );", "nth=[1]");
	wrong("any = ( );", 2, "when.any", "must not be empty", NULL);
	wrong("any = ( { nth = 1; }, { } );", 2, "when.any", "this always matches",
		"an empty group matches everything");
	wrong("not = { };", 2, "when.not", "this can never match", "an empty group matches everything");
	wrong("not = ( { nth = 1; } );", 2, "when.not", "expected a group: { ... }, not a list", NULL);
	wrong("any = ( 1, { nth = 1; } );", 2, "when.any.[0]", "expected a group: { ... }, not a number",
		NULL);
	wrong("any = ( { nth = 1; },\n { not = { nht = 2; }; } );", 3, "when.any.[1].not.nht",
		"unknown setting - did you mean \"nth\"?", NULL);
	for (int i = 0; i < 16; i++)
		strcat(deep, "not = { ");
	strcat(deep, "nth = 1;");
	for (int i = 0; i < 16; i++)
		strcat(deep, " };");
	wrong(deep, 2, "when.not.not.not.not.not.not.not.not.not.not.not.not.not.not.not.not",
		"groups stand more than 16 deep in each other", NULL);
}

static void same(const char *a, const char *b)
{
	struct fixture f, g;

	reads(&f, a);
	reads(&g, b);
	assert_int_equal(f.diags.count + g.diags.count, 0);
	assert_string_equal(kd_when_text(f.book.arena, f.when), kd_when_text(g.book.arena, g.when));
	done(&f);
	done(&g);
}

static void differ(const char *a, const char *b)
{
	struct fixture f, g;

	reads(&f, a);
	reads(&g, b);
	assert_int_equal(f.diags.count + g.diags.count, 0);
	assert_string_not_equal(kd_when_text(f.book.arena, f.when), kd_when_text(g.book.arena, g.when));
	done(&f);
	done(&g);
}

static void one_line(void **state)
{
	(void)state;
	same("nth = 1; to_port = 443;", "to_port = \"443\"; nth = \"1\";");
	same("nth = 1; to_port = 443;", "all = ( { to_port = 443; }, { nth = 1; } );");
	same("any = ( { nth = 1; }, { to_port = 443; from = \"inside\"; } );",
		"any = ( { any = ( { from = \"inside\"; to_port = 443; }, { nth = 1; } ); }, { nth = 1; } "
		");");
	same("any = ( { nth = 1; }, { nth = 1; } );", "nth = 1;");
	same("length = \"1 kB\";", "length = \"1000 B..1000 B\";");
	same("to = [ \"192.0.2.0/24\", \"198.18.0.0/15\" ];",
		"to = [ \"198.18.0.0/15\", \"192.0.2.0/24\" ];");
	same("bytes = [ \"0: 01\", \"1: 02\" ];", "bytes = [ \"1: 02\", \"0x0: 01\", \"0: 01\" ];");
	differ("any = ( { nth = 1; }, { to_port = 443; } );", "nth = 1; to_port = 443;");
	differ("not = { nth = 1; to_port = 443; };", "not = { nth = 1; }; to_port = 443;");
	differ("any = ( { nth = 1; }, { to_port = 443; from = \"inside\"; } );",
		"from = \"inside\"; any = ( { nth = 1; }, { to_port = 443; } );");
	differ("nth = 1;", "not = { nth = 1; };");
	differ("to = \"192.0.2.0/24\";", "by = \"192.0.2.0/24\";");
	differ("to = [ \"@google\", \"@cloudflare\" ];", "to = [ \"@cloudflare\", \"@google\" ];");
	differ("tls_alpn = [ \"a\", \"b\" ];", "tls_alpn = \"a b\";");
	differ("tls_alpn = \"a\\\" \\\"b\";", "tls_alpn = [ \"a\", \"b\" ];");
	differ("tls_alpn = \"\\\\x01\";", "tls_alpn = \"\\x01\";");
	differ("http_url = \"x] nth=[1\";", "http_url = \"x\"; nth = 1;");
	same("fake = [ \"ttl\", \"md5\" ];", "fake = [ \"md5\", \"ttl\" ];");
	differ("fake = \"ttl\";", "fake = \"md5\";");
	differ("from = \"inside\";", "from = \"outside\";");
	differ("from = \"inside\";", "opened_from = \"inside\";");
	differ("bytes = \"0: 01 ??\";", "bytes = \"0: 01\";");
	differ("bytes = \"0: 01 ?0\";", "bytes = \"0: 01 00\";");
	differ("bytes = \"0: 01 ??\";", "bytes = \"0: 01 00\";");
	differ("protocol = \"tls\";", "protocol = [ \"tls\", \"quic\" ];");
	differ("ja4 = \"x\";", "ja3 = \"x\";");
	differ("count = { key = \"flow\"; window = \"1 s\"; more_than = 1; };",
		"count = { key = \"flow\"; window = \"1 s\"; more_than = \"1 (1..2)\"; };");
	differ("count = { key = \"flow\"; window = \"1 s\"; more_than = 1; };",
		"count = { key = \"flow\"; window = \"1 s\"; spacing = \"1 s\"; more_than = 1; };");
	differ("count = { key = \"client\"; window = \"1 s\"; more_than = 1; };",
		"count = { key = \"subscriber\"; window = \"1 s\"; more_than = 1; };");
}

static void to_come(void **state)
{
	struct fixture f;

	(void)state;
	reads(&f, "protocol = [ \"tls\", \"quic\" ]; sni = \"a.example\"; tls_extension = 0xfe0d;");
	assert_int_equal(f.diags.count, 0);
	assert_int_equal(f.rule.needs.n, 1);
	assert_true(needs(&f, "protocol:quic"));
	assert_false(f.rule.needs.never);
	assert_string_equal(kd_when_text(f.book.arena, f.when),
		"protocol=[quic tls] sni=[a.example] tls_extension=[0xfe0d]");
	assert_int_equal(f.when->child->mask, 1ull << kd_protocol_find("tls"));
	done(&f);

	/* What is recognised as nothing that exists has no name either. */
	reads(&f, "protocol = \"quic\"; sni = \"a.example\";");
	assert_int_equal(f.diags.count, 0);
	assert_int_equal(f.when->child->mask, 0);
	assert_int_equal(f.when->child->next->term, KD_TERM_NAME);
	assert_int_equal(f.when->child->next->mask, 0);
	done(&f);

	for (const struct kd_announced *a = kd_announced_terms; a->name != NULL; a++) {
		char inside[80], what[80];

		snprintf(inside, sizeof(inside), "%s = [ \"b\", \"a\" ];", a->name);
		snprintf(what, sizeof(what), "term:%s", a->name);
		reads(&f, inside);
		assert_int_equal(f.diags.count, 0);
		assert_int_equal(f.when->term, KD_TERM_NEVER);
		assert_string_equal(f.when->key, a->name);
		assert_int_equal(f.when->nwords, 2);
		assert_string_equal(f.when->words[0], "a");
		assert_int_equal(f.rule.needs.n, 1);
		assert_true(needs(&f, what));
		assert_false(f.rule.needs.inert);
		done(&f);
	}
	is("ja4 = \"t13d1516h2_8daaf6152771_d8a2da3f94cd\";", "ja4=[t13d1516h2_8daaf6152771_d8a2da3f94cd]");
	wrong("qname = \"a..example\";", 2, "when.qname", "\"a..example\" is not a host name",
		"it has an empty label");

	/* Negated, its absence makes more match than is meant. */
	reads(&f, "not = { ja3 = \"x\"; };");
	assert_true(f.rule.needs.never);
	assert_false(f.rule.needs.inert);
	done(&f);
	reads(&f, "not = { not = { protocol = \"quic\"; }; };");
	assert_true(needs(&f, "protocol:quic"));
	assert_false(f.rule.needs.inert);
	done(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(empty),
		cmocka_unit_test(tree),
		cmocka_unit_test(words),
		cmocka_unit_test(names),
		cmocka_unit_test(lists),
		cmocka_unit_test(addresses),
		cmocka_unit_test(ports),
		cmocka_unit_test(lengths),
		cmocka_unit_test(runs),
		cmocka_unit_test(counted),
		cmocka_unit_test(hours),
		cmocka_unit_test(fakes),
		cmocka_unit_test(fields),
		cmocka_unit_test(counts),
		cmocka_unit_test(nested),
		cmocka_unit_test(one_line),
		cmocka_unit_test(to_come),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
