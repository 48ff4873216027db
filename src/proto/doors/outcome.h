/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* What came of a request at a door, whatever it was asked by. */

enum outcome {
    OUTCOME_OPEN,
    OUTCOME_REFUSED,     /* the host takes no connection at that port */
    OUTCOME_UNREACHABLE, /* nothing leads to it */
    OUTCOME_SILENT,      /* it does not answer */
    OUTCOME_NO_NAME,     /* nobody has this name */
    OUTCOME_FORBIDDEN,   /* not by this door */
    OUTCOME_UNSUPPORTED, /* such a request is not known here */
    OUTCOME_FAILED,      /* we cannot, for now */
};
