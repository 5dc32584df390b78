// ka/memory_resource.hpp: any ka_allocator as a std::pmr::memory_resource.
//
//     ka::memory_resource resource(&heap.allocator);
//     std::pmr::vector<std::pmr::string> names(&resource);
//
// C++17 with a hosted standard library: <memory_resource> is needed, and RTTI, as the class has virtual functions whose
// base the library compiles with it; without RTTI two resources are equal only if they are the same object.
#ifndef KA_MEMORY_RESOURCE_HPP
#define KA_MEMORY_RESOURCE_HPP

#include <memory_resource>

#include <ka/allocator.hpp>

namespace ka {

class memory_resource final : public std::pmr::memory_resource {
  public:
    // flags  the context of every allocation through this (ka/types.h)
    explicit memory_resource(ka_allocator *a, ka_flags flags = 0) noexcept : under(a), context(flags) {}

    // Where blocks come from.
    ka_allocator *source() const noexcept { return under; }

  private:
    void *do_allocate(::size_t size, ::size_t align) override
    {
        void *block = ka_alloc(under, size, align, context);
        if (block == nullptr)
            no_memory(size, align);
        return block;
    }

    void do_deallocate(void *block, ::size_t size, ::size_t align) override { ka_free(under, block, size, align); }

    bool do_is_equal(const std::pmr::memory_resource &other) const noexcept override
    {
#if defined(__cpp_rtti)
        const memory_resource *same = dynamic_cast<const memory_resource *>(&other);
        return same != nullptr && same->under == under;
#else
        return this == &other;
#endif
    }

    ka_allocator *under;
    ka_flags context;
};

} // namespace ka

#endif
