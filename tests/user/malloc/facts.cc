// facts.cc: what C++'s operators promise over the preloaded malloc, and the containers that live on them.
#include <cstdint>
#include <cstdio>
#include <map>
#include <memory>
#include <new>
#include <string>
#include <thread>
#include <vector>

static int broken;

#define FACT(fact) ((fact) ? (void)0 : (void)(broken++, std::printf("facts.cc:%d: %s\n", __LINE__, #fact)))

static volatile std::size_t huge = SIZE_MAX / 2;
static int handled;

static void give_up()
{
    handled++;
    std::set_new_handler(nullptr);
}

template <class F> static bool throws_bad_alloc(F f)
{
    try {
        f();
    } catch (const std::bad_alloc &) {
        return true;
    }
    return false;
}

struct alignas(16384) page_like {
    char bytes[20000];
};

static void operators()
{
    FACT(throws_bad_alloc([] { ::operator delete(::operator new(huge)); }));
    FACT(throws_bad_alloc([] { ::operator delete[](::operator new[](huge)); }));
    FACT(throws_bad_alloc([] { ::operator delete(::operator new(huge, std::align_val_t(64)), std::align_val_t(64)); }));
    FACT(::operator new(huge, std::nothrow) == nullptr);
    FACT(::operator new[](huge, std::nothrow) == nullptr);
    FACT(::operator new(huge, std::align_val_t(64), std::nothrow) == nullptr);
    std::set_new_handler(give_up);
    FACT(throws_bad_alloc([] { ::operator delete(::operator new(huge)); }) && handled == 1);
    for (std::size_t size = 0; size < 100000; size = size * 3 / 2 + 1) {
        void *a = ::operator new(size), *b = ::operator new[](size), *c = ::operator new(size, std::nothrow);
        void *d = ::operator new(size, std::align_val_t(8192)), *e = ::operator new[](size, std::align_val_t(64));
        FACT(a && b && c && d && e && a != b && reinterpret_cast<std::uintptr_t>(d) % 8192 == 0);
        FACT(reinterpret_cast<std::uintptr_t>(e) % 64 == 0);
        ::operator delete(a, size);
        ::operator delete[](b);
        ::operator delete(c);
        ::operator delete(d, size, std::align_val_t(8192));
        ::operator delete[](e, std::align_val_t(64));
    }
    auto page = std::make_unique<page_like>();
    FACT(reinterpret_cast<std::uintptr_t>(page.get()) % 16384 == 0);
}

static std::size_t life(unsigned seed)
{
    std::map<std::string, std::vector<int>> all;
    std::size_t sum = 0;
    for (unsigned i = 0; i < 20000; i++) {
        seed = seed * 1664525 + 1013904223;
        auto &v = all["a name that is too long for the string itself " + std::to_string(seed % 500)];
        v.push_back(static_cast<int>(i));
        if (v.size() > 30)
            all.erase(all.begin());
    }
    for (auto &[name, v] : all)
        sum += name.size() + v.size();
    return sum;
}

int main()
{
    operators();
    std::size_t sums[4], once = life(1);
    std::vector<std::thread> threads;
    for (int t = 0; t < 4; t++)
        threads.emplace_back([&sums, t] { sums[t] = life(1); });
    for (auto &thread : threads)
        thread.join();
    for (std::size_t sum : sums)
        FACT(sum == once);
    return broken != 0;
}
