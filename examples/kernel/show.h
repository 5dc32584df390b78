/* show.h: figures and pictures of the kernel heap, for the console. */
#ifndef SHOW_H
#define SHOW_H

#include <ka/picture.h>

/* A heading with a line under it. */
void show_heading(const char *text);

/* What is drawn for whom, one line. */
void show_legend(const char *text);

/* Figures of bare_region, aligned. */
void show_heap(const char *when);

/* A picture of bare_region, indented; `mark` as for ka_picture. */
void show_picture(ka_picture_mark *mark, void *context);

/* A number with a comma before each three digits; cut where `text` is full. Returns `text`. */
typedef struct show_text {
    char bytes[32];
} show_text;
const char *show_number(show_text *text, uint64_t number);

#endif
