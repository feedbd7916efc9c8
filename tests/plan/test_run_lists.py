"""Good-run lists of ATLAS: what is read, and what is none."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coffea_ddp.errors import FileError
from coffea_ddp.plan.run_lists import read_xml
from coffea_ddp.plan.selections import GoodRuns

HEAD = (
    '<?xml version="1.0" ?>\n<!DOCTYPE LumiRangeCollection SYSTEM "http://nowhere.example/LumiRangeCollection.dtd">\n'
)
RUNS = st.dictionaries(
    st.integers(1, 10**6),
    st.lists(st.tuples(st.integers(0, 50), st.integers(0, 50)), min_size=1, max_size=4),
    min_size=1,
)


def written(runs: dict[int, list[tuple[int, int]]]) -> str:
    """Return a list as ATLAS writes it; of a run, several collections."""
    one = '<LumiBlockCollection><Run PrescaleRD0="1">{}</Run><LBRange Start="{}" End="{}"/></LumiBlockCollection>'
    parts = [one.format(run, a, a + more) for run, ranges in runs.items() for a, more in ranges]
    metadata = '<Name>DataQuality</Name><Version>2.1</Version><Metadata Name="Query">x</Metadata>'
    return (
        f"{HEAD}<LumiRangeCollection><NamedLumiRange>{metadata}{''.join(parts)}</NamedLumiRange></LumiRangeCollection>"
    )


@given(RUNS)
def test_every_block_is_as_it_is_written(runs: dict[int, list[tuple[int, int]]]) -> None:
    good = GoodRuns.from_dict(read_xml(written(runs)))
    for run, ranges in runs.items():
        blocks = list(range(1, 110))
        inside = [any(a <= block <= a + more for a, more in ranges) for block in blocks]
        assert good.mask([run] * len(blocks), blocks).tolist() == inside
    assert not good.mask([10**6 + 1], [1]).any()


def test_ranges_in_any_order_that_overlap_or_begin_at_0() -> None:
    for ranges in ([[5, 9], [1, 3]], [[1, 9], [2, 3]], [[0, 2]], [[0, 0]], [[1, 4], [4, 6]]):
        good = GoodRuns.from_dict({"7": ranges})
        inside = [any(a <= block <= b for a, b in ranges) for block in range(1, 12)]
        assert good.mask([7] * 11, range(1, 12)).tolist() == inside, ranges
    assert GoodRuns.from_dict({"7": [[1, 3], [4, 9]]}).text == '{"7": [[1, 3], [4, 9]]}'


def test_a_range_without_an_end(tmp_path: Path) -> None:
    path = tmp_path / "grl.xml"
    for end in ("-1", "4294967295", "99999999999"):
        path.write_text(written({7: [(3, 0)]}).replace('End="3"', f'End="{end}"'))
        assert GoodRuns.from_file(path).mask([7, 7, 7], [2, 3, 2**32 - 1]).tolist() == [False, True, True]


def test_a_json_list_is_read_as_ever(tmp_path: Path) -> None:
    path = tmp_path / "golden.json"
    path.write_text('{"7": [[3, 4]]}')
    assert GoodRuns.from_file(path) == GoodRuns.from_dict(read_xml(written({7: [(3, 1)]})))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("<LumiRangeCollection>", "cannot be read as XML"),
        ("<html></html>", "its first element is 'html', and that of a good-run list LumiRangeCollection"),
        ("<LumiRangeCollection/>", "no LBRange"),
        (written({7: [(3, 1)]}).replace(">7<", ">x<"), "the run 'x', which is no number"),
        (written({7: [(3, 1)]}).replace('"3"', '"a"'), "run 7: a range from 'a' to '4'"),
        (written({7: [(3, 1)]}).replace('"3"', '"9"'), "run 7: the range from 9 to 4 is none"),
        ('<!DOCTYPE a [<!ENTITY b "c">]><LumiRangeCollection/>', "defines entities"),
    ],
)
def test_what_is_no_list(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "grl.xml"
    path.write_text(text)
    with pytest.raises(FileError, match=rf"good-run list .*grl\.xml: .*{message}"):
        GoodRuns.from_file(path)
