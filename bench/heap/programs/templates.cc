// For the compiler: the standard library's headers and a good deal of templates.
#include <algorithm>
#include <functional>
#include <map>
#include <memory>
#include <sstream>
#include <string>
#include <tuple>
#include <unordered_map>
#include <variant>
#include <vector>

template <int N> struct Fibonacci {
    static constexpr long value = Fibonacci<N - 1>::value + Fibonacci<N - 2>::value;
};
template <> struct Fibonacci<0> {
    static constexpr long value = 0;
};
template <> struct Fibonacci<1> {
    static constexpr long value = 1;
};

template <int N> struct Table {
    std::map<std::string, std::vector<std::tuple<int, std::string, std::variant<int, double, std::string>>>> rows;
    std::unordered_map<int, std::function<long(long)>> steps;
    long run(long x)
    {
        steps[N] = [this](long y) { return y + Fibonacci<N + 20>::value + static_cast<long>(rows.size()); };
        rows[std::to_string(x)].emplace_back(N, "name", static_cast<double>(x));
        std::sort(rows.begin()->second.begin(), rows.begin()->second.end());
        return steps[N](x) + (N > 0 ? Table<(N > 0 ? N - 1 : 0)>().run(x) : 0);
    }
};

int main(int argc, char **)
{
    std::ostringstream out;
    out << Table<12>().run(argc);
    return static_cast<int>(out.str().size());
}
