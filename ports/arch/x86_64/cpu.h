/* cpu.h: what the files of this folder share: the tables of one CPU, and its local APIC. */
#ifndef KA_ARCH_CPU_H
#define KA_ARCH_CPU_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { KA_CODE_SELECTOR = 8, KA_TASK_SELECTOR = 24, KA_DOUBLE_FAULT_STACK = 1 };

/* Interrupts, behind the 32 exceptions. */
enum { KA_VECTOR_TIMER = 32, KA_VECTOR_CALL = 33, KA_VECTOR_SPURIOUS = 35, KA_VECTORS = 36 };

/* Gives this CPU its number, segments, task state and exception table. First thing on each CPU. */
void ka_cpu_begin(unsigned number);

/* Loads the exception table, which all CPUs share. */
void ka_exceptions_load(void);

/* Finds the CPUs by the firmware's tables (rsdp: where they begin; 0: there are none), and readies this CPU's APIC. */
void ka_apic_start(uint64_t rsdp);

/* The interrupt that is handled now may come again. */
void ka_apic_end(void);

/* If another CPU asks this one to forget pages: does it. Called from every NMI. */
void ka_apic_flush_serve(void);

/* Reads the APIC ids of all usable CPUs from ACPI's MADT, at most `max`. Returns how many. */
size_t ka_acpi_cpus(uint64_t rsdp, uint8_t *ids, size_t max);

/* A CPU, or bytes of memory, and the proximity domain that it is near to. */
typedef struct ka_acpi_near {
    bool is_cpu;
    uint8_t apic_id;
    uint64_t base, size;
    uint32_t domain;
} ka_acpi_near;

/* Reads them from ACPI's SRAT, at most `max`. Returns how many; 0 on a machine of one node. */
size_t ka_acpi_nears(uint64_t rsdp, ka_acpi_near *out, size_t max);

/* The number of the CPU with this APIC id; KA_ARCH_MAX_CPUS if it is not used. */
unsigned ka_apic_cpu_of(uint8_t id);

#endif
