/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* What the kernel says of the page of an address, of all that is resident, and where in this process's memory some
 * bytes stand (proc_pid_smaps(5), proc_pid_statm(5), proc_pid_maps(5)). */

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* True when the mapping that holds p has all of these flags, such as "lo dd wf". */
static inline bool smaps_has(const void *p, const char *flags)
{
    char line[4096], wanted[64], *rest = NULL;
    bool here = false, all = false;
    FILE *f = fopen("/proc/self/smaps", "re");
    while (f && fgets(line, sizeof(line), f)) {
        uintptr_t from, to;
        if (sscanf(line, "%lx-%lx ", &from, &to) == 2 && strchr(line, '-') < strchr(line, ' '))
            here = (uintptr_t)p >= from && (uintptr_t)p < to;
        if (!here || strncmp(line, "VmFlags:", 8) != 0)
            continue;
        all = true;
        snprintf(wanted, sizeof(wanted), "%s", flags);
        for (char *flag = strtok_r(wanted, " ", &rest); flag; flag = strtok_r(NULL, " ", &rest)) {
            char spaced[8];
            snprintf(spaced, sizeof(spaced), " %s", flag);
            all = all && strstr(line, spaced);
        }
    }
    if (f)
        fclose(f);
    return all;
}

/* Bytes of this process that are in memory; 0 when the kernel does not say. */
static inline size_t smaps_resident(void)
{
    unsigned long all, pages = 0;
    FILE *f = fopen("/proc/self/statm", "re");
    bool told = f && fscanf(f, "%lu %lu", &all, &pages) == 2;
    if (f)
        fclose(f);
    return told ? pages * (size_t)sysconf(_SC_PAGESIZE) : 0;
}

/* A sanitizer's shadow is memory, too, and far too much. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SMAPS_CAN_COUNT false
#else
#define SMAPS_CAN_COUNT true
#endif

static inline bool smaps_is_writable(const char *line, uintptr_t *from, uintptr_t *to)
{
    char rights[5];
    return sscanf(line, "%lx-%lx %4s", from, to, rights) == 3 && rights[0] == 'r' && rights[1] == 'w' &&
           !strstr(line, "[stack]");
}

/* How often bytes stand in memory that can be written to: what is locked, or the rest. Not on stacks. */
static inline unsigned smaps_count(const void *bytes, size_t len, bool locked)
{
    char line[4096];
    uintptr_t from, to;
    unsigned found = 0;
    FILE *f = fopen("/proc/self/maps", "re");
    while (f && fgets(line, sizeof(line), f)) {
        if (!smaps_is_writable(line, &from, &to) || smaps_has((const void *)from, "lo") != locked)
            continue;
        for (const uint8_t *p = (const uint8_t *)from; (p = memmem(p, to - (uintptr_t)p, bytes, len)); p++)
            found++;
    }
    if (f)
        fclose(f);
    return found;
}
