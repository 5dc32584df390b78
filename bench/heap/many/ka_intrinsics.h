/* ka_intrinsics.h of the simulation of many CPUs: every atomic operation is told to it first. See ../contention.c. */
#ifndef MANY_INTRINSICS_H
#define MANY_INTRINSICS_H

#include "../../../src/base/gnu/ka_intrinsics.h"

/* The CPU whose turn it is looks at, or changes, the line of memory that `place` lies in. */
void many_look(const void *place);
void many_change(const void *place);

#define ka_load_relaxed_8(p)     (many_look(p), ka_load_relaxed_8(p))
#define ka_store_relaxed_8(p, v) (many_change(p), ka_store_relaxed_8(p, v))

#define ka_load_relaxed_32(p)     (many_look(p), ka_load_relaxed_32(p))
#define ka_load_acquire_32(p)     (many_look(p), ka_load_acquire_32(p))
#define ka_store_relaxed_32(p, v) (many_change(p), ka_store_relaxed_32(p, v))
#define ka_store_release_32(p, v) (many_change(p), ka_store_release_32(p, v))
#define ka_exchange_32(p, v)      (many_change(p), ka_exchange_32(p, v))
#define ka_fetch_add_32(p, v)     (many_change(p), ka_fetch_add_32(p, v))
#define ka_fetch_or_32(p, v)      (many_change(p), ka_fetch_or_32(p, v))
#define ka_fetch_and_32(p, v)     (many_change(p), ka_fetch_and_32(p, v))
#define ka_cas_32(p, e, d)        (many_change(p), ka_cas_32(p, e, d))

#define ka_load_relaxed_64(p)     (many_look(p), ka_load_relaxed_64(p))
#define ka_load_acquire_64(p)     (many_look(p), ka_load_acquire_64(p))
#define ka_store_relaxed_64(p, v) (many_change(p), ka_store_relaxed_64(p, v))
#define ka_store_release_64(p, v) (many_change(p), ka_store_release_64(p, v))
#define ka_exchange_64(p, v)      (many_change(p), ka_exchange_64(p, v))
#define ka_fetch_add_64(p, v)     (many_change(p), ka_fetch_add_64(p, v))
#define ka_fetch_or_64(p, v)      (many_change(p), ka_fetch_or_64(p, v))
#define ka_fetch_and_64(p, v)     (many_change(p), ka_fetch_and_64(p, v))
#define ka_cas_64(p, e, d)        (many_change(p), ka_cas_64(p, e, d))

#define ka_load_relaxed_ptr(p)     (many_look(p), ka_load_relaxed_ptr(p))
#define ka_load_acquire_ptr(p)     (many_look(p), ka_load_acquire_ptr(p))
#define ka_store_relaxed_ptr(p, v) (many_change(p), ka_store_relaxed_ptr(p, v))
#define ka_store_release_ptr(p, v) (many_change(p), ka_store_release_ptr(p, v))
#define ka_exchange_ptr(p, v)      (many_change(p), ka_exchange_ptr(p, v))
#define ka_fetch_add_ptr(p, v)     (many_change(p), ka_fetch_add_ptr(p, v))
#define ka_fetch_or_ptr(p, v)      (many_change(p), ka_fetch_or_ptr(p, v))
#define ka_fetch_and_ptr(p, v)     (many_change(p), ka_fetch_and_ptr(p, v))
#define ka_cas_ptr(p, e, d)        (many_change(p), ka_cas_ptr(p, e, d))

#endif
