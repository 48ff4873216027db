/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* The verbs that make and keep a network's files, in a folder of their own. The node is a script, and answers as the test says. */

#include "base/folder.h"
#include "crypto/certfile.h"

#include "cli_lab.h"

#include <fcntl.h>
#include <sys/stat.h>

#define WITH_NETWORK(peers, network)                                                                         \
    OK(NODE_WITH(ID_A, "berlin", peers, ",\"network\":{\"name\":\"home\"," network "}"))
#define IS_MEMBER WITH_NETWORK(PEER(ID_B, "paris"), "\"state\":\"member\",\"step\":\"member\"")

static char etc[64];

static inline void put(const char *name, const char *text, mode_t mode)
{
    char path[128];
    snprintf(path, sizeof(path), "%s/%s", dir, name);
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, mode);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    close(fd);
}

static inline void node_is(const char *script)
{
    char text[256];
    snprintf(text, sizeof(text), "#!/bin/sh\n%s\n", script);
    put("shadowmesh-l2", text, 0700);
}

static inline int set_up_networks(void **state)
{
    int failed = set_up(state);
    snprintf(etc, sizeof(etc), "%s/etc", dir);
    node_is("exit 0");
    setenv("PATH", dir, 1);
    return failed;
}

static inline int tear_down_networks(void **state)
{
    char command[128];
    snprintf(command, sizeof(command), "/bin/rm -r %s/etc %s/shadowmesh-l2 2>/dev/null", dir, dir);
    (void)!system(command);
    return tear_down(state);
}

/* With -etc. */
static inline void assert_verb(const char *line, int code)
{
    char whole[384];
    snprintf(whole, sizeof(whole), "%s -etc %s", line, etc);
    assert_run(whole, code);
}

static inline mode_t mode_of(const char *name)
{
    char path[256];
    struct stat st;
    snprintf(path, sizeof(path), "%s/%s", etc, name);
    return lstat(path, &st) == 0 ? st.st_mode & 07777 : 0;
}

static inline struct slice read_cert(const char *folder, const char *name, uint8_t der[CERT_MAX])
{
    char path[256];
    size_t len = 0;
    int fd;
    snprintf(path, sizeof(path), "%s/%s", etc, folder);
    assert_int_equal(folder_open(path, &fd), 0);
    assert_int_equal(certfile_read(fd, name, der, &len), 0);
    close(fd);
    return (struct slice){der, len};
}

static inline char *read_text(const char *name)
{
    static char text[16384];
    char path[256];
    snprintf(path, sizeof(path), "%s/%s", etc, name);
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    text[fread(text, 1, sizeof(text) - 1, file)] = '\0';
    fclose(file);
    return text;
}

/* What the next command reads. */
static inline void input(const char *text)
{
    FILE *file = tmpfile();
    fputs(text, file);
    rewind(file);
    dup2(fileno(file), STDIN_FILENO);
    fclose(file);
    clearerr(stdin);
}

#undef TEST
#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up_networks, tear_down_networks)
