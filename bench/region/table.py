#!/usr/bin/env python3
"""table.py: what region_bench measured, as a table (stdout and .md) and a plot (.svg by gnuplot, if it is there).

Times are medians over the rounds, without what the loop itself takes (the allocator "none"), with the least and the most
behind them. A cell with failures says how many requests were refused.
"""
import collections
import csv
import math
import statistics
import subprocess
import sys

UNITS = {"ns": "ns/operation, net", "instructions": "instructions, mean", "instructions-most": "instructions, most",
         "cycles-50": "cycles, half below", "cycles-99": "cycles, 99 % below", "cycles-99.9": "cycles, 99.9 % below",
         "cycles-100": "cycles, worst operation", "percent": "percent of the region", "bytes": "bytes"}


def read(path):
    values = collections.OrderedDict()
    failures = collections.Counter()
    names = []
    for row in csv.DictReader(open(path)):
        key = row["workload"], row["unit"]
        values.setdefault(key, collections.OrderedDict()).setdefault(row["allocator"], []).append(float(row["value"]))
        failures[key, row["allocator"]] = max(failures[key, row["allocator"]], int(row["failures"]))
        if row["allocator"] not in names and row["allocator"] != "none":
            names.append(row["allocator"])
    return values, failures, names


def cell(values, failures, key, name):
    got = values[key].get(name)
    if not got:
        return None, "-"
    loop = statistics.median(values[key].get("none", [0])) if key[1] == "ns" else 0
    value = statistics.median(got) - loop
    if key[1] != "ns":
        return value, "%.1f" % value if key[1] in ("percent", "instructions") else "%.0f" % value
    text = "%.1f (%.1f-%.1f)" % (value, min(got) - loop, max(got) - loop)
    return value, text + (", %d refused" % failures[key, name] if failures[key, name] else "")


def table(values, failures, names):
    lines = ["| workload | unit | " + " | ".join(names) + " |", "|---" * (len(names) + 2) + "|"]
    for key in values:
        lines.append("| %s | %s | %s |" % (key[0], UNITS[key[1]],
                                           " | ".join(cell(values, failures, key, n)[1] for n in names)))
    for name in names:
        ratios = []
        for key in values:
            mine, theirs = cell(values, failures, key, "ours")[0], cell(values, failures, key, name)[0]
            if key[1] == "ns" and mine and theirs and mine > 0 and theirs > 0:
                ratios.append(math.log(mine / theirs))
        if ratios and name != "ours":
            lines.append("\nTime of ours / %s, geometric mean over the rows: %.2f"
                         % (name, math.exp(sum(ratios) / len(ratios))))
    return "\n".join(lines)


def plot(values, failures, names, stem):
    rows = [key for key in values if key[1] == "ns"]
    if not rows:
        return  # no rounds were asked for
    with open(stem + ".dat", "w") as file:
        for key in rows:
            cells = [cell(values, failures, key, n)[0] for n in names]
            file.write('"%s" ' % key[0] + " ".join("?" if c is None else "%.2f" % max(c, 0.1) for c in cells) + "\n")
    bars = ", ".join("'%s.dat' using %d%s title '%s'" % (stem, i + 2, ":xtic(1)" if i == 0 else "", n)
                     for i, n in enumerate(names))
    script = """set terminal svg size %d,600 font 'sans,11'
set output '%s.svg'
set title 'fixed memory: ns for each operation, without the loop (lower is better)'
set style data histograms
set style fill solid 0.8 border -1
set datafile missing '?'
set logscale y 2
set grid ytics
set xtics rotate by -40
set key outside
plot %s
""" % (300 + len(rows) * (len(names) + 2) * 12, stem, bars)
    try:
        subprocess.run(["gnuplot"], input=script, text=True, check=True, capture_output=True)
        print("\nplot: %s.svg" % stem)
    except FileNotFoundError:
        print("\nregion: gnuplot is not installed: no plot")


def main():
    path = sys.argv[1]
    stem = path[:-4] if path.endswith(".csv") else path
    values, failures, names = read(path)
    text = table(values, failures, names)
    print(text)
    with open(stem + ".md", "w") as file:
        file.write(text + "\n")
    plot(values, failures, names, stem)


main()
