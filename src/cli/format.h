/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Figures and names as people read them. Every function writes at most FORMAT_MAX bytes with a NUL and
 * returns out. */

#include <stddef.h>
#include <stdint.h>

#define FORMAT_MAX 64

/* "0 B", "999 B", "1.2 kB", "340 MB": powers of 1000, three digits at most. */
char *format_bytes(uint64_t bytes, char out[FORMAT_MAX]);

/* "12 345 678". */
char *format_count(uint64_t count, char out[FORMAT_MAX]);

/* "0.04 ms", "0.4 ms", "12 ms", "1.20 s"; "-" below zero, for none measured. */
char *format_rtt(double us, char out[FORMAT_MAX]);

/* "5 s", "2 min 14 s", "3 h 05 min", "12 d 4 h"; "-" below zero. */
char *format_age(double seconds, char out[FORMAT_MAX]);

/* A share from 0 to 1 as "0.0 %"; "-" below zero. */
char *format_share(double share, char out[FORMAT_MAX]);

/* A copy of text, for the caller to free, cleaned (text_clean). NULL text gives "". Never returns NULL. */
char *format_clean(const char *text);

/* Columns that text, clean, takes on a terminal. */
size_t format_width(const char *text);
