// ka/new.hpp: operator new and delete of a whole program over the C library. Write one of these once, in one source:
//
//     KA_OPERATOR_NEW_HEAP(&driver_heap)             over a ka_heap, which finds a block's size by its address
//     KA_OPERATOR_NEW(&driver_region.allocator)      over any ka_allocator
//
// delete does not always know the size (an array of char, a compiler without sized deallocation), so that over any
// allocator a prefix keeps it: 16 bytes in front of each block, or the alignment where that is larger. Over a ka_heap
// there is none.
//
// C++17; freestanding, without exceptions or RTTI if the compiler is told so. The nothrow forms give nullptr; the
// others throw std::bad_alloc, or end in ka_alloc_error where the build has no exceptions. Size 0 takes 1 byte: C++
// wants unique addresses.
#ifndef KA_NEW_HPP
#define KA_NEW_HPP

#include <ka/allocator.hpp>
#include <ka/heap.h>

namespace ka::detail {

static_assert(__STDCPP_DEFAULT_NEW_ALIGNMENT__ <= 16, "every block is aligned to 16 bytes");

struct prefix {
    ::size_t size, align; // of the whole block
};

inline void *new_before(ka_allocator *a, ::size_t size, ::size_t align) noexcept
{
    static_assert(sizeof(prefix) <= 16, "the prefix fits in front of the smallest alignment");
    const ::size_t before = align < 16 ? 16 : align;
    void *block = size > PTRDIFF_MAX - before ? nullptr : ka_alloc(a, before + (size == 0 ? 1 : size), before, 0);
    if (block == nullptr)
        return nullptr;
    char *object = static_cast<char *>(block) + before;
    ::new (object - sizeof(prefix)) prefix{before + (size == 0 ? 1 : size), before};
    return object;
}

inline void delete_before(ka_allocator *a, void *object) noexcept
{
    if (object == nullptr)
        return;
    const prefix at = *reinterpret_cast<prefix *>(static_cast<char *>(object) - sizeof(prefix));
    ka_free(a, static_cast<char *>(object) - at.align, at.size, at.align);
}

inline void *new_in_heap(ka_heap *heap, ::size_t size, ::size_t align) noexcept
{
    return ka_heap_alloc(heap, size == 0 ? 1 : size, align < 16 ? 16 : align, 0);
}

inline void delete_in_heap(ka_heap *heap, void *object, ::size_t size, ::size_t align) noexcept
{
    ka_heap_free(heap, object, size == 0 ? 1 : size, align < 16 ? 16 : align);
}

inline void *or_no_memory(void *block, ::size_t size, ::size_t align)
{
    if (block == nullptr)
        no_memory(size, align);
    return block;
}

} // namespace ka::detail

// The twenty names, by what takes a block, gives it back, and gives it back knowing its size.
#define KA_OPERATOR_NEW_BY(TAKE, GIVE, GIVE_SIZED)                                                                     \
    void *operator new(::size_t n) { return ka::detail::or_no_memory(TAKE(n, 16), n, 16); }                            \
    void *operator new[](::size_t n) { return ka::detail::or_no_memory(TAKE(n, 16), n, 16); }                          \
    void *operator new(::size_t n, const std::nothrow_t &) noexcept { return TAKE(n, 16); }                            \
    void *operator new[](::size_t n, const std::nothrow_t &) noexcept { return TAKE(n, 16); }                          \
    void *operator new(::size_t n, std::align_val_t to)                                                                \
    {                                                                                                                  \
        return ka::detail::or_no_memory(TAKE(n, ::size_t(to)), n, ::size_t(to));                                       \
    }                                                                                                                  \
    void *operator new[](::size_t n, std::align_val_t to)                                                              \
    {                                                                                                                  \
        return ka::detail::or_no_memory(TAKE(n, ::size_t(to)), n, ::size_t(to));                                       \
    }                                                                                                                  \
    void *operator new(::size_t n, std::align_val_t to, const std::nothrow_t &) noexcept                               \
    {                                                                                                                  \
        return TAKE(n, ::size_t(to));                                                                                  \
    }                                                                                                                  \
    void *operator new[](::size_t n, std::align_val_t to, const std::nothrow_t &) noexcept                             \
    {                                                                                                                  \
        return TAKE(n, ::size_t(to));                                                                                  \
    }                                                                                                                  \
    void operator delete(void *p) noexcept { GIVE(p); }                                                                \
    void operator delete[](void *p) noexcept { GIVE(p); }                                                              \
    void operator delete(void *p, ::size_t n) noexcept { GIVE_SIZED(p, n, 16); }                                       \
    void operator delete[](void *p, ::size_t n) noexcept { GIVE_SIZED(p, n, 16); }                                     \
    void operator delete(void *p, const std::nothrow_t &) noexcept { GIVE(p); }                                        \
    void operator delete[](void *p, const std::nothrow_t &) noexcept { GIVE(p); }                                      \
    void operator delete(void *p, std::align_val_t) noexcept { GIVE(p); }                                              \
    void operator delete[](void *p, std::align_val_t) noexcept { GIVE(p); }                                            \
    void operator delete(void *p, ::size_t n, std::align_val_t to) noexcept { GIVE_SIZED(p, n, ::size_t(to)); }        \
    void operator delete[](void *p, ::size_t n, std::align_val_t to) noexcept { GIVE_SIZED(p, n, ::size_t(to)); }      \
    void operator delete(void *p, std::align_val_t, const std::nothrow_t &) noexcept { GIVE(p); }                      \
    void operator delete[](void *p, std::align_val_t, const std::nothrow_t &) noexcept { GIVE(p); }                    \
    static_assert(true, "takes a semicolon")

#define KA_OPERATOR_NEW(allocator_expression)                                                                          \
    static inline void *ka_operator_new_take(::size_t n, ::size_t align) noexcept                                      \
    {                                                                                                                  \
        return ka::detail::new_before((allocator_expression), n, align);                                               \
    }                                                                                                                  \
    static inline void ka_operator_new_give(void *p) noexcept                                                          \
    {                                                                                                                  \
        ka::detail::delete_before((allocator_expression), p);                                                          \
    }                                                                                                                  \
    static inline void ka_operator_new_give_sized(void *p, ::size_t, ::size_t) noexcept { ka_operator_new_give(p); }   \
    KA_OPERATOR_NEW_BY(ka_operator_new_take, ka_operator_new_give, ka_operator_new_give_sized)

#define KA_OPERATOR_NEW_HEAP(heap_expression)                                                                          \
    static inline void *ka_operator_new_take(::size_t n, ::size_t align) noexcept                                      \
    {                                                                                                                  \
        return ka::detail::new_in_heap((heap_expression), n, align);                                                   \
    }                                                                                                                  \
    static inline void ka_operator_new_give(void *p) noexcept { ka_heap_free_unsized((heap_expression), p); }          \
    static inline void ka_operator_new_give_sized(void *p, ::size_t n, ::size_t align) noexcept                        \
    {                                                                                                                  \
        ka::detail::delete_in_heap((heap_expression), p, n, align);                                                    \
    }                                                                                                                  \
    KA_OPERATOR_NEW_BY(ka_operator_new_take, ka_operator_new_give, ka_operator_new_give_sized)

#endif
