/* demo.h: what the driver and its control program share. */
#ifndef DEMO_H
#define DEMO_H

#define DEMO_NAME "KernelAllocDemo" /* of the service and of the device */

/* CTL_CODE(FILE_DEVICE_UNKNOWN, 0x800 to 0x803, METHOD_BUFFERED, FILE_READ_ACCESS | FILE_WRITE_ACCESS) */
#define DEMO_BUILD      0x22e000u /* in: the count of virtual CPUs, 32 bits; replaces those that there are */
#define DEMO_DROP       0x22e004u /* drops them all */
#define DEMO_STATISTICS 0x22e008u /* out: text, a line for each tag */
#define DEMO_LOSE       0x22e00cu /* forgets one of them: a leak, which the driver reports when it is unloaded */

#endif
