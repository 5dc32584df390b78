/* handler_test.c: the three handlers, their default lines, and what ends a program. */
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <ka/alloc.h>
#include <ka/dummy.h>
#include <ka/handler.h>

#include "base/assert.h"
#include "kit.h"

/* ---- what goes to standard error, of this process or of a child that dies ---- */

static char said[1024];

static void read_said(int from)
{
    size_t length = 0;
    for (ssize_t n; (n = read(from, said + length, sizeof said - 1 - length)) > 0;)
        length += (size_t)n;
    said[length] = 0;
    close(from);
}

/* Runs `action` in a child with its standard error in `said`. Returns the signal that ended it, or 0. */
static int die(void (*action)(void))
{
    int ends[2], status = 0;
    if (pipe(ends) != 0)
        return -1;
    pid_t child = fork();
    if (child == 0) {
        dup2(ends[1], STDERR_FILENO);
        close(ends[0]);
        signal(SIGABRT, SIG_DFL);
        action();
        _exit(0);
    }
    close(ends[1]);
    read_said(ends[0]);
    waitpid(child, &status, 0);
    return WIFSIGNALED(status) ? WTERMSIG(status) : 0;
}

/* ---- cases ---- */

static void names(void)
{
    static const char *const expected[] = { "double free",  "foreign pointer",    "interior pointer",
                                            "wrong size",   "damaged free block", "leak",
                                            "wrong context" };
    for (int i = 0; i < (int)KIT_COUNT(expected); i++)
        KIT_EXPECT(strcmp(ka_misuse_name((ka_misuse)i), expected[i]) == 0);
    KIT_EXPECT(strcmp(ka_misuse_name((ka_misuse)99), "unknown misuse") == 0);
}

static void log_once(void)
{
    ka_log("%d lines and %s", 2, "text");
}

static void report_once(void)
{
    ka_report_misuse(KA_MISUSE_DOUBLE_FREE, ka_dummy, (void *)(uintptr_t)0x1000, 24, (void *)(uintptr_t)0x2000);
}

static void default_lines(void)
{
    KIT_EXPECT(die(log_once) == 0 && strcmp(said, "2 lines and text\n") == 0);
    KIT_EXPECT(die(report_once) == 0);
    KIT_EXPECT(strcmp(said, "dummy: double free: block 0x1000, 24 bytes, called from 0x2000\n") == 0);
}

static struct {
    char line[200];
    size_t length;
    unsigned calls;
    ka_misuse kind;
    ka_allocator *allocator;
    const void *block, *site;
    size_t size;
} got;

static void take_line(void *context, const char *line, size_t length)
{
    KIT_EXPECT(context == &got && line[length] == 0);
    strcpy(got.line, line);
    got.length = length;
    got.calls++;
}

static void set_log(void)
{
    char filler[400];
    memset(filler, 'x', sizeof filler);
    memset(&got, 0, sizeof got);
    ka_set_log_handler(take_line, &got);
    ka_log("to %s", "here");
    KIT_EXPECT(got.calls == 1 && strcmp(got.line, "to here") == 0 && got.length == 7);
    ka_log("%.*s", 159, filler);
    KIT_EXPECT(got.length == 159 && strlen(got.line) == 159);
    ka_log("%.*s", 400, filler); /* cut */
    KIT_EXPECT(got.length == 159 && strlen(got.line) == 159);
    report_once();
    KIT_EXPECT(got.calls == 4 && strncmp(got.line, "dummy: double free: ", 20) == 0);
    ka_set_log_handler(NULL, NULL);
    KIT_EXPECT(die(log_once) == 0 && strcmp(said, "2 lines and text\n") == 0 && got.calls == 4);
}

static void take_misuse(void *context, ka_misuse kind, ka_allocator *allocator, const void *block, size_t size,
                        const void *site)
{
    KIT_EXPECT(context == &got);
    got.calls++;
    got.kind = kind;
    got.allocator = allocator;
    got.block = block;
    got.size = size;
    got.site = site;
}

static void set_misuse(void)
{
    memset(&got, 0, sizeof got);
    ka_set_misuse_handler(take_misuse, &got);
    report_once();
    KIT_EXPECT(got.calls == 1 && got.kind == KA_MISUSE_DOUBLE_FREE && got.allocator == ka_dummy && got.size == 24);
    KIT_EXPECT((uintptr_t)got.block == 0x1000 && (uintptr_t)got.site == 0x2000);
    ka_set_misuse_handler(NULL, NULL);
    KIT_EXPECT(die(report_once) == 0 && said[0] != 0 && got.calls == 1);
}

static void error_of_4(void)
{
    ka_alloc_error(4, 4);
}

static void must_have_4(void)
{
    (void)!ka_alloc_must(ka_dummy, 4, 4, 0);
}

static void alloc_error_by_default(void)
{
    static const char expected[] = "panic: allocation error: layout { size: 4, align: 4 } (";
    KIT_EXPECT(die(error_of_4) == SIGABRT);
    KIT_EXPECT(strncmp(said, expected, sizeof expected - 1) == 0);
    KIT_EXPECT(die(must_have_4) == SIGABRT);
    KIT_EXPECT(strncmp(said, expected, sizeof expected - 1) == 0);
    KIT_EXPECT(ka_alloc_must(ka_dummy, 0, 64, 0) == ka_empty_block(64)); /* size 0 never fails */
}

static jmp_buf away;

static void jump_away(void *context, size_t size, size_t align)
{
    KIT_EXPECT(context == &away && size == 24 && align == 8);
    longjmp(away, 1);
}

static void return_from_it(void *context, size_t size, size_t align)
{
    (void)context, (void)size, (void)align;
    ka_log("handled");
}

static void error_after_return(void)
{
    ka_set_alloc_error_handler(return_from_it, NULL);
    ka_alloc_error(SIZE_MAX, 4096);
}

static void set_alloc_error(void)
{
    ka_set_alloc_error_handler(jump_away, &away);
    if (setjmp(away) == 0)
        ka_alloc_error(24, 8);
    ka_set_alloc_error_handler(NULL, NULL);
    /* A handler that returns does not help: the port still panics. */
    KIT_EXPECT(die(error_after_return) == SIGABRT);
    KIT_EXPECT(strstr(said, "handled\npanic: allocation error: layout { size: 18446744073709551615, align: 4096 }") ==
               said);
}

static void free_on_dummy(void)
{
    char block[8];
    ka_free(ka_dummy, block, 8, 8);
}

static void fail_assertion(void)
{
    KA_ASSERT(1 + 1 == 3);
}

static void other_panics(void)
{
    KIT_EXPECT(die(free_on_dummy) == SIGABRT);
    KIT_EXPECT(strstr(said, "panic: free should never be called on the dummy allocator") == said);
    KIT_EXPECT(die(fail_assertion) == SIGABRT);
    KIT_EXPECT(strstr(said, "panic: assertion failed: 1 + 1 == 3 (") == said &&
               strstr(said, "handler_test.c:") != NULL);
}

static const kit_case cases[] = {
    { "names", names },
    { "default lines", default_lines },
    { "log handler", set_log },
    { "misuse handler", set_misuse },
    { "allocation error by default", alloc_error_by_default },
    { "allocation error handler", set_alloc_error },
    { "other panics", other_panics },
};

int main(void)
{
    return kit_main("handler", cases, KIT_COUNT(cases));
}
