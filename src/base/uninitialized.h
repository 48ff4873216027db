/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Every local of the programs starts as zeros (-ftrivial-auto-var-init). UNINITIALIZED takes one out: on the way of every
 * frame, where the next call writes all of it, or as much as is read. */

#if defined(__has_attribute)
#if __has_attribute(uninitialized)
#define UNINITIALIZED __attribute__((uninitialized))
#endif
#endif
#ifndef UNINITIALIZED
#define UNINITIALIZED /* a compiler without the attribute has not got the flag either */
#endif
