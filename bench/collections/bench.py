#!/usr/bin/env python3
"""Collections beside their peers: nanoseconds for each operation on 64-bit numbers.

usage: bench.py [--runs N] [--out FOLDER]

Maps: insert, find, erase; vec: push, sort; priority queue: push, pop. Peers: C++'s standard library (g++), Rust's
(rustc), uthash (Debian: uthash-dev), and STC, if the variable STC names a checkout of github.com/stclib/STC. A peer that
is not there is left out, and said so. Each library and size is a process of its own, N times, in turn with the others;
the smallest value counts.
Output: a table in Markdown, the best peer and our share of its time last; FOLDER/collections.tsv has all values,
FOLDER/collections.svg the plot, if gnuplot is there.
"""
import argparse
import os
import shutil
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.normpath(os.path.join(HERE, "../.."))
KINDS = ("map", "hash map", "vec", "priority queue")
OURS = "kernel-alloc"
SIP = "kernel-alloc, SipHash-1-3"


def builds(out):
    """name: command that builds it"""
    c = ["gcc", "-O2", "-std=c11", "-D_GNU_SOURCE", "-I" + HERE]
    sources = []
    for folder in ("base", "owner", "collection"):
        names = sorted(os.listdir(os.path.join(ROOT, "src", folder)))
        sources += [os.path.join(ROOT, "src", folder, n) for n in names if n.endswith(".c")]
    paths = ["-I" + os.path.join(ROOT, p) for p in ("include", "src", "src/base/gnu", ".")]
    found = {
        "ours": c + paths + [os.path.join(HERE, "ours.c")] + sources,
        "cpp": ["g++", "-O2", "-std=c++17", os.path.join(HERE, "cpp.cc")],
        "rust": ["rustc", "-O", os.path.join(HERE, "std.rs")],
        "uthash": c + ["-w", os.path.join(HERE, "uthash.c")],
    }
    if os.environ.get("STC"):
        found["stc"] = c + ["-w", "-I" + os.path.join(os.environ["STC"], "include"), os.path.join(HERE, "stc.c")]
    return {name: command + ["-o", os.path.join(out, name)] for name, command in found.items()}


def build(out):
    made = []
    for name, command in builds(out).items():
        there = shutil.which(command[0]) is not None
        if there and subprocess.run(command, stderr=subprocess.DEVNULL).returncode == 0:
            made.append(os.path.join(out, name))
        elif name == "ours":
            sys.exit("bench: our own program does not build: " + " ".join(command))
        else:
            print("bench: %s is left out: it does not build here" % name, file=sys.stderr)
    return made


# All run over a malloc that keeps what it once got, as a kernel's heap does: the smallest of several times has no page
# faults in it.
KEEPING = dict(os.environ, GLIBC_TUNABLES="glibc.malloc.mmap_max=0:glibc.malloc.trim_threshold=4294967296")


def measure(programs, runs):
    """(kind, operation, entries): {library: nanoseconds}"""
    def said(*command):
        return subprocess.run(command, check=True, capture_output=True, text=True, env=KEEPING).stdout.splitlines()

    parts = []
    for program in programs:
        for line in said(program):
            number, kind, entries = line.split("\t")
            parts.append((kind, int(entries), int(number), program))
    rows = {}
    for _ in range(runs):
        for _, _, number, program in sorted(parts):
            for line in said(program, str(number)):
                kind, library, operation, entries, took = line.split("\t")
                row = rows.setdefault((kind, operation, int(entries)), {})
                row[library] = min(float(took), row.get(library, float(took)))
    return rows


def write_table(rows):
    for kind in KINDS:
        libraries = sorted({name for key, row in rows.items() if key[0] == kind for name in row},
                           key=lambda name: (name != OURS, name != SIP, name))
        print("\n| %s | %s | best peer | ours to it |" % (kind, " | ".join(libraries)))
        print("|---|" + "---:|" * len(libraries) + "---|---:|")
        for (of, operation, entries), row in sorted(rows.items(), key=lambda item: (item[0][2], item[0][1])):
            if of != kind:
                continue
            peers = [(took, name) for name, took in row.items() if name not in (OURS, SIP)]
            cells = " | ".join("%.2f" % row[name] if name in row else "" for name in libraries)
            best = "%s | %.2f" % (min(peers)[1], row[OURS] / min(peers)[0]) if peers else " | "
            print("| %s, %d | %s | %s |" % (operation, entries, cells, best))


def write_plot(rows, out):
    with open(os.path.join(out, "collections.tsv"), "w") as file:
        for key, row in sorted(rows.items()):
            for name, took in sorted(row.items()):
                file.write("%s\t%s\t%d\t%s\t%.2f\n" % (key + (name, took)))
    if shutil.which("gnuplot") is None:
        return
    script = ["set terminal svg size 1000,1400 font 'sans,11'", "set output '%s'" % os.path.join(out, "collections.svg"),
              "set multiplot layout 4,1", "set style data histogram", "set style fill solid", "set logscale y",
              "set ylabel 'ns each'", "set key outside right", "set grid y"]
    for kind in KINDS:
        keys = sorted((k for k in rows if k[0] == kind), key=lambda k: (k[2], k[1]))
        names = sorted({n for k in keys for n in rows[k]}, key=lambda n: (n != OURS, n != SIP, n))
        block = "$%s" % kind.replace(" ", "_")
        script += ["%s << EOD" % block]
        script += ['"%s %.0e" ' % (k[1], k[2]) + " ".join("%.2f" % rows[k].get(n, 0) for n in names) for k in keys]
        script += ["EOD", "plot " + ", ".join("%s using %d%s title '%s'" % (block, i + 2, ":xtic(1)" if i == 0 else "", n)
                                              for i, n in enumerate(names))]
    subprocess.run(["gnuplot"], input="\n".join(script) + "\n", text=True, check=True)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--out", default=os.path.join(ROOT, "build/bench/collections"))
    options = parser.parse_args()
    os.makedirs(options.out, exist_ok=True)
    rows = measure(build(options.out), options.runs)
    write_table(rows)
    write_plot(rows, options.out)


if __name__ == "__main__":
    main()
