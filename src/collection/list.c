/* collection/list.c: the untyped core of ka/list.h: nodes and two ends.
 *
 *      list     first ---------+                   +--------- last
 *                              v                   v
 *                         +-> [A] <----> [B] <--> [C] <-+
 *                         +----+                   +----+          prev of the first, next of the last: itself
 *
 * So a node never points to the list, and a list can be moved by `=`; a list that is all-zero is empty; and a node in
 * no list, all NULL, differs from one that is alone in its list. Lists with a sentinel in the head, as most kernels
 * have them, save the branches at the ends, but their heads cannot be moved or be all-zero.
 */
#include <ka/list.h>

#include <ka/handler.h>

#include "base/format.h"

static KA_NORETURN void list_stop(const ka_shape_ *shape, const char *words)
{
    char text[160];
    ka_format(text, sizeof text, "%s: %s", shape->name, words);
    ka_port_panic(text, shape->file, shape->line);
}

static void list_must_hold(bool fact, const ka_shape_ *shape, const char *words)
{
    if (KA_UNLIKELY(!fact))
        list_stop(shape, words);
}

/* What can be seen of a node that shall be in this list. */
static void list_must_have(const ka_list_ *list, const ka_list_node *node, const ka_shape_ *shape)
{
    list_must_hold(node->next != NULL, shape, "the item is in no list");
    list_must_hold((node->prev == node) == (list->first == node) && (node->next == node) == (list->last == node), shape,
                   "the item is in another list");
}

/* Puts the row from `first` to `last` before `place`, or at the end. */
static void list_join(ka_list_ *list, ka_list_node *place, ka_list_node *first, ka_list_node *last)
{
    ka_list_node *before = place == NULL ? list->last : place->prev == place ? NULL : place->prev;
    first->prev = before != NULL ? before : first;
    last->next = place != NULL ? place : last;
    *(before != NULL ? &before->next : &list->first) = first;
    *(place != NULL ? &place->prev : &list->last) = last;
}

void ka_list_link_(ka_list_ *list, ka_list_node *place, ka_list_node *node, const ka_shape_ *shape)
{
    list_must_hold(node->next == NULL && node->prev == NULL, shape, "the item is in a list already");
    if (place != NULL)
        list_must_have(list, place, shape);
    list_join(list, place, node, node);
    list->len++;
}

void ka_list_unlink_(ka_list_ *list, ka_list_node *node, const ka_shape_ *shape)
{
    list_must_have(list, node, shape);
    ka_list_node *before = node->prev == node ? NULL : node->prev;
    ka_list_node *behind = node->next == node ? NULL : node->next;
    if (before != NULL)
        before->next = behind != NULL ? behind : before;
    else
        list->first = behind;
    if (behind != NULL)
        behind->prev = before != NULL ? before : behind;
    else
        list->last = before;
    node->next = node->prev = NULL;
    list->len--;
}

void ka_list_splice_(ka_list_ *list, ka_list_node *place, ka_list_ *other, const ka_shape_ *shape)
{
    list_must_hold(list != other, shape, "spliced to itself");
    list_must_hold(list->allocator == other->allocator, shape, "spliced to a list with another allocator");
    if (place != NULL)
        list_must_have(list, place, shape);
    if (other->len == 0)
        return;
    list_join(list, place, other->first, other->last);
    list->len += other->len;
    *other = (ka_list_){ NULL, NULL, 0, other->allocator };
}

ka_list_node *ka_list_after_(const ka_list_node *node, bool forward, const ka_shape_ *shape)
{
    ka_list_node *after = forward ? node->next : node->prev;
    list_must_hold(after != NULL, shape, "the item is in no list");
    return after != node ? after : NULL;
}

const char *ka_list_check_(const ka_list_ *list)
{
    const ka_list_node *node = list->first;
    if ((node == NULL) != (list->last == NULL) || (node == NULL) != (list->len == 0))
        return "list: empty by one field and not by another";
    if (node == NULL)
        return NULL;
    if (node->prev != node)
        return "list: something lies before the first item";
    for (size_t left = list->len; --left != 0; node = node->next) {
        if (node->next == NULL || node->next == node)
            return "list: it ends before the last item";
        if (node->next->prev != node)
            return "list: a neighbour does not point back";
    }
    return node == list->last && node->next == node ? NULL : "list: the last item is not the last";
}
