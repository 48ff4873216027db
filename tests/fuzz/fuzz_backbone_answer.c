/* SPDX-License-Identifier: Apache-2.0 */
/* What a backbone answers, as the node reads it: the client is whole, HTTP alone is played. Input: the id that is
 * looked up (20 bytes), which call it is (1), then the answers, one a line, each after a character for its status.
 * A record is only believed when it is that node's and signed by it; a cause is told for everything else. */

#include "node/rendezvous/backbone_client.h"
#include <stdlib.h>
#include <string.h>

#define REQUESTS_MAX 4 /* of one registration: a challenge and a record, and both again after a conflict */

static const char *answers;
static size_t answers_len;
static unsigned requests;

static void check(bool ok)
{
    if (!ok)
        abort();
}

int http_client_new(struct http_client **out)
{
    *out = NULL;
    return 0;
}

void http_client_free(struct http_client *h)
{
    (void)h;
}

void http_client_abort(struct http_client *h)
{
    (void)h;
}

void http_client_perform(struct http_client *h, const char *url, const char *json, struct http_answer *answer)
{
    static const long statuses[] = {0, 200, 201, 400, 401, 404, 409, 429, 500, 503};
    (void)h, (void)json;
    check(strncmp(url, "http://b/v1/", 12) == 0);
    requests++;
    *answer = (struct http_answer){.cause = "there is no answer",
                                   .remote = {.family = 4, .port = 80, .ip = {192, 0, 2, 1}}};
    const char *end = memchr(answers, '\n', answers_len);
    size_t len = end ? (size_t)(end - answers) : answers_len;
    if (len > 0) {
        answer->status = statuses[(uint8_t)answers[0] % 10];
        answer->body = answers + 1;
        answer->len = len - 1;
    }
    answers += end ? len + 1 : len;
    answers_len -= end ? len + 1 : len;
}

static void check_record(const struct record *r, const struct node_id *asked)
{
    struct node_id id;
    check(id_compare(&r->id, asked) == 0);
    check(identity_id_of_spki(r->spki, sizeof r->spki, &id) == 0 && id_compare(&id, asked) == 0);
}

static enum backbone_verdict call(struct backbone_client *c, uint8_t which, const struct node_id *id)
{
    static struct identity *me; /* its signatures go to the played backbone alone */
    struct record record = {0};
    enum backbone_verdict verdict;
    switch (which % 3) {
    case 0:
        verdict = backbone_client_info(c);
        check(c->udp.port != 0 || verdict != BACKBONE_OK);
        return verdict;
    case 1:
        verdict = backbone_client_lookup(c, id, &record);
        if (verdict == BACKBONE_OK)
            check_record(&record, id);
        return verdict;
    default:
        check(me || identity_generate(&me) == 0);
        return backbone_client_register(c, &record, me);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct backbone_client c;
    struct node_id id;
    if (size < sizeof id.bytes + 1 || size > HTTP_BODY_MAX)
        return 0;
    memcpy(id.bytes, data, sizeof id.bytes);
    answers_len = size - sizeof id.bytes - 1;
    char *copy = malloc(answers_len + 1); /* without a NUL: answers are of their length */
    if (!copy || backbone_client_init(&c, "http://b"))
        abort();
    memcpy(copy, data + sizeof id.bytes + 1, answers_len);
    answers = copy;
    requests = 0;
    enum backbone_verdict verdict = call(&c, data[sizeof id.bytes], &id);
    check(requests >= 1 && requests <= REQUESTS_MAX);
    check(memchr(c.cause, '\0', sizeof c.cause) && memchr(c.instance, '\0', sizeof c.instance));
    check(verdict == BACKBONE_OK || c.cause[0]);
    backbone_client_fini(&c);
    free(copy);
    return 0;
}
