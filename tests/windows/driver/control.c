/* control.c: loads the test driver, has it run the suites that are named, prints what they say, unloads it.
 * Usage: control.exe PATH_OF_SYS SUITE...   exit status 0: loaded, every suite answered, unloaded */
#include <windows.h>

#include <stdio.h>
#include <string.h>

#include "examples/windows/service.h"
#include "test_driver.h"

static char output[TEST_BYTES];

static bool run(const char *suite)
{
    DWORD got = 0;
    HANDLE device = CreateFileA("\\\\.\\" TEST_DEVICE, GENERIC_READ | GENERIC_WRITE, 0, NULL, OPEN_EXISTING, 0, NULL);
    bool ok =
        device != INVALID_HANDLE_VALUE &&
        DeviceIoControl(device, TEST_RUN, (void *)suite, (DWORD)strlen(suite) + 1, output, sizeof output, &got, NULL);
    if (ok)
        fwrite(output, 1, got, stdout);
    else
        printf("Bail out! %s: error %lu\n", suite, GetLastError());
    fflush(stdout);
    if (device != INVALID_HANDLE_VALUE)
        CloseHandle(device);
    return ok;
}

int main(int argc, char **argv)
{
    if (argc < 3 || !service_start(TEST_DEVICE, argv[1]))
        return 2;
    bool ok = true;
    for (int i = 2; ok && i < argc; i++)
        ok = run(argv[i]);
    return service_stop(TEST_DEVICE) && ok ? 0 : 1;
}
