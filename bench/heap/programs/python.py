# Dictionaries, lists, strings, JSON both ways, and classes. Run with PYTHONMALLOC=malloc: each object is a block.
import json
import sys


class Node:
    __slots__ = ("key", "left", "right")

    def __init__(self, key):
        self.key, self.left, self.right = key, None, None


def insert(root, key):
    while True:
        side = "left" if key < root.key else "right"
        below = getattr(root, side)
        if below is None:
            setattr(root, side, Node(key))
            return
        root = below


rounds = int(sys.argv[1])
total = 0
for r in range(rounds):
    records = [{"id": i, "name": "name-%d" % i, "tags": [str(i * k) for k in range(5)], "x": i / 7}
               for i in range(8000)]
    text = json.dumps(records)
    back = json.loads(text)
    total += sum(len(item["tags"]) for item in back)
    words = {}
    for word in text.split('"'):
        words[word] = words.get(word, 0) + 1
    total += len(sorted(words.items(), key=lambda pair: (-pair[1], pair[0])))
    root, key = Node(1 << 19), 1
    for _ in range(8000):
        key = key * 75 % 1048583
        insert(root, key)
print(total)
