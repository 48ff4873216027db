/* SPDX-License-Identifier: Apache-2.0 */
/* Runs a fuzz target over every file of one folder: how `make check` replays the committed corpora without
 * libFuzzer. A folder without files is a failure. */

#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The buffer is exactly as long as the file, so that sanitizers see reads past its end. */
static int replay(const char *path)
{
    FILE *file = fopen(path, "rb");
    uint8_t *data = NULL;
    long size;
    int done = 0;

    if (!file)
        return 0;
    if (fseek(file, 0, SEEK_END) == 0 && (size = ftell(file)) >= 0 && fseek(file, 0, SEEK_SET) == 0) {
        data = malloc(size ? (size_t)size : 1);
        if (data && fread(data, 1, (size_t)size, file) == (size_t)size) {
            LLVMFuzzerTestOneInput(data, (size_t)size);
            done = 1;
        }
    }
    free(data);
    fclose(file);
    return done;
}

static int is_input(const struct dirent *entry)
{
    return entry->d_name[0] != '.';
}

int main(int argc, char **argv)
{
    struct dirent **entries = NULL;
    int count, done = 0;

    if (argc != 2) {
        fprintf(stderr, "usage: %s DIR\n", argv[0]);
        return 2;
    }
    count = scandir(argv[1], &entries, is_input, alphasort);
    for (int i = 0; i < count; i++) {
        char path[4096];

        snprintf(path, sizeof(path), "%s/%s", argv[1], entries[i]->d_name);
        done += replay(path);
        free(entries[i]);
    }
    free(entries);
    printf("%s: %d inputs replayed\n", argv[1], done);
    return done > 0 && done == count ? 0 : 1;
}
