/* SPDX-License-Identifier: Apache-2.0 */
#include "base/flags_again.h"

#include "base/flags_file.h"

#include <unistd.h>

const char *flags_read_config(const struct flags *f, struct flags_source *source,
                              const struct flags_again *again, const char *path, void *context)
{
    unsigned i = source->file_count;
    if (i == FLAGS_FILES_MAX)
        return "one too many: at most 4 can be given";
    source->files[source->file_count++] = path;
    if (!again)
        return flags_file_read(f, path, context);
    return i < again->source->file_count ? flags_file_read_open(f, again->files[i], context)
                                         : "it was not there at the start";
}

enum flags_result flags_parse_source(const struct flags *f, struct flags_source *source,
                                     const struct flags_again *again, void *context)
{
    source->file_count = 0;
    enum flags_result result = flags_parse(f, source->argc, source->argv, context, NULL);
    for (unsigned i = source->file_count; again && i < again->source->file_count; i++)
        close(again->files[i]); /* of those that stand behind what is wrong */
    return result;
}
