"""Fields of RNTuples: the parts that uproot finds, found once a file, and nothing else kept."""

from __future__ import annotations

import gc
import weakref
from collections import Counter
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import uproot
from hypothesis import given
from hypothesis import strategies as st
from uproot.models.RNTuple import HeaderReader, MetaData, RField

import coffea_ddp as ddp
from coffea_ddp.errors import FileError
from coffea_ddp.running import fields, ntuples, trees
from coffea_ddp.running.ntuples import SortedFields
from coffea_ddp.testing import make_nanoaod, make_physlite

REAL = (
    ("physlite/uproot-physlite-rntuple_v1-0-0-0.root", "EventData"),
    ("nanoaod_real/nano_dimuon_rntuple.root", "Events"),
    ("nanoaod_real/nano_dy_rntuple.root", "Events"),
)
ROLES = tuple(uproot.const.RNTupleFieldRole)


@pytest.fixture(scope="module")
def atlas(tmp_path_factory) -> str:
    return str(make_physlite(tmp_path_factory.mktemp("atlas") / "a.root", events=60, seed=1, container="rntuple"))


def check_parts(path: str, tree: str) -> None:
    """Check that every field has the parts that uproot itself finds, and the file the same names."""
    with uproot.open({path: None}, object_cache=None) as file, trees.open_root(path) as sorted_file:
        plain, found = file[tree], sorted_file[tree]
        assert sorted_file[tree] is found
        assert all(one._fields is not None for one in found.all_fields)
        for one, other in zip(plain.all_fields, found.all_fields, strict=True):
            assert [part.field_id for part in one.fields] == [part.field_id for part in other.fields]
        assert [one.field_id for one in plain.fields] == [one.field_id for one in found.fields]
        assert plain.keys() == found.keys()


def test_parts_are_those_of_uproot(atlas, tmp_path):
    check_parts(atlas, "EventData")
    check_parts(str(make_nanoaod(tmp_path / "n.root", events=20, seed=1, container="rntuple")), "Events")


@pytest.mark.slow
@pytest.mark.parametrize(("name", "tree"), REAL)
def test_parts_of_real_files_are_those_of_uproot(name, tree, shared):
    check_parts(str(shared(name)), tree)


@given(st.data())
def test_parts_of_any_fields_are_those_of_uproot(data):
    size = data.draw(st.integers(1, 12))
    place = data.draw(st.permutations(range(size)))  # parents may come behind what is in them
    above = [data.draw(st.integers(0, number)) for number in range(size)]
    records = [MetaData("field")] * size
    for number, parent in enumerate(above):
        records[place[number]] = MetaData(
            "field",
            parent_field_id=place[parent],
            field_name=data.draw(st.sampled_from(("x", "y", "_0", "_1", ":_0"))),
            struct_role=data.draw(st.sampled_from(ROLES)),
            flags=data.draw(st.sampled_from((0, uproot.const.RNTupleFieldFlags.REPETITIVE))),
        )
    both = []
    for _ in range(2):
        model = SimpleNamespace(field_records=records)
        model.all_fields = [RField(number, model) for number in range(size)]
        both.append(model.all_fields)
    ntuples._sort(both[0], [record.parent_field_id for record in records])
    for one, other in zip(*both, strict=True):
        assert [part.field_id for part in one._fields] == [part.field_id for part in other.fields]


@pytest.fixture
def asked(monkeypatch) -> Counter[str]:
    """Return how often uproot asks the records of fields for anything, and how often it reads the head of a file."""
    found: Counter[str] = Counter()
    ask, read = MetaData.__getattr__, HeaderReader.read
    monkeypatch.setattr(MetaData, "__getattr__", lambda self, name: found.update([name]) or ask(self, name))
    monkeypatch.setattr(HeaderReader, "read", lambda *given: found.update(["heads"]) or read(*given))
    return found


def test_a_chunk_goes_through_the_fields_once(atlas, asked):
    with trees.open_root(atlas) as file:
        n_fields = len(file["EventData"].all_fields)
        names = list(fields._Branches(atlas, file["EventData"], 0, 0))
    wanted = [name for name in names if name.split(".")[0] in ("AnalysisMuons", "AnalysisElectrons", "EventInfo")]
    wanted = [name for name in wanted if name.count(".") == 1][:25]
    assert len(wanted) > 10
    asked.clear()
    fields.read(atlas, "EventData", wanted, 0, 60)
    assert asked["heads"] == 1
    assert asked["parent_field_id"] < 25 * n_fields  # one search alone asks that many, and there are two a branch


def test_coffea_goes_through_the_fields_once_a_time(asked, tmp_path):
    path = make_nanoaod(tmp_path / "n.root", events=40, seed=1, container="rntuple")
    with trees.open_root(str(path)) as file:
        n_fields = len(file["Events"].all_fields)
    asked.clear()
    assert ddp.run("symmetries", path).n_events == 40
    assert asked["parent_field_id"] < 12 * asked["heads"] * n_fields


def test_nothing_but_ntuples_is_kept_and_they_go_with_the_file(atlas, tmp_path):
    with uproot.recreate(tmp_path / "h.root") as file:
        file["h"] = np.histogram(np.arange(5.0))
        file.mktree("t", {"x": np.arange(3.0)})
    with trees.open_root(str(tmp_path / "h.root")) as file:
        assert [file["h"].name, file["t"].name] == ["h", "t"]
        assert not file.file.object_cache
    with trees.open_root(atlas) as file:
        model = weakref.ref(file["EventData"])
        assert list(file.file.object_cache.values()) == [model()]
    with trees.open_root(atlas) as other:
        assert not other.file.object_cache
    del file
    gc.collect()
    assert model() is None


def test_a_damaged_head_is_an_error_that_names_the_file(atlas, tmp_path):
    with trees.open_root(atlas) as file:
        seek = file["EventData"].member("fSeekHeader")
    damaged = bytearray(Path(atlas).read_bytes())
    damaged[seek + 40] ^= 0xFF
    path = tmp_path / "b.root"
    path.write_bytes(damaged)
    with trees.open_root(str(path)) as file:
        for _ in range(2):  # uproot itself compares the checksum the first time only
            with pytest.raises(AssertionError):
                file["EventData"]
    with pytest.raises(FileError, match=r"b\.root: "):
        ddp.run("symmetries", path)


def test_a_version_that_searches_otherwise_does_it_itself(atlas, monkeypatch):
    monkeypatch.setattr(RField, ntuples._OLD, property(lambda _: False), raising=False)
    with uproot.open(atlas, object_cache=SortedFields()) as file:
        assert {one._fields for one in file["EventData"].all_fields} == {None}
        assert [one.name for one in file["EventData"]["AnalysisJetsAuxDyn:btaggingLink"].fields] == [
            "m_persKey",
            "m_persIndex",
        ]
