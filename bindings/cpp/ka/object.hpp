// ka/object.hpp: C++ objects in any ka_allocator: make, destroy, and a deleter for unique_ptr.
//
// C++17; freestanding, without exceptions or RTTI if the compiler is told so. No memory is nullptr, never an exception.
// A constructor that throws costs nothing: the block goes back.
#ifndef KA_OBJECT_HPP
#define KA_OBJECT_HPP

#include <new>

#include <ka/alloc.h>

namespace ka {

// Makes a T of the arguments in a block of `a`. nullptr: no memory; then no constructor ran.
template <class T, class... Args> [[nodiscard]] T *make(ka_allocator *a, Args &&...args)
{
    void *block = ka_alloc(a, sizeof(T), alignof(T), 0);
    if (block == nullptr)
        return nullptr;
    struct guard { // gives the block back if the constructor throws
        ka_allocator *a;
        void *block;
        ~guard() { ka_free(a, block, sizeof(T), alignof(T)); }
    } held{a, block};
    T *object = ::new (block) T(static_cast<Args &&>(args)...);
    held.block = nullptr;
    return object;
}

// Ends an object of make: of exactly this type, in the same allocator. nullptr does nothing.
template <class T> void destroy(ka_allocator *a, T *object) noexcept
{
    if (object != nullptr) {
        object->~T();
        ka_free(a, const_cast<void *>(static_cast<const volatile void *>(object)), sizeof(T), alignof(T));
    }
}

// What ends an object, whatever type it is seen as: it remembers the block, so that a pointer to a base class (with a
// virtual destructor) frees the whole. 32 bytes on 64-bit machines.
template <class T> class deleter {
  public:
    constexpr deleter() noexcept = default;

    // For an object of make<T>(a, ...).
    deleter(ka_allocator *a, T *object) noexcept
        : allocator(a), block(const_cast<void *>(static_cast<const volatile void *>(object))), size(sizeof(T)),
          align(alignof(T))
    {
    }

    // The same object seen as a base class.
    template <class U, class = decltype(static_cast<T *>(static_cast<U *>(nullptr)))>
    deleter(const deleter<U> &other) noexcept
        : allocator(other.allocator), block(other.block), size(other.size), align(other.align)
    {
    }

    void operator()(T *object) const noexcept
    {
        object->~T();
        ka_free(allocator, block, size, align);
    }

  private:
    template <class U> friend class deleter;
    ka_allocator *allocator = nullptr;
    void *block = nullptr;
    ::size_t size = 0, align = 1;
};

} // namespace ka

#endif
