"""After a warm-up commands compile nothing more."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from coffea_ddp import testing


@pytest.mark.slow
def test_after_a_warm_up_nothing_is_compiled(tmp_path):
    kept = tmp_path / "kept"
    machine = {**os.environ, "NUMBA_CACHE_DIR": str(kept)}
    testing.make_nanoaod(tmp_path / "n.root", events=5_000, seed=2)
    rows = "".join(f"{i},{i + 1},{(5003 - 61 * i) // (1 + (i > 40))}\n" for i in range(80))
    (tmp_path / "s.csv").write_text(f"low,high,count\n{rows}")

    def does(*words):
        done = subprocess.run(
            [sys.executable, "-m", "coffea_ddp", *words],
            cwd=tmp_path, env=machine, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return done.stderr, len(list(kept.rglob("*.nbc")))

    told, compiled = does("warm-up")
    assert "kept in" in told
    assert compiled > 50
    for line in (
        "run symmetries n.root -o h.ddp --executor iterative",
        "run resonances n.root -o m.ddp --executor iterative",
        "scan h.ddp --tests nsigma,submatrix -o r.json --toys 64",
        "scan m.ddp --tests bump -o b.json --toys 5",
        "bump s.csv --width 2 -o c.json --toys 5",
        "bump s.csv -o d.json --toys 5",
    ):
        assert does(*line.split())[1] == compiled, line
