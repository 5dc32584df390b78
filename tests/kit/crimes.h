/* crimes.h: what must stop a program, tried in a child. Host only. */
#ifndef CRIMES_H
#define CRIMES_H

#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "kit.h"

/* Runs a crime in a child; its standard error must contain `words`, and it must have been stopped. */
static inline bool stops_with(void (*crime)(void), const char *words)
{
    int ends[2];
    char text[1024];
    size_t length = 0;
    if (pipe(ends) != 0)
        return false;
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        dup2(ends[1], STDERR_FILENO);
        crime();
        _exit(0);
    }
    close(ends[1]);
    for (ssize_t n; length < sizeof text - 1 && (n = read(ends[0], text + length, sizeof text - 1 - length)) > 0;)
        length += (size_t)n;
    text[length] = '\0';
    close(ends[0]);
    int status = 0;
    waitpid(child, &status, 0);
    bool stopped = WIFSIGNALED(status) || (WIFEXITED(status) && WEXITSTATUS(status) != 0);
    if (!stopped || strstr(text, words) == NULL)
        kit_note("expected to stop with \"%s\", got \"%s\"", words, text);
    return stopped && strstr(text, words) != NULL;
}

#endif
