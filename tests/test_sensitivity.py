"""The sensitivity table: it meets the expected values, the laws of the tests, and its users' mistakes."""

from __future__ import annotations

import numpy as np
import pytest

from coffea_ddp import stats
from coffea_ddp.cli import main
from coffea_ddp.errors import InputError
from coffea_ddp.sensitivity import sensitivity

BACKGROUND = np.full((12, 12), 25.0)
TEMPLATE = np.zeros((12, 12))
TEMPLATE[3:6, 4:7] = 1.0


@pytest.fixture(scope="module")
def found():
    return sensitivity(BACKGROUND, TEMPLATE, z=(0, 3, 5), toys=400, seed=1)


def test_the_references_find_what_was_injected(found):
    for row in found.rows:
        assert row.asimov_l2 == pytest.approx(row.z_injected, abs=1e-6)
        assert row.l2.median == pytest.approx(row.asimov_l2, abs=0.2)
        assert row.l1.median == pytest.approx(row.asimov_l1, abs=0.2)
        assert row.l2.high - row.l2.low == pytest.approx(2.0, abs=0.35)
        # The price of not knowing where: 9 of 144 bins.
        assert row.nsigma.median == pytest.approx(np.sqrt(9 / 144) * row.z_injected, abs=0.2)


def test_scanning_rectangles_wins_it_back(found):
    nothing, three, five = found.rows
    assert five.rectangle.median == pytest.approx(five.asimov_l2, abs=0.5)
    assert nothing.power == pytest.approx(0.0228, abs=0.02)
    assert nothing.power < three.power < five.power
    assert five.power > 0.8
    assert nothing.z_global == pytest.approx(0.0, abs=0.2)
    assert five.nsigma.median < five.z_global < five.asimov_l2
    assert "tail" in five.z_global_method


def test_other_ratios_and_likelihoods():
    row = sensitivity(BACKGROUND[0] * 4, TEMPLATE[4], z=(4,), kind="l1", kappa=3.0, toys=200, seed=2).rows[0]
    assert row.asimov_l1 == pytest.approx(4.0)
    assert row.asimov_l2 == pytest.approx(stats.asimov_l2(BACKGROUND[0] * 4, row.n_signal * TEMPLATE[4] / 3, kappa=3.0))
    assert row.l1.median == pytest.approx(4.0, abs=0.25)
    assert row.l2.median == pytest.approx(row.asimov_l2, abs=0.25)


def test_toys_belong_to_the_seed(found):
    again = sensitivity(BACKGROUND, TEMPLATE, z=(0, 3, 5), toys=400, seed=1)
    assert again == found


def test_faces(found):
    frame = found.to_dataframe()
    assert frame["z_injected"].tolist() == [0, 3, 5]
    assert {"l1", "l1_low", "l2_high", "rectangle", "power"} <= set(frame.columns)
    assert "<table>" in found._repr_html_()
    assert found.table().row_count == 3


@pytest.mark.parametrize(
    ("background", "template", "options", "message"),
    [
        (np.ones((2, 2, 2)), np.ones((2, 2, 2)), {}, "spectrum or a matrix"),
        ([1.0], [1.0], {"toys": 3}, "20 or more"),
        ([1.0], [0.0], {}, "outside of the matrix"),
        ([0.0, 1.0], [1.0, 1.0], {}, "without background"),
        ([1.0], [1.0, 1.0], {}, "same bins"),
        ([1.0], [1.0], {"z": (-1,)}, "0 or more"),
        ([1.0], [1.0], {"kappa": 0.0}, "positive"),
    ],
)
def test_bad_input(background, template, options, message):
    with pytest.raises(InputError, match=message):
        sensitivity(background, template, **options)


def run(capsys, *arguments):
    with pytest.raises(SystemExit) as stopped:
        main([str(argument) for argument in arguments])
    out = capsys.readouterr()
    return stopped.value.code, out.out, out.err


def test_command(tmp_path, capsys):
    np.save(tmp_path / "b.npy", BACKGROUND)
    np.savetxt(tmp_path / "s.txt", TEMPLATE)
    code, out, err = run(
        capsys,
        "sensitivity",
        tmp_path / "b.npy",
        tmp_path / "s.txt",
        "--z",
        "0,4",
        "--toys",
        "50",
        "-o",
        tmp_path / "t.csv",
    )
    assert code == 0
    assert "Z injected" in out
    assert "t.csv" in err
    assert (tmp_path / "t.csv").read_text().startswith("z_injected,n_signal")


def test_command_with_wrong_input(tmp_path, capsys):
    np.save(tmp_path / "b.npy", BACKGROUND)
    for arguments, message in (
        ((tmp_path / "none.npy", tmp_path / "b.npy"), "no such file"),
        ((tmp_path / "b.npy", tmp_path / "b.npy", "--z", "a"), "give numbers"),
        ((tmp_path / "none.ddp", tmp_path / "b.npy"), "none.ddp"),
    ):
        code, _, err = run(capsys, "sensitivity", *arguments)
        assert code == 1
        assert message in err
        assert "Traceback" not in err
