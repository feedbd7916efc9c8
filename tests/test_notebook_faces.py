"""The faces of things in a notebook: completion of keys, short reprs, plans as tables."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import pytest
from IPython.core.completer import IPCompleter, provisionalcompleter
from IPython.core.interactiveshell import InteractiveShell
from reports import EVIL, row
from toys import make_histograms, make_layout

from coffea_ddp import Multiplicity, ScanPlan, ScanProcessor, Topology, load_plan, symmetries
from coffea_ddp import observables as obs
from coffea_ddp.histograms.histograms import Histograms
from coffea_ddp.plan.plan_files import shipped_plans
from coffea_ddp.report.parts import BumpPart
from coffea_ddp.report.rows import COLUMNS


@pytest.fixture(scope="module")
def hists() -> Histograms:
    return make_histograms(make_layout(), 200, seed=3)


def completed(hists: Histograms, text: str) -> list[str]:
    completer = IPCompleter(shell=InteractiveShell.instance(), namespace={"hists": hists})
    completer.use_jedi = False
    with provisionalcompleter():
        return [one.text for one in completer.completions(text, len(text))]


def test_keys_are_completed_up_to_the_cell(hists: Histograms) -> None:
    name = hists.symmetries[0]
    observable = hists.observables(name)[0]
    assert name in completed(hists, 'hists["')
    assert set(hists.observables(name)) <= set(completed(hists, f'hists["{name}", "'))
    assert "inclusive" in completed(hists, f'hists["{name}", "{observable}", "')


def test_every_key_that_is_offered_leads_to_a_pair(hists: Histograms) -> None:
    keys = hists._ipython_key_completions_()
    assert keys
    for key in keys:
        assert hists[key].symmetry == key[0]


class Counted(HTMLParser):
    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.tags.append(tag)


@pytest.mark.parametrize("name", shipped_plans())
def test_a_plan_is_short_in_text_and_a_table_in_a_notebook(name: str) -> None:
    plan = load_plan(name)
    for one in (plan, ScanProcessor(plan), plan.layout, *plan.symmetries, *plan.spectra[:20]):
        assert len(repr(one)) < 250, repr(one)
        assert "\n" not in repr(one)
    assert plan.fingerprint in repr(plan)
    tags = Counted(plan._repr_html_()).tags
    assert tags.count("table") >= 2
    text = re.sub("<[^>]+>", " ", plan._repr_html_())
    assert all(axis.name in text for axis in plan.cells)


def test_names_in_a_plan_are_text() -> None:
    symmetry = symmetries.e_mu((obs.observable(obs.met, name=EVIL),), sides=(EVIL, "b"))
    cells = (Multiplicity("j", last=2, description=EVIL), Topology("VBF", lambda ev: ev.count("j") > 1))
    plan = ScanPlan(EVIL + "\x1b[31m", symmetries=(symmetry,), cells=cells)
    assert "<script" not in plan._repr_html_()
    assert "\x1b" not in repr(plan) + repr(symmetry) + repr(symmetry.observables[0])


def test_a_row_is_one_short_line_and_its_columns_are_all_there() -> None:
    one = row(region=None, cell="j=1 & VBF", z_local=-3.456, p_global=0.012, number=7)
    assert repr(one) == "Row(7: e/mu | met | j=1 & VBF, nsigma, z=-3.46, p_global=0.012)"
    bump = row(
        kind="spectrum", symmetry=None, position=91.2, width=2.0, z_local=None, p_global=None, status="NO_DOMAIN"
    )
    assert repr(bump) == "Row(met | inclusive, nsigma, NO_DOMAIN)"
    assert isinstance(bump.bump, BumpPart)
    assert set(one.columns()) == set(COLUMNS)
    assert "\x1b" not in repr(row(cell="\x1b[31m"))
