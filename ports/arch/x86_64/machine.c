/* machine.c: the serial port (a 16550 at 0x3f8) and the way out (QEMU's isa-debug-exit at 0xf4). */
#include <ka_arch.h>

#include "io.h"

enum { COM1 = 0x3f8, LINE_STATUS = COM1 + 5, LINE_STATUS_ROOM = 0x20 };
enum { DEBUG_EXIT = 0xf4, EXIT_SUCCESS_VALUE = 0x10 };

void ka_arch_console_start(void)
{
    io_out_8(COM1 + 1, 0x00); /* no interrupts */
    io_out_8(COM1 + 3, 0x80); /* the next two set the divisor: 115200 baud */
    io_out_8(COM1 + 0, 0x01);
    io_out_8(COM1 + 1, 0x00);
    io_out_8(COM1 + 3, 0x03); /* 8 bits, no parity, one stop bit */
    io_out_8(COM1 + 2, 0xc7); /* FIFO on and empty */
    io_out_8(COM1 + 4, 0x03); /* ready */
}

void ka_arch_console_put(char byte)
{
    while ((io_in_8(LINE_STATUS) & LINE_STATUS_ROOM) == 0)
        ka_arch_relax();
    io_out_8(COM1, (uint8_t)byte);
}

/* QEMU ends with (value << 1) | 1: 33 for success, 35 and up for failure. */
void ka_arch_exit(unsigned status)
{
    io_out_32(DEBUG_EXIT, EXIT_SUCCESS_VALUE + (status < 100 ? status : 100));
    for (;;)
        __asm__ volatile("cli\n\thlt");
}

/* rdseed if there is one, else rdrand. Either may have nothing to give for a while. */
bool ka_arch_entropy(uint64_t *out)
{
    enum { LEAF_1_RDRAND = 1 << 30, LEAF_7_RDSEED = 1 << 18, TRIES = 100 };
    uint32_t a = 0, b, c = 0, d;
    __asm__ volatile("cpuid" : "+a"(a), "=b"(b), "+c"(c), "=d"(d));
    bool has_7 = a >= 7;
    a = 7, c = 0;
    __asm__ volatile("cpuid" : "+a"(a), "=b"(b), "+c"(c), "=d"(d));
    bool seed = has_7 && (b & LEAF_7_RDSEED) != 0;
    a = 1, c = 0;
    __asm__ volatile("cpuid" : "+a"(a), "=b"(b), "+c"(c), "=d"(d));
    if (!seed && (c & LEAF_1_RDRAND) == 0)
        return false;
    for (unsigned i = 0; i < TRIES; i++) {
        bool done;
        if (seed)
            __asm__ volatile("rdseed %0" : "=r"(*out), "=@ccc"(done));
        else
            __asm__ volatile("rdrand %0" : "=r"(*out), "=@ccc"(done));
        if (done)
            return true;
        ka_arch_relax();
    }
    return false;
}
