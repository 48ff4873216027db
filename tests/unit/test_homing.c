/* SPDX-License-Identifier: Apache-2.0 */
/* Coming home, with a backbone that this test plays on the same loop. Waits are for what happens, with a bound. */
#include "node/backbones/homing.h"

#include "base/log.h"
#include "crypto/identity.h"
#include "net/sandbox.h"
#include "node/helper/helper_client.h"
#include "node/helper/helpers.h"
#include "node/helper/name_client.h"
#include "node/rendezvous/registration.h"
#include "proto/path/ways.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BOUND_MS 20000
#define WAIT_MS  20
#define BODY     "{\"stun_port\":3478,\"instance\":\"i\"}"

struct fixture {
    uv_loop_t loop;
    uv_tcp_t listener;
    uv_timer_t bound, tick;
    uint16_t port;
    bool good;
    unsigned asked, wrong; /* requests for /v1/info, and others */
    unsigned answers;
    char url[64];
    struct ways ways;
    struct identity *me;
    struct helper_client *helper, *name_helper;
    struct name_client *names;
    struct homing *homing;
};

struct connection {
    uv_tcp_t tcp;
    struct fixture *f;
    char in[4096], out[256];
    size_t len;
    uv_write_t write;
};

static void on_closed(uv_handle_t *handle)
{
    free(handle->data);
}

static void serve(struct connection *c)
{
    struct fixture *f = c->f;
    bool info = strncmp(c->in, "GET /v1/info ", 13) == 0;
    f->asked += info;
    f->wrong += !info;
    int len = snprintf(c->out, sizeof(c->out), "HTTP/1.1 %d x\r\nContent-Length: %zu\r\n\r\n%s",
                       f->good ? 200 : 502, strlen(BODY), BODY);
    uv_buf_t out = uv_buf_init(c->out, (unsigned)len);
    uv_write(&c->write, (uv_stream_t *)&c->tcp, &out, 1, NULL);
    c->len = 0;
}

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *out)
{
    struct connection *c = handle->data;
    (void)suggested;
    *out = uv_buf_init(c->in + c->len, (unsigned)(sizeof(c->in) - 1 - c->len));
}

static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *in)
{
    struct connection *c = stream->data;
    (void)in;
    if (n < 0) {
        uv_close((uv_handle_t *)stream, on_closed);
        return;
    }
    c->len += (size_t)n;
    c->in[c->len] = '\0';
    if (strstr(c->in, "\r\n\r\n"))
        serve(c);
}

static void on_connection(uv_stream_t *listener, int status)
{
    struct connection *c = calloc(1, sizeof(*c));
    assert_int_equal(status, 0);
    c->f = listener->data;
    uv_tcp_init(&c->f->loop, &c->tcp);
    c->tcp.data = c;
    assert_int_equal(uv_accept(listener, (uv_stream_t *)&c->tcp), 0);
    uv_read_start((uv_stream_t *)&c->tcp, on_alloc, on_read);
}

static void on_answers(void *context)
{
    ((struct fixture *)context)->answers++;
}

static void on_bound(uv_timer_t *timer)
{
    (void)timer;
    fail_msg("it never happens");
}

static void on_tick(uv_timer_t *timer)
{
    (void)timer; /* a turn of the loop ends by it */
}

#define wait_for(f, condition)                                                                               \
    do {                                                                                                     \
        uv_timer_start(&(f)->bound, on_bound, BOUND_MS, 0);                                                  \
        while (!(condition))                                                                                 \
            uv_run(&(f)->loop, UV_RUN_ONCE);                                                                 \
        uv_timer_stop(&(f)->bound);                                                                          \
    } while (0)

static void listen_at(struct fixture *f)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int len = sizeof(address);
    uv_tcp_init(&f->loop, &f->listener);
    f->listener.data = f;
    assert_int_equal(uv_tcp_bind(&f->listener, (struct sockaddr *)&address, 0), 0);
    uv_tcp_getsockname(&f->listener, (struct sockaddr *)&address, &len);
    snprintf(f->url, sizeof(f->url), "http://127.0.0.1:%u", ntohs(address.sin_port));
}

static void start_helpers(struct fixture *f)
{
    const struct helpers_config config = {.caged = SANDBOX_DEFAULT, .count = 1, .backbones[0].url = f->url};
    const struct helper_client_config client = {&f->loop, "helper"};
    struct helpers ends;
    assert_int_equal(helpers_start(&config, &ends), 0);
    assert_int_equal(helper_client_new(&client, ends.backbone, &f->helper), 0);
    assert_int_equal(helper_client_new(&client, ends.names, &f->name_helper), 0);
    assert_int_equal(name_client_new(f->name_helper, &f->names), 0);
}

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    log_set_level(LOG_LEVEL_ERROR);
    uv_loop_init(&f->loop);
    uv_timer_init(&f->loop, &f->bound);
    uv_timer_init(&f->loop, &f->tick);
    uv_timer_start(&f->tick, on_tick, WAIT_MS, WAIT_MS);
    assert_int_equal(identity_generate(&f->me), 0);
    listen_at(f);
    start_helpers(f);
    assert_int_equal(uv_listen((uv_stream_t *)&f->listener, 16, on_connection), 0);
    const struct registration_config at = {.loop = &f->loop,
                                           .url = f->url,
                                           .helper = f->helper,
                                           .names = f->names,
                                           .me = f->me,
                                           .ways = &f->ways};
    const struct homing_config config = {WAIT_MS, on_answers, f};
    assert_int_equal(homing_new(&config, &at, &f->homing), 0);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    homing_close(f->homing);
    name_client_free(f->names);
    helper_client_close(f->name_helper);
    helper_client_close(f->helper);
    uv_close((uv_handle_t *)&f->bound, NULL);
    uv_close((uv_handle_t *)&f->tick, NULL);
    uv_close((uv_handle_t *)&f->listener, NULL);
    uv_run(&f->loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&f->loop), 0);
    identity_free(f->me);
    free(f);
    return 0;
}

/* In which it would be asked again. */
static void wait_out(struct fixture *f)
{
    uint64_t until_ms = uv_now(&f->loop) + 5 * WAIT_MS;
    wait_for(f, uv_now(&f->loop) >= until_ms);
}

static void one_that_was_left_is_asked_until_it_answers(void **state)
{
    struct fixture *f = *state;
    homing_begin(f->homing);
    wait_for(f, f->asked >= 3);
    assert_int_equal(f->answers, 0);
    f->good = true;
    wait_for(f, f->answers == 1);
    assert_true(homing_is_returning(f->homing));
    homing_arrived(f->homing);
    assert_false(homing_is_returning(f->homing));
    unsigned asked = f->asked;
    wait_out(f);
    assert_int_equal(f->asked, asked);
    assert_int_equal(f->wrong, 0);
}

/* Its answer comes when it is no matter any more. */
static void one_that_is_used_again_for_want_of_another_is_not_returned_to(void **state)
{
    struct fixture *f = *state;
    f->good = true;
    homing_begin(f->homing);
    wait_for(f, f->asked == 1);
    homing_end(f->homing);
    homing_begin(f->homing);
    homing_end(f->homing);
    wait_out(f);
    assert_int_equal(f->answers, 0);
}

static uint64_t wait_of_a_return(struct fixture *f)
{
    unsigned answers = f->answers;
    uv_update_time(&f->loop);
    uint64_t from_ms = uv_now(&f->loop);
    homing_begin(f->homing);
    wait_for(f, f->answers == answers + 1);
    return uv_now(&f->loop) - from_ms;
}

static void returns_in_vain_make_the_wait_longer(void **state)
{
    struct fixture *f = *state;
    f->good = true;
    wait_of_a_return(f);
    for (unsigned doubled = 1; doubled <= HOMING_DOUBLED; doubled++)
        assert_true(wait_of_a_return(f) >= (uint64_t)(WAIT_MS << doubled) * 7 / 8);
    homing_arrived(f->homing);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(one_that_was_left_is_asked_until_it_answers, setup, teardown),
        cmocka_unit_test_setup_teardown(one_that_is_used_again_for_want_of_another_is_not_returned_to, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(returns_in_vain_make_the_wait_longer, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
