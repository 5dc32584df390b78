#!/usr/bin/env python3
"""bench.py: measures the general heap beside other mallocs; tools/bench.sh calls it. Standard library only.

Every measurement is a process of its own. The allocators take turns (A B C A B C ...), so that what the machine does
besides hits all of them alike; of the rounds the minimum, the median and the maximum are kept.
"""
import argparse
import collections
import csv
import glob
import math
import os
import platform
import re
import statistics
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
PROGRAMS = os.path.join(HERE, "programs")
BASE, OURS = "glibc", "ours"

# Debian's packages. The C library's own malloc is named too, since a program may be linked with another one (redis is).
DEBIAN = [
    ("mimalloc", "libmimalloc.so.2"),
    ("jemalloc", "libjemalloc.so.2"),
    ("tcmalloc", "libtcmalloc_minimal.so.4"),
    ("tbb", "libtbbmalloc_proxy.so.2"),
]
PACKAGES = ["libc6", "libmimalloc2.0", "libjemalloc2", "libtcmalloc-minimal4", "libtbbmalloc2", "valgrind", "python3",
            "perl", "lua5.4", "sqlite3", "g++", "z3", "redis-server"]


def library(name):
    found = glob.glob("/usr/lib/*/" + name) + glob.glob("/usr/local/lib/" + name)
    return os.path.realpath(found[0]) if found else None


def allocators(options):
    """Name to path, in the order of the columns."""
    found = collections.OrderedDict()
    if os.path.exists(options.ours):
        found[OURS] = os.path.abspath(options.ours)
    found[BASE] = library("libc.so.6")
    for name, file in DEBIAN:
        path = library(file)
        if path:
            found[name] = path
        else:
            print("heap: %s is not installed: left out" % name)
    for peer in options.peer:
        name, _, path = peer.partition("=")
        if not path or not os.path.exists(path):
            sys.exit("heap: --peer wants NAME=/path/to/library.so, not %s" % peer)
        found[name] = os.path.abspath(path)
    if options.only:
        found = collections.OrderedDict((k, v) for k, v in found.items() if k in options.only.split(","))
    return found


# ---- samples ----


class Samples:
    """row -> allocator -> values, and the unit of each row."""

    def __init__(self):
        self.values = collections.OrderedDict()
        self.units = {}

    def add(self, row, allocator, value, unit):
        self.values.setdefault(row, collections.OrderedDict()).setdefault(allocator, []).append(value)
        self.units[row] = unit

    def get(self, row, allocator, statistic):
        values = self.values[row].get(allocator)
        if not values:
            return None
        return min(values) if statistic == "min" else statistics.median(values)

    def ratio(self, row, allocator, statistic):
        value, base = self.get(row, allocator, statistic), self.get(row, BASE, statistic)
        return value / base if value is not None and base else None

    def mean(self, rows, allocator, statistic):
        """Geometric mean of the ratios to glibc; None where a row is missing."""
        ratios = [self.ratio(row, allocator, statistic) for row in rows]
        if not ratios or any(not r for r in ratios):
            return None
        return math.exp(sum(math.log(r) for r in ratios) / len(ratios))

    def write(self, path):
        with open(path, "w", newline="") as file:
            out = csv.writer(file)
            out.writerow(["row", "unit", "allocator", "rounds", "min", "median", "max", "ratio_min", "ratio_median"])
            for row, by in self.values.items():
                for name, values in by.items():
                    ratios = [self.ratio(row, name, s) for s in ("min", "median")]
                    out.writerow([row, self.units[row], name, len(values), "%.4f" % min(values),
                                  "%.4f" % statistics.median(values), "%.4f" % max(values)] +
                                 ["" if r is None else "%.4f" % r for r in ratios])

    def spread(self):
        """The median over rows and allocators of (max - min) / median."""
        spreads = [(max(v) - min(v)) / statistics.median(v) for by in self.values.values() for v in by.values()
                   if len(v) > 1 and statistics.median(v) > 0]
        return statistics.median(spreads) if spreads else 0.0


def number(value):
    if value is None:
        return "-"
    return "%.3f" % value if value < 3 else "%.1f" % value if value < 1000 else "%.0f" % value


def table(samples, names, title, statistic, means=True):
    """Markdown on stdout. The last column is ours over the best other one."""
    print("\n### %s\n" % title)
    others = [n for n in names if n != OURS]
    versus = OURS in names and bool(others)
    print("| row | unit | " + " | ".join(names) + (" | ours / glibc | ours / best |" if versus else " |"))
    print("|---|---" + "|--:" * (len(names) + 2 * versus) + "|")
    for row in samples.values:
        cells = [number(samples.get(row, n, statistic)) for n in names]
        if versus:
            ours, ratio = samples.get(row, OURS, statistic), samples.ratio(row, OURS, statistic)
            best = min((v for v in (samples.get(row, n, statistic) for n in others) if v is not None), default=None)
            cells += [number(ratio), number(ours / best if ours is not None and best else None)]
        print("| %s | %s | " % (row, samples.units[row]) + " | ".join(cells) + " |")
    if means and BASE in names:
        for title, keep in GROUPS:
            rows = [r for r in samples.values if keep(samples.units[r])]
            if rows:
                cells = [number(samples.mean(rows, n, statistic)) for n in names]
                print("| **%s** | ratio | " % title + " | ".join(cells) + (" | | |" if versus else " |"))


GROUPS = [
    ("mean of time", lambda unit: unit in ("ns", "s")),
    ("mean of memory", lambda unit: unit in ("ratio", "MiB")),
]

# What ours is held to, at most: a row's value, or the mean of a group relative to glibc.
BARS = {
    "micro": [("mean of time", 0.48), ("memory_full", 1.025), ("memory_refill", 1.40)],
    "count": [("hot_64", 36), ("hot_1024", 38), ("hot_4096", 38), ("ring_1024", 38), ("api_64", 28),
              ("constant_64", 20)],
    "programs": [("mean of time", 0.80), ("mean of memory", 0.99)],
}


def bars(samples, part, statistic):
    groups = dict(GROUPS)
    for row, most in BARS[part]:
        if row in groups:
            value = samples.mean([r for r in samples.values if groups[row](samples.units[r])], OURS, statistic)
        else:
            value = samples.get(row, OURS, statistic) if row in samples.values else None
        if value is not None:
            print("bar: %s %s, at most %s: %s" % (row, number(value), most, "kept" if value <= most else "missed"))


# ---- building ----


def build(out, options):
    os.makedirs(out, exist_ok=True)
    flags = ("-std=c11 -O2 -g -D_GNU_SOURCE -fno-builtin -fPIE -pie -fno-plt -pthread -Wl,-z,now -Wall -Wextra").split()
    ours = ["-I" + os.path.join(ROOT, d) for d in ("include", "src", "", "src/base/gnu", "ports/user")]
    programs = {
        "micro": ["micro.c", "single.c", "threads.c", "memory.c"],
        "run": ["run.c"],
    }
    if os.path.exists("/usr/include/valgrind/callgrind.h"):
        programs["count"] = ["count.c", "count_step.c", "count_empty.S"]
        if os.path.exists(options.ours_static):
            programs["count_heap"] = ours + ["count_heap.c", "count_empty.S", os.path.abspath(options.ours_static)]
    for name, sources in programs.items():
        command = [os.environ.get("CC", "gcc")] + flags + sources + ["-o", os.path.join(out, name)]
        subprocess.run(command, cwd=HERE, check=True)


def environment(path):
    env = dict(os.environ, LC_ALL="C")
    env.pop("LD_PRELOAD", None)
    if path:
        env["LD_PRELOAD"] = path
    return env


# ---- micro rows ----


def micro(out, names, options):
    program = os.path.join(out, "micro")
    rows = subprocess.run([program, "--list"], check=True, capture_output=True, text=True).stdout.split()
    if options.rows:
        rows = [r for r in rows if re.search(options.rows, r)]
    both = {"independent", "producer_consumer", "swap"}
    result, failed = Samples(), set()
    order = list(names)
    for number_of_round in range(options.rounds):
        for row in rows:
            for name in order[number_of_round % len(order):] + order[:number_of_round % len(order)]:
                if (row, name) in failed:
                    continue
                command = [program, row, "--scale", str(options.scale)]
                if row not in both:
                    command = ["taskset", "-c", str(options.cpu)] + command
                if not micro_one(result, command, row, name, names[name]):
                    failed.add((row, name))
    return result


def micro_one(result, command, row, name, path):
    try:
        done = subprocess.run(command, env=environment(path), capture_output=True, text=True, timeout=60)
    except subprocess.TimeoutExpired:
        print("heap: %s under %s took more than 60 s: left out" % (row, name))
        return False
    if done.returncode != 0:
        print("heap: %s under %s failed (%d): %s" % (row, name, done.returncode, done.stderr.strip()))
        return False
    for line in done.stdout.splitlines():
        figure, value = line.split()
        result.add(figure, name, float(value), "ratio" if figure.startswith("memory") else "ns")
    return True


# ---- instructions ----


def callgrind(out, program, path):
    """Pairs of (row, instructions) in the order of the dumps."""
    base = os.path.join(out, "callgrind.out")
    for old in glob.glob(base + "*"):
        os.unlink(old)
    subprocess.run(["valgrind", "-q", "--tool=callgrind", "--callgrind-out-file=" + base, program],
                   env=environment(path), check=True, capture_output=True, text=True)
    counts = []
    for part in sorted(glob.glob(base + ".*"), key=lambda p: int(p.rsplit(".", 1)[1])):
        with open(part) as file:
            text = file.read()
        row = re.search(r"^desc: Trigger: Client Request: (\S+)", text, re.M)
        total = re.search(r"^(?:totals|summary): (\d+)", text, re.M)
        if row and total:
            counts.append((row.group(1), int(total.group(1))))
        os.unlink(part)
    return counts


def pairs_of(counts):
    """Instructions of one pair, in hundredths: see count.h. What a loop does before its first pair is less than that."""
    for (row, total), (empty, without) in zip(counts[::2], counts[1::2]):
        yield row, round((total - without) / 10000, 2) + (5 if empty == "empty" else 0)


def instructions(out, names):
    result = Samples()
    if not os.path.exists(os.path.join(out, "count")):
        print("heap: valgrind is not installed: no instruction counts")
        return result
    for name, path in names.items():
        try:
            for row, pair in pairs_of(callgrind(out, os.path.join(out, "count"), path)):
                result.add(row, name, pair, "instructions")
        except subprocess.CalledProcessError as error:
            print("heap: %s does not run under callgrind: %s" % (name, error.stderr.strip()[-200:]))
    for name, path in names.items():
        steps = subprocess.run([os.path.join(out, "count")], env=environment(path), capture_output=True, text=True)
        for line in steps.stdout.splitlines():
            row, pair = line.split()
            result.add(row, name, float(pair), "instructions")
    if os.path.exists(os.path.join(out, "count_heap")) and OURS in names:
        for row, pair in pairs_of(callgrind(out, os.path.join(out, "count_heap"), None)):
            result.add(row, OURS, pair, "instructions")
    return result


# ---- real programs ----


def commands(out, options):
    small = options.quick
    sql = os.path.join(out, "sqlite.sql")
    with open(os.path.join(PROGRAMS, "sqlite.sql")) as source, open(sql, "w") as target:
        target.write(source.read().replace("ROWS", "20000" if small else "80000"))
    files = {name: os.path.join(PROGRAMS, name) for name in os.listdir(PROGRAMS)}
    return [
        ("python3", ["/usr/bin/python3", "-s", files["python.py"], "1" if small else "3"], None),
        ("perl", ["/usr/bin/perl", files["perl.pl"], "1" if small else "3"], None),
        ("lua", ["/usr/bin/lua5.4", files["lua.lua"], "3" if small else "12"], None),
        ("sqlite3", ["/usr/bin/sqlite3", ":memory:"], sql),
        ("g++", ["/usr/bin/g++", "-std=c++17", "-c", "-o", os.path.join(out, "t.o"), files["templates.cc"]], None),
        ("z3", ["/usr/bin/z3", "-T:60", files["z3.smt2"]], None),
    ]


def usage(file):
    with open(file) as text:
        user, system, peak, status = text.read().split()
    return float(user) + float(system), int(peak) / 1024, int(status)


def program_one(out, command, source, path):
    """Returns CPU seconds, peak MiB and the output, or None."""
    file = os.path.join(out, "usage")
    env = environment(None)
    env["PYTHONMALLOC"] = "malloc"  # python's own arenas would hide it
    env["PYTHONHASHSEED"] = "0"  # or each run has other work
    with open(source or os.devnull) as stdin:
        done = subprocess.run([os.path.join(out, "run"), file, path or "-"] + command, stdin=stdin, env=env,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=120)
    seconds, peak, status = usage(file)
    return (seconds, peak, done.stdout) if status == 0 else None


def redis_one(out, path, options):
    """The server's CPU seconds and peak MiB under redis-benchmark."""
    file, socket = os.path.join(out, "usage"), os.path.join(out, "redis.sock")
    server = subprocess.Popen(
        ["taskset", "-c", str(options.cpu), os.path.join(out, "run"), file, path or "-", "/usr/bin/redis-server",
         "--port", "0", "--unixsocket", socket, "--save", "", "--appendonly", "no", "--dir", out],
        env=environment(None), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        for _ in range(100):
            ping = subprocess.run(["redis-cli", "-s", socket, "ping"], capture_output=True, text=True)
            if ping.stdout.strip() == "PONG":
                break
            time.sleep(0.05)
        requests = "20000" if options.quick else "100000"
        subprocess.run(
            ["redis-benchmark", "-s", socket, "-q", "-n", requests, "-r", "100000", "-d", "100", "-P", "16",
             "-t", "set,get,incr,lpush,rpush,sadd,hset,zadd,lpop,spop,mset"],
            check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=120)
    finally:
        subprocess.run(["redis-cli", "-s", socket, "shutdown", "nosave"], capture_output=True)
        server.wait(timeout=30)
    seconds, peak, status = usage(file)
    return (seconds, peak, b"") if status == 0 else None


def programs(out, names, options):
    result, outputs, failed = Samples(), {}, set()
    work = commands(out, options) + [("redis", ["/usr/bin/redis-server"], None)]
    order = list(names)
    for number_of_round in range(options.program_rounds):
        for row, command, source in work:
            if options.rows and not re.search(options.rows, row):
                continue
            if not os.path.exists(command[0]):
                if number_of_round == 0:
                    print("heap: %s is not installed: left out" % command[0])
                continue
            for name in order[number_of_round % len(order):] + order[:number_of_round % len(order)]:
                if (row, name) in failed:
                    continue
                try:
                    got = redis_one(out, names[name], options) if row == "redis" else program_one(out, command, source,
                                                                                                  names[name])
                except (subprocess.SubprocessError, OSError) as error:
                    print("heap: %s under %s: %s" % (row, name, error))
                    got = None
                if got is None or outputs.setdefault(row, got[2]) != got[2]:
                    why = "failed" if got is None else "says something else"
                    print("heap: %s under %s %s: left out" % (row, name, why))
                    failed.add((row, name))
                    continue
                result.add(row + " CPU", name, got[0], "s")
                result.add(row + " peak", name, got[1], "MiB")
    return result


# ---- around it ----


def version(package):
    shown = subprocess.run(["dpkg-query", "-W", "-f", "${Version}", package], capture_output=True, text=True)
    return shown.stdout if shown.returncode == 0 else None


def machine(names):
    model = "unknown CPU"
    with open("/proc/cpuinfo") as text:
        found = re.search(r"model name\s*: (.*)", text.read())
        model = found.group(1) if found else model
    versions = ", ".join("%s %s" % (p, version(p)) for p in PACKAGES if version(p))
    paths = ", ".join("%s=%s" % item for item in names.items() if not item[1].startswith("/usr/lib"))
    return "%s, %d CPUs, Linux %s; %s; by path: %s" % (
        model, os.cpu_count(), platform.release(), versions, paths or "none")


def plot(samples, names, out, stem, title, statistic):
    """Bars of the ratio to glibc, by gnuplot if it is there."""
    rows = [r for r in samples.values if samples.ratio(r, BASE, statistic)]
    if not rows or BASE not in names:
        return
    data = os.path.join(out, stem + ".dat")
    shown = [n for n in names if n != BASE]
    with open(data, "w") as file:
        file.write("row " + " ".join(shown) + "\n")
        for row in rows:
            ratios = [samples.ratio(row, n, statistic) for n in shown]
            cells = ["?" if r is None else "%.4f" % r for r in ratios]
            file.write('"%s" ' % row.replace("_", " ") + " ".join(cells) + "\n")
    bars = ", ".join("'%s' using %d%s title '%s'" % (data, i + 2, ":xtic(1)" if i == 0 else "", n)
                     for i, n in enumerate(shown))
    script = """set terminal svg size %d,560 font 'sans,11'
set output '%s.svg'
set title '%s: ratio to glibc (lower is better)'
set style data histograms
set style fill solid 0.8 border -1
set datafile missing '?'
set logscale y 2
set grid ytics
set xtics rotate by -40
set key outside
plot %s, 1 with lines lc rgb 'black' notitle
""" % (300 + len(rows) * (len(shown) + 2) * 9, os.path.join(out, stem), title, bars)
    try:
        subprocess.run(["gnuplot"], input=script, text=True, check=True, capture_output=True)
        print("\nplot: %s.svg" % os.path.join(out, stem))
    except FileNotFoundError:
        print("\nheap: gnuplot is not installed: no plot")
    except subprocess.CalledProcessError as error:
        print("\nheap: no plot: %s" % error.stderr.strip())


def arguments():
    parser = argparse.ArgumentParser(description="the general heap beside other mallocs")
    parser.add_argument("part", nargs="*", help="default: all three")
    parser.add_argument("--out", default=os.path.join(ROOT, "build/bench"))
    parser.add_argument("--ours", default=os.path.join(ROOT, "build/host/libka-malloc.so"))
    parser.add_argument("--ours-static", default=os.path.join(ROOT, "build/host/libka.a"))
    parser.add_argument("--peer", action="append", default=[], metavar="NAME=PATH", help="another malloc; repeatable")
    parser.add_argument("--only", help="a list of allocators, with commas; glibc is what ratios refer to")
    parser.add_argument("--rows", help="a regular expression: only these rows")
    parser.add_argument("--rounds", type=int)
    parser.add_argument("--program-rounds", type=int)
    parser.add_argument("--scale", type=int, help="percent of the operations")
    parser.add_argument("--cpu", type=int, default=max(os.sched_getaffinity(0)), help="where rows of one thread run")
    parser.add_argument("--quick", action="store_true", help="about a minute: two rounds of a fifth of the work")
    parser.add_argument("--statistic", choices=["median", "min"], default="median")
    options = parser.parse_args()
    options.rounds = options.rounds or (2 if options.quick else 5)
    options.program_rounds = options.program_rounds or (1 if options.quick else 5)
    options.scale = options.scale or (20 if options.quick else 100)
    options.part = options.part or ["micro", "count", "programs"]
    if not set(options.part) <= {"micro", "count", "programs"}:
        parser.error("parts are micro, count and programs")
    return options


def main():
    options = arguments()
    out = os.path.abspath(options.out)
    names = allocators(options)
    build(out, options)
    print("machine: " + machine(names))
    parts = {
        "micro": ("Micro rows", lambda: micro(out, names, options)),
        "count": ("Instructions of an allocation and a free", lambda: instructions(out, names)),
        "programs": ("Real programs", lambda: programs(out, names, options)),
    }
    for part in options.part:
        title, run = parts[part]
        start = time.monotonic()
        samples = run()
        if not samples.values:
            continue
        path = os.path.join(out, "heap_%s.csv" % part)
        samples.write(path)
        table(samples, list(names), title, options.statistic, means=part != "count")
        print()
        if not options.rows:
            bars(samples, part, options.statistic)
        print("%s; spread (max - min) / median: %.1f %%; %.0f s; %s" % (
            options.statistic, samples.spread() * 100, time.monotonic() - start, path))
        if part != "count":
            plot(samples, list(names), out, "heap_" + part, title, options.statistic)
        sys.stdout.flush()


if __name__ == "__main__":
    main()
