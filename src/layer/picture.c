/* layer/picture.c: a heap drawn as text, in two walks and without a buffer for the picture.
 *
 * Words: cell, the memory behind one character; paragraph, memory without gaps.
 *
 * The first walk measures. A paragraph's length is known where it ends, and from it the lines that it would need are
 * added up for each of 44 cell sizes at once: 88 bytes of counters instead of a walk for each size. The smallest cell
 * with which everything fits is taken. If no size fits, there are too many paragraphs, and the smallest cell that gives
 * each of them one row is taken, since a larger one would save nothing.
 *
 * The second walk paints. Blocks come by address, so one cell is under way at a time: how much of it is covered, how
 * much of that is live, and the mark of the block with the largest part. A block that spans many cells fills them in a
 * loop, whose length is bounded by the size of the picture.
 *
 * The heap may have changed between the walks, so painting counts its own lines and stops when they are used up.
 */
#include <ka/picture.h>

#include "base/format.h"
#include "base/math.h"
#include "base/mem.h"

#define PICTURE_MIN_SHIFT 4
#define PICTURE_SHIFTS    44
#define PICTURE_MAX_ROWS  ((size_t)60000) /* fits the counters below */

/* ---- the first walk ---- */

typedef struct picture_measure {
    size_t columns, paragraphs;
    uintptr_t start, end; /* of the paragraph under way */
    uint16_t lines[PICTURE_SHIFTS];
} picture_measure;

typedef struct picture_scale {
    size_t cell; /* bytes */
    size_t paragraphs;
    bool fits;
} picture_scale;

/* How many lines a paragraph of `size` bytes takes, its head included. */
static size_t picture_lines_for(size_t size, unsigned shift, size_t columns)
{
    size_t cells = ((size - 1) >> shift) + 1;
    return 1 + (cells - 1) / columns + 1;
}

static void measure_paragraph_end(picture_measure *m)
{
    if (m->start == m->end)
        return;
    m->paragraphs++;
    for (unsigned i = 0; i < PICTURE_SHIFTS; i++) {
        size_t lines = picture_lines_for(m->end - m->start, i + PICTURE_MIN_SHIFT, m->columns);
        m->lines[i] = (uint16_t)(ka_min(lines, PICTURE_MAX_ROWS - m->lines[i]) + m->lines[i]);
    }
}

static bool measure_visit(void *context, const void *block, size_t size, bool live)
{
    (void)live;
    picture_measure *m = context;
    if ((uintptr_t)block != m->end) {
        measure_paragraph_end(m);
        m->start = (uintptr_t)block;
    }
    m->end = (uintptr_t)block + size;
    return true;
}

/* Chooses the size of a cell. Not inlined, so that the counters leave the stack before painting begins. */
KA_NOINLINE static picture_scale picture_choose(ka_allocator *a, size_t columns, size_t rows)
{
    picture_measure m;
    ka_clear(&m, sizeof m);
    m.columns = columns;
    (void)ka_walk(a, measure_visit, &m);
    measure_paragraph_end(&m);

    size_t least = m.lines[PICTURE_SHIFTS - 1];
    size_t allowed = ka_max(rows - 1, least);
    unsigned i = 0;
    while (i + 1 < PICTURE_SHIFTS && m.lines[i] > allowed)
        i++;
    picture_scale scale = { (size_t)1 << (i + PICTURE_MIN_SHIFT), m.paragraphs, m.lines[i] <= rows - 1 };
    return scale;
}

/* ---- the second walk ---- */

/* What the caller asked for, and the line under way. */
typedef struct picture_style {
    ka_picture_mark *mark;
    void *mark_context;
    ka_picture_line *line;
    void *line_context;
    size_t columns, rows;
    char text[KA_PICTURE_MAX_COLUMNS + 1];
} picture_style;

typedef struct picture_painter {
    picture_style *style;
    size_t lines_left, paragraphs_left;
    uintptr_t end;              /* of the paragraph under way; 0: none */
    size_t cell;                /* bytes */
    size_t covered, live, part; /* of the cell under way: bytes seen; live ones; of the block with the largest part */
    size_t length;              /* of the row under way */
    char part_mark;
} picture_painter;

static void paint_line(picture_painter *p, size_t length)
{
    if (p->lines_left > 0) {
        p->lines_left--;
        p->style->line(p->style->line_context, p->style->text, length);
    }
}

static void paint_row_end(picture_painter *p)
{
    if (p->length == 0)
        return;
    p->style->text[p->length] = 0;
    paint_line(p, p->length);
    p->length = 0;
}

static void paint_cell_end(picture_painter *p)
{
    if (p->covered == 0)
        return;
    p->style->text[p->length++] = p->live > p->covered - p->live ? p->part_mark : '.';
    p->covered = 0;
    p->live = 0;
    p->part = 0;
    if (p->length == p->style->columns)
        paint_row_end(p);
}

/* Adds the next bytes of the paragraph, up to the end of the cell. Returns how many these are. */
static size_t paint_part(picture_painter *p, size_t size, bool live, char mark)
{
    size_t part = ka_min(size, p->cell - p->covered);
    p->covered += part;
    if (live)
        p->live += part;
    if (live && part > p->part) {
        p->part = part;
        p->part_mark = mark;
    }
    if (p->covered == p->cell)
        paint_cell_end(p);
    return part;
}

/* Ends the paragraph under way and writes the head of the next. Returns false if there is no room for it. */
static bool paint_paragraph(picture_painter *p, const void *block)
{
    paint_cell_end(p);
    paint_row_end(p);
    if (p->lines_left < 2 || p->paragraphs_left == 0)
        return false;
    p->paragraphs_left--;
    paint_line(p, ka_format(p->style->text, sizeof p->style->text, "%p:", block));
    return true;
}

static bool paint_visit(void *context, const void *block, size_t size, bool live)
{
    picture_painter *p = context;
    char mark = '#';
    if ((uintptr_t)block != p->end && !paint_paragraph(p, block))
        return false;
    p->end = (uintptr_t)block + size;
    if (live && p->style->mark != NULL)
        mark = p->style->mark(p->style->mark_context, block, size);
    while (size > 0 && p->lines_left > 0)
        size -= paint_part(p, size, live, mark);
    return p->lines_left > 0;
}

/* Not inlined, so that each call's stack stays small. */
KA_NOINLINE static void picture_paint(ka_allocator *a, picture_style *style, const picture_scale *scale)
{
    picture_painter p;
    ka_clear(&p, sizeof p);
    p.style = style;
    p.cell = scale->cell;
    p.paragraphs_left = scale->paragraphs;
    p.lines_left = scale->fits ? style->rows : style->rows - 1;
    if (scale->paragraphs == 0) {
        paint_line(&p, ka_format(style->text, sizeof style->text, "no memory to draw"));
        return;
    }
    paint_line(&p, ka_format(style->text, sizeof style->text, "each character is %zu bytes", p.cell));
    (void)ka_walk(a, paint_visit, &p);
    paint_cell_end(&p);
    paint_row_end(&p);
    if (scale->fits)
        return;
    p.lines_left = 1;
    paint_line(&p, ka_format(style->text, sizeof style->text, "(ranges not shown: %zu)", p.paragraphs_left));
}

void ka_picture(ka_allocator *a, size_t columns, size_t rows, ka_picture_mark *mark, void *mark_context,
                ka_picture_line *line, void *line_context)
{
    picture_style style;
    style.mark = mark;
    style.mark_context = mark_context;
    style.line = line;
    style.line_context = line_context;
    style.columns = ka_max(1, ka_min(columns, KA_PICTURE_MAX_COLUMNS));
    style.rows = ka_max(3, ka_min(rows, PICTURE_MAX_ROWS - 1));
    picture_scale scale = picture_choose(a, style.columns, style.rows);
    picture_paint(a, &style, &scale);
}
