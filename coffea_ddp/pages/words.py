"""The words of a report's pages: the headline, the methods of the p-values, and the caveats.

Examples
--------
>>> z_text(-1.234), level(-1.234)
('\N{MINUS SIGN}1.23', 'm1')
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from coffea_ddp.report.closure import calibration_sentences
from coffea_ddp.report.common import explanations
from coffea_ddp.report.display import more_would_take, number, probability, summary_text, z_global_of
from coffea_ddp.report.simulated import sentences

if TYPE_CHECKING:
    from coffea_ddp.report.report import ScanReport
    from coffea_ddp.report.rows import Row


_SIMULATED = (
    "Data are compared with simulation: what the simulation does not know (an efficiency, a background from "
    "misidentified objects, a cross section) makes as high a z as anything new. A variation that was not given counts "
    "as known exactly; one that was given has its say in every p. Where few simulated events are, the test of regions "
    "is conservative."
)


def minus(text: str) -> str:
    """Return a number's text with a minus sign in place of a hyphen."""
    return text.replace("-", "\N{MINUS SIGN}", 1) if text.startswith("-") else text


def z_text(z: float | None) -> str:
    """Return z with its sign and two digits; nothing for ``None``."""
    return minus(number(z))


def minus_in(text: str) -> str:
    """Return text with minus signs in its z."""
    return text.replace("= -", "= \N{MINUS SIGN}").replace("< -", "< \N{MINUS SIGN}")


def p_text(p: float | None) -> str:
    """Return a probability with two digits; nothing for ``None``."""
    return probability(p)


def z_global_text(row: Row) -> str:
    """Return the global z with its sign and two digits, a bound where it is one; nothing where there is none."""
    return z_global_of(row).replace("-", "\N{MINUS SIGN}").replace(" ", "\N{NO-BREAK SPACE}")


def percent(value: float | None) -> str:
    """Return per cent with their sign; above 100 just that."""
    return "" if value is None else "> 100 %" if abs(value) > 100.0 else f"{minus(f'{value:+.1f}')} %"


def level(z: float | None) -> str:
    """Return the style class of the colour of z: ``"p0"`` to ``"p6"`` above 0, ``"m0"`` to ``"m6"`` below."""
    return "" if z is None else f"{'m' if z < 0 else 'p'}{min(int(abs(z)), 6)}"


def levels() -> list[tuple[str, str]]:
    """Return style classes and their meaning, from the lowest z to the highest."""
    texts = ["0", "1", "2", "3", "4", "5", "6+"]
    below = [(f"m{i}", f"\N{MINUS SIGN}{texts[i]}") for i in range(6, 0, -1)]
    return [*below, ("p0", "0"), *((f"p{i}", f"+{texts[i]}") for i in range(1, 7))]


def place(row: Row) -> str:
    """Return the place of a row, without its cell."""
    return f"{row.symmetry}: {row.observable}" if row.symmetry else str(row.observable or "")


def paragraphs(report: ScanReport) -> list[str]:
    """Return the paragraphs of the headline."""
    found = (
        sentences(report.inputs)
        + calibration_sentences(report.inputs)
        + [f"{one.text}." for one in report.common_asymmetries]
    )
    found += [f"{one}." for one in explanations(report.rows)]
    found += [
        f"Best of the whole report ({one.what}): {'; '.join(filter(None, (summary_text(one), more_would_take(one))))}; "
        f"{one.method}."
        for one in report.global_p
        if one.scope is None and one.what == "min-p"
    ]
    if report.rows and not report.global_p and any(row.kind != "spectrum" for row in report.rows):
        found.append(
            "No pseudo-experiments were made: global p-values of symmetries are the Sidak bound over all trials, which "
            "is conservative as cells overlap. coffea-ddp scan --toys 1000 counts them."
        )
    return found


def caveats(report: ScanReport) -> list[str]:
    """Return the caveats of this report, and of any."""
    rows, inputs = report.rows, report.inputs
    tests = {row.test for row in rows}
    found = [
        *([_SIMULATED] if any(row.kind == "comparison" for row in rows) else []),
        (
            "A high z marks a region to study, not a discovery. Many symmetries of the Standard Model are "
            "approximate: electrons and muons differ in efficiency, isolation and radiation. The asymmetry says "
            "which relative difference of efficiency would explain a row alone; one of 2 % makes z = 0.02 sqrt(N/2), "
            "which grows with the data without limit."
        ),
    ]
    if report.partial:
        found.insert(
            0, "The input is PARTIAL: what is missing is named under provenance, and no number here knows of it."
        )
    if report.options.get("expectation") == "" and any(row.kind == "symmetry" for row in rows):
        found.append("The expected ratio of B to A is the plan's, taken as exact, with no systematic error.")
    if inputs.get("weighted"):
        found.append(
            "Events have weights: contents are sums of weights, and p-values rest on effective numbers of events."
        )
    if "bump" in tests:
        found.append(
            "z of a bump is what a network estimates for an ideal analysis that knows the background; no method that "
            "sees only the counts can know it better than its smoothness allows. A bump is a reason for a "
            "closer study with a fit."
        )
    if tests & {"nplm", "classifier"}:
        found.append(
            "Tests on events compare shapes of the stored events alone; where more were met than are stored, a fair "
            "sample of them."
        )
    if len(rows) < report.trials:
        found.append(
            f"The report keeps {len(rows):,} rows of {report.trials:,} trials; coffea-ddp scan --best N keeps more. "
            "The distribution of z is of all tests of whole cells."
        )
    return found
