/* count_plugin.c: counts the instructions of each virtual CPU of QEMU, for machines with several, where -icount cannot.
 * Where the guest executes one of two instructions that do nothing, MARK_BEGIN and MARK_END of mark.h, a line "begin
 * CPU COUNT" or "end CPU COUNT" goes into the file that the argument `out` names. Exact but for the few instructions
 * between a mark and the ends of its block.
 *
 * Debian ships QEMU with plugins but without their header: the few declarations are written out here, after QEMU's
 * documentation of its plugin interface, version 1.
 */
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "mark.h"

struct qemu_plugin_tb;
struct qemu_plugin_insn;
typedef void tb_translated(uint64_t id, struct qemu_plugin_tb *tb);
typedef void executed(unsigned cpu, void *data);

void qemu_plugin_register_vcpu_tb_trans_cb(uint64_t id, tb_translated *call);
void qemu_plugin_register_vcpu_tb_exec_cb(struct qemu_plugin_tb *tb, executed *call, int registers, void *data);
void qemu_plugin_register_vcpu_insn_exec_cb(struct qemu_plugin_insn *insn, executed *call, int registers, void *data);
size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *tb);
struct qemu_plugin_insn *qemu_plugin_tb_get_insn(const struct qemu_plugin_tb *tb, size_t index);
const void *qemu_plugin_insn_data(const struct qemu_plugin_insn *insn);
size_t qemu_plugin_insn_size(const struct qemu_plugin_insn *insn);

#define EXPORT __attribute__((visibility("default")))

enum { CPUS = 16 };

static struct {
    uint64_t count;
    char apart[56]; /* each CPU is a thread: no cache line has two counts */
} cpus[CPUS];

static FILE *out;

static void block_executed(unsigned cpu, void *instructions)
{
    if (cpu < CPUS)
        cpus[cpu].count += (uintptr_t)instructions;
}

static void mark_executed(unsigned cpu, void *word)
{
    if (cpu < CPUS)
        fprintf(out, "%s %u %llu\n", (const char *)word, cpu, (unsigned long long)cpus[cpu].count);
    fflush(out);
}

static void block_translated(uint64_t id, struct qemu_plugin_tb *tb)
{
    static const unsigned char begin[] = { MARK_BEGIN }, end[] = { MARK_END };
    size_t count = qemu_plugin_tb_n_insns(tb);
    (void)id;
    qemu_plugin_register_vcpu_tb_exec_cb(tb, block_executed, 0, (void *)(uintptr_t)count);
    for (size_t i = 0; i < count; i++) {
        struct qemu_plugin_insn *insn = qemu_plugin_tb_get_insn(tb, i);
        const void *bytes = qemu_plugin_insn_data(insn);
        if (qemu_plugin_insn_size(insn) != sizeof begin)
            continue;
        if (memcmp(bytes, begin, sizeof begin) == 0)
            qemu_plugin_register_vcpu_insn_exec_cb(insn, mark_executed, 0, (void *)(uintptr_t) "begin");
        else if (memcmp(bytes, end, sizeof end) == 0)
            qemu_plugin_register_vcpu_insn_exec_cb(insn, mark_executed, 0, (void *)(uintptr_t) "end");
    }
}

EXPORT int qemu_plugin_version = 1;

EXPORT int qemu_plugin_install(uint64_t id, const void *info, int count, char **arguments)
{
    (void)info;
    if (count != 1 || strncmp(arguments[0], "out=", 4) != 0 || (out = fopen(arguments[0] + 4, "w")) == NULL)
        return -1;
    qemu_plugin_register_vcpu_tb_trans_cb(id, block_translated);
    return 0;
}
