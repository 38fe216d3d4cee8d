/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What an ingress capture says of itself and what its reader makes of it: the mark of policy, seed and lab,
 * and the end of the run behind the last packet.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "drivers/capture.h"
#include "drivers/ingress.h"
#include "report/pcapng.h"

static const struct kd_policy policy = {.hash = "00ff"};

static void mark_is_known_again(void **state)
{
	struct kd_policy other = {.hash = "00fe"};
	char mark[KD_INGRESS_MARK];
	uint8_t hops = 0;

	(void)state;
	kd_ingress_mark(mark, &policy, 7, 8, "198.18.0.0/15,fd00::/8");
	assert_memory_equal(mark, "kordon ", 7);
	assert_string_equal(kd_ingress_lab(mark, &policy, 7, &hops), "198.18.0.0/15,fd00::/8");
	assert_int_equal(hops, 8);
	assert_null(kd_ingress_lab(mark, &policy, 8, &hops));
	assert_null(kd_ingress_lab(mark, &policy, 70, &hops));
	assert_null(kd_ingress_lab(mark, &other, 7, &hops));
}

/* Its slow timers are part of the box that the packets passed. */
static void mark_tells_the_time_scale(void **state)
{
	static const struct kd_policy fast = {.hash = "00ff", .time_scale = 20};
	static const struct kd_policy faster = {.hash = "00ff", .time_scale = 200};
	char mark[KD_INGRESS_MARK];
	uint8_t hops = 0;

	(void)state;
	kd_ingress_mark(mark, &fast, 7, 8, "198.18.0.0/15");
	assert_non_null(strstr(mark, " policy=00ff seed=7 time_scale=20 hops=8 lab="));
	assert_string_equal(kd_ingress_lab(mark, &fast, 7, &hops), "198.18.0.0/15");
	assert_int_equal(hops, 8);
	assert_null(kd_ingress_lab(mark, &faster, 7, &hops));
	assert_null(kd_ingress_lab(mark, &policy, 7, &hops));
	assert_int_equal(kd_ingress_other_scale(mark, &fast, 7), 0);
	assert_int_equal(kd_ingress_other_scale(mark, &faster, 7), 20);
	assert_int_equal(kd_ingress_other_scale(mark, &policy, 7), 20);
	assert_int_equal(kd_ingress_other_scale(mark, &policy, 8), 0);
	kd_ingress_mark(mark, &policy, 7, 8, "198.18.0.0/15");
	assert_null(kd_ingress_lab(mark, &fast, 7, &hops));
	assert_int_equal(kd_ingress_other_scale(mark, &fast, 7), 1);
	assert_int_equal(kd_ingress_other_scale(mark, &policy, 7), 0);
	assert_int_equal(kd_ingress_other_scale(mark, &policy, 70), 0);
	assert_int_equal(kd_ingress_other_scale("", &fast, 7), 0);
}

static void annotated_output_is_no_ingress(void **state)
{
	uint8_t hops;

	(void)state;
	assert_null(kd_ingress_lab("kordon 0.1.0", &policy, 7, &hops));
	assert_null(kd_ingress_lab("", &policy, 7, &hops));
}

/* Writes one packet at 5 ns, ends at `end_ns` unless that is 0, and reads all of it back. */
static uint64_t end_read_back(const char *writer, uint64_t end_ns, char *ret_writer, size_t room)
{
	char path[] = "/tmp/kordon-ingress-XXXXXX";
	struct kd_capture_error err;
	struct kd_pcapng *w;
	struct kd_capture *c;
	struct kd_captured p;
	uint64_t end;

	close(mkstemp(path));
	assert_int_equal(kd_pcapng_open(&w, path, writer), 0);
	kd_pcapng_write(
		w, KD_OUTSIDE, KD_LINK_ETHERNET, KD_DIR_INBOUND, 5, (const uint8_t *)"packet", 6, 6, NULL);
	if (end_ns != 0)
		kd_pcapng_end(w, end_ns);
	assert_int_equal(kd_pcapng_close(w), 0);
	assert_int_equal(kd_capture_open(&c, path, &err), 0);
	unlink(path);
	snprintf(ret_writer, room, "%s", kd_capture_writer(c));
	assert_int_equal(kd_capture_next(c, &p, &err), 1);
	assert_int_equal(p.time_ns, 5);
	assert_int_equal(kd_capture_end_ns(c), 0); /* not read yet */
	assert_int_equal(kd_capture_next(c, &p, &err), 0);
	end = kd_capture_end_ns(c);
	kd_capture_close(c);
	return end;
}

static void end_of_run_survives(void **state)
{
	char writer[256];

	(void)state;
	/* more than 32 bits of seconds' nanoseconds: both halves of the stamp count */
	assert_int_equal(
		end_read_back("kordon x", 1795282552123456789, writer, sizeof(writer)), 1795282552123456789);
	assert_string_equal(writer, "kordon x");
	assert_int_equal(end_read_back("kordon x", 0, writer, sizeof(writer)), 0);
}

static void long_writer_is_whole(void **state)
{
	char mark[KD_INGRESS_MARK], nets[2000] = "10.0.0.0/8", read[KD_INGRESS_MARK];
	uint8_t hops;

	(void)state;
	while (strlen(nets) < sizeof(nets) - 20)
		strcat(nets, ",10.0.0.0/8");
	kd_ingress_mark(mark, &policy, 1, 0, nets);
	end_read_back(mark, 0, read, sizeof(read));
	assert_string_equal(kd_ingress_lab(read, &policy, 1, &hops), nets);
}

static void switches_are_known_again(void **state)
{
	struct kd_rule rules[2] = {{.id = NULL}, {.id = "sni-i"}};
	struct kd_policy of_one = {.rules = rules, .nrules = 1};
	char note[KD_INGRESS_SWITCH];
	uint16_t rule = 7;
	bool on = false;

	(void)state;
	kd_ingress_switch(note, NULL, true);
	assert_true(kd_ingress_switched(note, &of_one, &rule, &on));
	assert_int_equal(rule, 0);
	assert_true(on);
	kd_ingress_switch(note, "sni-i", false);
	assert_true(kd_ingress_switched(note, &of_one, &rule, &on));
	assert_int_equal(rule, 1);
	assert_false(on);
	assert_false(kd_ingress_switched("bypass on sni-ii", &of_one, &rule, &on));
	assert_false(kd_ingress_switched("bypass onwards", &of_one, &rule, &on));
	assert_false(kd_ingress_switched("drop.trigger", &of_one, &rule, &on));
}

/* Before any packet, two at once, and behind the last; those of others are not kordon's. */
static void notes_stand_where_they_were_written(void **state)
{
	for (unsigned int own = 0; own < 2; own++) {
		char path[] = "/tmp/kordon-ingress-XXXXXX";
		struct kd_capture_note note;
		struct kd_capture_error err;
		struct kd_captured p;
		struct kd_capture *c;
		struct kd_pcapng *w;

		(void)state;
		close(mkstemp(path));
		assert_int_equal(kd_pcapng_open(&w, path, own ? "kordon x" : "other"), 0);
		kd_pcapng_note(w, 3, "bypass on");
		kd_pcapng_note(w, 4, "bypass on sni-i");
		kd_pcapng_write(
			w, KD_INSIDE, KD_LINK_ETHERNET, KD_DIR_INBOUND, 5, (const uint8_t *)"x", 1, 1, NULL);
		kd_pcapng_note(w, 1795282552123456789, "bypass off");
		kd_pcapng_end(w, 1795282552123456790);
		assert_int_equal(kd_pcapng_close(w), 0);
		assert_int_equal(kd_capture_open(&c, path, &err), 0);
		unlink(path);
		assert_int_equal(kd_capture_next(c, &p, &err), 1);
		assert_int_equal(p.time_ns, 5);
		if (own) {
			assert_true(kd_capture_note(c, &note));
			assert_int_equal(note.time_ns, 3);
			assert_string_equal(note.text, "bypass on");
			assert_true(kd_capture_note(c, &note));
			assert_string_equal(note.text, "bypass on sni-i");
		}
		assert_false(kd_capture_note(c, &note));
		assert_int_equal(kd_capture_next(c, &p, &err), 0);
		assert_int_equal(kd_capture_note(c, &note), own);
		assert_int_equal(own ? note.time_ns : 1795282552123456789, 1795282552123456789);
		assert_int_equal(kd_capture_end_ns(c), 1795282552123456790);
		kd_capture_close(c);
	}
}

/* More notes than there is room for between two packets: who wants none reads on. */
static void notes_may_be_left(void **state)
{
	char path[] = "/tmp/kordon-ingress-XXXXXX";
	struct kd_capture_note note;
	struct kd_capture_error err;
	struct kd_captured p;
	struct kd_capture *c;
	struct kd_pcapng *w;

	(void)state;
	close(mkstemp(path));
	assert_int_equal(kd_pcapng_open(&w, path, "kordon x"), 0);
	for (unsigned int i = 1; i <= 40; i++) {
		kd_pcapng_note(w, i, i % 2 != 0 ? "bypass on" : "bypass off");
		kd_pcapng_write(
			w, KD_INSIDE, KD_LINK_ETHERNET, KD_DIR_INBOUND, i, (const uint8_t *)"x", 1, 1, NULL);
	}
	assert_int_equal(kd_pcapng_close(w), 0);
	assert_int_equal(kd_capture_open(&c, path, &err), 0);
	unlink(path);
	for (unsigned int i = 1; i <= 40; i++)
		assert_int_equal(kd_capture_next(c, &p, &err), 1);
	assert_true(kd_capture_note(c, &note));
	assert_int_equal(note.time_ns, 40);
	assert_false(kd_capture_note(c, &note));
	kd_capture_close(c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(mark_is_known_again),
		cmocka_unit_test(mark_tells_the_time_scale),
		cmocka_unit_test(annotated_output_is_no_ingress),
		cmocka_unit_test(end_of_run_survives),
		cmocka_unit_test(long_writer_is_whole),
		cmocka_unit_test(switches_are_known_again),
		cmocka_unit_test(notes_stand_where_they_were_written),
		cmocka_unit_test(notes_may_be_left),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
