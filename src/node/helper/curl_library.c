/* SPDX-License-Identifier: Apache-2.0 */
/* The soname is the one that libcurl has had since 2006. The note tells packagers and tools/sbom.py of it: nothing else in the
 * program does (the specification of dlopen metadata by the UAPI group). */
#include "node/helper/curl_library.h"

#ifdef SHADOWMESH_STATIC

/* The one that a static program is linked with (tools/static.sh). */
int curl_library_load(struct curl_library *out, char *failed, size_t size)
{
    (void)failed, (void)size;
#define TAKE(name) out->name = curl_##name
    CURL_LIBRARY_FUNCTIONS(TAKE);
    return 0;
}

#else

#include <dlfcn.h>
#include <elf.h>
#include <stdio.h>

#define SONAME "libcurl.so.4"
#define NOTE                                                                                                 \
    "[{\"soname\":[\"" SONAME                                                                                \
    "\"],\"feature\":\"backbone\",\"description\":\"HTTP\",\"priority\":\"required\"}]"
#define NOTE_TYPE 0x407c0c0a

static const struct {
    Elf64_Nhdr head;
    char owner[4];
    char text[sizeof(NOTE)];
} note __attribute__((used, aligned(4), section(".note.dlopen"))) = {
    {sizeof("FDO"), sizeof(NOTE), NOTE_TYPE}, "FDO", NOTE};

int curl_library_load(struct curl_library *out, char *failed, size_t size)
{
    const char *missing = NULL;
    void *library = dlopen(SONAME, RTLD_NOW | RTLD_LOCAL);
    if (!library) {
        snprintf(failed, size, "libcurl cannot be loaded (%s): install it", dlerror());
        return ERR_NOT_FOUND;
    }
#define FIND(name)                                                                                           \
    if (!(out->name = (__typeof__(out->name))dlsym(library, "curl_" #name)))                                 \
    missing = #name
    CURL_LIBRARY_FUNCTIONS(FIND);
    if (missing)
        snprintf(failed, size, "libcurl is too old: it has no curl_%s", missing);
    return missing ? ERR_NOT_FOUND : 0;
}

#endif
