"""Rows that tell the same story."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from coffea_ddp.errors import InputError
from coffea_ddp.stats.grouping import leaders


@settings(max_examples=50, deadline=None, derandomize=True)
@given(seed=st.integers(0, 2**32), n=st.integers(0, 12))
def test_leaders_are_not_similar_to_each_other_and_followers_are(seed: int, n: int) -> None:
    rng = np.random.default_rng(seed)
    members, events = rng.random((n, 6)) < 0.6, rng.integers(0, 9, 6).astype(float)
    signs = rng.choice([-1.0, 1.0], n)
    found = leaders(members, events, signs)

    def alike(i: int, j: int) -> bool:
        both, either = events[members[i] & members[j]].sum(), events[members[i] | members[j]].sum()
        return bool(both > 0.5 * either and signs[i] == signs[j])

    heads = [i for i in range(n) if found[i] == i]
    assert not any(alike(i, j) for i in heads for j in heads if i < j)
    for i in range(n):
        if found[i] != i:
            assert found[i] == next(j for j in heads if alike(i, j))


def test_shapes_must_fit() -> None:
    with pytest.raises(InputError, match="n_pieces"):
        leaders(np.ones((2, 3)), np.ones(2), np.ones(2))
