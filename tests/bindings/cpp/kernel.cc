// kernel.cc: what a C++ kernel uses, compiled freestanding without exceptions, RTTI or a standard library's objects.
#include <ka/allocator.hpp>
#include <ka/new.hpp>
#include <ka/object.hpp>

extern ka_heap kernel_heap;
KA_OPERATOR_NEW_HEAP(&kernel_heap);

struct device {
    explicit device(int which) : number(which) {}
    virtual ~device() {}
    int number;
};

int probe(ka_allocator *a);
int probe(ka_allocator *a)
{
    device *found = ka::make<device>(a, 3);
    if (found == nullptr)
        return -1;
    int number = found->number;
    ka::deleter<device> end(a, found);
    end(found);
    ka::allocator<int> numbers(a, KA_ATOMIC);
    int *block = numbers.allocate(10);
    numbers.deallocate(block, 10);
    delete new device(4);
    return number;
}
