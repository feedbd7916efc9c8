"""`coffea-ddp compare`: two arrays of counts, and nothing else needed."""

from __future__ import annotations

import json

import numpy as np
import pytest
from console import invoke

from coffea_ddp import stats


@pytest.fixture
def pair(tmp_path):
    a, b = np.random.default_rng(1).poisson(25, (2, 8, 9))
    b[2:4, 3:6] += 40
    np.save(tmp_path / "a.npy", a)
    np.save(tmp_path / "b.npy", b)
    return a, b


def test_what_the_library_says(tmp_path, pair, capsys):
    a, b = pair
    code, out, _ = invoke(
        capsys,
        "compare",
        tmp_path / "a.npy",
        tmp_path / "b.npy",
        "--toys",
        200,
        "--seed",
        3,
        "-o",
        tmp_path / "r.json",
    )
    assert code == 0
    rows = {row["test"]: row for row in json.loads((tmp_path / "r.json").read_text())["rows"]}
    assert rows["nsigma"]["z_local"] == pytest.approx(stats.n_sigma(a, b).statistic)
    found = stats.scan_submatrices(a, b, toys=200, seed=3)
    assert rows["submatrix"]["p_global"] == found.p_value
    assert rows["submatrix"]["bins"] == "2:4 x 3:6"
    assert "2:4 x 3:6" in out
    assert "pseudo-experiments" in out
    assert (rows["submatrix"]["n_a"], rows["submatrix"]["n_b"]) == (found.n_a, found.n_b)


def test_text_files_and_options(tmp_path, capsys):
    (tmp_path / "a.txt").write_text("10, 20, 30\n")
    (tmp_path / "b.txt").write_text("11\n19\n30\n")
    for options in ((), ("--kappa", "totals"), ("--kappa", "2", "--kappa-error", "0.1", "--systematic", "0.05")):
        code, out, _ = invoke(capsys, "compare", tmp_path / "a.txt", tmp_path / "b.txt", "--toys", 64, *options)
        assert code == 0
        assert "submatrix" in out


def test_flat_matrices_against_their_totals(tmp_path, capsys):
    np.save(tmp_path / "a.npy", np.full(9, 100))
    np.save(tmp_path / "b.npy", np.full(9, 110))
    code, out, err = invoke(
        capsys, "compare", tmp_path / "a.npy", tmp_path / "b.npy", "--kappa", "totals", "--toys", 64
    )
    assert code == 0
    assert "n_sigma:" in err
    assert "submatrix" in out


@pytest.mark.parametrize(
    ("name", "content", "options", "message"),
    [
        ("missing.npy", None, (), "no such file"),
        ("bad.npy", "nonsense", (), "not a matrix of numbers"),
        ("bad.txt", "a b c", (), "not a matrix of numbers"),
        ("ragged.txt", "1 2\n3\n", (), "not a matrix of numbers"),
        ("short.txt", "1 2", (), "same bins"),
        ("half.txt", "1.5 2 3", (), "fractional"),
        ("minus.txt", "-1 2 3", (), "negative"),
        ("ok.txt", "1 2 3", ("--kappa", "x"), "or totals"),
        ("ok.txt", "1 2 3", ("--kappa", "0"), "kappa"),
        ("zeros.txt", "0 0 0", (), "both empty"),
    ],
)
def test_wrong_input(tmp_path, capsys, name, content, options, message):
    if content is not None:
        (tmp_path / name).write_text(content)
    other = tmp_path / "o.txt"
    other.write_text("0 0 0" if name == "zeros.txt" else "3 2 1")
    code, _, err = invoke(capsys, "compare", tmp_path / name, other, *options)
    assert code == 1
    assert message in err
    assert "Traceback" not in err
