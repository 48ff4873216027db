/* SPDX-License-Identifier: Apache-2.0 */
#include "failing_memory.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <stddef.h>
#include <unistd.h>

static struct failing_memory *memory;
static _Thread_local bool in_library; /* what we allocate for OpenSSL counts as its own … */
static _Thread_local bool next_fails; /* … and fails where our code sees it */

static bool fails(enum memory_source source)
{
    if (!memory || !memory->armed || memory->owner != getpid() ||
        atomic_fetch_add(&memory->counted[source], 1) + 1 != memory->at[source])
        return false;
    errno = ENOMEM;
    return true;
}

static bool ours_fails(void)
{
    bool failing = in_library ? next_fails : fails(MEMORY_OURS);
    if (in_library)
        next_fails = false;
    return failing;
}

void *__real_malloc(size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_malloc(size_t size)
{
    return ours_fails() ? NULL : __real_malloc(size);
}

void *__real_calloc(size_t count, size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_calloc(size_t count, size_t size)
{
    return ours_fails() ? NULL : __real_calloc(count, size);
}

void *__real_realloc(void *at, size_t size);
void *__wrap_realloc(void *at, size_t size);
void *__wrap_realloc(void *at, size_t size)
{
    return ours_fails() ? NULL : __real_realloc(at, size);
}

void *__real_aligned_alloc(size_t alignment, size_t size);
void *__wrap_aligned_alloc(size_t alignment, size_t size);
void *__wrap_aligned_alloc(size_t alignment, size_t size)
{
    return ours_fails() ? NULL : __real_aligned_alloc(alignment, size);
}

void *__real_vault_alloc(size_t size);
void *__wrap_vault_alloc(size_t size);
void *__wrap_vault_alloc(size_t size)
{
    return ours_fails() ? NULL : __real_vault_alloc(size);
}

void *__real_vault_resize(void *p, size_t size);
void *__wrap_vault_resize(void *p, size_t size);
void *__wrap_vault_resize(void *p, size_t size)
{
    return ours_fails() ? NULL : __real_vault_resize(p, size);
}

static CRYPTO_malloc_fn library_malloc;
static CRYPTO_realloc_fn library_realloc;

static void *malloc_for_library(size_t size, const char *file, int line)
{
    next_fails = fails(MEMORY_LIBRARY);
    in_library = true;
    void *p = library_malloc(size, file, line);
    in_library = false;
    return p;
}

static void *realloc_for_library(void *at, size_t size, const char *file, int line)
{
    next_fails = size && fails(MEMORY_LIBRARY);
    in_library = true;
    void *p = library_realloc(at, size, file, line);
    in_library = false;
    return p;
}

int __real_CRYPTO_set_mem_functions(CRYPTO_malloc_fn m, CRYPTO_realloc_fn r, CRYPTO_free_fn f);
int __wrap_CRYPTO_set_mem_functions(CRYPTO_malloc_fn m, CRYPTO_realloc_fn r, CRYPTO_free_fn f);
int __wrap_CRYPTO_set_mem_functions(CRYPTO_malloc_fn m, CRYPTO_realloc_fn r, CRYPTO_free_fn f)
{
    library_malloc = m;
    library_realloc = r;
    return __real_CRYPTO_set_mem_functions(malloc_for_library, realloc_for_library, f);
}

void memory_use(struct failing_memory *m)
{
    m->owner = getpid();
    memory = m;
}

void memory_arm(struct failing_memory *m, enum memory_source source, unsigned long at)
{
    m->armed = false;
    for (unsigned i = 0; i < MEMORY_SOURCES; i++)
        m->counted[i] = m->at[i] = 0;
    m->at[source] = at;
    m->armed = true;
}

bool memory_disarm(struct failing_memory *m, enum memory_source source)
{
    m->armed = false;
    return m->at[source] && m->counted[source] >= m->at[source];
}
