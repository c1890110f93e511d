/* SPDX-License-Identifier: ISC */
/* UNIT: guest/disk/cache.c guest/disk/disk.c guest/disk/part.c guest/disk/fat.c guest/disk/fatcheck.c guest/console/loglimit.c test/unit/kern_fake.c */
/* UNIT-CFLAGS: -Iguest/disk -isystem $(SRC)/micropython/lib/oofatfs */
/* UNIT-LIBS: fatfs */
/*
 * Files on FAT disks that dosfstools made, which then judges what became of
 * them; and on damaged ones, to which nothing may be written.
 */
#include "../../guest/disk/unit.c"

#include <unistd.h>

#include "disk_fake.h"
#include "fatcheck.h"
#include "file.h"

#define MB	(1u << 20)

static struct fake *fake;
static char dir[64], path[128];
static uint8_t *pristine;		/* with files on it */
static uint64_t pristine_size;
static unsigned findings;
static char finding_text[512];

static void
fake_idle(void)
{
	if (fake != NULL && fake->f_unit != NULL && !fake->f_unit->du_gone)
		service(fake->f_unit);
}

static void
run(const char *fmt, ...)
{
	char command[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(command, sizeof(command), fmt, ap);
	va_end(ap);
	if (system(command) != 0)
		fail_msg("%s", command);
}

static void
disk_in(const uint8_t *image, uint64_t size)
{
	fake_log[0] = '\0';
	fake_geo.dg_sector = 512;
	fake = fake_new(size);
	memcpy(fake->f_seen, image, size);
	memcpy(fake->f_medium, image, size);
	fake_attach(fake);
}

static void
disk_out(void)
{
	disk_unit_detach(fake->f_unit);
	fake_free(fake);
	fake = NULL;
}

static uint8_t *
slurp(const char *name, uint64_t *size)
{
	FILE *f = fopen(name, "rb");
	uint8_t *p;

	assert_non_null(f);
	fseek(f, 0, SEEK_END);
	*size = (uint64_t)ftell(f);
	rewind(f);
	p = malloc(*size + 1);
	assert_int_equal(fread(p, 1, *size, f), *size);
	fclose(f);
	return p;
}

static void
spill(const char *name, const uint8_t *p, uint64_t size)
{
	FILE *f = fopen(name, "wb");

	assert_non_null(f);
	assert_int_equal(fwrite(p, 1, size, f), size);
	fclose(f);
}

/* What mkfs.vfat makes of so many KiB. */
static void
make(unsigned kib, const char *args)
{
	uint8_t *p;
	uint64_t size;

	snprintf(path, sizeof(path), "%s/image", dir);
	run("rm -f %s && /sbin/mkfs.vfat -C %s %s %u >/dev/null", path, args,
	    path, kib);
	p = slurp(path, &size);
	disk_in(p, size);
	free(p);
}

static void
put(const char *name, unsigned len, unsigned seed)
{
	uint8_t *p = malloc(len + 1);
	struct file *fi;
	unsigned i, n;

	for (i = 0; i < len; i++)
		p[i] = (uint8_t)(i * seed + i / 251);
	assert_int_equal(file_open(name, FILE_CREATE, &fi), 0);
	for (i = 0; i < len; i += n) {
		n = len - i < 7001 ? len - i : 7001;
		assert_int_equal(file_write(fi, p + i, n), 0);
	}
	assert_int_equal(file_close(fi), 0);
	free(p);
}

static void
expect(const char *name, unsigned len, unsigned seed)
{
	struct file *fi;
	uint8_t buf[5000];
	unsigned at = 0, i;
	size_t got;

	assert_int_equal(file_open(name, FILE_READ, &fi), 0);
	do {
		assert_int_equal(file_read(fi, buf, sizeof(buf), &got), 0);
		for (i = 0; i < got; i++, at++)
			assert_int_equal(buf[i], (uint8_t)(at * seed +
			    at / 251));
	} while (got == sizeof(buf));
	assert_int_equal(at, len);
	assert_int_equal(file_close(fi), 0);
}

static int
count(void *arg, const struct file_entry *fe)
{
	(void)fe;
	++*(unsigned *)arg;
	return 0;
}

static void
use(void)
{
	char name[80];
	unsigned i, n = 0;

	put("/short.txt", 10, 3);
	put("disk0:/A long name, with dots.and.more", 40000, 7);
	put("/empty", 0, 1);
	assert_int_equal(file_mkdir("/Directory One"), 0);
	assert_int_equal(file_mkdir("/Directory One/EFI"), 0);
	assert_int_equal(file_mkdir("/Directory One"), EEXIST);
	for (i = 0; i < 60; i++) {
		snprintf(name, sizeof(name),
		    "/Directory One/EFI/quite a long name number %u", i);
		put(name, i * 100, i);
	}
	for (i = 0; i < 60; i += 2) {
		snprintf(name, sizeof(name),
		    "/Directory One/EFI/quite a long name number %u", i);
		assert_int_equal(file_remove(name), 0);
	}
	put("/short.txt", 3000, 5);	/* over the old one */
	expect("/SHORT.TXT", 3000, 5);
	expect("/A long name, with dots.and.more", 40000, 7);
	expect("/Directory One/EFI/quite a long name number 59", 5900, 59);
	assert_int_equal(file_list("/Directory One/EFI", count, &n), 0);
	assert_int_equal(n, 30);
	assert_int_equal(file_remove("/Directory One/EFI"), EACCES);
	assert_int_equal(file_remove("/empty"), 0);
	assert_int_equal(file_remove("/empty"), ENOENT);
	/* The directory's files are on the medium: nothing waits. */
	assert_int_equal(fake->f_unit->du_ndirty, 0);
}

/* dosfstools and mtools find what we wrote, and nothing wrong with it. */
static void
judge(void)
{
	spill(path, fake->f_medium, fake->f_size);
	run("/sbin/fsck.vfat -n %s >%s/fsck", path, dir);
	run("mtype -i %s '::/A long name, with dots.and.more' | wc -c | "
	    "grep -q '^40000$'", path);
	run("mdir -i %s '::/Directory One/EFI' | grep -q '30 files\\|32 files'",
	    path);
}

static void
test_fat12(void **state)
{
	(void)state;
	make(1440, "-F 12");
	use();
	judge();
	disk_out();
}

static void
test_fat16(void **state)
{
	(void)state;
	make(16384, "-F 16");
	use();
	judge();
	disk_out();
}

static void
test_fat32(void **state)
{
	(void)state;
	make(40960, "-F 32 -s 1");
	use();
	judge();
	disk_out();
}

static void
test_fat_of_large_sectors(void **state)
{
	(void)state;
	make(65536, "-S 4096 -F 16");
	use();
	judge();
	disk_out();
}

static void
test_a_file_is_known_by_any_name(void **state)
{
	struct file *fi;

	(void)state;
	disk_in(pristine, pristine_size);
	assert_int_equal(file_open("/A long name, with dots.and.more", FILE_READ,
	    &fi), 0);
	assert_true(file_is(fi, "disk0:a LONG name, with dots.and.more"));
	assert_true(file_is(fi, "//ALONGN~1.MOR"));
	assert_false(file_is(fi, "/short.txt"));
	assert_false(file_is(fi, "/none"));
	assert_false(file_is(fi, "disk7:/short.txt"));
	assert_int_equal(file_close(fi), 0);
	disk_out();
}

static void
test_a_full_disk_says_so(void **state)
{
	static uint8_t much[2 * MB];
	struct file *fi;

	(void)state;
	make(1440, "-F 12");
	assert_int_equal(file_open("/big", FILE_CREATE, &fi), 0);
	assert_int_equal(file_write(fi, much, sizeof(much)), ENOSPC);
	assert_int_equal(file_close(fi), 0);
	assert_int_equal(file_remove("/big"), 0);
	put("/fits", 1400000, 9);
	spill(path, fake->f_medium, fake->f_size);
	run("/sbin/fsck.vfat -n %s >%s/fsck", path, dir);
	disk_out();
}

static void
test_write_errors_reach_who_wrote(void **state)
{
	static uint8_t data[100000];
	struct file *fi;
	int error;

	(void)state;
	make(16384, "-F 16");
	assert_int_equal(file_open("/f", FILE_CREATE, &fi), 0);
	fake->f_allbad = true;
	error = file_write(fi, data, sizeof(data));
	assert_true(error == 0 || error == EIO);
	assert_int_equal(file_close(fi), EIO);
	fake->f_allbad = false;
	disk_out();
}

static void
test_a_disk_that_goes_gives_enxio(void **state)
{
	struct file *fi;
	size_t got;
	char buf[16];

	(void)state;
	disk_in(pristine, pristine_size);
	assert_int_equal(file_open("/short.txt", FILE_READ, &fi), 0);
	disk_unit_detach(fake->f_unit);
	assert_int_equal(file_read(fi, buf, sizeof(buf), &got), ENXIO);
	file_close(fi);
	assert_int_equal(file_open("disk0:/short.txt", FILE_READ, &fi), ENXIO);
	fake_free(fake);
	fake = NULL;
}

static void
say(void *arg, const char *text)
{
	size_t at = strlen(finding_text);

	(void)arg;
	findings++;
	snprintf(finding_text + at, sizeof(finding_text) - at, "%s\n", text);
}

/* Everything that may be done, on whatever there is: all of it ends. */
static void
try_all(void)
{
	struct file_entry fe;
	struct file *fi;
	unsigned n = 0;
	size_t got;
	int error;

	findings = 0;
	finding_text[0] = '\0';
	error = file_check("disk0", say, NULL);
	file_stat("/short.txt", &fe);
	file_list("/", count, &n);
	file_list("/Directory One/EFI", count, &n);
	if (file_open("/short.txt", FILE_READ, &fi) == 0) {
		static uint8_t buf[65536];

		file_read(fi, buf, sizeof(buf), &got);
		file_close(fi);
	}
	if (error == 0)
		return;
	assert_true(findings > 0);
	/* Nothing is written to what is not whole. */
	assert_int_not_equal(file_open("/new", FILE_CREATE, &fi), 0);
	assert_int_not_equal(file_mkdir("/newdir"), 0);
	assert_int_not_equal(file_remove("/short.txt"), 0);
	assert_int_equal(fake->f_writes, 0);
}

static uint64_t
fat_at(unsigned *bits)
{
	struct fat_geometry g;

	assert_null(fat_geometry(pristine, pristine_size, &g));
	*bits = g.fg_bits;
	return g.fg_fat;
}

static void
damage(const char *what, uint64_t at, unsigned len, const void *to)
{
	struct fat_geometry g;

	assert_null(fat_geometry(pristine, pristine_size, &g));
	disk_in(pristine, pristine_size);
	memcpy(fake->f_seen + at, to, len);
	if (at < g.fg_fat + g.fg_fatsize)
		memcpy(fake->f_seen + at + g.fg_fatsize, to, len);
	try_all();
	if (strstr(finding_text, what) == NULL)
		fail_msg("%s, not %s", finding_text, what);
	disk_out();
}

/* Where a name's entry is on the image. */
static uint64_t
entry_at(const char *name)
{
	uint64_t at;

	for (at = 0; at + 11 < pristine_size; at += 32)
		if (memcmp(pristine + at, name, 11) == 0)
			return at;
	fail_msg("no %s", name);
	return 0;
}

static unsigned
first_cluster(uint64_t entry)
{
	return (unsigned)(pristine[entry + 26] | pristine[entry + 27] << 8);
}

static void
test_chains_that_loop_or_lead_nowhere(void **state)
{
	uint64_t file = entry_at("SHORT   TXT"), d = entry_at("DIRECT~1   ");
	unsigned bits, f = first_cluster(file), dc = first_cluster(d);
	uint64_t fat = fat_at(&bits);
	uint8_t self[2] = { (uint8_t)f, (uint8_t)(f >> 8) };
	uint8_t dself[2] = { (uint8_t)dc, (uint8_t)(dc >> 8) };

	(void)state;
	assert_int_equal(bits, 16);
	damage("SHORT   TXT: loops", fat + 2 * f, 2, self);
	damage("DIRECT~1   : loops", fat + 2 * dc, 2, dself);
	damage("leads to a bad cluster", fat + 2 * f, 2, "\xf7\xff");
	damage("leads to a free cluster", fat + 2 * f, 2, "\0\0");
	damage("leads to cluster 65000", fat + 2 * f, 2, "\xe8\xfd");
	/* The directory holds itself, and two files are one. */
	damage("meets another", file + 26, 2, dself);
	damage("fewer than its", file + 28, 4, "\xff\xff\xff\x7f");
	damage("has no cluster", file + 26, 2, "\0\0");
}

static void
test_fats_that_differ(void **state)
{
	unsigned bits;
	uint64_t fat = fat_at(&bits);

	(void)state;
	disk_in(pristine, pristine_size);
	fake->f_seen[fat + 100] ^= 1;
	try_all();
	assert_true(findings > 0);
	disk_out();
}

/* Where they write past the file system nothing else may come to lie. */
static void
test_a_file_that_is_overwritten_in_place_stays(void **state)
{
	uint64_t off, len;
	struct file *fi;

	(void)state;
	make(2560, "-F 16 -s 1");
	put("/A long log.txt", 5000, 3);
	assert_int_equal(file_place("/A long log.txt", &off, &len), 0);
	assert_int_equal(len, 5000);
	assert_int_equal(fake->f_seen[off + 1], 3);
	assert_int_equal(file_remove("/ALONGL~1.TXT"), EBUSY);
	assert_int_equal(file_open("disk0:/a long LOG.txt", FILE_CREATE, &fi),
	    EBUSY);
	put("/other", 5000, 4);
	assert_int_equal(file_remove("/other"), 0);
	file_unplace();
	assert_int_equal(file_remove("/A long log.txt"), 0);
	disk_out();
}

static void
test_a_file_in_pieces_has_no_place(void **state)
{
	uint64_t off, len;

	(void)state;
	make(2560, "-F 16 -s 1");
	put("/hole", 2000, 3);
	put("/wall", 2000, 3);
	assert_int_equal(file_remove("/hole"), 0);
	put("/log", 5000, 3);
	assert_int_equal(file_place("/log", &off, &len), EFBIG);
	assert_int_equal(file_remove("/log"), 0);
	put("/empty", 0, 1);
	assert_int_equal(file_place("/empty", &off, &len), EFBIG);
	disk_out();
}

static void
test_on_a_damaged_disk_nothing_has_a_place(void **state)
{
	uint8_t *image = malloc(pristine_size);
	uint64_t off, len;
	unsigned bits;

	(void)state;
	make(2560, "-F 16 -s 1");
	put("/log", 5000, 3);
	assert_int_equal(fake->f_size, pristine_size);
	memcpy(image, fake->f_medium, pristine_size);
	disk_out();
	image[fat_at(&bits) + 100] ^= 1;
	disk_in(image, pristine_size);
	free(image);
	assert_int_equal(file_place("/log", &off, &len), EILSEQ);
	disk_out();
}

/* As FatFs counts: by one more than the specification has it. */
static void
test_the_number_of_clusters_tells_the_kind_of_fat(void **state)
{
	static const struct {
		unsigned clusters, bits;
	} table[] = {
		{ 4084, 12 }, { 4085, 12 }, { 4086, 16 }, { 65524, 16 },
		{ 65525, 16 },
	};
	uint8_t boot[512] = { 0xeb };
	struct fat_geometry geo;
	unsigned i, total;

	(void)state;
	memcpy(boot + 54, "FAT", 3);
	memcpy(boot + 510, "\x55\xaa", 2);
	boot[12] = 2;			/* bytes of a sector / 256 */
	boot[13] = boot[14] = boot[16] = 1;
	boot[17] = 16;			/* a sector of the root directory */
	boot[23] = 1;			/* sectors of the FAT / 256 */
	for (i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		total = 1 + 256 + 1 + table[i].clusters;
		memcpy(boot + 32, &total, 4);
		assert_null(fat_geometry(boot, total * 512ull, &geo));
		assert_int_equal(geo.fg_clusters, table[i].clusters);
		assert_int_equal(geo.fg_bits, table[i].bits);
	}
}

static void
test_every_byte_of_the_boot_sector_changed(void **state)
{
	unsigned at, i;
	static const uint8_t x[] = { 0x01, 0x80, 0xff };

	(void)state;
	for (at = 0; at < 512; at++) {
		if (at >= 90 && at < 508)
			continue;	/* code */
		for (i = 0; i < sizeof(x); i++) {
			disk_in(pristine, pristine_size);
			fake->f_seen[at] ^= x[i];
			try_all();
			disk_out();
		}
	}
}

static void
test_random_damage(void **state)
{
	unsigned n, i, k;

	(void)state;
	srand(3);
	for (n = 0; n < 200; n++) {
		disk_in(pristine, pristine_size);
		k = 1 + (unsigned)rand() % 20;
		for (i = 0; i < k; i++)
			fake->f_seen[(unsigned)rand() % (n % 2 == 0 ? 4096 :
			    300000)] = (uint8_t)rand();
		try_all();
		disk_out();
	}
}

static void
test_truncated_images(void **state)
{
	uint64_t size;

	(void)state;
	for (size = 0; size < pristine_size; size += size < 32768 ? 512 :
	    513 * 512) {
		disk_in(pristine, size);
		try_all();
		disk_out();
	}
}

static int
make_pristine(void **state)
{
	(void)state;
	snprintf(dir, sizeof(dir), "/tmp/paravane-fat-XXXXXX");
	assert_non_null(mkdtemp(dir));
	make(2560, "-F 16 -s 1");
	use();
	pristine_size = fake->f_size;
	pristine = malloc(pristine_size);
	memcpy(pristine, fake->f_medium, pristine_size);
	disk_out();
	return 0;
}

static int
remove_all(void **state)
{
	(void)state;
	free(pristine);
	run("rm -rf %s", dir);
	return 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_fat12),
		cmocka_unit_test(test_fat16),
		cmocka_unit_test(test_fat32),
		cmocka_unit_test(test_fat_of_large_sectors),
		cmocka_unit_test(test_a_file_is_known_by_any_name),
		cmocka_unit_test(test_a_full_disk_says_so),
		cmocka_unit_test(test_write_errors_reach_who_wrote),
		cmocka_unit_test(test_a_disk_that_goes_gives_enxio),
		cmocka_unit_test(test_chains_that_loop_or_lead_nowhere),
		cmocka_unit_test(test_fats_that_differ),
		cmocka_unit_test(test_a_file_that_is_overwritten_in_place_stays),
		cmocka_unit_test(test_a_file_in_pieces_has_no_place),
		cmocka_unit_test(test_on_a_damaged_disk_nothing_has_a_place),
		cmocka_unit_test(test_the_number_of_clusters_tells_the_kind_of_fat),
		cmocka_unit_test(test_every_byte_of_the_boot_sector_changed),
		cmocka_unit_test(test_random_damage),
		cmocka_unit_test(test_truncated_images),
	};

	return cmocka_run_group_tests(tests, make_pristine, remove_all);
}
