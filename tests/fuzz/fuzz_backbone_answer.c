/* SPDX-License-Identifier: Apache-2.0 */
/* What a backbone answers: JSON, hex and Base64 become messages to the node, and a record is only believed when it is
 * that node's and signed by it. Input: an id of 20 bytes; whether it is the answer to the info (0), to a look-up of that id
 * (1) or to a registration (2); then the answers, one a line, each after a character for its status. */

#include "node/helper/backbone_api.h"
#include "node/rendezvous/record_job.h"
#include <stdlib.h>
#include <string.h>

#define ANSWERS_MAX 4

static void check(bool ok)
{
    if (!ok)
        abort();
}

static void check_record(const struct helper_message *m, const struct node_id *asked)
{
    static struct record_job job;
    struct node_id id;
    job = (struct record_job){.id = *asked, .len = m->data.len, .signature_len = m->signature.len};
    memcpy(job.data, m->data.data, m->data.len);
    memcpy(job.signature, m->signature.data, m->signature.len);
    job.work.data = &job;
    record_job_verify(&job.work);
    if (job.verdict != BACKBONE_OK)
        return;
    check(id_compare(&job.record.id, asked) == 0);
    check(identity_id_of_spki(job.record.spki, sizeof(job.record.spki), &id) == 0 &&
          id_compare(&id, asked) == 0);
}

static void check_message(enum helper_kind asked, const struct helper_message *m, const struct node_id *id)
{
    static uint8_t bytes[HELPER_MESSAGE_MAX];
    static struct helper_message out;
    size_t len;
    check(helper_message_encode(m, bytes, &len) == 0 && helper_message_decode(bytes, len, &out) == 0);
    check(out.verdict == m->verdict && strcmp(out.text, m->text) == 0);
    check(out.verdict == BACKBONE_OK || out.text[0]);
    if (out.verdict != BACKBONE_OK)
        return;
    check(asked != HELPER_ASK_INFO || (out.address_count == 1 && out.addresses[0].port != 0));
    check(asked != HELPER_ASK_CHALLENGE || out.data.len == RECORD_CHALLENGE_LEN);
    if (asked == HELPER_ASK_RECORD)
        check_record(&out, id);
}

static void answer(enum helper_kind asked, const uint8_t *line, size_t len, const struct node_id *id)
{
    static const long statuses[] = {0, 200, 201, 400, 401, 404, 409, 429, 500, 503};
    static struct backbone_bytes bytes;
    struct helper_message m;
    struct http_answer http = {.cause = "there is no answer",
                               .remote = {.family = 4, .port = 80, .ip = {192, 0, 2, 1}}};
    char *copy = malloc(len + 1); /* without a NUL: answers are of their length */
    check(copy != NULL);
    if (len > 0) {
        memcpy(copy, line + 1, len - 1);
        http.status = statuses[line[0] % 10];
        http.body = copy;
        http.len = len - 1;
    }
    backbone_api_answer(asked, &http, &m, &bytes);
    check_message(asked, &m, id);
    free(copy);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const enum helper_kind first[] = {HELPER_ASK_INFO, HELPER_ASK_RECORD, HELPER_ASK_CHALLENGE};
    struct node_id id;
    if (size < sizeof(id.bytes) + 1 || size > HTTP_BODY_MAX)
        return 0;
    memcpy(id.bytes, data, sizeof(id.bytes));
    enum helper_kind asked = first[data[sizeof(id.bytes)] % 3];
    const uint8_t *at = data + sizeof(id.bytes) + 1, *end = data + size;
    for (unsigned i = 0; i < ANSWERS_MAX && at <= end; i++) {
        const uint8_t *newline = at < end ? memchr(at, '\n', (size_t)(end - at)) : NULL;
        const uint8_t *stop = newline ? newline : end;
        answer(asked, at, (size_t)(stop - at), &id);
        if (asked == HELPER_ASK_CHALLENGE)
            asked = HELPER_ASK_REGISTER;
        else if (asked == HELPER_ASK_REGISTER)
            asked = HELPER_ASK_CHALLENGE;
        at = stop + 1;
    }
    return 0;
}
