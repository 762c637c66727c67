/* The wall clock is a day ahead, and falls back by a day with every eighth look at it. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdatomic.h>
#include <time.h>

int clock_gettime(clockid_t clock, struct timespec *time)
{
    static atomic_uint looks;
    int (*real)(clockid_t, struct timespec *) = dlsym(RTLD_NEXT, "clock_gettime");
    int result = real(clock, time);
    if (result == 0 && clock == CLOCK_REALTIME)
        time->tv_sec += 86400 * (1 - (time_t)(looks++ / 8));
    return result;
}
