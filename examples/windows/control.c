/* control.c: kernel_alloc_demo.exe. Loads the driver, has it build virtual CPUs and drop them, shows its statistics,
 * and unloads it. As administrator:
 *
 *     kernel_alloc_demo.exe C:\...\kernel_alloc_demo.sys           everything is given back
 *     kernel_alloc_demo.exe C:\...\kernel_alloc_demo.sys lose      the driver loses one, and reports it at unload
 */
#include <windows.h>

#include <stdio.h>
#include <string.h>

#include "demo.h"
#include "service.h"

enum { VCPUS = 4 };

static bool ask(HANDLE device, DWORD code, void *in, DWORD in_bytes, const char *what)
{
    static char text[4096];
    DWORD got = 0;
    if (!DeviceIoControl(device, code, in, in_bytes, text, sizeof text, &got, NULL)) {
        printf("%s: error %lu\n", what, GetLastError());
        return false;
    }
    printf("%s\n", what);
    fwrite(text, 1, got, stdout);
    fflush(stdout);
    return true;
}

static bool tour(bool losing)
{
    DWORD count = VCPUS;
    HANDLE device = CreateFileA("\\\\.\\" DEMO_NAME, GENERIC_READ | GENERIC_WRITE, 0, NULL, OPEN_EXISTING, 0, NULL);
    if (device == INVALID_HANDLE_VALUE) {
        printf("no device: error %lu\n", GetLastError());
        return false;
    }
    bool ok = ask(device, DEMO_BUILD, &count, sizeof count, "built 4 virtual CPUs");
    ok = ask(device, DEMO_STATISTICS, NULL, 0, "") && ok;
    if (losing)
        ok = ask(device, DEMO_LOSE, NULL, 0, "lost one of them") && ok;
    ok = ask(device, DEMO_DROP, NULL, 0, "dropped them") && ok;
    ok = ask(device, DEMO_STATISTICS, NULL, 0, "") && ok;
    CloseHandle(device);
    return ok;
}

int main(int argc, char **argv)
{
    if (argc < 2) {
        fprintf(stderr, "usage: kernel_alloc_demo.exe PATH_OF_SYS [lose]\n");
        return 2;
    }
    if (!service_start(DEMO_NAME, argv[1]))
        return 2;
    bool ok = tour(argc > 2 && strcmp(argv[2], "lose") == 0);
    return service_stop(DEMO_NAME) && ok ? 0 : 1;
}
