"""Sums of what outputs say beside their counts: cutflows by dataset, and the branches that were used.

Examples
--------
>>> sum_cutflows({"a": {"events": 3}}, {"a": {"events": 4, "trigger": 1}})
{'a': {'events': 7, 'trigger': 1}}
"""

from __future__ import annotations

from collections.abc import Mapping

Counters = Mapping[str, int]
"""Step or sight -> number of events."""


def sum_cutflows(first: Mapping[str, Counters], second: Mapping[str, Counters]) -> dict[str, Counters]:
    """Return the cutflows of two outputs, added dataset by dataset."""
    datasets = sorted({*first, *second})
    return {dataset: sum_counters(first.get(dataset, {}), second.get(dataset, {})) for dataset in datasets}


def sum_counters(first: Counters, second: Counters) -> dict[str, int]:
    """Return two cutflows added step by step; the steps of the first come first."""
    names = [*first, *(name for name in second if name not in first)]
    return {name: first.get(name, 0) + second.get(name, 0) for name in names}


def join_choices(
    first: Mapping[str, tuple[str, ...]], second: Mapping[str, tuple[str, ...]]
) -> dict[str, tuple[str, ...]]:
    """Return what either of two outputs used, by role."""
    roles = sorted({*first, *second})
    return {role: tuple(sorted({*first.get(role, ()), *second.get(role, ())})) for role in roles}
