"""Measures of sums over bins: what the sieve knows of a rectangle in all cells of a cluster, whatever the labels."""

from __future__ import annotations

from coffea_ddp.stats.submatrix.share_sums import MOST_DIRECTIONS

OUTER, INNER, BETWEEN = 0, 1, 2
"""Measures: what few events are known by, of the hull; what limits belong to, of the core; what is
between core and hull can change ``2 w`` by."""

COUNTED = 3
"""Number of measures of counts that have one share; those that follow are of events whose shares differ."""

FITTED, HULL_NORM, CORE_NORM = 3, 4, 5
"""A bound on the share of the inner measure that a fit takes, of the hull; the sum of the lengths of its vectors, of
hull and core (from :data:`FIRST` on the sum of its vectors, of the core)."""

EVENTS, SKEW, HULL_SKEW, CORE_SKEW, FIRST = 6, 7, 8, 9, 10
"""Events of the core, the sum of their ``1 - 2 e``, and the sums of the sizes of these, of hull and core."""

ALL = FIRST + MOST_DIRECTIONS
"""Number of measures of events whose shares differ."""
