/* service.c: see service.h. */
#include "service.h"

#include <windows.h>
#include <winsvc.h>

#include <stdio.h>

enum { POLL_MS = 20, WAIT_MS = 120000 };

static bool complain(const char *what, const char *name)
{
    fprintf(stderr, "%s: %s: error %lu\n", name, what, GetLastError());
    return false;
}

static bool wait_for(SC_HANDLE service, DWORD state)
{
    SERVICE_STATUS status;
    for (int waited = 0; waited < WAIT_MS; waited += POLL_MS) {
        if (!QueryServiceStatus(service, &status))
            return false;
        if (status.dwCurrentState == state)
            return true;
        Sleep(POLL_MS);
    }
    SetLastError(ERROR_TIMEOUT);
    return false;
}

bool service_start(const char *name, const char *path)
{
    SC_HANDLE manager = OpenSCManagerA(NULL, NULL, SC_MANAGER_ALL_ACCESS);
    if (manager == NULL)
        return complain("no service control manager", name);
    SC_HANDLE service = CreateServiceA(manager, name, name, SERVICE_ALL_ACCESS, SERVICE_KERNEL_DRIVER,
                                       SERVICE_DEMAND_START, SERVICE_ERROR_NORMAL, path, NULL, NULL, NULL, NULL, NULL);
    if (service == NULL && GetLastError() == ERROR_SERVICE_EXISTS)
        service = OpenServiceA(manager, name, SERVICE_ALL_ACCESS);
    bool ok = service != NULL || complain("not registered", name);
    if (ok && !StartServiceA(service, 0, NULL) && GetLastError() != ERROR_SERVICE_ALREADY_RUNNING)
        ok = complain("not started", name);
    if (ok && !wait_for(service, SERVICE_RUNNING))
        ok = complain("does not run", name);
    if (service != NULL) {
        if (!ok)
            DeleteService(service);
        CloseServiceHandle(service);
    }
    CloseServiceHandle(manager);
    return ok;
}

bool service_stop(const char *name)
{
    SERVICE_STATUS status;
    SC_HANDLE manager = OpenSCManagerA(NULL, NULL, SC_MANAGER_ALL_ACCESS);
    if (manager == NULL)
        return complain("no service control manager", name);
    SC_HANDLE service = OpenServiceA(manager, name, SERVICE_ALL_ACCESS);
    bool ok = service != NULL || complain("not registered", name);
    if (ok && !ControlService(service, SERVICE_CONTROL_STOP, &status))
        ok = complain("not stopped", name);
    if (ok && !wait_for(service, SERVICE_STOPPED))
        ok = complain("still runs", name);
    if (service != NULL) {
        DeleteService(service);
        CloseServiceHandle(service);
    }
    CloseServiceHandle(manager);
    return ok;
}
