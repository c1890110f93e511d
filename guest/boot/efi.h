/* SPDX-License-Identifier: ISC */
/*
 * As much of UEFI (2.10) as the application uses. Members that it doesn't use
 * are words that keep the places.
 */
#ifndef EFI_H
#define EFI_H

#include <stddef.h>
#include <stdint.h>

typedef uint64_t efi_status;
typedef void *efi_handle;

#define EFI_ERROR_BIT		(UINT64_C(1) << 63)
#define EFI_SUCCESS		0
#define EFI_LOAD_ERROR		(EFI_ERROR_BIT | 1)
#define EFI_INVALID_PARAMETER	(EFI_ERROR_BIT | 2)
#define EFI_BUFFER_TOO_SMALL	(EFI_ERROR_BIT | 5)

struct efi_guid {
	uint32_t	g_a;
	uint16_t	g_b, g_c;
	uint8_t		g_d[8];
};

struct efi_header {
	uint64_t	eh_signature;
	uint32_t	eh_revision;
	uint32_t	eh_size;
	uint32_t	eh_crc;
	uint32_t	eh_reserved;
};

struct efi_text_output {
	void		*to_reset;
	efi_status	(*to_output)(struct efi_text_output *,
			    const uint16_t *);
};

/* EFI_MEMORY_DESCRIPTOR; the firmware's may be longer. */
struct efi_memory {
	uint32_t	em_type;
	uint32_t	em_pad;
	uint64_t	em_physical;
	uint64_t	em_virtual;
	uint64_t	em_pages;	/* of 4096 bytes */
	uint64_t	em_attributes;
};

#define EFI_LOADER_CODE		1
#define EFI_LOADER_DATA		2
#define EFI_BOOT_CODE		3
#define EFI_BOOT_DATA		4
#define EFI_RUNTIME_CODE	5
#define EFI_RUNTIME_DATA	6
#define EFI_CONVENTIONAL	7
#define EFI_ACPI_RECLAIM	9
#define EFI_ACPI_NVS		10

#define EFI_MEMORY_WB		0x8

struct efi_boot_services {
	struct efi_header bs_header;
	void		*bs_raise_tpl, *bs_restore_tpl;
	void		*bs_allocate_pages, *bs_free_pages;
	efi_status	(*bs_get_memory_map)(size_t *size, void *map,
			    size_t *key, size_t *descriptor,
			    uint32_t *version);
	efi_status	(*bs_allocate_pool)(uint32_t type, size_t, void **);
	efi_status	(*bs_free_pool)(void *);
	void		*bs_events[6];
	void		*bs_install_protocol, *bs_reinstall_protocol,
			*bs_uninstall_protocol;
	efi_status	(*bs_handle_protocol)(efi_handle,
			    const struct efi_guid *, void **);
	void		*bs_reserved, *bs_register_notify, *bs_locate_handle,
			*bs_locate_path, *bs_install_table;
	void		*bs_load_image, *bs_start_image, *bs_exit,
			*bs_unload_image;
	efi_status	(*bs_exit_boot_services)(efi_handle, size_t key);
};

/* EFI_VARIABLE_NON_VOLATILE, _BOOTSERVICE_ACCESS, _RUNTIME_ACCESS */
#define EFI_VARIABLE_KEPT	7

struct efi_runtime_services {
	struct efi_header rs_header;
	void		*rs_time[4];
	void		*rs_set_virtual_map, *rs_convert_pointer;
	void		*rs_get_variable, *rs_next_variable;
	efi_status	(*rs_set_variable)(const uint16_t *name,
			    const struct efi_guid *, uint32_t attributes,
			    size_t, const void *);
};

struct efi_table {
	struct efi_guid	ct_guid;
	void		*ct_table;
};

struct efi_system {
	struct efi_header st_header;
	const uint16_t	*st_vendor;
	uint32_t	st_revision;
	uint32_t	st_pad;
	efi_handle	st_in_handle;
	void		*st_in;
	efi_handle	st_out_handle;
	struct efi_text_output *st_out;
	efi_handle	st_err_handle;
	struct efi_text_output *st_err;
	struct efi_runtime_services *st_runtime;
	struct efi_boot_services *st_boot;
	size_t		st_ntables;
	struct efi_table *st_tables;
};

struct efi_device_path {
	uint8_t		dp_type;
	uint8_t		dp_subtype;
	uint8_t		dp_length[2];
};

#define EFI_PATH_MEDIA		4
#define EFI_PATH_FILE		4	/* subtype */
#define EFI_PATH_END		0x7f

struct efi_loaded_image {
	uint32_t	li_revision;
	efi_handle	li_parent;
	struct efi_system *li_system;
	efi_handle	li_device;
	struct efi_device_path *li_path;
	void		*li_reserved;
	uint32_t	li_options_size;	/* bytes */
	void		*li_options;
	void		*li_base;
	uint64_t	li_size;
};

struct efi_file {
	uint64_t	ef_revision;
	efi_status	(*ef_open)(struct efi_file *, struct efi_file **,
			    const uint16_t *, uint64_t mode, uint64_t attr);
	efi_status	(*ef_close)(struct efi_file *);
	void		*ef_delete;
	efi_status	(*ef_read)(struct efi_file *, size_t *, void *);
	efi_status	(*ef_write)(struct efi_file *, size_t *, const void *);
	efi_status	(*ef_get_position)(struct efi_file *, uint64_t *);
	efi_status	(*ef_set_position)(struct efi_file *, uint64_t);
	void		*ef_get_info, *ef_set_info;
	efi_status	(*ef_flush)(struct efi_file *);
};

#define EFI_FILE_READ		1
#define EFI_FILE_WRITE		2

struct efi_file_system {
	uint64_t	fs_revision;
	efi_status	(*fs_open_volume)(struct efi_file_system *,
			    struct efi_file **);
};

#endif
