/* SPDX-License-Identifier: Apache-2.0 */
/* Pages of the directory. */

#include "backbone/listing.h"

#include "crypto/base64.h"
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#define PAGE_ENTRIES 100
#define PAGE_BYTES   262144 /* of Base64: many slow readers must not hold much memory */

json_t *listing_signed_record(const struct store_entry *e)
{
    return json_pack("{soso}", "record", answer_base64(&e->record), "signature",
                     answer_base64(&e->signature));
}

static json_t *json_summary(const struct store_entry *e)
{
    char id[ID_TEXT_MAX];
    return json_pack("{sssssIsI}", "id", id_format(&e->id, id), "name", e->name, "seq", (json_int_t)e->seq,
                     "expiry_s", (json_int_t)e->expiry_s);
}

/* A listing under construction. */
struct page {
    struct response *out;
    answer_done *done;
    void *context;
    json_t *nodes;
    json_t *(*format)(const struct store_entry *e);
    unsigned limit;
    size_t bytes;
    struct node_id last;
    bool more, failed;
};

static bool add_to_page(void *context, const struct store_entry *e)
{
    struct page *page = context;
    size_t bytes = BASE64_LEN(e->record.len) + BASE64_LEN(e->signature.len);
    page->more = json_array_size(page->nodes) == page->limit || page->bytes + bytes > PAGE_BYTES;
    if (page->more)
        return false;
    page->failed = json_array_append_new(page->nodes, page->format(e)) != 0;
    page->bytes += bytes;
    page->last = e->id;
    return !page->failed;
}

static int parse_limit(const char *text, unsigned *out)
{
    *out = PAGE_ENTRIES;
    if (!text)
        return 0;
    size_t len = strlen(text);
    if (len == 0 || len > 3 || strspn(text, "0123456789") != len)
        return ERR_ARGUMENT;
    *out = (unsigned)strtoul(text, NULL, 10);
    return *out >= 1 && *out <= PAGE_ENTRIES ? 0 : ERR_ARGUMENT;
}

static void answer_page(const struct page *page)
{
    json_t *value = json_pack("{sO}", "nodes", page->nodes);
    char next[ID_TEXT_MAX];
    if (value && page->more &&
        json_object_set_new(value, "next", json_string(id_format(&page->last, next))) != 0) {
        json_decref(value);
        value = NULL;
    }
    answer_json(page->out, 200, value);
}

static void on_listed(void *context, int err, uint64_t number)
{
    struct page *page = context;
    struct page was = *page;
    (void)number;
    if (err)
        answer_unavailable(page->out);
    else if (page->failed)
        answer_error(page->out, 500, "out of memory");
    else
        answer_page(page);
    json_decref(page->nodes);
    free(page);
    was.done(was.context);
}

/* NULL, or what is wrong with the arguments. */
static const char *read_query(const struct request *request, struct store_query *query, struct node_id *after)
{
    if (parse_limit(request->limit, &query->limit) != 0)
        return "limit is a number from 1 to 100";
    if (request->after && id_parse(request->after, after) != 0)
        return "after is a node's id, 40 hex digits";
    query->after = request->after ? after : NULL;
    return NULL;
}

static struct page *new_page(bool is_whole, unsigned limit)
{
    struct page *page = calloc(1, sizeof(*page));
    if (!page)
        return NULL;
    page->format = is_whole ? listing_signed_record : json_summary;
    page->limit = limit;
    page->nodes = json_array();
    if (page->nodes)
        return page;
    free(page);
    return NULL;
}

void listing_answer(struct directory *d, const char *network, const struct request *request,
                    struct response *out, answer_done *done, void *context)
{
    struct node_id after;
    struct store_query query = {.network = network, .bytes = PAGE_BYTES, .now_s = request->now_s};
    const char *wrong = read_query(request, &query, &after);
    struct page *page = wrong ? NULL : new_page(network, query.limit);
    if (page) {
        page->out = out;
        page->done = done;
        page->context = context;
        query.limit++; /* one more tells whether there is a next page */
        directory_list(d, &query, add_to_page, on_listed, page);
        return;
    }
    answer_error(out, wrong ? 400 : 500, wrong ? wrong : "out of memory");
    done(context);
}
