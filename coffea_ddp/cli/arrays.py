"""The command for two arrays of counts: compare."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click
import numpy as np

from coffea_ddp._files import COMPARISON, OUTPUT, ROOT, check_input, what_is, write_text
from coffea_ddp._text_tables import text_table
from coffea_ddp.cli.outputs import Command, OutputFile, delivering, to_stdout
from coffea_ddp.cli.telling import result
from coffea_ddp.cli.terminal import DONE, note, steps_bar, terminal
from coffea_ddp.errors import FileError, InputError
from coffea_ddp.stats.defaults import TOYS


@click.command(cls=Command)
@click.argument("a", type=click.Path())
@click.argument("b", type=click.Path())
@click.option("--kappa", default="1", show_default=True, help="Expected B / A: a number, or totals (compare shapes).")
@click.option(
    "--kappa-error", type=float, default=0.0, show_default=True, help="Relative uncertainty of a given kappa."
)
@click.option("--systematic", type=float, default=0.0, show_default=True, help="Relative uncertainty of B / A per bin.")
@click.option(
    "--toys", type=click.IntRange(min=0), default=TOYS, show_default=True,
    help="Pseudo-experiments for the global p-value of all rectangles; 0: the Sidak bound.",
)  # fmt: skip
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Seed of everything random.")
@click.option(
    "--alternative", type=click.Choice(["two-sided", "greater", "less"]), default="two-sided", show_default=True,
    help="Direction of the excess: either, of B, or of A.",
)  # fmt: skip
@click.option("-o", "--output", type=OutputFile(COMPARISON), help="The results to write (JSON; - is standard output).")
def compare(a: str, b: str, output: str | None, **options: Any) -> int:
    r"""Compare two arrays of counts: N_sigma of the whole, and the best of all rectangles.

    A and B are .npy files, or text files of numbers, of one shape with one or two axes.

    \b
    coffea-ddp compare a.npy b.npy
    coffea-ddp compare a.npy b.npy --kappa totals --toys 10000
    """
    from coffea_ddp.report.display import counted_p, number, probability

    first, second = read_matrix(a), read_matrix(b)
    try:
        rows = _rows(first, second, options)
    except InputError as error:
        raise InputError(f"{a} and {b}: {error}") from error
    columns = {"test": "left", "bins": "left", "n_a": "right", "n_b": "right", "z 2-sided": "right", "p local": "right",
               "p global": "right", "asymmetry": "right"}  # fmt: skip
    lines = [
        [
            row["test"], row["bins"] or "all", f"{row['n_a']:,}", f"{row['n_b']:,}", number(row["z_local"]),
            probability(row["p_local"] or 0.0), counted_p(row["p_global"], row["n_ge"], row["n"]),
            "" if row["asymmetry"] is None else f"{100 * row['asymmetry']:+.1f} %",
        ]
        for row in rows
    ]  # fmt: skip
    how = "\n".join(f"{row['test']}: {row['method']}" for row in rows)
    content = {"format": "coffea-ddp/comparison", "version": 1, "a": a, "b": b, "rows": rows}
    table = text_table(f"{a} (A) and {b} (B)", how, columns, lines)  # type: ignore[arg-type]
    with delivering() as deliver:
        deliver(output, lambda path: write_text(path, json.dumps(content, indent=1) + "\n", COMPARISON))
        terminal(stderr=to_stdout(output)).print(table)
        result(lambda: content)
    return DONE


def _rows(a: np.ndarray[Any, Any], b: np.ndarray[Any, Any], options: dict[str, Any]) -> list[dict[str, Any]]:
    from coffea_ddp.stats import n_sigma, scan_submatrices

    kappa: Any = options["kappa"]
    if kappa != "totals":
        try:
            kappa = float(kappa)
        except ValueError:
            raise InputError(f"--kappa {kappa}: give the expected ratio B/A, or totals") from None
    rows = []
    errors = {
        "kappa_error": options["kappa_error"] * (1.0 if kappa == "totals" else kappa),
        "systematic": options["systematic"],
    }
    try:
        whole = n_sigma(a, b, kappa=kappa, **errors)
    except InputError as error:
        if kappa != "totals" or not (a.any() and b.any()):
            raise
        note(f"n_sigma: {error}")
    else:
        rows.append(_row("nsigma", None, a, b, whole.statistic, whole.p_value, None, whole.asymmetry, whole.method))
    if kappa == "totals" and options["systematic"]:
        note(
            "submatrix: kappa from the totals and a systematic error have no common null; give kappa to scan rectangles"
        )
        return rows
    for statistic in ("counts", "nsigma"):
        with steps_bar("relabelling") as progress:
            found = scan_submatrices(
                a, b, kappa=kappa, **errors,
                toys=options["toys"], seed=options["seed"],
                alternative=options["alternative"], statistic=statistic,
                progress=lambda done, total: progress(done, total, ""),
            )  # fmt: skip
        inside = tuple(slice(*span) for span in found.bins)
        bins = " x ".join(f"{start}:{stop}" for start, stop in found.bins)
        name = "submatrix" if statistic == "counts" else "submatrix_nsigma"
        rows.append(_row(name, bins, a[inside], b[inside], found.z_value, found.p_local, found.p_value,
                         found.asymmetry, found.method, found.permutation))  # fmt: skip
    return rows


def _row(
    test: str, bins: str | None, a: Any, b: Any, z: float, p_local: float, p_global: float | None, *rest: Any
) -> dict[str, Any]:
    from coffea_ddp.report.parts import SMALLEST_P

    asymmetry, method, count = (*rest, None)[:3]
    finite = asymmetry if np.isfinite(asymmetry) else None
    # No double can hold a smaller one; z has the value.
    shown = [None if p is None or p < SMALLEST_P else p for p in (p_local, p_global)]
    return {"test": test, "bins": bins, "n_a": int(a.sum()), "n_b": int(b.sum()), "z_local": z, "p_local": shown[0],
            "p_global": shown[1], "n_ge": count and count.n_ge, "n": count and count.n, "asymmetry": finite,
            "method": method}  # fmt: skip


def read_matrix(path: str) -> np.ndarray[Any, Any]:
    """Return the numbers in a .npy file, or in a text file with blanks or commas between them.

    Raises
    ------
    FileError
        If there is no such file, or it holds anything else.
    """
    check_input(path)
    if not Path(path).is_file():
        raise FileError(f"{path}: no such file; give a .npy file or a text file of numbers")
    try:
        if path.endswith(".npy"):
            found = np.load(path, allow_pickle=False)
        else:
            text = Path(path).read_text(encoding="utf-8").replace(",", " ")
            found = np.array([[float(word) for word in line.split()] for line in text.splitlines() if line.strip()])
            found = found[0] if len(found) == 1 else found[:, 0] if found.ndim == 2 and found.shape[1] == 1 else found
        return np.asarray(found, dtype=np.float64)
    except (OSError, ValueError, EOFError, IndexError, MemoryError) as error:
        kind = what_is(path)
        if kind in (OUTPUT, ROOT):
            raise FileError(f"{path}: {kind}, not a matrix of numbers; give .npy or text files of counts") from error
        raise FileError(f"{path}: not a matrix of numbers ({error})") from error
