/* test_driver.h: what the test driver and its control program share. */
#ifndef TEST_DRIVER_H
#define TEST_DRIVER_H

/* One request: the input is the name of a suite, zero-terminated; the output is what it printed, TAP. */
#define TEST_DEVICE "KernelAllocTest"
#define TEST_RUN    0x222000u /* CTL_CODE(FILE_DEVICE_UNKNOWN, 0x800, METHOD_BUFFERED, FILE_ANY_ACCESS) */
#define TEST_BYTES  (256u << 10)

#endif
