/* collection/map.c: the untyped core of ordered maps and sets, a B-tree. It moves bytes and never calls anything but
 * the allocator: the search, which calls the user's compare, is in the typed skin (ka/map.h).
 *
 *      node:   parent, place, len, level | keys ...... | values ...... |          cap entries, the first len in use
 *      inner:  the same                                                | children ......   len + 1 of them
 *
 *                        [ 20 | 50 ]                 The keys below a child lie between the keys beside it.
 *                       /     |     \                All leaves are on level 0, so a walk needs no flags.
 *              [3 7 12]  [21 30 44]  [51 60]
 *
 * Why a B-tree: an entry of a balanced binary tree costs a block, three pointers and a cache line a step; a node here
 * serves four or five steps from one or two lines. Keys lie apart from values so that a search touches keys only.
 * Parent pointers make iterators two words and spare every function a stack of its path: nothing recurses.
 *
 * Insert. A full node splits, its middle entry goes up, and may fill the next. So first count the full nodes from
 * the leaf up, take all blocks that they will need, and only then change anything: a refusal leaves the tree
 * untouched. Then split from the top down, so that each split finds room above it. A leaf that is filled from its
 * end (or its front) splits there at three quarters instead of the half: keys that come in order leave nodes that
 * are well filled.
 *
 * Remove. An entry of an inner node changes places with the one before it, the last of a leaf. A node that falls
 * below a quarter merges with a neighbour if both and the key between them fit in one; otherwise it takes half of
 * what the neighbour has more. A quarter, not the half of the textbook: then a tree that grows and shrinks around a
 * size does not split and merge at each step. The price is up to 1.6 times the height in the worst tree that removes
 * can make.
 *
 * Ideas: Bayer and McCreight, "Organization and Maintenance of Large Ordered Indexes" (1970); nodes of several cache
 * lines after Rust's BTreeMap, whose nodes are smaller.
 */
#include <ka/map.h>

#include "base/assert.h"
#include "base/math.h"
#include "base/mem.h"

/* ---- the parts of a node ---- */

static char *tree_key(const ka_tree_shape_ *shape, ka_tree_node_ *node, size_t at)
{
    return (char *)node + shape->keys + at * shape->key_size;
}

static char *tree_value(const ka_tree_shape_ *shape, ka_tree_node_ *node, size_t at)
{
    return (char *)node + shape->values + at * shape->value_size;
}

static ka_tree_node_ **tree_children(const ka_tree_shape_ *shape, const ka_tree_node_ *node)
{
    return (ka_tree_node_ **)(void *)((char *)(uintptr_t)node + shape->children);
}

static unsigned tree_least(const ka_tree_shape_ *shape)
{
    return shape->cap / 4;
}

static void tree_move_entries(const ka_tree_shape_ *shape, ka_tree_node_ *to, size_t to_at, ka_tree_node_ *from,
                              size_t from_at, size_t n)
{
    ka_move(tree_key(shape, to, to_at), tree_key(shape, from, from_at), n * shape->key_size);
    if (shape->value_size != 0)
        ka_move(tree_value(shape, to, to_at), tree_value(shape, from, from_at), n * shape->value_size);
}

/* Says to the children from `at` to `end` where they are. */
static void tree_adopt(const ka_tree_shape_ *shape, ka_tree_node_ *node, size_t at, size_t end)
{
    ka_tree_node_ **children = tree_children(shape, node);
    for (; at < end; at++) {
        children[at]->parent = node;
        children[at]->at = (uint16_t)at;
    }
}

static void tree_move_children(const ka_tree_shape_ *shape, ka_tree_node_ *to, size_t to_at, ka_tree_node_ *from,
                               size_t from_at, size_t n)
{
    if (to->level == 0)
        return;
    ka_move(tree_children(shape, to) + to_at, tree_children(shape, from) + from_at, n * sizeof(ka_tree_node_ *));
    tree_adopt(shape, to, to_at, to_at + n);
}

static size_t tree_node_size(const ka_tree_shape_ *shape, unsigned level)
{
    return level == 0 ? shape->leaf_size : shape->inner_size;
}

static void tree_free(const ka_tree_ *tree, const ka_tree_shape_ *shape, ka_tree_node_ *node)
{
    ka_free(tree->allocator, node, tree_node_size(shape, node->level), shape->align);
}

/* ---- the walk ---- */

/* The lowest node that is reached by the first, or the last, children. */
static ka_tree_node_ *tree_edge(const ka_tree_shape_ *shape, ka_tree_node_ *node, bool last)
{
    while (node->level != 0)
        node = tree_children(shape, node)[last ? node->len : 0];
    return node;
}

ka_tree_at_ ka_tree_first_(const ka_tree_ *tree, const ka_tree_shape_ *shape)
{
    ka_tree_at_ at = { tree->root != NULL ? tree_edge(shape, tree->root, false) : NULL, 0 };
    return at;
}

ka_tree_at_ ka_tree_end_of_(const ka_tree_ *tree, const ka_tree_shape_ *shape)
{
    ka_tree_at_ at = { tree->root != NULL ? tree_edge(shape, tree->root, true) : NULL, 0 };
    if (at.node != NULL)
        at.at = at.node->len;
    return at;
}

ka_tree_at_ ka_tree_last_(const ka_tree_ *tree, const ka_tree_shape_ *shape)
{
    ka_tree_at_ at = ka_tree_end_of_(tree, shape);
    if (at.node != NULL)
        at.at--;
    return at;
}

void ka_tree_settle_(ka_tree_at_ *at)
{
    while (at->node != NULL && at->at == at->node->len) {
        at->at = at->node->at;
        at->node = at->node->parent;
    }
}

void ka_tree_next_(ka_tree_at_ *at, const ka_tree_shape_ *shape)
{
    at->at++;
    if (at->node->level != 0) {
        at->node = tree_edge(shape, tree_children(shape, at->node)[at->at], false);
        at->at = 0;
    }
    ka_tree_settle_(at);
}

void ka_tree_prev_(ka_tree_at_ *at, const ka_tree_shape_ *shape)
{
    if (at->node->level != 0) {
        at->node = tree_edge(shape, tree_children(shape, at->node)[at->at], true);
        at->at = at->node->len;
    }
    while (at->node != NULL && at->at == 0) {
        at->at = at->node->at;
        at->node = at->node->parent;
    }
    at->at -= at->node != NULL;
}

/* ---- insert ---- */

static void tree_free_spares(const ka_tree_ *tree, const ka_tree_shape_ *shape, ka_tree_node_ *spares)
{
    while (spares != NULL) {
        ka_tree_node_ *next = spares->parent;
        tree_free(tree, shape, spares);
        spares = next;
    }
}

/* Takes a block for each full node from the leaf up, and one for a root above a full root or for the first leaf of all.
 * They hang together by `parent`, the highest first. NULL if one of them cannot be had. */
static ka_tree_node_ *tree_take_spares(const ka_tree_ *tree, const ka_tree_shape_ *shape, const ka_tree_node_ *node,
                                       ka_flags flags)
{
    ka_tree_node_ *spares = NULL;
    for (unsigned level = 0;; level++) {
        size_t size = tree_node_size(shape, level);
        ka_tree_node_ *made = (ka_tree_node_ *)ka_bytes_new_(tree->allocator, size, shape->align, flags);
        if (made == NULL) {
            tree_free_spares(tree, shape, spares);
            return NULL;
        }
        made->parent = spares;
        made->at = made->len = 0;
        made->level = (uint16_t)level;
        spares = made;
        if (node == NULL)
            return spares;
        node = node->parent;
        if (node != NULL && node->len < shape->cap)
            return spares;
    }
}

static ka_tree_node_ *tree_pop_spare(ka_tree_node_ **spares)
{
    ka_tree_node_ *node = *spares;
    *spares = node->parent;
    node->parent = NULL;
    return node;
}

/* Opens a gap for an entry and, in an inner node, for the child behind it. The node has room. */
static void tree_gap(const ka_tree_shape_ *shape, ka_tree_node_ *node, size_t at)
{
    tree_move_entries(shape, node, at + 1, node, at, node->len - at);
    tree_move_children(shape, node, at + 2, node, at + 1, node->len - at);
    node->len++;
}

/* Which entry of a full node goes up, if `at` is where the next one shall be put in. */
static size_t tree_middle(const ka_tree_shape_ *shape, size_t at)
{
    size_t least = tree_least(shape);
    if (at == shape->cap)
        return shape->cap - 1 - least;
    return at == 0 ? least : shape->cap / 2;
}

/* Splits a full node below a parent that has room, or below a new root. */
static ka_tree_node_ *tree_split(ka_tree_ *tree, const ka_tree_shape_ *shape, ka_tree_node_ *node, size_t middle,
                                 ka_tree_node_ **spares)
{
    if (node->parent == NULL) {
        tree->root = tree_pop_spare(spares);
        tree_children(shape, tree->root)[0] = node;
        tree_adopt(shape, tree->root, 0, 1);
    }
    ka_tree_node_ *right = tree_pop_spare(spares), *parent = node->parent;
    size_t n = node->len - middle - 1;
    tree_move_entries(shape, right, 0, node, middle + 1, n);
    tree_move_children(shape, right, 0, node, middle + 1, n + 1);
    right->len = (uint16_t)n;
    tree_gap(shape, parent, node->at);
    tree_move_entries(shape, parent, node->at, node, middle, 1);
    tree_children(shape, parent)[node->at + 1u] = right;
    tree_adopt(shape, parent, node->at + 1u, node->at + 2u);
    node->len = (uint16_t)middle;
    return right;
}

/* Splits the full nodes above a full leaf, then the leaf: each finds room above it. */
static void tree_make_room(ka_tree_ *tree, const ka_tree_shape_ *shape, ka_tree_at_ *at, ka_tree_node_ *spares)
{
    for (;;) {
        ka_tree_node_ *top = at->node;
        size_t place = at->at;
        while (top->parent != NULL && top->parent->len == shape->cap) {
            place = top->at;
            top = top->parent;
        }
        size_t middle = tree_middle(shape, place);
        ka_tree_node_ *right = tree_split(tree, shape, top, middle, &spares);
        if (top != at->node)
            continue;
        if (place > middle) {
            at->node = right;
            at->at -= middle + 1;
        }
        KA_DEBUG(spares == NULL);
        return;
    }
}

bool ka_tree_open_(ka_tree_ *tree, const ka_tree_shape_ *shape, ka_tree_at_ *at, ka_flags flags)
{
    if (at->node == NULL || at->node->len == shape->cap) {
        ka_tree_node_ *spares = tree_take_spares(tree, shape, at->node, flags);
        if (spares == NULL)
            return false;
        if (at->node == NULL)
            tree->root = at->node = spares;
        else
            tree_make_room(tree, shape, at, spares);
    }
    tree_gap(shape, at->node, at->at);
    tree->len++;
    return true;
}

/* ---- remove ---- */

/* Moves a node, the entry between, and its right neighbour into one. `at` is followed. */
static void tree_merge(const ka_tree_ *tree, const ka_tree_shape_ *shape, ka_tree_node_ *left, ka_tree_node_ *right,
                       ka_tree_at_ *at)
{
    ka_tree_node_ *parent = left->parent;
    size_t place = left->at, len = left->len;
    if (at->node == right) {
        at->node = left;
        at->at += len + 1;
    }
    tree_move_entries(shape, left, len, parent, place, 1);
    tree_move_entries(shape, left, len + 1, right, 0, right->len);
    tree_move_children(shape, left, len + 1, right, 0, right->len + 1u);
    left->len = (uint16_t)(len + 1 + right->len);
    tree_move_entries(shape, parent, place, parent, place + 1, parent->len - place - 1);
    tree_move_children(shape, parent, place + 1, parent, place + 2, parent->len - place - 1);
    parent->len--;
    tree_free(tree, shape, right);
}

/* Takes the last n entries of the left neighbour, through the parent. */
static void tree_take_left(const ka_tree_shape_ *shape, ka_tree_node_ *left, ka_tree_node_ *node, size_t n)
{
    ka_tree_node_ *parent = node->parent;
    size_t keep = left->len - n;
    tree_move_entries(shape, node, n, node, 0, node->len);
    tree_move_children(shape, node, n, node, 0, node->len + 1u);
    tree_move_entries(shape, node, n - 1, parent, left->at, 1);
    tree_move_entries(shape, node, 0, left, keep + 1, n - 1);
    tree_move_children(shape, node, 0, left, keep + 1, n);
    tree_move_entries(shape, parent, left->at, left, keep, 1);
    left->len = (uint16_t)keep;
    node->len = (uint16_t)(node->len + n);
}

/* Takes the first n entries of the right neighbour, through the parent. */
static void tree_take_right(const ka_tree_shape_ *shape, ka_tree_node_ *node, ka_tree_node_ *right, size_t n)
{
    ka_tree_node_ *parent = node->parent;
    size_t len = node->len, keep = right->len - n;
    tree_move_entries(shape, node, len, parent, node->at, 1);
    tree_move_entries(shape, node, len + 1, right, 0, n - 1);
    tree_move_children(shape, node, len + 1, right, 0, n);
    tree_move_entries(shape, parent, node->at, right, n - 1, 1);
    tree_move_entries(shape, right, 0, right, n, keep);
    tree_move_children(shape, right, 0, right, n, keep + 1);
    right->len = (uint16_t)keep;
    node->len = (uint16_t)(len + n);
}

/* Fills up a node that has fallen below a quarter. True if that took an entry from its parent. `at` is followed. */
static bool tree_fill(const ka_tree_ *tree, const ka_tree_shape_ *shape, ka_tree_node_ *node, ka_tree_at_ *at)
{
    ka_tree_node_ **beside = tree_children(shape, node->parent) + node->at;
    ka_tree_node_ *left = node->at != 0 ? beside[-1] : NULL;
    ka_tree_node_ *right = node->at < node->parent->len ? beside[1] : NULL;
    if (left != NULL && (size_t)left->len + node->len < shape->cap) {
        tree_merge(tree, shape, left, node, at);
        return true;
    }
    if (right != NULL && (size_t)right->len + node->len < shape->cap) {
        tree_merge(tree, shape, node, right, at);
        return true;
    }
    if (left != NULL) {
        size_t n = (left->len - (size_t)node->len) / 2;
        tree_take_left(shape, left, node, n);
        at->at += at->node == node ? n : 0;
    } else {
        tree_take_right(shape, node, right, (right->len - (size_t)node->len) / 2);
    }
    return false;
}

/* A root without entries: its child is the root now, or the tree is empty. */
static void tree_lower_root(ka_tree_ *tree, const ka_tree_shape_ *shape)
{
    ka_tree_node_ *root = tree->root;
    tree->root = root->level != 0 ? tree_children(shape, root)[0] : NULL;
    if (tree->root != NULL)
        tree->root->parent = NULL;
    tree_free(tree, shape, root);
}

void ka_tree_close_(ka_tree_ *tree, const ka_tree_shape_ *shape, ka_tree_at_ *at)
{
    ka_tree_node_ *inner = at->node->level != 0 ? at->node : NULL;
    if (inner != NULL) {
        /* the entry before takes its place, and what leaves is the last of a leaf */
        ka_tree_node_ *leaf = tree_edge(shape, tree_children(shape, inner)[at->at], true);
        tree_move_entries(shape, inner, at->at, leaf, leaf->len - 1u, 1);
        at->node = leaf;
        at->at = leaf->len - 1u;
    }
    ka_tree_node_ *node = at->node;
    tree_move_entries(shape, node, at->at, node, at->at + 1, node->len - at->at - 1);
    node->len--;
    tree->len--;
    while (node->parent != NULL && node->len < tree_least(shape)) {
        ka_tree_node_ *parent = node->parent;
        if (!tree_fill(tree, shape, node, at))
            break;
        node = parent;
    }
    if (tree->root->len == 0) {
        at->node = tree->len != 0 ? at->node : NULL;
        tree_lower_root(tree, shape);
    }
    ka_tree_settle_(at);
    if (inner != NULL)
        ka_tree_next_(at, shape);
}

/* ---- the end ---- */

ka_tree_node_ *ka_tree_lowest_(const ka_tree_ *tree, const ka_tree_shape_ *shape)
{
    return tree->root != NULL ? tree_edge(shape, tree->root, false) : NULL;
}

ka_tree_node_ *ka_tree_free_node_(const ka_tree_ *tree, const ka_tree_shape_ *shape, ka_tree_node_ *node)
{
    ka_tree_node_ *parent = node->parent;
    size_t next = node->at + 1u;
    tree_free(tree, shape, node);
    if (parent == NULL || next > parent->len)
        return parent;
    return tree_edge(shape, tree_children(shape, parent)[next], false);
}

/* ---- check ---- */

static const char *tree_check_node(const ka_tree_shape_ *shape, const ka_tree_node_ *node)
{
    if (node->len > shape->cap)
        return "map: a node holds more than fits in";
    if (node->len < (node->parent != NULL ? tree_least(shape) : 1))
        return "map: a node holds too few entries";
    for (size_t at = 0; node->level != 0 && at <= node->len; at++) {
        const ka_tree_node_ *child = tree_children(shape, node)[at];
        if (child->parent != node || child->at != at)
            return "map: a child does not know its parent";
        if (child->level + 1u != node->level)
            return "map: a child is on the wrong level";
    }
    return NULL;
}

const char *ka_tree_check_(const ka_tree_ *tree, const ka_tree_shape_ *shape)
{
    if (tree->root == NULL)
        return tree->len == 0 ? NULL : "map: entries without a node";
    if (tree->root->parent != NULL)
        return "map: the root has a parent";
    size_t len = 0;
    const ka_tree_node_ *node = tree->root;
    for (;;) { /* a node before its children, from left to right */
        const char *broken = tree_check_node(shape, node);
        if (broken != NULL)
            return broken;
        len += node->len;
        if (node->level != 0) {
            node = tree_children(shape, node)[0];
            continue;
        }
        while (node->parent != NULL && node->at == node->parent->len)
            node = node->parent;
        if (node->parent == NULL)
            return len == tree->len ? NULL : "map: the nodes hold another number of entries than the map";
        node = tree_children(shape, node->parent)[node->at + 1u];
    }
}
