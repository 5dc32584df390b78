/* syscall.h: the number of the thread. */
#ifndef STAND_IN_SYSCALL_H
#define STAND_IN_SYSCALL_H

#define SYS_gettid           0
#define syscall(number, ...) stand_in_thread()

unsigned long stand_in_thread(void);

#endif
