"""The calibration of a report in words, whoever wrote the report."""

from __future__ import annotations

import pytest

from coffea_ddp.report.closure import calibration_sentences, closure_lines

LINE = {"variable": "tau", "n_bins": 2, "chi2_before": 75.0, "chi2": 22.0, "p_value": 2e-5}


def test_what_does_not_close_is_named() -> None:
    inputs = {"calibration": {"control": "tau=0", "n_events": 1200, "closure": [LINE, {**LINE, "p_value": 0.3}]}}
    first, second = calibration_sentences(inputs)
    assert "1,200 events of the cell 'tau=0'" in first
    assert second.startswith("Does not close in tau: ")
    inputs["calibration"]["leave_out"] = True
    assert "without the events of the rarest object" in calibration_sentences(inputs)[1]
    assert closure_lines(inputs) == [("tau", 2, 75.0, 22.0, 2e-5), ("tau", 2, 75.0, 22.0, 0.3)]


@pytest.mark.parametrize(
    "found",
    [None, 3, [], "text", {}, {"closure": 3}, {"closure": [3, None, {}, {"variable": "tau"}]},
     {"closure": [{**LINE, "chi2": "22"}]}],
)  # fmt: skip
def test_a_stranger_may_say_anything(found: object) -> None:
    sentences = calibration_sentences({"calibration": found})
    assert len(sentences) <= 1
    assert closure_lines({"calibration": found}) == []
    assert calibration_sentences({}) == []
