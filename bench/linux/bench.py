#!/usr/bin/env python3
"""Counts instructions of the kernel's allocators and of ours inside Debian's kernel, in QEMU with -icount, over several
boots. Prints a table of means and the spread; writes build/bench/linux.csv. Then counts, on two CPUs with a plugin, what
it costs when one CPU takes blocks and another gives them back: build/bench/linux_cross.csv.

usage: bench/linux/bench.py [--boots N] [--cross-boots N]
"""
import argparse
import collections
import csv
import os
import re
import statistics
import subprocess

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
PLUGIN = os.path.join(ROOT, "build", "linux", "count_plugin.so")
CROSS_SUBJECTS = ["kmalloc", "kmem_cache", "ka_heap", "ka_cache"]
SUBJECTS = ["kmalloc", "kmem_cache", "ka_kmalloc", "ka_heap", "ka_cache"]


def build():
    work = os.path.join(ROOT, "build", "linux")
    subprocess.run([ROOT + "/tools/linux-kernel.sh", work + "/kernel"], check=True)
    with open(work + "/kernel/release", encoding="ascii") as file:
        release = file.read().strip()
    subprocess.run([ROOT + "/tools/linux-module.sh", work + "/bench", "/lib/modules/%s/build" % release], check=True,
                   env=dict(os.environ, KA_LINUX_EXTRA="bench/linux"), stdout=subprocess.DEVNULL,
                   stderr=subprocess.DEVNULL)
    subprocess.run(["gcc", "-O2", "-Wall", "-Wextra", "-shared", "-fPIC", ROOT + "/bench/linux/count_plugin.c", "-o",
                    PLUGIN], check=True)
    built = work + "/bench/" + release
    return release, [work + "/kernel", "init_on_alloc=0", built + "/kernel_alloc.ko",
                     built + "-bench/kernel_alloc_bench.ko"]


def boot(arguments, cpus, qemu, pattern):
    run = subprocess.run([ROOT + "/tools/run-linux.sh"] + arguments, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                         env=dict(os.environ, CPUS=cpus, MEMORY_MIB="2048", QEMU_MORE=qemu), check=False)
    lines = re.findall(pattern, run.stdout.decode(errors="replace"))
    if not lines:
        raise SystemExit("bench: the boot printed no line:\n" + run.stdout.decode(errors="replace")[-2000:])
    return lines


def one_cpu(arguments):
    lines = boot(arguments, "1", "-icount shift=0", r"BENCH ([^;\r\n]+);(\d+);(\w+);([\d.]+)")
    return {(workload, int(size), subject): float(count) for workload, size, subject, count in lines}


def two_cpus(arguments):
    """The least of each row's runs. A run is six pairs of marks (cross.c), of which the last two count."""
    marks = os.path.join(ROOT, "build", "linux", "marks")
    lines = boot(arguments[:-1] + [arguments[-1] + " cross=1"], "2", "-plugin file=%s,out=%s" % (PLUGIN, marks),
                 r"CROSS (\d+);(\d+);(\w+)")
    with open(marks, encoding="ascii") as file:
        seen = [(word, int(cpu), int(count)) for word, cpu, count in map(str.split, file)]
    if len(seen) != 12 * len(lines):
        raise SystemExit("bench: %d marks of %d runs" % (len(seen), len(lines)))
    least = {}
    for i, (count, size, subject) in enumerate(lines):
        take, taken, give, given = seen[12 * i + 8:12 * i + 12]
        assert [m[:2] for m in (take, taken, give, given)] == [("begin", 0), ("end", 0), ("begin", 1), ("end", 1)]
        row = (int(count), int(size), subject)
        now = ((taken[2] - take[2]) / row[0], (given[2] - give[2]) / row[0])
        least[row] = tuple(map(min, least.get(row, now), now))
    return least


def cross(release, arguments, boots):
    counts = collections.defaultdict(list)
    for _ in range(boots):
        for row, pair in two_cpus(arguments).items():
            counts[row].append(pair)
    with open(ROOT + "/build/bench/linux_cross.csv", "w", newline="", encoding="ascii") as file:
        out = csv.writer(file)
        out.writerow(["blocks", "size", "subject", "boot", "take", "give"])
        for row, pairs in counts.items():
            for number, pair in enumerate(pairs):
                out.writerow(list(row) + [number, round(pair[0], 2), round(pair[1], 2)])
    sums = {row: [sum(pair) for pair in pairs] for row, pairs in counts.items()}
    spread = max((max(values) - min(values)) / statistics.mean(values) for values in sums.values())
    print("\nInstructions for an alloc on CPU 0 and a free on CPU 1 (in brackets: each), Linux %s, 2 CPUs, %d boots; widest "
          "spread of a row %.1f %%.\n" % (release, boots, 100 * spread))
    print("| blocks at a time | bytes | " + " | ".join(CROSS_SUBJECTS) + " | ratio |")
    print("|---|---|" + "---|" * (len(CROSS_SUBJECTS) + 1))
    for blocks, size in dict.fromkeys((b, s) for b, s, _ in counts):
        means = {s: statistics.mean(sums[blocks, size, s]) for s in CROSS_SUBJECTS}
        cells = ["%.0f (%.0f, %.0f)" % (means[s], statistics.mean(p[0] for p in counts[blocks, size, s]),
                                        statistics.mean(p[1] for p in counts[blocks, size, s])) for s in CROSS_SUBJECTS]
        print("| %d | %d | %s | %.2f |" % (blocks, size, " | ".join(cells), means["ka_heap"] / means["kmalloc"]))


def alone(release, arguments, boots):
    counts = collections.defaultdict(list)
    for _ in range(boots):
        for row, count in one_cpu(arguments).items():
            counts[row].append(count)

    with open(ROOT + "/build/bench/linux.csv", "w", newline="", encoding="ascii") as file:
        out = csv.writer(file)
        out.writerow(["workload", "size", "subject", "mean", "least", "most"])
        for row, values in counts.items():
            out.writerow(list(row) + [round(statistics.mean(values), 2), min(values), max(values)])

    spreads = [(max(values) - min(values)) / statistics.mean(values) for values in counts.values()]
    print("Instructions for an alloc and a free, Linux %s, %d boots; %d of %d counts spread by less than 0.1 %%, the widest "
          "by %.2f %%." % (release, boots, sum(s < 0.001 for s in spreads), len(spreads), 100 * max(spreads)))
    print("Ratio: ka_heap to kmalloc, or to kmem_cache where kmalloc has no such call.\n")
    print("| workload | bytes | " + " | ".join(SUBJECTS) + " | ratio |")
    print("|---|---|" + "---|" * (len(SUBJECTS) + 1))
    for workload, size in dict.fromkeys((w, s) for w, s, _ in counts):
        means = {s: statistics.mean(counts[workload, size, s]) for s in SUBJECTS if (workload, size, s) in counts}
        cells = ["%.0f" % means[s] if s in means else "" for s in SUBJECTS]
        ratio = means["ka_heap"] / means.get("kmalloc", means.get("kmem_cache"))
        print("| %s | %d | %s | %.2f |" % (workload, size, " | ".join(cells), ratio))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--boots", type=int, default=5)
    parser.add_argument("--cross-boots", type=int, default=3)
    options = parser.parse_args()
    os.makedirs(ROOT + "/build/bench", exist_ok=True)
    release, arguments = build()
    if options.boots > 0:
        alone(release, arguments, options.boots)
    if options.cross_boots > 0:
        cross(release, arguments, options.cross_boots)


if __name__ == "__main__":
    main()
