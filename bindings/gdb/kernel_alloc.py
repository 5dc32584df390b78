"""kernel_alloc.py: gdb shows the library's owners and collections as what they hold.

gdb finds it by itself beside an installed libka.so, and beside the programs of the build; else: source kernel_alloc.py.

The types come from macros and have the names that a program gave them, so that they are known by their members. Memory
is only read, and no function of the program is called: a core file and a kernel behind a stub do as well as a process.
"""
import gdb
import gdb.printing


def names_of(type_):
    return [field.name for field in type_.fields()]


def is_null(pointer):
    return int(pointer) == 0


def text_of(pointer, length):
    return pointer.string("utf-8", "replace", length=length) if length else ""


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


# The members that tell a type, all of them and in order.
SHAPES = {
    ("value", "allocator"): Box,
    ("block",): Counted,
    ("items", "len", "cap", "allocator"): Vec,
    ("bytes", "len", "cap", "allocator", "utf8"): String,
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


register(gdb.current_objfile())
