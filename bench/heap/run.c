/* run.c: runs a program with another malloc and prints what it took. Usage: run OUT LIBRARY|- PROGRAM [ARGUMENT...]
 *
 * Writes "seconds-user seconds-system peak-resident-KiB status" to the file OUT. The children that the program
 * waited for count as well. A parent's size would count too, from the moment between fork and exec: hence so small a
 * parent.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

static double seconds(struct timeval t)
{
    return (double)t.tv_sec + (double)t.tv_usec * 1e-6;
}

int main(int argc, char **argv)
{
    if (argc < 4) {
        fputs("usage: run OUT LIBRARY|- PROGRAM [ARGUMENT...]\n", stderr);
        return 2;
    }
    pid_t child = fork();
    if (child == 0) {
        if (strcmp(argv[2], "-") != 0)
            setenv("LD_PRELOAD", argv[2], 1);
        execvp(argv[3], argv + 3);
        perror(argv[3]);
        _exit(127);
    }
    int status = 0;
    struct rusage usage;
    if (child < 0 || wait4(child, &status, 0, &usage) != child) {
        perror("run");
        return 1;
    }
    FILE *out = fopen(argv[1], "w");
    if (out == NULL) {
        perror(argv[1]);
        return 1;
    }
    fprintf(out, "%.6f %.6f %ld %d\n", seconds(usage.ru_utime), seconds(usage.ru_stime), usage.ru_maxrss, status);
    fclose(out);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}
