// ka/allocator.hpp: any ka_allocator as the allocator of a standard container.
//
//     std::vector<int, ka::allocator<int>> numbers{ka::allocator<int>(&heap.allocator)};
//
// C++17; freestanding, without exceptions or RTTI if the compiler is told so. The standard's containers know no failure
// but an exception: without exceptions no memory ends in ka_alloc_error, which does not return. Code that must go on
// uses the collections of the C library, or ka/object.hpp.
#ifndef KA_ALLOCATOR_HPP
#define KA_ALLOCATOR_HPP

#include <new>
#include <type_traits>

#include <ka/alloc.h>

namespace ka {

// No memory: std::bad_alloc, or ka_alloc_error where the build has no exceptions.
[[noreturn]] inline void no_memory(::size_t size, ::size_t align)
{
#if defined(__cpp_exceptions)
    (void)size, (void)align;
    throw std::bad_alloc();
#else
    ka_alloc_error(size, align);
#endif
}

// An allocator goes with the contents when a container is moved or swapped; a copy keeps its own.
template <class T> class allocator {
  public:
    using value_type = T;
    using propagate_on_container_move_assignment = std::true_type;
    using propagate_on_container_swap = std::true_type;
    using propagate_on_container_copy_assignment = std::false_type;
    using is_always_equal = std::false_type;

    // flags  the context of every allocation through this (ka/types.h)
    explicit allocator(ka_allocator *a, ka_flags flags = 0) noexcept : under(a), context(flags) {}
    template <class U> allocator(const allocator<U> &other) noexcept : under(other.under), context(other.context) {}

    [[nodiscard]] T *allocate(::size_t n)
    {
        void *block = ka_alloc_items(under, sizeof(T), alignof(T), n, context);
        if (block == nullptr)
            no_memory(n > PTRDIFF_MAX / sizeof(T) ? SIZE_MAX : n * sizeof(T), alignof(T));
        return static_cast<T *>(block);
    }

    void deallocate(T *block, ::size_t n) noexcept { ka_free(under, block, n * sizeof(T), alignof(T)); }

    // Where blocks come from.
    ka_allocator *source() const noexcept { return under; }

    template <class U> bool operator==(const allocator<U> &other) const noexcept { return under == other.under; }
    template <class U> bool operator!=(const allocator<U> &other) const noexcept { return under != other.under; }

  private:
    template <class U> friend class allocator;
    ka_allocator *under;
    ka_flags context;
};

} // namespace ka

#endif
