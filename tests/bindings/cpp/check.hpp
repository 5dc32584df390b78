// check.hpp: TAP from a C++ test program.
#ifndef CHECK_HPP
#define CHECK_HPP

#include <cstdio>

namespace check {

inline int count, failed;

inline void that(bool good, const char *what)
{
    std::printf("%sok %d - cpp: %s\n", good ? "" : "not ", ++count, what);
    failed += !good;
}

inline int end()
{
    std::printf("1..%d\n", count);
    return failed != 0;
}

} // namespace check

#endif
