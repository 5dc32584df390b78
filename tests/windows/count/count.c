/* count.c: how many instructions the port adds to a call of the pool, and how many a hot pair of the heap takes: a
 * driver's image (hot.c), as the cross compiler has linked it, in a program of Linux on x86-64, whose trap flag stops
 * it at each instruction. Counted is what lies in the image. What it imports stands here, and is not counted.
 *
 * Usage: count IMAGE.sys
 */
#define _GNU_SOURCE
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <ucontext.h>

#include "hot.h"

#include "heap/step.h"

#define ADDED_MOST 25u
#define PAIR_MOST  60u

/* ---- the kernel's part ---- */

static unsigned live;

#define KERNEL __attribute__((ms_abi)) static

KERNEL void *allocate_pool2(uint64_t flags, size_t size, uint32_t tag)
{
    static _Alignas(64) char small[64 + 16];
    (void)flags, (void)tag;
    live++;
    return size <= 64 ? small + 16 : aligned_alloc(4096, (size + 4095) / 4096 * 4096);
}

KERNEL void free_with_tag(void *block, uint32_t tag)
{
    (void)tag;
    live--;
    if ((uintptr_t)block % 4096 == 0)
        free(block);
}

KERNEL uint32_t current_processor(void *number)
{
    (void)number;
    return 0;
}

KERNEL uint32_t processor_count(uint16_t group)
{
    (void)group;
    return 2;
}

typedef struct kernel_string {
    uint16_t length, room;
    const uint16_t *text;
} kernel_string;

KERNEL void init_string(kernel_string *string, const uint16_t *text)
{
    string->text = text;
}

/* Of all that is looked up there is ExAllocatePool2. */
KERNEL void *find_routine(const kernel_string *string)
{
    const char *wanted = "ExAllocatePool2";
    const uint16_t *at = string->text;
    while (*wanted != '\0' && *at == (unsigned char)*wanted)
        wanted++, at++;
    return *wanted == '\0' && *at == 0 ? (void *)(uintptr_t)allocate_pool2 : NULL;
}

KERNEL int32_t get_version(uint32_t *version)
{
    version[1] = 10;
    return 0;
}

KERNEL void unexpected(void)
{
    puts("Bail out! the image calls what it should not");
    _Exit(1);
}

static const struct {
    const char *name;
    void *function;
} exports[] = {
    { "ExFreePoolWithTag", (void *)(uintptr_t)free_with_tag },
    { "KeGetCurrentProcessorNumberEx", (void *)(uintptr_t)current_processor },
    { "KeQueryMaximumProcessorCountEx", (void *)(uintptr_t)processor_count },
    { "RtlInitUnicodeString", (void *)(uintptr_t)init_string },
    { "MmGetSystemRoutineAddress", (void *)(uintptr_t)find_routine },
    { "RtlGetVersion", (void *)(uintptr_t)get_version },
};

/* The four that compilers call by themselves. */
KERNEL void *copy(void *to, const void *from, size_t size)
{
    return memmove(to, from, size);
}

KERNEL void *fill(void *to, int byte, size_t size)
{
    return memset(to, byte, size);
}

static void *exported(const char *name)
{
    if (strcmp(name, "memcpy") == 0 || strcmp(name, "memmove") == 0)
        return (void *)(uintptr_t)copy;
    if (strcmp(name, "memset") == 0)
        return (void *)(uintptr_t)fill;
    for (size_t i = 0; i < sizeof exports / sizeof exports[0]; i++)
        if (strcmp(name, exports[i].name) == 0)
            return exports[i].function;
    return (void *)(uintptr_t)unexpected;
}

/* ---- loading: sections, base relocations, imports ---- */

static unsigned char *image;
static size_t image_size;

static uint32_t word(const void *at)
{
    uint32_t value;
    memcpy(&value, at, sizeof value);
    return value;
}

static void relocate(size_t at, size_t size, uint64_t by)
{
    for (size_t end = at + size; at + 8 <= end && word(image + at + 4) >= 8; at += word(image + at + 4))
        for (size_t i = 8; i < word(image + at + 4); i += 2) {
            uint16_t entry;
            uint64_t value;
            memcpy(&entry, image + at + i, sizeof entry);
            if (entry >> 12 != 10) /* the padding; a 64-bit address is 10 */
                continue;
            unsigned char *place = image + word(image + at) + (entry & 0xfff);
            memcpy(&value, place, sizeof value);
            value += by;
            memcpy(place, &value, sizeof value);
        }
}

static void import(size_t at)
{
    for (; word(image + at + 12) != 0; at += 20) {
        size_t names = word(image + at), slots = word(image + at + 16);
        for (uint64_t name; memcpy(&name, image + names, 8), name != 0; names += 8, slots += 8) {
            void *function = exported((const char *)image + name + 2);
            memcpy(image + slots, &function, sizeof function);
        }
    }
}

/* Returns the entry point. */
static hot_entry *load(const char *path)
{
    static unsigned char file[1 << 20];
    FILE *in = fopen(path, "rb");
    size_t size = in == NULL ? 0 : fread(file, 1, sizeof file, in);
    if (size < 1024 || size == sizeof file)
        return NULL;
    fclose(in);
    const unsigned char *head = file + word(file + 0x3c), *optional = head + 24;
    uint16_t sections, optional_size;
    uint64_t base;
    memcpy(&sections, head + 6, sizeof sections);
    memcpy(&optional_size, head + 20, sizeof optional_size);
    memcpy(&base, optional + 24, sizeof base);
    image_size = word(optional + 56);
    image = mmap(NULL, image_size, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (image == MAP_FAILED)
        return NULL;
    for (const unsigned char *s = optional + optional_size; sections-- > 0; s += 40) {
        size_t raw = word(s + 16), virtual_size = word(s + 8);
        memcpy(image + word(s + 12), file + word(s + 20), raw < virtual_size ? raw : virtual_size);
    }
    relocate(word(optional + 152), word(optional + 156), (uint64_t)(uintptr_t)image - base);
    import(word(optional + 120));
    return (hot_entry *)(uintptr_t)(image + word(optional + 16));
}

/* ---- counting ---- */

static volatile unsigned ours, callers;
static uintptr_t callers_begin, callers_end;

static void on_step(int signal, siginfo_t *info, void *context)
{
    uintptr_t at = (uintptr_t)((ucontext_t *)context)->uc_mcontext.gregs[REG_RIP];
    (void)signal, (void)info;
    if (at - callers_begin < callers_end - callers_begin)
        callers++;
    else if (at - (uintptr_t)image < image_size)
        ours++;
}

static unsigned count(hot_function *call)
{
    ours = callers = 0;
    step_begin();
    call();
    step_end();
    return ours + callers;
}

static int failures;

static void result(int number, const char *what, unsigned value, unsigned most)
{
    bool good = value > 0 && value <= most;
    failures += !good;
    printf("%sok %d - %s: %u instructions (at most %u)\n", good ? "" : "not ", number, what, value, most);
}

int main(int argc, char **argv)
{
    hot_entry *entry = argc == 2 ? load(argv[1]) : NULL;
    const hot_table *hot = entry != NULL ? entry() : NULL;
    if (hot == NULL || !hot->open(allocate_pool2)) {
        puts("Bail out! the image does not start");
        return 1;
    }
    struct sigaction action = { .sa_sigaction = on_step, .sa_flags = SA_SIGINFO };
    sigaction(SIGTRAP, &action, NULL);
    callers_begin = (uintptr_t)hot->begin;
    callers_end = (uintptr_t)hot->end;
    for (unsigned i = 0; i < 100; i++) /* the heap's magazines are there */
        hot->heap_pair();

    unsigned nothing = count(hot->nothing); /* a return */
    unsigned system_alloc = count(hot->system_alloc), system_free = count(hot->system_free);
    unsigned alloc = count(hot->pool_alloc), give = count(hot->pool_free);
    unsigned zalloc = count(hot->pool_zalloc), give_again = count(hot->pool_free);
    unsigned by_interface = count(hot->heap_pair_by_interface), pair = count(hot->heap_pair);
    printf("# the system's pool alone: %u and %u; with us: %u and %u\n", system_alloc, system_free, alloc, give);
    unsigned called = ours + 2; /* and the two calls */
    printf("# the heap's pair with its caller: %u; through the interface %u\n", pair, by_interface);
    result(1, "ka_nt_pool adds to an allocation", alloc - system_alloc, ADDED_MOST);
    result(2, "ka_nt_pool adds to a cleared allocation", zalloc - system_alloc, ADDED_MOST);
    result(3, "ka_nt_pool adds to a free", give - system_free, ADDED_MOST);
    result(4, "a hot pair of the heap over pool pages, from call to return", called, PAIR_MOST);
    bool closed = hot->close() && live == 0 && nothing == 1 && give_again == give;
    failures += !closed;
    printf("%sok 5 - nothing is left\n1..5\n", closed ? "" : "not ");
    return failures != 0;
}
