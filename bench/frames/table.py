#!/usr/bin/env python3
"""Prints the rows that run.sh has collected as a table: for each allocator the best value, and its ratio to ours.

usage: table.py FOLDER ours PEER...
Times and metadata: the least of all rounds; shares: the median.
"""
import statistics
import sys

BARS = {"pair": 4.2, "bulk_get": 14.5, "bulk_put": 17.2, "two_get": 20.7, "two_put": 18.3, "huge_get": 32.0,
        "huge_put": 13.2, "metadata": 37 * 1024}
SHARE = ("freed", "_1", "_4", "_16", "_64")


def rows(path):
    found = {}
    with open(path, encoding="ascii") as lines:
        for line in lines:
            name, value = line.split()
            found.setdefault(name, []).append(float(value))
    return found


def is_share(row):
    return row.endswith(SHARE) and "time" not in row


def value(row, values):
    return statistics.median(values) if is_share(row) else min(values)


def main():
    folder, names = sys.argv[1], sys.argv[2:]
    all_rows = {name: rows("%s/%s.rows" % (folder, name)) for name in names}
    print("| row | " + " | ".join(names) + " | bar |")
    print("|---" * (len(names) + 2) + "|")
    for row in all_rows[names[0]]:
        ours = value(row, all_rows[names[0]][row])
        cells = ["%g" % ours]
        for name in names[1:]:
            peer = value(row, all_rows[name][row])
            ratio = "" if is_share(row) or ours == 0 else " (%.1fx)" % (peer / ours)
            cells.append("%g%s" % (peer, ratio))
        bar = ">= 93" if is_share(row) and not row.endswith("freed") else "%g" % BARS[row] if row in BARS else ""
        print("| %s | %s | %s |" % (row, " | ".join(cells), bar))


main()
