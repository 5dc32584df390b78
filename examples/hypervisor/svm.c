/* svm.c: see svm.h. */
#include "svm.h"

#define MSR_EFER      UINT32_C(0xc0000080)
#define MSR_VM_CR     UINT32_C(0xc0010114)
#define MSR_HOST_AREA UINT32_C(0xc0010117)
#define EFER_SVME     (UINT64_C(1) << 12)
#define VM_CR_LOCKED  (UINT64_C(1) << 4)

static uint64_t read_msr(uint32_t number)
{
    uint32_t low, high;
    __asm__ volatile("rdmsr" : "=a"(low), "=d"(high) : "c"(number));
    return (uint64_t)high << 32 | low;
}

static void write_msr(uint32_t number, uint64_t value)
{
    __asm__ volatile("wrmsr" : : "c"(number), "a"((uint32_t)value), "d"((uint32_t)(value >> 32)) : "memory");
}

static void cpuid(uint32_t leaf, uint32_t out[4])
{
    __asm__ volatile("cpuid" : "=a"(out[0]), "=b"(out[1]), "=c"(out[2]), "=d"(out[3]) : "a"(leaf), "c"(0));
}

bool svm_available(void)
{
    uint32_t r[4];
    cpuid(0x80000000, r);
    if (r[0] < 0x8000000a)
        return false;
    cpuid(0x80000001, r);
    if ((r[2] & 4) == 0)
        return false;
    cpuid(0x8000000a, r);
    return (r[3] & 1) != 0 && (read_msr(MSR_VM_CR) & VM_CR_LOCKED) == 0;
}

void svm_on(uint64_t host_area)
{
    write_msr(MSR_EFER, read_msr(MSR_EFER) | EFER_SVME);
    write_msr(MSR_HOST_AREA, host_area);
}

void svm_off(void)
{
    write_msr(MSR_HOST_AREA, 0);
    write_msr(MSR_EFER, read_msr(MSR_EFER) & ~EFER_SVME);
}
