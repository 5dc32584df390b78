"""kernel_alloc.py: gdb shows the library's owners and collections as what they hold, and its heaps: `help ka`.

gdb finds it by itself beside an installed libka.so, and beside the kernels of the build; else: source kernel_alloc.py.

The types come from macros and have the names that a program gave them, so that they are known by their members. Memory
is only read, and no function of the program is called: a core file and a kernel behind a stub do as well as a process.
"""
import collections
import re
import struct

import gdb
import gdb.printing


def names_of(type_):
    return [field.name or None for field in type_.fields()]


def is_null(pointer):
    return int(pointer) == 0


def text_of(pointer, length):
    return pointer.string("utf-8", "replace", length=length) if length else ""


# ---- printers ----


class Printer:
    """What all have in common: the value, and a hint that gdb formats children by."""

    def __init__(self, value):
        self.value = value

    def name(self):
        return self.value.type.strip_typedefs().name or str(self.value.type)


class Box(Printer):
    def to_string(self):
        return "empty box" if is_null(self.value["value"]) else "box at %#x" % int(self.value["value"])

    def children(self):
        if not is_null(self.value["value"]):
            yield "value", self.value["value"].dereference()


class Counted(Printer):
    """rc and arc, and their weak references."""

    def counts(self, counts):
        if "both" in names_of(counts.type):  # arc: one word
            return int(counts["both"]) & 0xFFFFFFFF, int(counts["both"]) >> 32
        return int(counts["strong"]), int(counts["weak"])

    def to_string(self):
        block = self.value["block"]
        if is_null(block):
            return "empty reference"
        counts = block.dereference()["counts"]
        strong, weak = self.counts(counts)
        return "%s, %d strong, %d weak" % (
            "value dropped" if strong == 0 else "shared", strong, weak - (1 if strong > 0 else 0))

    def children(self):
        block = self.value["block"]
        if not is_null(block) and self.counts(block.dereference()["counts"])[0] > 0:
            yield "value", block.dereference()["value"]


class Vec(Printer):
    def to_string(self):
        return "%d of %d items" % (int(self.value["len"]), int(self.value["cap"]))

    def children(self):
        for i in range(int(self.value["len"])):
            yield "[%d]" % i, self.value["items"][i]

    def display_hint(self):
        return "array"


class Slice(Vec):
    def to_string(self):
        return "%d items" % int(self.value["len"])


class Deque(Vec):
    """A ring: the first item lies at `head`."""

    def children(self):
        for i in range(int(self.value["len"])):
            yield "[%d]" % i, self.value["items"][(int(self.value["head"]) + i) % int(self.value["cap"])]


class String(Printer):
    def to_string(self):
        return text_of(self.value["bytes"], int(self.value["len"]))

    def display_hint(self):
        return "string"


class Map(Printer):
    """A B-tree: the entries in order, without recursion."""

    def to_string(self):
        return "%d entries" % int(self.value["tree"]["len"])

    def node_type(self, suffix):
        return gdb.lookup_type(self.value.type.strip_typedefs().name + suffix).pointer()

    def entries(self):
        root = self.value["tree"]["root"]
        if is_null(root):
            return
        plain, inner = self.node_type("_node_"), self.node_type("_inner_")
        work = [(root, 0)]
        while work:
            node, at = work.pop()
            level, length = int(node["level"]), int(node["len"])
            if level > 0 and at <= length:
                if at > 0:
                    yield node.cast(plain), at - 1
                work.append((node, at + 1))
                work.append((node.cast(inner)["children"][at], 0))
            elif level == 0:
                for i in range(length):
                    yield node.cast(plain), i

    def children(self):
        has_values = "values" in names_of(self.node_type("_node_").target())
        for i, (node, at) in enumerate(self.entries()):
            yield "key %d" % i, node["keys"][at]
            if has_values:
                yield "value %d" % i, node["values"][at]

    def display_hint(self):
        return "map" if "values" in names_of(self.node_type("_node_").target()) else "array"


class HashMap(Printer):
    def to_string(self):
        return "%d entries" % int(self.value["table"]["len"])

    def has_values(self):
        return "value" in names_of(self.value["slots"].type.target())

    def children(self):
        number = 0
        for i in range(int(self.value["table"]["count"])):
            slot = self.value["slots"][i]
            if int(slot["stored"]) == 0:
                continue
            yield "key %d" % number, slot["key"]
            if self.has_values():
                yield "value %d" % number, slot["value"]
            number += 1

    def display_hint(self):
        return "map" if self.has_values() else "array"


class List(Printer):
    """Items are linked by a member of theirs. Where several could be it, only the links can be shown."""

    LIMIT = 1 << 20  # of a list that is damaged and has no end

    def to_string(self):
        return "%d items" % int(self.value["list"]["len"])

    def links(self):
        link, last, number = self.value["list"]["first"], self.value["list"]["last"], 0
        while not is_null(link) and number < self.LIMIT:
            yield number, link
            if link == last:
                return
            link, number = link["next"], number + 1

    def children(self):
        item = self.value["item_"].type.target()
        members = [field for field in item.strip_typedefs().fields()
                   if field.type.strip_typedefs().name == "ka_list_node"]
        for number, link in self.links():
            if len(members) == 1:
                yield "[%d]" % number, at_address(int(link) - members[0].bitpos // 8, item)
            else:
                yield "[%d]" % number, link

    def display_hint(self):
        return "array"


class PriorityQueue(Printer):
    """The next item first, then as they lie in the heap."""

    def to_string(self):
        return "%d of %d items" % (int(self.value["len"]), int(self.value["cap"]))

    def children(self):
        for i in range(int(self.value["len"])):
            yield "[%d]" % i, self.value["items"][int(self.value["order"][i])]

    def display_hint(self):
        return "array"


# The members that tell a type, all of them and in order.
SHAPES = {
    ("value", "allocator"): Box,
    ("block",): Counted,
    ("items", "len", "cap", "allocator"): Vec,
    ("items", "len", "allocator"): Slice,
    ("items", "len", "cap", "allocator", "head"): Deque,
    ("bytes", "len", "cap", "allocator", "utf8"): String,
    (None,): List,
    ("items", "len", "cap", "allocator", "slots", "order", "serial"): PriorityQueue,
    ("tree",): Map,
    ("slots", "table"): HashMap,
}


def is_allocator(type_):
    target = type_.strip_typedefs()
    return target.code == gdb.TYPE_CODE_PTR and target.target().strip_typedefs().name == "ka_allocator"


def is_ours(type_, names):
    """Members alone could be another library's: one of them has to be of a type that only this library has."""
    if "allocator" in names:
        return is_allocator(type_["allocator"].type)
    inside = type_.fields()[0].type.strip_typedefs()
    if names == ("block",):
        block = inside.target().strip_typedefs() if inside.code == gdb.TYPE_CODE_PTR else inside
        return block.code == gdb.TYPE_CODE_STRUCT and names_of(block)[:1] == ["counts"]
    if names == ("tree",):
        return inside.name == "ka_tree_"
    if names == (None,):
        return names_of(inside) == ["list", "item_"] and inside["list"].type.strip_typedefs().name == "ka_list_"
    return type_["table"].type.strip_typedefs().name == "ka_table_"


def lookup(value):
    type_ = value.type.strip_typedefs()
    if type_.code != gdb.TYPE_CODE_STRUCT:
        return None
    names = tuple(names_of(type_))
    printer = SHAPES.get(names)
    return printer(value) if printer and is_ours(type_, names) else None


lookup.name = "kernel_alloc"
lookup.enabled = True


def register(objfile=None):
    gdb.printing.register_pretty_printer(objfile, lookup, replace=True)


# ---- reading memory ----

FORMATS = {1: "B", 4: "I", 8: "Q"}


def numbers(address, count, size):
    """`count` unsigned numbers of `size` bytes each. All targets of the library are little-endian."""
    if count <= 0:
        return ()
    return struct.unpack("<%d%s" % (count, FORMATS[size]),
                         bytes(gdb.selected_inferior().read_memory(int(address), count * size)))


def array(value):
    """The numbers or pointers of an array member."""
    low, high = value.type.range()
    return numbers(int(value.address), high - low + 1, value.type.target().strip_typedefs().sizeof)


def bit(words, index):
    return words[index // 64] >> index % 64 & 1


def next_bit(words, index, limit):
    """The first set bit at or behind `index`, or `limit`."""
    while index < limit:
        word = words[index // 64] >> index % 64
        if word:
            return min(index + (word & -word).bit_length() - 1, limit)
        index = (index | 63) + 1
    return limit


def at_address(address, type_):
    """A value of a type, or of the type of that name."""
    type_ = gdb.lookup_type(type_) if isinstance(type_, str) else type_
    return gdb.Value(int(address)).cast(type_.pointer()).dereference()


def group(number):
    return format(number, ",")


def plural(number):
    return "" if number == 1 else "s"


# A piece of a heap's memory: its state, which is also its character in a picture, and what is to be said of that.
Block = collections.namedtuple("Block", "address size state note")

LIVE, KEPT, FREE, UNBACKED, OWN = "#", "+", ".", " ", "="
NO_MEMORY = (UNBACKED, "free pages without memory")


# ---- the general heap: heap/table.h, heap/magazine.h, engine/page.h, engine/slab.h, engine/runs.h ----

SEGMENT_MAKING = 1
PAGE_RUN, PAGE_SLAB, PAGE_PARKED = 1, 2, 3  # the lowest two bits of a page's descriptor

SizeClass = collections.namedtuple("SizeClass", "size blocks pages words")


class SlabWords:
    """The words of a segment's slabs, read where they are asked for: engine/slab.h, ka_slab_word."""

    def __init__(self, slabs, open_pages):
        self.base, self.page_count = int(slabs["words"]), int(slabs["page_count"])
        self.per_page = 1 << int(slabs["page_shift"]) - 10
        self.open_pages = min(open_pages + 63 & ~63, self.page_count)
        self.planes = {}

    def at(self, page, i):
        page, plane = page + i // self.per_page, i % self.per_page
        if page | 63 < self.page_count:
            page = page & ~63 | (page & 7) << 3 | page >> 3 & 7
        if plane not in self.planes:
            self.planes[plane] = numbers(self.base + plane * self.page_count * 8, self.open_pages, 8)
        return self.planes[plane][page]


class Segment:
    """Pages, and the arrays that say what each is used for."""

    def __init__(self, heap, record):
        slabs, runs = record["slabs"], record["runs"]
        self.heap = heap
        self.base = int(record["base"])
        self.page_count = int(record["page_count"])
        self.descriptors = numbers(slabs["pages"], int(runs["open"]), 4)
        self.words = SlabWords(slabs, len(self.descriptors))
        backed = (len(self.descriptors) + 63) // 64
        self.committed = numbers(runs["committed"], backed, 8)

    def slab(self, page):
        class_ = self.heap.classes[self.descriptors[page] >> 2 & 0xFF]
        start = self.base + page * self.heap.page
        words = [self.words.at(page, i) for i in range(class_.words)]
        for i in range(class_.blocks):
            address = start + i * class_.size
            if bit(words, i):
                yield Block(address, class_.size, FREE, "free in its slab")
            elif address in self.heap.kept:
                yield Block(address, class_.size, KEPT, self.heap.kept[address])
            else:
                yield Block(address, class_.size, LIVE, "live")

    def slab_rest(self, page):
        class_ = self.heap.classes[self.descriptors[page] >> 2 & 0xFF]
        rest = class_.pages * self.heap.page - class_.blocks * class_.size
        if rest:
            end = self.base + (page + class_.pages) * self.heap.page
            yield Block(end - rest, rest, FREE, "the rest of a slab")

    def idle(self, page, end):
        """Free pages, cut where memory begins or ends behind them."""
        while page < end:
            backed, first = bit(self.committed, page), page
            while page < end and bit(self.committed, page) == backed:
                page += 1
            yield Block(self.base + first * self.heap.page, (page - first) * self.heap.page,
                        *((FREE, "free pages") if backed else NO_MEMORY))

    def pieces(self):
        """(first page, its descriptor, pages) of all that the segment is cut into."""
        page, opened = 0, len(self.descriptors)
        while page < opened:
            descriptor, pages = self.descriptors[page], 1
            if descriptor & 3 == PAGE_SLAB:
                pages = self.heap.classes[descriptor >> 2 & 0xFF].pages
            elif descriptor != 0:
                pages = descriptor >> 2
            else:
                while page + pages < opened and self.descriptors[page + pages] == 0:
                    pages += 1
            yield page, descriptor, pages
            page += pages

    def piece(self, page, descriptor, pages):
        start, size = self.base + page * self.heap.page, pages * self.heap.page
        kind = descriptor & 3
        if kind == PAGE_SLAB:
            yield from self.slab(page)
            yield from self.slab_rest(page)
        elif kind == PAGE_PARKED:
            yield Block(start, size, KEPT, "freed, parked for the next request of its length")
        elif kind == PAGE_RUN:
            yield Block(start, size, *((OWN, "magazines of a CPU") if start in self.heap.own else (LIVE, "live")))
        else:
            yield from self.idle(page, page + pages)

    def blocks(self):
        for piece in self.pieces():
            yield from self.piece(*piece)
        unopened = self.page_count - len(self.descriptors)
        if unopened:
            yield Block(self.base + len(self.descriptors) * self.heap.page, unopened * self.heap.page, *NO_MEMORY)

    def find(self, address):
        """The block that the address lies in, and where that is, in words."""
        for page, descriptor, pages in self.pieces():
            start = self.base + page * self.heap.page
            if not start <= address < start + pages * self.heap.page:
                continue
            where = "pages %d to %d of the segment at %#x" % (page, page + pages - 1, self.base)
            if descriptor & 3 == PAGE_SLAB:
                number = descriptor >> 2 & 0xFF
                class_ = self.heap.classes[number]
                where = "block %d of %d in the slab at %#x, class %d" % (
                    (address - start) // class_.size, class_.blocks, start, number)
            for block in self.piece(page, descriptor, pages):
                if block.address <= address < block.address + block.size:
                    return block, where
        page = (address - self.base) // self.heap.page
        return (Block(self.base + page * self.heap.page, self.heap.page, *NO_MEMORY),
                "page %d of the segment at %#x, never used so far" % (page, self.base))


class Heap:
    kind = "ka_heap"

    def __init__(self, value):
        self.value = value
        self.address = int(value.address)
        self.page = 1 << int(value["page_shift"])
        if is_null(value["table"]):
            raise gdb.GdbError("the heap at %#x is not made yet" % self.address)
        self.table = value["table"].dereference()
        of = self.table["classes"]["of"]
        self.classes = [SizeClass(*(int(of[i][field]) for field in SizeClass._fields))
                        for i in range(of.type.range()[1] + 1)]
        self.read_magazines()
        self.segments = [Segment(self, record) for record in self.records()]

    def records(self):
        for entry in numbers(self.table["segments"], int(self.table["segment_end"]), 8):
            if entry not in (0, SEGMENT_MAKING):
                record = at_address(entry, "ka_segment")
                if int(record["base"]):
                    yield record

    def read_magazines(self):
        """What lies in magazines, by address, and the runs that magazines are made of."""
        self.kept, self.own, self.slots = {}, set(), 0
        entries = numbers(self.value["magazines"], int(self.table["slots"]), 8)
        for slot, entry in enumerate(entries):
            if entry == entries[0]:  # those that are always busy, of who has none
                continue
            m = at_address(entry, "ka_magazines")
            self.slots += 1
            self.own.add(int(m["run"]))
            for bottom, top in zip(array(m["bottom"]), array(m["top"])):
                for block in numbers(bottom, (top - bottom) // 8, 8):
                    self.kept[block] = "free, in the magazine of CPU slot %d" % slot
        if not is_null(self.table["delayed"]):
            places = (int(self.value["magazines"]) - int(self.table["delayed"])) // 8
            for block in numbers(self.table["delayed"], places, 8):
                if block:
                    self.kept[block] = "freed, kept aside by the hardened heap"

    def blocks(self):
        for segment in sorted(self.segments, key=lambda s: s.base):
            yield from segment.blocks()

    def find(self, address):
        for segment in self.segments:
            if segment.base <= address < segment.base + segment.page_count * self.page:
                return segment.find(address)
        return None

    def report(self):
        sums = dict.fromkeys((LIVE, KEPT, FREE, UNBACKED, OWN), 0)
        rows, runs = {}, 0
        for segment in self.segments:
            for block in segment.blocks():
                sums[block.state] += block.size
            for page, descriptor, _ in segment.pieces():
                if descriptor & 3 == PAGE_SLAB:
                    row = rows.setdefault(descriptor >> 2 & 0xFF, collections.Counter())
                    row["slabs"] += 1
                    row.update(block.state for block in segment.slab(page))
                elif descriptor & 3 == PAGE_RUN and segment.base + page * self.page not in self.own:
                    runs += 1
        yield "%d segment%s with pages of %s bytes; %d CPU slot%s with magazines" % (
            len(self.segments), plural(len(self.segments)), group(self.page), self.slots, plural(self.slots))
        yield "live %16s bytes in %s blocks and %s run%s; peak %s" % (
            group(sums[LIVE]), group(sum(row[LIVE] for row in rows.values())), group(runs), plural(runs),
            group(int(self.value["peak"])))
        yield "kept %16s bytes in magazines, parked, or put aside" % group(sums[KEPT])
        yield "free %16s bytes, and %s without memory" % (group(sums[FREE]), group(sums[UNBACKED]))
        yield "own  %16s bytes of magazines" % group(sums[OWN])
        yield "%8s %8s %8s %8s %8s" % ("size", "slabs", "live", "kept", "free")
        for class_, row in sorted(rows.items()):
            yield "%8d %8d %8d %8d %8d" % (self.classes[class_].size, row["slabs"], row[LIVE], row[KEPT], row[FREE])


# ---- the region: engine/region.c ----

GRANULE = 16


class Region:
    kind = "ka_region"

    def __init__(self, value):
        self.value = value
        self.address = int(value.address)
        rows, length = int(value["rows"]), int(value["row_length"])  # of blocks that wait
        below = int(value["ranges"][0]["heads"]) - 4 * (rows * (1 + length) + 1)
        self.waiting = set(numbers(below, rows * length, 4)) - {0, 0xffffffff}

    def range_blocks(self, r):
        count, base = int(r["granules"]), int(r["base"])
        words = numbers(r["bits"], ((count + 1) // 64 + 1) * 2, 8)
        starts, ends = words[0::2], words[1::2]
        g = 1
        while g <= count:
            address = base + g * GRANULE
            end = next_bit(starts, g + 1, count + 1)
            if bit(ends, g):
                state = FREE, "free"
            else:
                state = (KEPT, "freed, not merged yet") if g in self.waiting else (LIVE, "live")
            yield Block(address, (end - g) * GRANULE, *state)
            g = end

    def blocks(self):
        for i in range(int(self.value["range_count"])):
            yield from self.range_blocks(self.value["ranges"][i])

    def find(self, address):
        for i in range(int(self.value["range_count"])):
            r = self.value["ranges"][i]
            for block in self.range_blocks(r):
                if block.address <= address < block.address + block.size:
                    return block, "range %d, from %#x on" % (i, int(r["base"]) + GRANULE)
        return None

    def report(self):
        free = [block.size for block in self.blocks() if block.state != LIVE]
        ranges = int(self.value["range_count"])
        granules = sum(int(self.value["ranges"][i]["granules"]) for i in range(ranges))
        yield "%s bytes in %d range%s" % (group(granules * GRANULE), ranges, plural(ranges))
        yield "live %16s bytes in %s blocks; peak %s" % (
            group(int(self.value["live"])), group(int(self.value["live_blocks"])), group(int(self.value["peak"])))
        yield "free %16s bytes in %s blocks; the largest %s" % (
            group(sum(free)), group(len(free)), group(max(free, default=0)))


# ---- caches, reserves, tags: what else is to be said of a block ----


def cache_place(cache, address):
    """What the address is in a cache of objects, in words; None if it lies in none of its slabs. heap/cache_core.h"""
    if is_null(cache["core"]):
        return None
    size, distance = int(cache["slab_size"]), int(cache["distance"])
    for entry in array(cache["core"]["tables"]):
        if entry == 0:
            continue
        table = at_address(entry, "ka_cache_table")
        for record, base in enumerate(numbers(table["bases"], int(table["count"]), 8)):
            if base == 0 or not base <= address < base + size:
                continue
            index = (address - base) // distance
            if SlabWords(table["slabs"], record + 1).at(record, index // 64) >> index % 64 & 1:
                state = "free in its slab"
            else:
                state = cache_kept(cache, base + index * distance) or "live"
            return "object %d of %d in the slab at %#x, %s" % (index, int(cache["slab_objects"]), base, state)
    return None


def cache_kept(cache, block):
    entries = numbers(cache["magazines"], int(cache["slots"]) + 1, 8)
    for slot, entry in enumerate(entries):
        if entry not in (0, entries[0]):
            m = at_address(entry, "ka_cache_magazine")
            slots = int(m["slots"].address)
            if block in numbers(slots, (int(m["top"]) - slots) // 8, 8):
                return "free, in the magazine of CPU slot %d" % slot
    return None


def reserve_place(reserve, address):
    size = int(reserve["size"])
    if is_null(reserve["blocks"]):
        return None
    for slot, block in enumerate(numbers(reserve["blocks"], int(reserve["slots"]), 8)):
        if block and block <= address < block + size:
            inside = numbers(int(reserve["in"]) + slot // 64 * 8, 1, 8)[0] >> slot % 64 & 1
            return "block %d of %d, %s" % (slot, int(reserve["slots"]), "put by" if inside else "given out")
    return None


def tag_rows(group_value):
    tag = group_value["first"]
    yield "%-16s %12s %12s %10s %10s %10s" % ("tag", "live", "peak", "blocks", "allocs", "refused")
    while not is_null(tag):
        t = tag.dereference()
        yield "%-16s %12d %12d %10d %10d %10d" % ((t["name"].string(),) + tuple(
            int(t[field]) for field in ("live", "peak", "live_blocks", "allocs", "refused")))
        tag = t["next"]


# ---- which heaps there are ----


def struct_name(value):
    return value.type.strip_typedefs().name or str(value.type)


class Variables:
    """The program's variables of the types that the commands know, as gdb's symbols tell; asked once, which is slow."""

    TYPES = "ka_allocator|ka_heap|ka_region|ka_cache|ka_reserve|ka_tagged|ka_tag_group"

    def __init__(self):
        self.known = None
        for event in ("new_objfile", "clear_objfiles", "free_objfile"):
            if hasattr(gdb.events, event):
                getattr(gdb.events, event).connect(self.forget)

    def forget(self, event):
        self.known = None

    def look(self):
        file, self.known = None, []
        text = gdb.execute("info variables -q -n -t ^ka_", to_string=True)
        for line in text.splitlines():
            heading = re.match(r"File (.*):$", line)
            declared = re.match(r"\d+:\s+.*\b(%s)\b(?: \*)?(?: ?const)? ?(\w+);$" % self.TYPES, line)
            if heading:
                file = heading.group(1)
            elif declared:
                self.known.append((declared.group(1), declared.group(2), "'%s'::%s" % (file, declared.group(2))))

    def of(self, type_name):
        """(name, value) of each."""
        if self.known is None:
            self.look()
        for type_, name, expression in self.known:
            if type_ == type_name:
                try:
                    yield name, gdb.parse_and_eval(expression)
                except gdb.error:
                    pass  # declared, but not in this program: the linker has dropped it


variables = Variables()

BY_NAME = {"heap": "ka_heap", "region": "ka_region", "locked": "ka_locked", "tagged": "ka_tagged",
           "failing": "ka_failing", "guard": "ka_guard"}


def allocator_of(value):
    """The heap or region that a value is, points to, or is a layer around."""
    for _ in range(16):
        while value.type.strip_typedefs().code == gdb.TYPE_CODE_PTR:
            if is_null(value):
                raise gdb.GdbError("a null pointer is no heap")
            value = value.dereference()
        name = struct_name(value)
        if name == "ka_heap":
            return Heap(value)
        if name == "ka_region":
            return Region(value)
        if name == "ka_allocator":
            kind = value["ops"]["name"].string() if not is_null(value["ops"]) else "?"
            if kind not in BY_NAME:
                raise gdb.GdbError("an allocator of kind '%s': its memory cannot be shown" % kind)
            value = at_address(value.address, BY_NAME[kind])
        elif name in ("ka_locked", "ka_tagged", "ka_failing", "ka_guard"):
            value = value["inner"]
        else:
            raise gdb.GdbError("'%s' is no heap, region, or layer around one" % name)
    raise gdb.GdbError("layers around layers without an end")


def heaps_of(argument):
    """(name, heap) of what the argument says, or of all that are known."""
    if argument:
        return [(argument, allocator_of(gdb.parse_and_eval(argument)))]
    found = {}
    for type_name in ("ka_heap", "ka_region", "ka_allocator"):
        for name, value in variables.of(type_name):
            try:
                heap = allocator_of(value)
                found.setdefault(heap.address, (name, heap))
            except gdb.GdbError:
                pass  # not made yet, or of another kind
    if not found:
        raise gdb.GdbError("no variable is a heap that is made; say an expression: a ka_heap, a ka_region, or a "
                           "ka_allocator around one")
    return found.values()


def heading(name, heap):
    return "%s: %s at %#x" % (name, heap.kind, heap.address)


# ---- the commands ----


class KaCommand(gdb.Command):
    """Shows heaps: `ka heap`, `ka map`, `ka block`, `ka leaks`. Reads memory only."""

    def __init__(self):
        super().__init__("ka", gdb.COMMAND_DATA, prefix=True)


class Question(gdb.Command):
    """A command that reads memory."""

    def invoke(self, argument, from_tty):
        try:
            self.answer(argument)
        except gdb.MemoryError as error:
            raise gdb.GdbError("%s: is there a process, a core file, or a kernel behind a stub?" % error)


class HeapCommand(Question):
    """ka heap [EXPRESSION]: what a heap or region holds: live, kept, free, by class of size.

    EXPRESSION is a ka_heap, a ka_region, or a ka_allocator that is one or is around one, or a pointer to it. Without
    it: all variables of these types."""

    def __init__(self):
        super().__init__("ka heap", gdb.COMMAND_DATA, gdb.COMPLETE_EXPRESSION)

    def answer(self, argument):
        for name, heap in heaps_of(argument):
            print(heading(name, heap))
            for line in heap.report():
                print("  " + line)


class MapCommand(Question):
    """ka map [EXPRESSION]: a picture of a heap or region as text.

    '#' is live, '+' is freed and kept for the next request, '.' is free, ' ' has no memory behind it, '=' is the heap's
    own. A character stands for as many bytes as the first line says, and shows what most of them are."""

    COLUMNS, ROWS = 64, 40

    def __init__(self):
        super().__init__("ka map", gdb.COMMAND_DATA, gdb.COMPLETE_EXPRESSION)

    @staticmethod
    def paragraphs(blocks):
        """(first address, its blocks) of memory without gaps."""
        paragraph = []
        for block in sorted(blocks):
            if paragraph and block.address != paragraph[-1].address + paragraph[-1].size:
                yield paragraph
                paragraph = []
            paragraph.append(block)
        if paragraph:
            yield paragraph

    def row_cells(self, paragraph, cell):
        """The characters of a paragraph: of each cell what has the most bytes in it."""
        weights, at = {}, paragraph[0].address
        for block in paragraph:
            begin, end = block.address, block.address + block.size
            while begin < end:
                part = min(end, at + cell) - begin
                weights[block.state] = weights.get(block.state, 0) + part
                begin += part
                if begin == at + cell:
                    yield max(weights, key=weights.get)
                    weights, at = {}, begin
        if weights:
            yield max(weights, key=weights.get)

    def draw(self, blocks):
        paragraphs = list(self.paragraphs(blocks))
        for paragraph in paragraphs:  # what has no memory is not worth rows at the end
            while paragraph and paragraph[-1].state == UNBACKED:
                paragraph.pop()
        paragraphs = [paragraph for paragraph in paragraphs if paragraph]
        if not paragraphs:
            yield "no memory"
            return
        cell = GRANULE
        while sum(1 + -(-(p[-1].address + p[-1].size - p[0].address) // cell // self.COLUMNS)
                  for p in paragraphs) > max(self.ROWS, 2 * len(paragraphs)):
            cell *= 2
        yield "each character is %s bytes: live %s, kept %s, free %s, the heap's own %s" % (
            group(cell), LIVE, KEPT, FREE, OWN)
        for paragraph in paragraphs:
            yield "%#x:" % paragraph[0].address
            row = "".join(self.row_cells(paragraph, cell))
            for start in range(0, len(row), self.COLUMNS):
                yield "|%s|" % row[start:start + self.COLUMNS]

    def answer(self, argument):
        for name, heap in heaps_of(argument):
            print(heading(name, heap))
            for line in self.draw(heap.blocks()):
                print("  " + line)


class BlockCommand(Question):
    """ka block ADDRESS: which heap an address lies in, in which block, and who has that.

    Looks into all variables that are heaps, regions, caches and reserves."""

    def __init__(self):
        super().__init__("ka block", gdb.COMMAND_DATA, gdb.COMPLETE_EXPRESSION)

    @staticmethod
    def tags_over(heap):
        for name, tag in variables.of("ka_tagged"):
            try:
                if int(tag["live_blocks"]) and allocator_of(tag).address == heap.address:
                    yield "%s, which has %d" % (tag["name"].string(), int(tag["live_blocks"]))
            except gdb.GdbError:
                pass

    def answer(self, argument):
        if not argument:
            raise gdb.GdbError("usage: ka block ADDRESS")
        address = int(gdb.parse_and_eval(argument).cast(gdb.lookup_type("unsigned long")))
        for name, heap in heaps_of(None):
            found = heap.find(address)
            if found is None:
                continue
            block, where = found
            offset = address - block.address
            print("%#x: %s%s bytes, %s" % (
                address, "%d bytes into " % offset if offset else "", group(block.size), block.note))
            print("  %s, of %s" % (where, heading(name, heap)))
            if block.state == LIVE:
                for tag in self.tags_over(heap):
                    print("  perhaps of tag %s: the block does not tell" % tag)
            break
        else:
            print("%#x: in no heap or region that is a variable" % address)
        for type_name, place_of in (("ka_cache", cache_place), ("ka_reserve", reserve_place)):
            for name, value in variables.of(type_name):
                place = place_of(value, address)
                if place:
                    print("  %s, of %s: %s at %#x" % (place, name, type_name, int(value.address)))


class LeaksCommand(Question):
    """ka leaks [EXPRESSION]: the blocks that are live, by size, with some of their addresses; and who has them, by tag.

    EXPRESSION is a heap or region as for `ka heap`, or a ka_tag_group. Without it: all there are."""

    SHOWN = 4

    def __init__(self):
        super().__init__("ka leaks", gdb.COMMAND_DATA, gdb.COMPLETE_EXPRESSION)

    def heap(self, name, heap):
        sizes = {}
        for block in heap.blocks():
            if block.state == LIVE:
                sizes.setdefault(block.size, []).append(block.address)
        print(heading(name, heap))
        print("  %s bytes live in %s blocks" % (group(sum(size * len(of) for size, of in sizes.items())),
                                             group(sum(len(of) for of in sizes.values()))))
        for size in sorted(sizes, key=lambda size: -size * len(sizes[size])):
            of = sizes[size]
            shown = " ".join("%#x" % address for address in of[:self.SHOWN])
            print("  %8s of %12s bytes: %s%s" % (group(len(of)), group(size), shown, " ..." * (len(of) > self.SHOWN)))

    def tags(self, name, value):
        print("tags of %s" % name)
        for row in tag_rows(value):
            print("  " + row)

    def answer(self, argument):
        if argument:
            value = gdb.parse_and_eval(argument)
            if value.type.strip_typedefs().code == gdb.TYPE_CODE_PTR and not is_null(value):
                pointed = value.dereference()
                value = pointed if struct_name(pointed) == "ka_tag_group" else value
            if struct_name(value) == "ka_tag_group":
                self.tags(argument, value)
                return
        for name, heap in heaps_of(argument):
            self.heap(name, heap)
        if not argument:
            for name, value in variables.of("ka_tag_group"):
                self.tags(name, value)


for command in (KaCommand, HeapCommand, MapCommand, BlockCommand, LeaksCommand):
    command()
register(gdb.current_objfile())
