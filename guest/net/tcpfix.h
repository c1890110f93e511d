/* SPDX-License-Identifier: ISC */
/*
 * Included before lwIP's tcp_in.c. When an application closes a connection as
 * the last of its data is acknowledged, and that very segment brings data, lwIP
 * forgets the data: a peer could take all receive buffers so. They are given
 * back where the connection is removed.
 */
#ifndef TCPFIX_H
#define TCPFIX_H

#include "lwip/opt.h"
#include "lwip/priv/tcp_priv.h"

#define tcp_pcb_remove(list, pcb)					\
	do {								\
		if (recv_data != NULL && recv_data != (pcb)->refused_data) \
			pbuf_free(recv_data);				\
		recv_data = NULL;					\
		(tcp_pcb_remove)(list, pcb);				\
	} while (0)

#endif
