/* pthread.h: the locks that tests/windows/shim takes. */
#ifndef STAND_IN_PTHREAD_H
#define STAND_IN_PTHREAD_H

typedef struct pthread_mutex {
    void *raw; /* an SRWLOCK */
} pthread_mutex_t;
#define PTHREAD_MUTEX_INITIALIZER { 0 }

void pthread_mutex_lock(pthread_mutex_t *mutex);
void pthread_mutex_unlock(pthread_mutex_t *mutex);

#endif
