#!/usr/bin/env python3
"""What contends at 64 and 1,024 CPUs: a simulation of the heap's magazines over its shared lines.

usage: contention.py [--local NS] [--far NS] [--operations N] [--seed N]

Each CPU follows the protocol of src/heap: a magazine of one class starts at 16 blocks and doubles up to 1,024; a refill
takes half of what it may hold and one, 64 at most; a flush puts the older half back. Shared lines and their
read-modify-writes, as the code does them:

    count   ka_heap.outside, one line for the heap: once a refill, once a flush
    hint    the class's word of hints, one line for 512 words of pages: cleared by a refill that empties its slab, set by
            the first block that comes back to an empty word
    word    a slab's word of 64 blocks: an exchange a refill, a fetch-or for each word that a flush touches

A line costs `far` ns if another CPU had it last, 5 ns else, and serves one CPU at a time: who comes meanwhile waits.
All CPUs use one class, which is the worst case: classes share the count only. Workloads, in pairs of an allocation and
a free: `steady`, a random walk of the number of live blocks; `batch`, 1,000 taken, then 1,000 freed; `pipe`, half of the
CPUs allocate what the other half frees. Only the lines of this protocol are modelled, no caches, no memory.

Output: read-modify-writes per 1,000 pairs on each line, and how long a pair takes, beside that of one CPU.
"""
import argparse
import heapq
import random

FIRST, MOST, WORD = 16, 1024, 64
NEAR = 5.0


class Magazine:
    def __init__(self):
        self.length, self.end = 0, FIRST

    def widen(self):
        self.end = min(2 * self.end, MOST)

    def alloc(self):
        """Blocks that a refill took, or 0."""
        if self.length > 0:
            self.length -= 1
            return 0
        taken = min(self.end // 2 + 1, WORD)
        self.widen()
        self.length = taken - 1
        return taken

    def free(self):
        """Blocks that a flush put back, or 0."""
        out = 0
        if self.length == self.end:
            self.widen()
            if self.length == self.end:
                out = self.length - self.length // 2
                self.length -= out
        self.length += 1
        return out


def steady(rng, cpu):
    live = 0
    while True:
        take = live == 0 or rng.random() < 0.5
        live += 1 if take else -1
        yield take


def batch(rng, cpu):
    while True:
        for take in (True, False):
            for _ in range(1000):
                yield take


def pipe(rng, cpu):
    while True:
        yield cpu % 2 == 0


class Lines:
    """When each line is free, and who had it."""

    def __init__(self, far):
        self.far, self.free, self.owner = far, {}, {}
        self.used = {"count": 0, "hint": 0, "word": 0}

    def use(self, kind, name, cpu, now):
        self.used[kind] += 1
        start = max(now, self.free.get(name, 0.0))
        end = start + (NEAR if self.owner.get(name, cpu) == cpu else self.far)
        self.free[name], self.owner[name] = end, cpu
        return end


def touch(lines, rng, cpu, now, blocks, refill, words):
    now = lines.use("count", "count", cpu, now)
    if refill:
        now = lines.use("word", rng.randrange(words), cpu, now)
        if blocks == WORD:  # the word is empty now, and half of the slabs of 64 bytes have one word
            now = lines.use("hint", "hint", cpu, now)
        return now
    for i in range((blocks + WORD - 1) // WORD):  # what came as whole words goes back as whole words
        now = lines.use("word", rng.randrange(words), cpu, now)
        now = lines.use("hint", "hint", cpu, now)
    return now


def simulate(workload, cpus, options):
    rng = random.Random(options.seed)
    lines = Lines(options.far)
    makers = [workload(rng, cpu) for cpu in range(cpus)]
    magazines = [Magazine() for _ in range(cpus)]
    words = 64 * cpus
    queue = [(rng.random() * 100, cpu) for cpu in range(cpus)]
    heapq.heapify(queue)
    each = max(options.operations // cpus, 4000)
    operations, end, left = [0] * cpus, 0.0, cpus
    for magazine in magazines:  # in use for a while
        magazine.end = MOST
    while left:
        now, cpu = heapq.heappop(queue)
        magazine, maker = magazines[cpu], makers[cpu]
        moved = 0
        while moved == 0:  # on its own until it needs a shared line
            take = next(maker)
            moved = magazine.alloc() if take else magazine.free()
            operations[cpu] += 1
            now += options.local / 2
            if operations[cpu] >= each:
                break
        if moved:
            now = touch(lines, rng, cpu, now, moved, take, words)
        end = max(end, now)
        if operations[cpu] < each:
            heapq.heappush(queue, (now, cpu))
        else:
            left -= 1
    pairs = sum(operations) / 2
    return {kind: 1000 * used / pairs for kind, used in lines.used.items()}, end * cpus / pairs


def main():
    parser = argparse.ArgumentParser(usage=__doc__)
    parser.add_argument("--local", type=float, default=5.0, help="ns of a pair that stays in the magazine")
    parser.add_argument("--far", type=float, default=100.0)
    parser.add_argument("--operations", type=int, default=200000)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    print("| workload | CPUs | count | hint | word | ns a pair | to one CPU |")
    print("|---|--:|--:|--:|--:|--:|--:|")
    for workload in (steady, batch, pipe):
        alone = None
        for cpus in (1, 2, 16, 64, 256, 1024):
            if workload is pipe and cpus == 1:
                continue
            used, ns = simulate(workload, cpus, options)
            alone = alone or ns
            print("| %s | %d | %.2f | %.2f | %.2f | %.1f | %.1f |" % (
                workload.__name__, cpus, used["count"], used["hint"], used["word"], ns, ns / alone))


if __name__ == "__main__":
    main()
