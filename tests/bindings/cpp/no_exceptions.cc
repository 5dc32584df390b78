// no_exceptions.cc: without exceptions, no memory ends in the allocation error handler.
#include <cstdio>
#include <cstdlib>
#include <vector>

#include <ka/dummy.h>

#include <ka/allocator.hpp>

static void say(void *, size_t size, size_t align)
{
    std::printf("%zu %zu\n", size, align);
    std::exit(0);
}

int main()
{
    ka_set_alloc_error_handler(say, nullptr);
    std::vector<int, ka::allocator<int>> numbers{ka::allocator<int>(ka_dummy)};
    numbers.push_back(1);
    return 1;
}
