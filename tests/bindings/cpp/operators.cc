// operators.cc: every form of operator new and delete over the C library. OVER: which macro.
#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

#include <ka/heap.h>
#include <ka/new.hpp>

#include "check.hpp"

alignas(4096) static char memory[16 << 20];

static ka_heap *heap()
{
    static ka_heap opened;
    if (opened.allocator.ops == nullptr) {
        ka_heap_options options = {};
        options.base = memory;
        options.size = sizeof memory;
        if (!ka_heap_init(&opened, &options))
            ka_port_panic("no heap", __FILE__, __LINE__);
    }
    return &opened;
}

#ifdef OVER_HEAP
KA_OPERATOR_NEW_HEAP(heap());
#else
KA_OPERATOR_NEW(&heap()->allocator);
#endif

static size_t misuses;

static void count_misuse(void *, ka_misuse, ka_allocator *, const void *, size_t, const void *)
{
    misuses++;
}

static size_t live()
{
    ka_heap_flush(heap());
    return ka_get_stats(&heap()->allocator).live;
}

struct alignas(256) wide {
    char bytes[300];
};

template <class T> static bool aligned(T *object)
{
    bool good = object != nullptr && reinterpret_cast<std::uintptr_t>(object) % alignof(T) == 0;
    if (good)
        std::memset(static_cast<void *>(object), 0x5a, sizeof(T));
    return good;
}

static bool every_form()
{
    bool good = true;
    for (size_t round = 0; round < 1000; round++) {
        int *one = new int, *quiet = new (std::nothrow) int;
        char *text = new char[100 + round];
        wide *large = new wide, *many = new wide[3], *quiet_wide = new (std::nothrow) wide;
        good = good && aligned(one) && aligned(quiet) && aligned(text) && aligned(large) && aligned(many) &&
               aligned(quiet_wide);
        delete one;
        delete quiet;
        delete[] text;
        delete large;
        delete[] many;
        delete quiet_wide;
        ::operator delete(::operator new(round, std::nothrow), std::nothrow);
        ::operator delete[](::operator new[](round, std::nothrow), std::nothrow);
        ::operator delete(::operator new(round, std::align_val_t(64)), std::align_val_t(64));
    }
    delete static_cast<int *>(nullptr);
    return good;
}

static bool libraries()
{
    std::vector<std::string> words;
    for (int i = 0; i < 1000; i++)
        words.push_back(std::string(50, 'x') + std::to_string(i));
    return words[999] == std::string(50, 'x') + "999";
}

static bool no_memory()
{
    volatile size_t huge = static_cast<size_t>(PTRDIFF_MAX) - 10;
    if (::operator new(huge, std::nothrow) != nullptr)
        return false;
#if defined(__cpp_exceptions)
    try {
        ::operator delete(::operator new(huge));
        return false;
    } catch (const std::bad_alloc &) {
    }
#endif
    return true;
}

int main()
{
    ka_set_misuse_handler(count_misuse, nullptr);
    size_t before = live();
    check::that(every_form(), "every form of new and delete");
    check::that(libraries(), "the standard library's own containers");
    check::that(no_memory(), "no memory");
    check::that(live() == before, "nothing is left");
    check::that(misuses == 0 && ka_heap_check(heap()) == nullptr, "no misuse, and the heap is sound");
    return check::end();
}
