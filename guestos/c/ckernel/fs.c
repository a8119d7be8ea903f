/* fs.c: a small file system: a superblock, a directory, files of one extent each.

   Sector 0   magic "ckfs 1\n", starts, files, checksum over these
   Sector 1   sixteen entries of 32 bytes: name, first sector, length
   From 2 on  eight sectors for each file */
#include "defs.h"

#define SECTOR 512
#define FILES 15
#define FILE_SECTORS 8
#define FILE_BYTES (FILE_SECTORS * SECTOR)
#define FIRST_DATA 2

struct super {
    char magic[8];
    uint32 boots;
    uint32 files;
    uint32 sum;
};

struct entry {
    char name[20];
    uint32 start;
    uint32 length;
    uint32 unused;
};

static struct super *super;
static struct entry *entries;
static uint8 super_sector[SECTOR] __attribute__((aligned(4)));
static uint8 directory[SECTOR] __attribute__((aligned(4)));
static uint8 buffer[SECTOR] __attribute__((aligned(4)));
static struct sleeplock lock;
static int ready;

static uint32 checksum(const struct super *s)
{
    uint32 sum = 0x12345678;
    const uint8 *bytes = (const uint8 *)s;
    for (uint32 i = 0; i < sizeof(*s) - sizeof(s->sum); i++)
        sum = (sum << 5 | sum >> 27) ^ bytes[i];
    return sum;
}

static void save(void)
{
    super->sum = checksum(super);
    if (disk_rw(0, super_sector, 1) || disk_rw(1, directory, 1))
        panic("the disk cannot be written");
}

void fsinit(void)
{
    initsleeplock(&lock, "files");
    if (!disk_present())
        return;
    super = (struct super *)super_sector;
    entries = (struct entry *)directory;
    if (disk_rw(0, super_sector, 0) || disk_rw(1, directory, 0))
        panic("the disk cannot be read");
    if (memcmp(super->magic, "ckfs 1\n", 8) != 0 || super->sum != checksum(super)) {
        printf("ckernel: new file system\n");
        memset(super_sector, 0, SECTOR);
        memset(directory, 0, SECTOR);
        memmove(super->magic, "ckfs 1\n", 8);
    }
    super->boots++;
    save();
    ready = 1;
    printf("ckernel: boot %u of this disk, %u files\n", super->boots, super->files);
}

uint32 fs_boots(void)
{
    return ready ? super->boots : 0;
}

int fs_open(const char *name, int create)
{
    int found = -1;
    if (!ready || !name[0] || strlen(name) >= sizeof(entries[0].name))
        return -1;
    acquiresleep(&lock);
    for (uint32 i = 0; i < super->files; i++)
        if (strcmp(entries[i].name, name) == 0)
            found = (int)i;
    if (found < 0 && create && super->files < FILES) {
        found = (int)super->files++;
        memset(&entries[found], 0, sizeof(entries[found]));
        safestrcpy(entries[found].name, name, sizeof(entries[found].name));
        entries[found].start = FIRST_DATA + FILE_SECTORS * found;
        save();
    }
    releasesleep(&lock);
    return found;
}

int fs_size(int inode)
{
    return (int)entries[inode].length;
}

int fs_name(int index, char name[20])
{
    if (!ready || index < 0 || (uint32)index >= super->files)
        return -1;
    memmove(name, entries[index].name, 20);
    return fs_size(index);
}

int fs_read(int inode, uint32 offset, uint32 dst, uint32 n)
{
    uint32 length = entries[inode].length, done = 0;
    acquiresleep(&lock);
    if (offset > length)
        offset = length;
    if (n > length - offset)
        n = length - offset;
    while (done < n) {
        uint32 at = offset + done, part = SECTOR - at % SECTOR;
        part = part > n - done ? n - done : part;
        if (disk_rw(entries[inode].start + at / SECTOR, buffer, 0) ||
            copyout(myproc()->pagetable, dst + done, buffer + at % SECTOR, part) < 0)
            break;
        done += part;
    }
    releasesleep(&lock);
    return done < n ? -1 : (int)n;
}

int fs_write(int inode, uint32 offset, uint32 src, uint32 n)
{
    uint32 done = 0;
    if (offset > FILE_BYTES || n > FILE_BYTES - offset)
        return -1;
    acquiresleep(&lock);
    while (done < n) {
        uint32 at = offset + done, part = SECTOR - at % SECTOR;
        uint32 sector = entries[inode].start + at / SECTOR;
        part = part > n - done ? n - done : part;
        if (disk_rw(sector, buffer, 0) ||
            copyin(myproc()->pagetable, buffer + at % SECTOR, src + done, part) < 0 ||
            disk_rw(sector, buffer, 1))
            break;
        done += part;
    }
    if (offset + done > entries[inode].length) {
        entries[inode].length = offset + done;
        save();
    }
    releasesleep(&lock);
    return done < n ? -1 : (int)n;
}
