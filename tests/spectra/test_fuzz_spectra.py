"""Damaged and hostile files of spectra: a clean error or equal numbers, nothing else."""

from __future__ import annotations

import json
import warnings

import hist
import numpy as np
import pytest

from coffea_ddp.errors import DDPError
from coffea_ddp.spectra.reading import read_spectra
from coffea_ddp.spectra.spectrum import MassSpectrum
from coffea_ddp.spectra.writing import write_spectra

SEEDS = 200
EDGES = np.linspace(60.0, 90.0, 31)
COUNTS = np.random.default_rng(1).poisson(4000 * np.exp(-np.arange(30) / 9.0))

PIECES = (
    b"", b"\x00", b"nan", b"inf", b"-inf", b"1e999", b"-1e308", b"9" * 400, b"9" * 5000, b"\xff\xfe", b"\xed\xa0\x80",
    b'"', b"'", b",", b";", b"\t", b"\n", b"\r", b"#", b"{", b"}", b"[", b"]", b":", b"&a", b"*a",
    b"!!python/name:os.system",
    b"\\ud800", b"true", b"null", b"[" * 100_000, b'{"a":' * 100_000, b"1_000", b"0x10", b"1e-400", b"--", b"1,5", b"-",
)  # fmt: skip


def csv_text():
    lines = [f"{low:g},{high:g},{n}" for low, high, n in zip(EDGES, EDGES[1:], COUNTS, strict=False)]
    return "low,high,count\n" + "\n".join(lines) + "\n"


def hepdata():
    bins = [{"low": low, "high": high} for low, high in zip(EDGES[:-1].tolist(), EDGES[1:].tolist(), strict=True)]
    values = [{"value": int(n), "errors": [{"symerror": float(n) ** 0.5, "label": "stat"}]} for n in COUNTS]
    return {
        "independent_variables": [{"header": {"name": "M", "units": "GEV"}, "values": bins}],
        "dependent_variables": [{"header": {"name": "Events"}, "values": values}],
    }


def yaml_text():
    table = hepdata()
    lines = ["dependent_variables:", "- header: {name: Events}", "  values:"]
    lines += [f"  - value: {one['value']}" for one in table["dependent_variables"][0]["values"]]
    lines += ["independent_variables:", "- header: {name: M, units: GEV}", "  values:"]
    bins = table["independent_variables"][0]["values"]
    return "\n".join([*lines, *(f"  - {{low: {one['low']}, high: {one['high']}}}" for one in bins), ""])


def uhi_text(tmp_path):
    one = hist.Hist(hist.axis.Variable(EDGES, name="mass"), storage=hist.storage.Int64())
    one.view()[...] = COUNTS
    path = write_spectra([MassSpectrum("m0m1", "mu=2", one, width=1.5)], tmp_path / "made.json")
    return path.read_text()


def changed_bytes(content, rng):
    """Return bytes with pieces put in, taken out, doubled or flipped."""
    data = bytearray(content)
    for _ in range(int(rng.integers(1, 4))):
        place = int(rng.integers(0, len(data) + 1))
        size = int(rng.integers(0, 12))
        match int(rng.integers(5)):
            case 0:
                data[place:place] = PIECES[int(rng.integers(len(PIECES)))]
            case 1:
                del data[place : place + size]
            case 2:
                data[place : place + size] = PIECES[int(rng.integers(len(PIECES)))]
            case 3:
                data[place:place] = data[place : place + 40]
            case _:
                if place < len(data):
                    data[place] ^= 1 << int(rng.integers(8))
    return bytes(data)


VALUES = (
    None, True, "x", "", [], {}, -1, 0, 1e308, float("nan"), float("inf"), 10**400, 10**12, [[1]], "\ud800", {"low": 1},
    -0.5, "5%",
)  # fmt: skip


def changed_json(content, rng):
    """Return text of JSON with a value anywhere replaced, or left out."""
    made = json.loads(content)
    for _ in range(int(rng.integers(1, 3))):
        node = made
        for _ in range(int(rng.integers(1, 9))):
            keys = list(node) if isinstance(node, dict) else list(range(len(node)))
            if not keys:
                break
            key = keys[int(rng.integers(len(keys)))]
            if isinstance(node[key], dict | list) and node[key] and rng.random() < 0.8:
                node = node[key]
                continue
            if rng.random() < 0.2:
                del node[key]
            else:
                node[key] = VALUES[int(rng.integers(len(VALUES)))]
            break
    return json.dumps(made).encode()


def outcome(path):
    """Return whether a file was read as it was made, read as other sound spectra, or refused."""
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", ".*is not read", UserWarning)
            found = read_spectra(path)
    except DDPError as error:
        text = str(error)
        assert len(text) < 2000
        text.encode()  # it can be printed
        return "refused"
    for one in found:
        assert one.hist.ndim == 1
        assert np.isfinite(one.counts).all()
        assert np.isfinite(one.edges).all()
        assert (np.diff(one.edges) > 0).all()
        assert np.isfinite(one.effective).all()
        str(one.hist.name).encode()
    return "same" if any(np.array_equal(one.counts, COUNTS) for one in found) else "changed"


@pytest.mark.parametrize("kind", ["csv", "json", "uhi", "yaml"])
def test_damaged_files(tmp_path, kind):
    made = {"csv": csv_text, "yaml": yaml_text, "json": lambda: json.dumps(hepdata())}
    content = (uhi_text(tmp_path) if kind == "uhi" else made[kind]()).encode()
    path = tmp_path / f"t.{kind if kind != 'uhi' else 'json'}"
    path.write_bytes(content)
    assert outcome(path) == "same"
    seen = []
    for seed in range(SEEDS):
        rng = np.random.default_rng([seed, len(kind)])
        structured = kind in ("json", "uhi") and seed % 2
        path.write_bytes(changed_json(content, rng) if structured else changed_bytes(content, rng))
        seen.append(outcome(path))
    assert seen.count("refused") > SEEDS // 5


@pytest.mark.parametrize("suffix", ["json", "yaml", "csv", "txt", "root"])
@pytest.mark.parametrize(
    "content",
    [
        b"[" * 100_000, b'{"a":' * 100_000, b'{"a": 1, "a": 2}', b"9" * 10_000, b'{"x": ' + b"9" * 10_000 + b"}",
        b'{"axes": [{"type": "regular", "lower": 0, "upper": 1, "bins": 1000000000000}], "storage": {"type": "int"}}',
        b"low,high,count\n" + b"0,1e-300,1\n" * 3, b"low,high,count\n0,inf,1\n-inf,0,2\n", b"\n" * 1000, b"," * 2000,
        b"x" * 100_000, b"a: &a [*a]\n", b"a: &a\n  b: *a\ndependent_variables: *a\n",
        b"\xff\xfe", b"- - - - -\n" * 1000,
        b'{"dependent_variables": 3}', b'{"dependent_variables": [], "independent_variables": []}',
        b'{"headers": [], "values": []}', b'{"headers": [], "values": [{"x": [], "y": []}]}',
    ],
    ids=range(19),
)  # fmt: skip
def test_hostile_files(tmp_path, suffix, content):
    path = tmp_path / f"t.{suffix}"
    path.write_bytes(content)
    assert outcome(path) == "refused"
