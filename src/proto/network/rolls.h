/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* What the signers of a network have said: the newest certificate, list of revoked keys and roster of each. All is judged
 * before it takes the place of anything, whoever brings it. Pure; control thread. docs/PROTOCOL.md §27. */

#include "base/bytes.h"
#include "base/err.h"
#include "crypto/roster.h"
#include "proto/message/message.h"
#include <stdbool.h>
#include <stdint.h>

#define ROLLS_ISSUERS_MAX 16
#define ROLLS_OLD_S       (uint64_t)86400
#define ROLLS_LISTS_MAX   (3 * ROLLS_ISSUERS_MAX + 1) /* the CA has a list of revoked keys alone */
#define ROLLS_MEMBERS_MAX ROSTER_MAX                  /* of all rosters together */

struct cert;
struct rolls;

enum rolls_verdict {
    ROLLS_NEWER,    /* it has taken its place */
    ROLLS_SAME,     /* it is what is held */
    ROLLS_OLDER,    /* than what is held */
    ROLLS_STRANGER, /* its issuer's certificate is not known, or the CA has revoked it */
    ROLLS_FULL,     /* of one more issuer than ROLLS_ISSUERS_MAX */
    ROLLS_CONTRARY, /* signed, and takes back what its issuer revoked */
    ROLLS_FALSE,    /* malformed, forged, or of another network */
    ROLLS_NO_MEMORY,
};
/* A phrase for a person that continues "the list …"; never NULL. */
const char *rolls_verdict_str(enum rolls_verdict verdict);

/* Of the network whose CA cert_chain_ca vouched for. ERR_NOMEM. */
int rolls_new(const struct cert *ca, struct rolls **out) must_check;
void rolls_free(struct rolls *r);

/* The time by the clock: who has expired leaves the members. Call it before the first list comes, and once a minute. */
void rolls_on_time(struct rolls *r, uint64_t now_s);

/* Judges bytes of that kind from anybody (enum list_kind), and copies them if they are newer. The signer's certificate, a list of
 * kind LIST_ISSUER, comes before its other lists. */
enum rolls_verdict rolls_take(struct rolls *r, enum list_kind kind, struct slice bytes) must_check;

/* True when the key is shut out: by the CA's list, or, unless it is an issuer's, by any. O(log of their keys). */
bool rolls_revoked(const struct rolls *r, const struct node_id *id);

/* Whose list it is that shuts the key out; NULL: none does. */
const struct node_id *rolls_revoker(const struct rolls *r, const struct node_id *id);

/* The newest certificate of that issuer, which may have expired; NULL when none is known, or the CA has revoked it. */
const struct cert *rolls_issuer(const struct rolls *r, const struct node_id *id);

/* What is held: ROLLS_LISTS_MAX at most; how many. */
unsigned rolls_lists(const struct rolls *r, struct message_list *out);
/* Of one list the bytes, which hold until it is replaced; empty when there is none. */
struct slice rolls_bytes(const struct rolls *r, enum list_kind kind, const struct node_id *signer);
/* Its number; 0 when there is none. */
uint64_t rolls_number(const struct rolls *r, enum list_kind kind, const struct node_id *signer);
/* Of an issuer's roster the members, for roster_next, which hold until it is replaced; empty when there is none. */
struct slice rolls_roster(const struct rolls *r, const struct node_id *signer);
/* When it was signed; 0 when there is none. */
uint64_t rolls_time(const struct rolls *r, enum list_kind kind, const struct node_id *signer);
/* When the newest list of the CA or of that issuer was signed, as they say; 0: there is none. */
uint64_t rolls_signed_at(const struct rolls *r, const struct node_id *issuer);
bool rolls_is_ca(const struct rolls *r, const struct node_id *signer);
/* Whether one with that number would be newer, and there is room for it; it is not judged. */
bool rolls_wants(const struct rolls *r, const struct message_list *l);

/* When the newest list of revoked keys was signed, of those that do not lie ahead of the clock; 0: there is none. */
uint64_t rolls_revoked_at(const struct rolls *r);
/* Whether that is longer ago than ROLLS_OLD_S: an issuer signs each hour, so whoever was revoked of late is not known. */
bool rolls_are_old(const struct rolls *r);

/* A member by the rosters. Its name is empty where an earlier member has that name. */
struct rolls_member {
    struct roster_member is;
    struct node_id issuer;
};

/* All who have neither expired nor been revoked, by their ids in ascending order. They hold until the next call of rolls_take or
 * rolls_on_time. */
const struct rolls_member *rolls_members(const struct rolls *r, size_t *count);
/* NULL when there is none. O(log count). */
const struct rolls_member *rolls_find(const struct rolls *r, const struct node_id *id);
const struct rolls_member *rolls_find_name(const struct rolls *r, const char *name);
const struct rolls_member *rolls_find_address(const struct rolls *r, const struct addr *a);
/* One more whenever the members, or who is revoked, may have changed. */
uint64_t rolls_version(const struct rolls *r);

/* Whose lists are ours, borrowed: a list of our own that peers bring, and that lacks what we revoked, is united with ours. */
void rolls_set_own(struct rolls *r, const struct identity *me);
/* As an issuer, or the CA: signs the next list of our own with id in it, too (NULL: as it was, with a new time). It takes its place
 * here. ERR_EXISTS when id is in it already, ERR_SPACE when it is full, ERR_NOT_FOUND when our own certificate is none of the
 * issuers', ERR_NOMEM or that of the signature. */
int rolls_revoke(struct rolls *r, const struct identity *me, const struct node_id *id) must_check;
/* As an issuer: signs the next roster of ours with these members, in ascending order of ids. Errors as roster_sign and above. */
int rolls_publish(struct rolls *r, const struct identity *me, const struct roster_member *members,
                  size_t count) must_check;
