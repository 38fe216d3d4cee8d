/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Opens, sets up, starts and gives back the two ports. Frames stay what they are on the wire: no offload is
 * asked for (no VLAN strip, no LRO, no checksum), everything is received, the MTU stays. Every answer of a
 * driver is looked at: a queue whose set-up failed would crash on its first burst.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <rte_dev.h>
#include <rte_eal.h>
#include <rte_ethdev.h>

#include "drivers/dpdk/parts.h"

#define RX_DESCRIPTORS 512
#define TX_DESCRIPTORS 512
#define LINK_BYTES_MAX 40 /* Ethernet, CRC and some tags */
#define MTU_MAX 9600

static const char *const side_name[2] = {"inside", "outside"};

static int refuse(const char *port, unsigned int side, const char *what, int rc, const char *why)
{
	return kd_live_say("%s port %s: %s: %s%s%s", side_name[side], port, what, strerror(rc < 0 ? -rc : rc),
		why != NULL && why[0] != '\0' ? ": " : "", why != NULL ? why : "");
}

static void port_name(const char *port, char *buf, size_t room)
{
	bool short_pci = kd_port_is_pci(port) && (strlen(port) < 12 || port[4] != ':');

	snprintf(buf, room, "%s%.*s", short_pci ? "0000:" : "", (int)strcspn(port, ","), port);
}

static int port_open(struct kd_live_state *s, unsigned int side)
{
	const char *port = s->live->port[side];
	char name[RTE_ETH_NAME_MAX_LEN], why[512];
	struct kd_hush hush;
	int rc = 0;

	if (!kd_port_is_pci(port)) {
		kd_eal_hush(&hush, s->live);
		rc = rte_dev_probe(port);
		kd_eal_unhush(&hush, why, sizeof(why));
		if (rc != 0)
			return refuse(port, side, "the driver refuses it", rc, why);
	}
	port_name(port, name, sizeof(name));
	rc = rte_eth_dev_get_port_by_name(name, &s->io.port[side]);
	if (rc != 0)
		return refuse(port, side, "no driver took it", rc, NULL);
	return 0;
}

/* The driver's receive buffer must hold the longest frame. */
int kd_ports_open(struct kd_live_state *s, uint16_t *ret_room)
{
	uint16_t room = RTE_MBUF_DEFAULT_BUF_SIZE; /* headroom and all */

	s->io.port[0] = s->io.port[1] = RTE_MAX_ETHPORTS;
	for (unsigned int side = 0; side < 2; side++) {
		uint16_t mtu;
		int rc = port_open(s, side);

		if (rc != 0)
			return rc;
		if (rte_eth_dev_get_mtu(s->io.port[side], &mtu) != 0)
			mtu = RTE_ETHER_MTU;
		if (mtu > MTU_MAX && mtu != UINT16_MAX)
			return kd_live_say("%s port %s: its MTU is %u; at most %u is forwarded",
				side_name[side], s->live->port[side], mtu, MTU_MAX);
		if (mtu <= MTU_MAX && RTE_PKTMBUF_HEADROOM + mtu + LINK_BYTES_MAX > room)
			room = (uint16_t)(RTE_PKTMBUF_HEADROOM + mtu + LINK_BYTES_MAX);
	}
	*ret_room = room;
	return 0;
}

static int port_configure(struct kd_live_state *s, unsigned int side, const char **ret_what)
{
	uint16_t port = s->io.port[side], rx = RX_DESCRIPTORS, tx = TX_DESCRIPTORS, mtu = 0;
	struct rte_eth_conf conf = {.rxmode.mq_mode = RTE_ETH_MQ_RX_NONE};
	struct rte_eth_dev_info info;
	int rc;

	*ret_what = "asking what it can do";
	rc = rte_eth_dev_info_get(port, &info);
	if (rc != 0)
		return rc;
	if (rte_eth_dev_get_mtu(port, &mtu) == 0 && mtu >= info.min_mtu && mtu <= info.max_mtu)
		conf.rxmode.mtu = mtu;
	*ret_what = "configuring it";
	rc = rte_eth_dev_configure(port, 1, 1, &conf);
	if (rc != 0)
		return rc;
	*ret_what = "choosing its queue lengths";
	rc = rte_eth_dev_adjust_nb_rx_tx_desc(port, &rx, &tx);
	if (rc != 0)
		return rc;
	*ret_what = "setting up its receive queue";
	rc = rte_eth_rx_queue_setup(port, 0, rx, (unsigned int)rte_eth_dev_socket_id(port), NULL, s->pool);
	if (rc != 0)
		return rc;
	*ret_what = "setting up its transmit queue";
	rc = rte_eth_tx_queue_setup(port, 0, tx, (unsigned int)rte_eth_dev_socket_id(port), NULL);
	if (rc != 0)
		return rc;
	*ret_what = "starting it";
	rc = rte_eth_dev_start(port);
	if (rc != 0)
		return rc;
	*ret_what = "receiving what is addressed to others (promiscuous mode)";
	rc = rte_eth_promiscuous_enable(port);
	/* a virtual device that cannot filter says so */
	return rc == -ENOTSUP && !kd_port_is_pci(s->live->port[side]) ? 0 : rc;
}

int kd_ports_start(struct kd_live_state *s)
{
	char why[512];

	for (unsigned int side = 0; side < 2; side++) {
		const char *what = NULL;
		struct kd_hush hush;
		int rc;

		kd_eal_hush(&hush, s->live);
		rc = port_configure(s, side, &what);
		kd_eal_unhush(&hush, why, sizeof(why));
		if (rc != 0)
			return refuse(s->live->port[side], side, what, rc, why);
	}
	return 0;
}

/* Removed rather than closed: a tap whose interface has moved to another namespace cannot be stopped by name,
 * and a port that did not stop would keep its buffers. */
void kd_ports_close(struct kd_live_state *s)
{
	char why[512];
	struct kd_hush hush;

	kd_eal_hush(&hush, s->live);
	for (unsigned int side = 0; side < 2; side++) {
		struct rte_eth_dev_info info;
		uint16_t port = s->io.port[side];

		if (!rte_eth_dev_is_valid_port(port) || rte_eth_dev_info_get(port, &info) != 0)
			continue;
		rte_eth_dev_stop(port);
		rte_dev_remove(info.device);
	}
	kd_eal_unhush(&hush, why, sizeof(why));
}
