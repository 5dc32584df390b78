/* ka/picture.h: a heap drawn as text, for a console.
 *
 *     each character is 128 bytes
 *     0x444444440000:
 *     ####....####....
 *
 * Takes no memory and at most 256 bytes of stack a call. Works on every allocator that can walk.
 */
#ifndef KA_PICTURE_H
#define KA_PICTURE_H

#include <ka/alloc.h>

KA_BEGIN_DECLS

/* The widest picture, characters. */
#define KA_PICTURE_MAX_COLUMNS ((size_t)100)

/* The character of a live block. Runs within the walk: must not call the allocator that is drawn. */
typedef char ka_picture_mark(void *context, const void *block, size_t size);

/* Gets one line of the picture without its end, also zero-terminated. Runs within the walk, as the mark does (of a
 * `locked` allocator: with the lock held). */
typedef void ka_picture_line(void *context, const char *text, size_t length);

/* Draws the allocator's memory. The first line says how many bytes a character stands for: the smallest power of two,
 * 16 or more, with which everything fits. Memory without gaps makes one paragraph: a line with its address, and then
 * rows of characters. A character is the mark of a live block where more than half of its bytes are live (of the
 * block with the largest part in it), else '.'.
 *
 * columns       the longest row, characters; 1 to KA_PICTURE_MAX_COLUMNS, other values are brought into that range.
 *               Lines of words may be longer.
 * rows          the most lines, the first one and the paragraphs' heads included; raised to 3. If there are too many
 *               gaps for that, the last line says how many ranges are missing.
 * mark          NULL: every live block is '#'
 * mark_context  passed to `mark`
 * line          gets the lines, from the top
 * line_context  passed to `line`
 * cost          two walks. If others change the heap between them, the picture may be cut short.
 */
void ka_picture(ka_allocator *a, size_t columns, size_t rows, ka_picture_mark *mark, void *mark_context,
                ka_picture_line *line, void *line_context);

KA_END_DECLS

#endif
