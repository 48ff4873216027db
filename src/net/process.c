/* SPDX-License-Identifier: Apache-2.0 */
/* Keeping the process's memory to itself (prctl(2), proc(5), core(5)), and small (madvise(2)). */

#include "net/process.h"

#include "base/vault.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <link.h>
#include <malloc.h>
#include <pthread.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#ifdef SHADOWMESH_STATIC
#include <nss.h>
#endif

#define THREADS_TRIED_MAX 8
#define LARGE_AT_START    24576
#define LARGE             131072 /* glibc's own choice, until something larger has been freed */

void process_fill_streams(void)
{
    int fd = open("/dev/null", O_RDWR);
    while (fd >= 0 && fd <= STDERR_FILENO)
        fd = open("/dev/null", O_RDWR);
    if (fd > STDERR_FILENO)
        close(fd);
}

void process_look_up_alone(void)
{
#ifdef SHADOWMESH_STATIC
    (void)__nss_configure_lookup("hosts", "files dns"); /* fails for words that it does not know */
#endif
}

/* By itself glibc takes ever larger pieces from its heap, and clears them, once such have been freed. */
void process_begin_small(void)
{
    (void)mallopt(M_MMAP_THRESHOLD, LARGE_AT_START);
    (void)mallopt(M_TOP_PAD,
                  LARGE_AT_START / 2); /* what fits between there and the heap's end is taken there */
    (void)mallopt(M_ARENA_MAX, 1);
}

void process_end_small(void)
{
    (void)mallopt(M_MMAP_THRESHOLD, LARGE);
    (void)mallopt(M_TOP_PAD, LARGE);
}

/* Both: a core_pattern that is a pipe asks for no limit, and a debugger that is let in makes us dumpable. */
int process_harden(void)
{
    const struct rlimit none = {0, 0};
    if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0 || setrlimit(RLIMIT_CORE, &none) != 0)
        return ERR_IO;
    return 0;
}

void process_raise_locked(void)
{
    struct rlimit locked = {RLIM_INFINITY, RLIM_INFINITY};
    if (setrlimit(RLIMIT_MEMLOCK, &locked) == 0 || getrlimit(RLIMIT_MEMLOCK, &locked) != 0)
        return;
    locked.rlim_cur = locked.rlim_max;
    (void)setrlimit(RLIMIT_MEMLOCK, &locked);
}

bool process_has_room(size_t bytes)
{
    void *p = mmap(NULL, bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    return p != MAP_FAILED && munmap(p, bytes) == 0;
}

size_t process_thread_bytes(void)
{
    pthread_attr_t attributes;
    size_t stack = 0, guard = 0;
    if (pthread_attr_init(&attributes) != 0)
        return 0;
    (void)pthread_attr_getstacksize(&attributes, &stack);
    (void)pthread_attr_getguardsize(&attributes, &guard);
    (void)pthread_attr_destroy(&attributes);
    return stack + guard;
}

static void *wait_for_others(void *gate)
{
    pthread_mutex_lock(gate);
    pthread_mutex_unlock(gate);
    return NULL;
}

bool process_may_start_threads(unsigned count)
{
    pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER;
    pthread_t threads[THREADS_TRIED_MAX];
    unsigned started = 0;
    pthread_mutex_lock(&gate); /* until the last one runs, none ends */
    while (started < count && started < THREADS_TRIED_MAX &&
           pthread_create(&threads[started], NULL, wait_for_others, &gate) == 0)
        started++;
    pthread_mutex_unlock(&gate);
    for (unsigned i = 0; i < started; i++)
        pthread_join(threads[i], NULL);
    return started == count;
}

unsigned process_raise_files(unsigned wanted)
{
    struct rlimit files = {0, 0};
    (void)getrlimit(RLIMIT_NOFILE, &files);
    struct rlimit raised = {.rlim_cur = files.rlim_max < wanted ? files.rlim_max : wanted,
                            .rlim_max = files.rlim_max};
    if (files.rlim_cur < raised.rlim_cur && setrlimit(RLIMIT_NOFILE, &raised) == 0)
        files = raised;
    return files.rlim_cur < UINT_MAX ? (unsigned)files.rlim_cur : UINT_MAX;
}

#define NOBODY 65534

/* Who changes its user can be looked into again, where the system has a use for dumps of such processes. */
void process_become_nobody(void)
{
    if (geteuid() != 0 || setgroups(0, NULL) != 0 || setresgid(NOBODY, NOBODY, NOBODY) != 0 ||
        setresuid(NOBODY, NOBODY, NOBODY) != 0)
        return;
    (void)!process_harden();
}

/* Bytes of the arguments, with their NULs. */
static size_t length_of_arguments(void)
{
    char part[256];
    size_t len = 0;
    ssize_t n;
    int fd = open("/proc/self/cmdline", O_RDONLY | O_CLOEXEC);
    while (fd >= 0 && (n = read(fd, part, sizeof(part))) > 0)
        len += (size_t)n;
    if (fd >= 0)
        close(fd);
    return len;
}

void process_title(const char *title, const char *name)
{
    char *arguments = program_invocation_name; /* the first of them */
    size_t len = length_of_arguments(), wanted = strlen(title);
    (void)prctl(PR_SET_NAME, name, 0, 0, 0);
    if (len == 0)
        return;
    memset(arguments, 0, len);
    memcpy(arguments, title, wanted < len ? wanted : len - 1);
}

/* Writable segments hold relocated data even where they are read-only by now: those pages exist nowhere else. */
static int unmap_object(struct dl_phdr_info *object, size_t size, void *context)
{
    uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
    (void)size, (void)context;
    for (unsigned i = 0; i < object->dlpi_phnum; i++) {
        const ElfW(Phdr) *segment = &object->dlpi_phdr[i];
        if (segment->p_type != PT_LOAD || segment->p_flags & PF_W)
            continue;
        uintptr_t begin = object->dlpi_addr + segment->p_vaddr, end = begin + segment->p_filesz;
        begin &= ~(page - 1);
        (void)madvise((void *)begin, end - begin, MADV_DONTNEED); /* may be refused: then it stays mapped */
    }
    return 0;
}

void process_give_back(void)
{
    (void)malloc_trim(0);
    vault_give_back();
}

void process_trim(void)
{
    (void)dl_iterate_phdr(unmap_object, NULL);
    process_give_back();
}
