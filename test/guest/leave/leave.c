/* SPDX-License-Identifier: ISC */
/*
 * An EFI application that does what some firmware does: it starts a network device, buffers posted in memory that is free for
 * the operating system after ExitBootServices, and leaves it running. Then it starts \paravane.efi. With BREAK_TABLE it damages
 * an ACPI table instead.
 *
 * For QEMU's `virt` alone: the function is looked for on bus 0 at a fixed address, and firmware has assigned the BARs.
 */
#include "../../../guest/boot/efi.h"

#define ECAM		UINT64_C(0x4010000000)
#define NBUFFERS	256
#define BUFFER		2048
#define MAXFILE		(4u << 20)

#define COMMON_FEATURE_SELECT	0x08
#define COMMON_FEATURE		0x0c
#define COMMON_STATUS		0x14
#define COMMON_QUEUE_SELECT	0x16
#define COMMON_QUEUE_SIZE	0x18
#define COMMON_QUEUE_ENABLE	0x1c
#define COMMON_QUEUE_DESC	0x20

struct ring {
	struct {
		uint64_t addr;
		uint32_t len;
		uint16_t flags, next;
	} desc[NBUFFERS];
	struct {
		uint16_t flags, idx, ring[NBUFFERS];
	} avail;
	char pad[4096 - 2 * (NBUFFERS + 2)];
	struct {
		uint16_t flags, idx;
		struct {
			uint32_t id, len;
		} ring[NBUFFERS];
	} used;
};

typedef efi_status (*allocate_pages)(uint32_t, uint32_t, size_t, uint64_t *);
typedef efi_status (*load_image)(uint8_t, efi_handle, void *, void *, size_t,
    efi_handle *);
typedef efi_status (*start_image)(efi_handle, size_t *, void *);

static struct efi_system *st;
static const struct efi_guid guid_loaded_image = { 0x5b1b31a1, 0x9562, 0x11d2,
    { 0x8e, 0x3f, 0x00, 0xa0, 0xc9, 0x69, 0x72, 0x3b } };
static const struct efi_guid guid_file_system = { 0x964e5b22, 0x6459, 0x11d2,
    { 0x8e, 0x39, 0x00, 0xa0, 0xc9, 0x69, 0x72, 0x3b } };

static void
say(const char *s)
{
	uint16_t c[2] = { 0, 0 };

	for (; *s != '\0'; s++) {
		c[0] = (uint16_t)*s;
		st->st_out->to_output(st->st_out, c);
	}
}

static void *
pages(size_t n)
{
	uint64_t pa = 0;

	((allocate_pages)st->st_boot->bs_allocate_pages)(0, EFI_BOOT_DATA, n,
	    &pa);
	return (void *)(uintptr_t)pa;
}

static volatile uint32_t *
conf(uint64_t function, unsigned reg)
{
	return (volatile uint32_t *)(uintptr_t)(ECAM + function + reg);
}

/* The network function's common configuration, NULL: there is none. */
static volatile uint8_t *
common_find(uint64_t *function)
{
	unsigned at;
	uint64_t bar;

	for (*function = 0; *function < 1 << 20; *function += 1 << 15)
		if (*conf(*function, 0) == 0x10001af4 ||
		    *conf(*function, 0) == 0x10411af4)
			break;
	if (*function == 1 << 20)
		return NULL;
	*conf(*function, 4) = 6;
	for (at = *conf(*function, 0x34) & 0xfc; at != 0;
	    at = *conf(*function, at) >> 8 & 0xfc) {
		if ((*conf(*function, at) & 0xff0000ff) != 0x01000009)
			continue;
		at = at + 4;
		bar = 0x10 + 4 * (*conf(*function, at) & 0xff);
		return (volatile uint8_t *)(uintptr_t)
		    (((uint64_t)*conf(*function, (unsigned)bar + 4) << 32 |
		    (*conf(*function, (unsigned)bar) & ~0xfu)) +
		    *conf(*function, at + 4));
	}
	return NULL;
}

#define R8(off)		(*(volatile uint8_t *)(common + (off)))
#define R16(off)	(*(volatile uint16_t *)(common + (off)))
#define R32(off)	(*(volatile uint32_t *)(common + (off)))

static int
device_start(void)
{
	struct ring *ring = pages((sizeof(*ring) + 4095) / 4096);
	uint8_t *buffers = pages(NBUFFERS * BUFFER / 4096);
	volatile uint8_t *common;
	uint64_t function, place[3];
	unsigned i;

	common = common_find(&function);
	if (common == NULL)
		return 0;
	R8(COMMON_STATUS) = 0;
	while (R8(COMMON_STATUS) != 0)
		;
	R8(COMMON_STATUS) = 3;
	R32(COMMON_FEATURE_SELECT) = 0;
	R32(COMMON_FEATURE) = 0;
	R32(COMMON_FEATURE_SELECT) = 1;
	R32(COMMON_FEATURE) = 1;
	R8(COMMON_STATUS) = 11;
	for (i = 0; i < NBUFFERS; i++) {
		ring->desc[i].addr = (uint64_t)(uintptr_t)buffers + i * BUFFER;
		ring->desc[i].len = BUFFER;
		ring->desc[i].flags = 2;
		ring->desc[i].next = 0;
		ring->avail.ring[i] = (uint16_t)i;
	}
	ring->avail.flags = 1;
	ring->avail.idx = NBUFFERS;
	ring->used.idx = 0;
	place[0] = (uint64_t)(uintptr_t)&ring->desc;
	place[1] = (uint64_t)(uintptr_t)&ring->avail;
	place[2] = (uint64_t)(uintptr_t)&ring->used;
	R16(COMMON_QUEUE_SELECT) = 0;
	R16(COMMON_QUEUE_SIZE) = NBUFFERS;
	for (i = 0; i < 3; i++) {
		R32(COMMON_QUEUE_DESC + 8 * i) = (uint32_t)place[i];
		R32(COMMON_QUEUE_DESC + 8 * i + 4) = (uint32_t)(place[i] >> 32);
	}
	R16(COMMON_QUEUE_ENABLE) = 1;
	R8(COMMON_STATUS) = 15;
	__asm__ volatile("dsb sy" : : : "memory");
	/* The test's peer begins to send when it sees this. */
	say("leave: the device runs\r\n");
	while (*(volatile uint16_t *)&ring->used.idx < 8)
		;
	say("leave: it receives\r\n");
	return 1;
}

#ifdef BREAK_TABLE
/* The byte after a table's header is changed, and its checksum is not. */
static void
table_break(const char *name)
{
	const struct efi_table *ct = st->st_tables;
	uint8_t *rsdp, *xsdt, *table;
	uint32_t at;

	while (ct->ct_guid.g_a != 0x8868e871)
		ct++;
	rsdp = ct->ct_table;
	xsdt = *(uint8_t **)(rsdp + 24);
	for (at = 36; at < *(uint32_t *)(xsdt + 4); at += 8) {
		table = (uint8_t *)(uintptr_t)
		    (*(uint32_t *)(xsdt + at) |
		    (uint64_t)*(uint32_t *)(xsdt + at + 4) << 32);
		if (table[0] == name[0] && table[1] == name[1])
			table[36] ^= 0x10;
	}
	say("leave: broken\r\n");
}
#endif

/* \paravane.efi of the volume that we come from. */
static void *
file_load(efi_handle image, size_t *size)
{
	static const uint16_t name[] = u"\\paravane.efi";
	struct efi_loaded_image *li;
	struct efi_file_system *fs;
	struct efi_file *root, *file;
	void *data = pages(MAXFILE / 4096);

	*size = MAXFILE;
	if (st->st_boot->bs_handle_protocol(image, &guid_loaded_image,
	    (void **)&li) != 0 ||
	    st->st_boot->bs_handle_protocol(li->li_device, &guid_file_system,
	    (void **)&fs) != 0 || fs->fs_open_volume(fs, &root) != 0 ||
	    root->ef_open(root, &file, name, EFI_FILE_READ, 0) != 0 ||
	    file->ef_read(file, size, data) != 0)
		return NULL;
	return data;
}

efi_status
efi_entry(efi_handle image, struct efi_system *system)
{
	static const uint16_t options[] =
	    u"run=\"selftest;devices;ping 10.0.2.2;poweroff\"";
	struct efi_loaded_image *li;
	efi_handle child;
	efi_status status;
	size_t size;
	void *data;

	st = system;
	data = file_load(image, &size);
	if (data == NULL) {
		say("leave: no file\r\n");
		return EFI_LOAD_ERROR;
	}
	status = ((load_image)st->st_boot->bs_load_image)(0, image, NULL, data,
	    size, &child);
	if (status != 0) {
		say("leave: it doesn't load\r\n");
		return status;
	}
	st->st_boot->bs_handle_protocol(child, &guid_loaded_image,
	    (void **)&li);
	li->li_options = (void *)(uintptr_t)options;
	li->li_options_size = sizeof(options);
#ifdef BREAK_TABLE
	table_break(BREAK_TABLE);
#else
	if (!device_start())
		say("leave: no device\r\n");
#endif
	return ((start_image)st->st_boot->bs_start_image)(child, &size, NULL);
}
