/* ka/owner.h: what the owners share. An owner is a value that frees what it owns: ka/box.h, ka/vec.h, ka/rc.h.
 *
 * One macro line makes a type and its functions; they name the element's type and call its drop directly, so that the
 * compiler checks them and can inline them. The bytes are moved by an untyped core (src/owner/bytes.c), which never
 * calls back. Rules that hold for every owner:
 *
 * - All-zero is a valid empty owner: `{ 0 }`, static storage, a cleared block. A struct of owners that was cleared can
 *   be dropped at any time, and what it holds is dropped exactly once.
 * - An owner must be valid when it is passed: memory that was never cleared is not.
 * - `x_drop` empties the owner; a second drop does nothing. An owner remembers its allocator.
 * - A call that fails has taken nothing: an item that could not be stored is still the caller's.
 * - `take` moves the owner out and leaves an empty one; `share` adds an owner; `get` borrows. Copying an owner by `=`
 *   is not an owner more: only one of the two copies may be used from then on.
 * - A function that replaces what an owner held puts the new value in first, then drops the old one. A drop never finds
 *   the element it is called for in the owner that is being dropped, and must not change that owner.
 * - Element types are moved by copying their bytes: no pointer from an element into itself. Large ones, and those that
 *   are aligned to more than 16 bytes, are best made in place, by the forms `_new`, not passed by value.
 *
 * Context: a call that may allocate does so with no flags, "may sleep"; where there is a form `_with`, it passes the
 * caller's flags. A drop calls the allocator's free and is allowed where that is. Nothing else leaves the caller's CPU.
 * Not thread-safe: an owner, and all owners of one rc, belong to one thread or to one lock.
 * Cost, where nothing is said: constant, and the allocator's and the element's drop.
 *
 * The macros KA_X(name, T, drop) take
 *   name   of the new type, and the start of its functions' names
 *   T      a complete type that can be assigned, written so that `T *` is a pointer to it
 *   drop   a function `void drop(T *)`, which releases what the element owns, but not the element's own memory;
 *          KA_NO_DROP if it owns nothing
 * and stand at file scope without a semicolon. KA_X_TYPE(name, T) and KA_X_CODE(name, T, drop) are the two halves, for
 * a type that contains an owner of itself: the first needs T only declared, and T's drop may be declared in between.
 */
#ifndef KA_OWNER_H
#define KA_OWNER_H

#include <ka/alloc.h>

KA_BEGIN_DECLS

/* For elements that own nothing. */
struct ka_nothing_;
void(KA_NO_DROP)(struct ka_nothing_ *); /* declared for the check of types; never defined, never called */
#define KA_NO_DROP(item) ((void)(item))

/* Compares numbers or pointers into the same array. */
int(KA_COMPARE_NUMBERS)(const struct ka_nothing_ *, const struct ka_nothing_ *); /* for the check of types only */
#define KA_COMPARE_NUMBERS(a, b) ((*(a) > *(b)) - (*(a) < *(b)))

/* For elements that own nothing: a copy of the bytes is a clone. */
bool(KA_CLONE_BYTES)(struct ka_nothing_ *, const struct ka_nothing_ *);
#define KA_CLONE_BYTES(out, from) (*(out) = *(from), true)

/* `KA_AUTO(peer_box) peer = { 0 };` drops the variable where its scope ends. Only where the compiler has it. */
#if defined(__GNUC__) || defined(__clang__)
#define KA_AUTO(name) __attribute__((__cleanup__(name##_drop), __unused__)) name
#endif

/* ---- private: shared by the macros ---- */

/* clang-format off */
#if defined(__cplusplus)
#define KA_EMPTY_ {}
#define KA_DROP_FITS_(name, T, drop)
#define KA_COMPARE_FITS_(name, K, compare)
#define KA_CLONE_FITS_(name, T, clone)
#else
#define KA_EMPTY_ { 0 }
#define KA_DROP_FITS_(name, T, drop) \
    _Static_assert(_Generic(&(drop), void (*)(T *): 1, void (*)(struct ka_nothing_ *): 1, default: 0), \
                   #name ": its drop must be KA_NO_DROP or void " #drop "(" #T " *)");
#define KA_COMPARE_FITS_(name, K, compare) \
    _Static_assert(_Generic(&(compare), int (*)(K const *, K const *): 1, \
                            int (*)(const struct ka_nothing_ *, const struct ka_nothing_ *): 1, default: 0), \
                   #name ": its compare must be KA_COMPARE_NUMBERS or int " #compare "(" #K " const *, ...)");
#define KA_CLONE_FITS_(name, T, clone) \
    _Static_assert(_Generic(&(clone), bool (*)(T *, T const *): 1, \
                            bool (*)(struct ka_nothing_ *, const struct ka_nothing_ *): 1, default: 0), \
                   #name ": its clone must be KA_CLONE_BYTES or bool " #clone "(" #T " *, " #T " const *)");
#endif
/* clang-format on */

#define KA_OWNER_CALL_   KA_UNUSED static inline
#define KA_OWNER_RESULT_ KA_MUST_USE KA_UNUSED static inline

/* What the untyped cores know of a type of collection. */
typedef struct ka_shape_ {
    size_t size, align; /* of an item, bytes */
    const char *name, *file;
    unsigned line;
} ka_shape_;

/* ---- private: the byte core. It moves bytes and never calls anything but the allocator ---- */

/* A block; NULL also without an allocator. */
KA_MUST_USE void *ka_bytes_new_(ka_allocator *a, size_t size, size_t align, ka_flags flags);

/* Makes room for `more` items after `len`: more than doubles the block or, if so much cannot be had, takes a quarter
 * more; with `exact`, just what is needed. Returns the block, moved or not, and sets `*cap`; NULL and nothing changed
 * if it cannot. */
KA_MUST_USE void *ka_bytes_grow_(ka_allocator *a, void *items, size_t *cap, size_t len, size_t more, size_t size,
                                 size_t align, bool exact, ka_flags flags);

/* Makes the block as small as `len` items, at least 1. Returns it and sets `*cap`; NULL and nothing changed if not. */
KA_MUST_USE void *ka_bytes_shrink_(ka_allocator *a, void *items, size_t *cap, size_t len, size_t size, size_t align);

/* Moves the `len - at` items from `at` one place up, or from `at + 1` one place down. */
void ka_bytes_open_(void *items, size_t len, size_t at, size_t size);
void ka_bytes_close_(void *items, size_t len, size_t at, size_t size);

/* Copies `n` items behind the first `len`; clears them. */
void ka_bytes_append_(void *items, size_t len, const void *from, size_t n, size_t size);
void ka_bytes_clear_(void *items, size_t len, size_t n, size_t size);

/* Stops if `from` lies in a block of `cap` items: growing would free it while it is read. */
void ka_bytes_apart_(const void *items, size_t cap, size_t size, const void *from, const char *what, const char *file,
                     unsigned line);

/* NULL, or what is wrong with a block: no allocator, or not aligned. */
KA_MUST_USE const char *ka_bytes_check_(const void *block, const ka_allocator *a, size_t align);

/* The same for a block with counts: how many of this owner's kind there are, and of the other kind. */
KA_MUST_USE const char *ka_counted_check_(const void *block, const ka_allocator *a, size_t align, size_t owners,
                                          size_t others);

/* Stop: the caller's error. `file` and `line` are those of the macro that made the type. */
KA_NORETURN void ka_owner_out_of_bounds_(const char *what, size_t index, size_t len, const char *file, unsigned line);
KA_NORETURN void ka_owner_too_many_(const char *what, const char *file, unsigned line);

KA_END_DECLS

#endif
