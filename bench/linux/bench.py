#!/usr/bin/env python3
"""Counts instructions of the kernel's allocators and of ours inside Debian's kernel, in QEMU with -icount, over several
boots. Prints a table of means and the spread; writes build/bench/linux.csv.

usage: bench/linux/bench.py [--boots N]
"""
import argparse
import collections
import csv
import os
import re
import statistics
import subprocess

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
SUBJECTS = ["kmalloc", "kmem_cache", "ka_kmalloc", "ka_heap", "ka_cache"]


def build():
    work = os.path.join(ROOT, "build", "linux")
    subprocess.run([ROOT + "/tools/linux-kernel.sh", work + "/kernel"], check=True)
    with open(work + "/kernel/release", encoding="ascii") as file:
        release = file.read().strip()
    subprocess.run([ROOT + "/tools/linux-module.sh", work + "/bench", "/lib/modules/%s/build" % release], check=True,
                   env=dict(os.environ, KA_LINUX_EXTRA="bench/linux"), stdout=subprocess.DEVNULL,
                   stderr=subprocess.DEVNULL)
    built = work + "/bench/" + release
    return release, [work + "/kernel", "init_on_alloc=0", built + "/kernel_alloc.ko",
                     built + "-bench/kernel_alloc_bench.ko"]


def boot(arguments):
    run = subprocess.run([ROOT + "/tools/run-linux.sh"] + arguments, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                         env=dict(os.environ, CPUS="1", MEMORY_MIB="2048", QEMU_MORE="-icount shift=0"), check=False)
    lines = re.findall(r"BENCH ([^;\r\n]+);(\d+);(\w+);([\d.]+)", run.stdout.decode(errors="replace"))
    if not lines:
        raise SystemExit("bench: the boot printed no line:\n" + run.stdout.decode(errors="replace")[-2000:])
    return {(workload, int(size), subject): float(count) for workload, size, subject, count in lines}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--boots", type=int, default=5)
    boots = parser.parse_args().boots
    release, arguments = build()
    counts = collections.defaultdict(list)
    for _ in range(boots):
        for row, count in boot(arguments).items():
            counts[row].append(count)

    os.makedirs(ROOT + "/build/bench", exist_ok=True)
    with open(ROOT + "/build/bench/linux.csv", "w", newline="", encoding="ascii") as file:
        out = csv.writer(file)
        out.writerow(["workload", "size", "subject", "mean", "least", "most"])
        for row, values in counts.items():
            out.writerow(list(row) + [round(statistics.mean(values), 2), min(values), max(values)])

    spread = max((max(values) - min(values)) / statistics.mean(values) for values in counts.values())
    print("Instructions for an alloc and a free, Linux %s, %d boots; widest spread of a row %.2f %%." %
          (release, boots, 100 * spread))
    print("Ratio: ka_heap to kmalloc, or to kmem_cache where kmalloc has no such call.\n")
    print("| workload | bytes | " + " | ".join(SUBJECTS) + " | ratio |")
    print("|---|---|" + "---|" * (len(SUBJECTS) + 1))
    for workload, size in dict.fromkeys((w, s) for w, s, _ in counts):
        means = {s: statistics.mean(counts[workload, size, s]) for s in SUBJECTS if (workload, size, s) in counts}
        cells = ["%.0f" % means[s] if s in means else "" for s in SUBJECTS]
        ratio = means["ka_heap"] / means.get("kmalloc", means.get("kmem_cache"))
        print("| %s | %d | %s | %.2f |" % (workload, size, " | ".join(cells), ratio))


if __name__ == "__main__":
    main()
