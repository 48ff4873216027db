/* SPDX-License-Identifier: Apache-2.0 */
/* The vault: addresses for RESERVE bytes (an eighth of what the process may have, if that is less) are taken once,
 * and pages in them as they are needed, CHUNK bytes at a time. They are handed out in slabs of SLAB bytes, each cut into objects of one size, or several in a row for a
 * larger object. What belongs to which slab is kept outside, so nothing that is written behind an object's end
 * leads the allocator astray. A size's slabs stay that size's, but the memory of one without objects goes back to the
 * system; of larger objects, KEPT slabs wait for the next ones until vault_give_back. Any thread, under one lock. */

#include "base/vault.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define __SANITIZE_ADDRESS__
#endif
#endif
#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/asan_interface.h>
#include <sanitizer/lsan_interface.h>
#else
#define ASAN_POISON_MEMORY_REGION(p, len)   ((void)(p), (void)(len))
#define ASAN_UNPOISON_MEMORY_REGION(p, len) ((void)(p), (void)(len))
#define __lsan_register_root_region(p, len) ((void)(p), (void)(len))
#endif

#ifndef MADV_DONTNEED_LOCKED
#define MADV_DONTNEED_LOCKED 24 /* Linux 5.18; before, the pages stay */
#endif

#define SLAB    ((size_t)16 << 10)
#define CHUNK   ((size_t)256 << 10)
#define RESERVE ((size_t)2 << 30) /* more than 4,096 peers need; addresses cost nothing */
#define SLABS   (RESERVE / SLAB)
#define RUNS    8
#define KEPT    (((size_t)1 << 20) / SLAB) /* to fault in what a signature takes costs a tenth of its time */

static const uint16_t sizes[] = {64,   128,  192,  256,  320,  384,  448,  512,  640,  768, 896,
                                 1024, 1280, 1536, 1792, 2048, 2688, 3264, 4096, 5440, 8192};

#define KINDS (sizeof(sizes) / sizeof(sizes[0]))

enum { SLAB_FREE, SLAB_CUT, SLAB_FIRST, SLAB_FOLLOWS };

struct slab {
    union {
        void *freed; /* CUT: objects that were given back, each with the next one's address in it */
        size_t run;  /* FIRST, and FREE at both ends: how many in a row */
    };
    uint32_t next;  /* CUT: the next one in the list of its size; FREE, first: in that of runs. Plus one */
    uint32_t prev;  /* FREE, first: the one before it, plus one */
    uint16_t fresh; /* CUT: objects from here on were never handed out, since its memory was taken */
    uint16_t used;  /* CUT: objects that are */
    uint8_t state, kind;
    bool listed; /* CUT: among those of its size that may have room */
    bool kept;   /* FREE: its memory, wiped, was not given back */
};

static struct {
    pthread_mutex_t lock;
    _Atomic(uint8_t *) base; /* NULL: nothing reserved yet, or nothing to be had */
    size_t reserved;         /* bytes behind base */
    size_t grown;            /* slabs that are backed by memory */
    size_t unlocked;         /* bytes of them */
    size_t kept;             /* slabs that are */
    uint32_t open[KINDS];    /* the first listed slab of each size: index plus one */
    uint32_t free[RUNS]; /* the first free run of 1, 2, … slabs, and of as many or more: index plus one */
    struct slab slabs[SLABS];
} vault = {.lock = PTHREAD_MUTEX_INITIALIZER};

/* Addresses are free, except where `ulimit -v` counts them. */
static size_t affordable(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_AS, &limit) != 0 || limit.rlim_cur / 8 >= RESERVE)
        return RESERVE;
    return limit.rlim_cur / 8 / CHUNK * CHUNK;
}

static void reserve(void)
{
    size_t len = affordable();
    uint8_t *p = mmap(NULL, len + 2 * SLAB, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (p == MAP_FAILED)
        return;
    (void)madvise(p, len + 2 * SLAB, MADV_DONTDUMP);
    (void)madvise(p, len + 2 * SLAB, MADV_WIPEONFORK);
    vault.reserved = len;
    vault.base = p + SLAB; /* a guard before it, and one behind */
    __lsan_register_root_region(vault.base, len);
}

/* ---- free slabs, in runs that never touch each other ---- */

static uint32_t *list_of(size_t count)
{
    return &vault.free[(count < RUNS ? count : RUNS) - 1];
}

static void add_run(size_t at, size_t count)
{
    struct slab *first = &vault.slabs[at];
    uint32_t *list = list_of(count);
    first->next = *list;
    first->prev = 0;
    if (*list)
        vault.slabs[*list - 1].prev = (uint32_t)at + 1;
    *list = (uint32_t)at + 1;
    first->run = first[count - 1].run = count;
}

static void remove_run(size_t at)
{
    const struct slab *first = &vault.slabs[at];
    if (first->next)
        vault.slabs[first->next - 1].prev = first->prev;
    if (first->prev)
        vault.slabs[first->prev - 1].next = first->next;
    else
        *list_of(first->run) = first->next;
}

/* Joins what is free on both sides. */
static void free_run(size_t at, size_t count)
{
    for (size_t i = 0; i < count; i++)
        vault.slabs[at + i].state = SLAB_FREE;
    size_t end = at + count;
    if (end < vault.grown && vault.slabs[end].state == SLAB_FREE) {
        remove_run(end);
        end += vault.slabs[end].run;
    }
    if (at > 0 && vault.slabs[at - 1].state == SLAB_FREE) {
        at -= vault.slabs[at - 1].run;
        remove_run(at);
    }
    add_run(at, end - at);
}

static bool grow(size_t slabs)
{
    size_t len = (slabs * SLAB + CHUNK - 1) / CHUNK * CHUNK, at = vault.grown;
    uint8_t *memory = vault.base + at * SLAB;
    if (at * SLAB + len > vault.reserved || mprotect(memory, len, PROT_READ | PROT_WRITE) != 0)
        return false;
    if (mlock2(memory, len, MLOCK_ONFAULT) != 0)
        vault.unlocked += len;
    vault.grown += len / SLAB;
    free_run(at, len / SLAB);
    return true;
}

/* A free run of at least count slabs, or SLABS: of the shortest that are long enough, the last that was freed. */
static size_t find_run(size_t count)
{
    for (uint32_t *list = list_of(count); list < vault.free + RUNS; list++)
        for (uint32_t at = *list; at; at = vault.slabs[at - 1].next)
            if (vault.slabs[at - 1].run >= count)
                return at - 1;
    return SLABS;
}

static struct slab *take_slabs(size_t count)
{
    size_t at = find_run(count);
    if (at == SLABS && (!grow(count) || (at = find_run(count)) == SLABS))
        return NULL;
    size_t run = vault.slabs[at].run;
    remove_run(at);
    if (run > count)
        add_run(at + count, run - count);
    for (size_t i = 0; i < count; i++) {
        vault.kept -= vault.slabs[at + i].kept;
        vault.slabs[at + i].kept = false;
        vault.slabs[at + i].state = SLAB_FOLLOWS;
    }
    vault.slabs[at] = (struct slab){.state = SLAB_FIRST, .run = count};
    return &vault.slabs[at];
}

static uint8_t *memory_of(const struct slab *s)
{
    return vault.base + (size_t)(s - vault.slabs) * SLAB;
}

static void list(struct slab *s)
{
    s->next = vault.open[s->kind];
    s->listed = true;
    vault.open[s->kind] = (uint32_t)(s - vault.slabs) + 1;
}

static struct slab *cut_slab(size_t kind)
{
    struct slab *s = take_slabs(1);
    if (!s)
        return NULL;
    *s = (struct slab){.state = SLAB_CUT, .kind = (uint8_t)kind};
    list(s);
    ASAN_POISON_MEMORY_REGION(memory_of(s), SLAB);
    return s;
}

static bool has_room(const struct slab *s)
{
    return s->freed || s->fresh < SLAB / sizes[s->kind];
}

static struct slab *open_slab(size_t kind)
{
    while (vault.open[kind]) {
        struct slab *s = &vault.slabs[vault.open[kind] - 1];
        if (has_room(s))
            return s;
        vault.open[kind] = s->next;
        s->listed = false;
    }
    return cut_slab(kind);
}

static void *alloc_small(size_t kind)
{
    struct slab *s = open_slab(kind);
    if (!s)
        return NULL;
    void *p = s->freed;
    if (!p)
        p = memory_of(s) + (size_t)s->fresh++ * sizes[kind];
    ASAN_UNPOISON_MEMORY_REGION(p, sizes[kind]);
    if (p == s->freed) {
        s->freed = *(void **)p;
        *(void **)p = NULL;
    }
    s->used++;
    return p;
}

static size_t kind_of(size_t size)
{
    size_t kind = 0;
    while (kind < KINDS && sizes[kind] < size)
        kind++;
    return kind;
}

static void *alloc_locked(size_t size)
{
    size_t kind = kind_of(size);
    if (!vault.base)
        reserve();
    if (!vault.base || size > vault.reserved)
        return NULL;
    if (kind < KINDS)
        return alloc_small(kind);
    struct slab *s = take_slabs((size + SLAB - 1) / SLAB);
    if (!s)
        return NULL;
    ASAN_UNPOISON_MEMORY_REGION(memory_of(s), s->run * SLAB);
    return memory_of(s);
}

void *vault_alloc(size_t size)
{
    size_t wanted = size ? size : 1;
    pthread_mutex_lock(&vault.lock);
    void *p = alloc_locked(wanted);
    pthread_mutex_unlock(&vault.lock);
    if (p)
        ASAN_POISON_MEMORY_REGION((uint8_t *)p + wanted, vault_size(p) - wanted);
    return p;
}

/* The slab that p begins in, or NULL. Its state does not change while p is in use. */
static struct slab *slab_of(const void *p)
{
    uintptr_t at = (uintptr_t)p, base = (uintptr_t)atomic_load_explicit(&vault.base, memory_order_relaxed);
    return base && at >= base && at - base < vault.reserved ? &vault.slabs[(at - base) / SLAB] : NULL;
}

size_t vault_size(const void *p)
{
    const struct slab *s = slab_of(p);
    if (!s)
        return 0;
    return s->state == SLAB_CUT ? sizes[s->kind] : s->run * SLAB;
}

void *vault_resize(void *p, size_t size)
{
    size_t had = p ? vault_size(p) : 0;
    if (p && size <= had) {
        ASAN_UNPOISON_MEMORY_REGION(p, size);
        return p;
    }
    void *larger = vault_alloc(size);
    if (!larger || !p)
        return larger;
    ASAN_UNPOISON_MEMORY_REGION(p, had);
    memcpy(larger, p, had);
    vault_free(p);
    return larger;
}

/* An emulator of the system may say yes and do nothing: then the list of what was given back still stands there. */
static bool list_is_gone(const struct slab *s)
{
    ASAN_UNPOISON_MEMORY_REGION(s->freed, sizeof(void *));
    bool gone = *(void **)s->freed == NULL;
    ASAN_POISON_MEMORY_REGION(s->freed, sizeof(void *));
    return gone;
}

/* Its memory goes back to the system, and comes as zeros when it is touched again. It stays its size's. */
static void empty(struct slab *s)
{
    if (madvise(memory_of(s), SLAB, MADV_DONTNEED_LOCKED) != 0 || !list_is_gone(s))
        return;
    s->freed = NULL;
    s->fresh = 0;
}

/* Handshakes need much, and seldom; but many come at once. */
static void keep_or_give_back(struct slab *s, size_t count)
{
    bool kept = vault.kept + count <= KEPT;
    if (!kept)
        (void)madvise(memory_of(s), count * SLAB, MADV_DONTNEED_LOCKED);
    for (size_t i = 0; kept && i < count; i++)
        s[i].kept = true;
    vault.kept += kept ? count : 0;
    free_run((size_t)(s - vault.slabs), count);
}

static void free_locked(struct slab *s, void *p)
{
    if (s->state == SLAB_FIRST) {
        keep_or_give_back(s, s->run);
        return;
    }
    *(void **)p = s->freed;
    ASAN_POISON_MEMORY_REGION(p, sizes[s->kind]);
    s->freed = p;
    s->used--;
    if (!s->listed)
        list(s);
    if (s->used == 0 && vault.open[s->kind] != (uint32_t)(s - vault.slabs) + 1)
        empty(s); /* not the one that the next object comes from */
}

void vault_free(void *p)
{
    if (!p)
        return;
    ASAN_UNPOISON_MEMORY_REGION(p, vault_size(p));
    explicit_bzero(p, vault_size(p));
    pthread_mutex_lock(&vault.lock);
    free_locked(slab_of(p), p);
    pthread_mutex_unlock(&vault.lock);
}

void vault_give_back(void)
{
    pthread_mutex_lock(&vault.lock);
    for (struct slab *s = vault.slabs; vault.kept && s < vault.slabs + vault.grown; s++) {
        if (!s->kept)
            continue;
        (void)madvise(memory_of(s), SLAB, MADV_DONTNEED_LOCKED);
        s->kept = false;
        vault.kept--;
    }
    pthread_mutex_unlock(&vault.lock);
}

void vault_stats(struct vault_stats *out)
{
    pthread_mutex_lock(&vault.lock);
    *out = (struct vault_stats){vault.grown * SLAB, vault.unlocked};
    pthread_mutex_unlock(&vault.lock);
}
