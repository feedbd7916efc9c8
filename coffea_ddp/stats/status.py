"""Status of one test in a scan: a failure is data, with a message for people.

Examples
--------
>>> Status.TOO_FEW_ENTRIES.name, Status["OK"].value
('TOO_FEW_ENTRIES', 'tested')
"""

from __future__ import annotations

from enum import Enum


class Status(Enum):
    """The outcome of one test; the value is its message, reports store the name.

    Examples
    --------
    >>> Status["OK"] is Status.OK
    True
    """

    OK = "tested"
    TOO_FEW_ENTRIES = "fewer entries inside the axes than the scan asks for"
    NOT_FINITE = "the statistic is not a finite number"
    UNEVEN_BINS = "widths of neighbouring bins jump, and counts with them; merge bins, or mask one side"
    BAD_WIDTH = "a signal that is wider than the spectrum, or next to nothing beside a bin"
    TOO_FEW_BINS = "fewer than 20 bins between the first and the last events of the spectrum"
    NO_DOMAIN = "no bin is far enough from the ends, from masks, and filled"
    NEGATIVE = "negative contents, of which no count is made"
    NOT_COUNTS = (
        "fractional contents without errors: their significance is not known; give variances (sums of "
        "squared weights), or the scale that was applied"
    )
    SCALED = (
        "all contents are multiples of one number, as Poisson counts are not: give it as the scale that was applied"
    )
    BAD_VARIANCES = "variances that are negative, not finite, or 0 beside a content: no errors can be made of them"
    NO_FEATURES = "an axis of the observable is not among the stored features"
    ONE_SIDED = "all stored events are on one side, or equal: shapes cannot be compared"
    NO_RATIO = "kappa cannot be estimated: a side is empty, or nothing is left to test"
