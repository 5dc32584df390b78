// containers.cc: standard containers, pmr and unique_ptr over allocators of the C library.
#include <list>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include <ka/failing.h>
#include <ka/heap.h>

#include <ka/allocator.hpp>
#include <ka/memory_resource.hpp>
#include <ka/object.hpp>

#include "check.hpp"

static ka_heap heap;
static ka_failing failing;
alignas(4096) static char memory[8 << 20];

static int alive;

struct shape {
    shape() { alive++; }
    virtual ~shape() { alive--; }
    int sides = 0;
};

struct other {
    virtual ~other() = default;
    long padding = 5;
};

struct alignas(128) square : other, shape {
    explicit square(int width) : size(width)
    {
        if (width < 0)
            throw width;
    }
    int size;
};

static size_t live()
{
    ka_heap_flush(&heap);
    return ka_get_stats(&heap.allocator).live;
}

static bool standard_containers()
{
    using text = std::basic_string<char, std::char_traits<char>, ka::allocator<char>>;
    const ka::allocator<char> in(&heap.allocator);
    std::vector<text, ka::allocator<text>> names(in);
    std::map<int, int, std::less<int>, ka::allocator<std::pair<const int, int>>> squares(in);
    for (int i = 0; i < 1000; i++) {
        names.emplace_back(text(100, static_cast<char>('a' + i % 26), in));
        squares[i] = i * i;
    }
    auto moved = std::move(names);
    auto copy = moved;
    return copy.size() == 1000 && copy[27] == moved[27] && squares.at(31) == 961 &&
           copy.get_allocator().source() == &heap.allocator && live() > 200000;
}

static bool resources()
{
    ka::memory_resource resource(&heap.allocator), same(&heap.allocator), different(&failing.allocator);
    std::pmr::list<std::pmr::string> lines(&resource);
    for (int i = 0; i < 100; i++)
        lines.emplace_back("a line that is too long for the string's own buffer");
    return lines.size() == 100 && resource == same && resource != different;
}

static bool no_memory_throws()
{
    ka_failing_set(&failing, 1);
    try {
        std::vector<int, ka::allocator<int>> numbers{ka::allocator<int>(&failing.allocator)};
        numbers.resize(100);
        return false;
    } catch (const std::bad_alloc &) {
    }
    try {
        ka::allocator<square> squares(&heap.allocator);
        (void)squares.allocate(SIZE_MAX / 2);
        return false;
    } catch (const std::bad_alloc &) {
        return true;
    }
}

static bool unique()
{
    using owner = std::unique_ptr<shape, ka::deleter<shape>>;
    square *made = ka::make<square>(&heap.allocator, 4);
    if (made == nullptr || reinterpret_cast<uintptr_t>(made) % alignof(square) != 0)
        return false;
    std::unique_ptr<square, ka::deleter<square>> exact(made, ka::deleter<square>(&heap.allocator, made));
    owner base = std::move(exact); // another address, the same block
    bool moved = static_cast<void *>(base.get()) != static_cast<void *>(made) && alive == 1;
    base.reset();
    return moved && alive == 0;
}

static bool constructor_that_throws()
{
    try {
        (void)ka::make<square>(&heap.allocator, -1);
        return false;
    } catch (int) {
        return alive == 0;
    }
}

static bool nothing_made()
{
    ka_failing_set(&failing, 1);
    square *none = ka::make<square>(&failing.allocator, 1);
    ka::destroy(&failing.allocator, none);
    square *one = ka::make<square>(&failing.allocator, 1);
    bool made = none == nullptr && one != nullptr && alive == 1;
    ka::destroy(&failing.allocator, one);
    return made && alive == 0;
}

int main()
{
    ka_heap_options options = {};
    options.base = memory;
    options.size = sizeof memory;
    if (!ka_heap_init(&heap, &options))
        return 2;
    ka_failing_init(&failing, &heap.allocator);
    check::that(standard_containers(), "vector, map and string");
    check::that(resources(), "pmr list and string; equality of resources");
    check::that(no_memory_throws(), "no memory is bad_alloc, also where the size overflows");
    check::that(unique(), "unique_ptr frees the whole object through a base class");
    check::that(constructor_that_throws(), "a constructor that throws");
    check::that(nothing_made(), "no memory makes no object");
    check::that(live() == 0 && ka_heap_check(&heap) == nullptr, "nothing is left");
    check::that(ka_heap_fini(&heap) == 0, "no leak");
    return check::end();
}
