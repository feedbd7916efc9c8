"""Reports of rows that nobody scanned: for what is shown of them."""

from __future__ import annotations

from coffea_ddp.report.older_files import axes_of
from coffea_ddp.report.report import ScanReport
from coffea_ddp.report.rows import Row

EVIL = "<script>window.evil=1</script>\"'&amp;"


def row(**changes):
    known = {
        "kind": "symmetry", "symmetry": "e/mu", "observable": "met", "cell": "inclusive", "region": None,
        "test": "nsigma", "n_a": 5, "n_b": 6, "statistic": 1.0, "p_local": 0.3, "z_local": 1.0, "p_global": 1.0,
        "z_global": 0.0, "method": "asymptotic", "status": "OK", "rank": 1, "similar_to": 1,
    }  # fmt: skip
    known |= changes
    known.setdefault("asks", tuple(axes_of(known["cell"])))
    return Row.of_columns(**known)


def report_of(rows, **changes):
    known = {
        "plan": "p",
        "fingerprint": "",
        "seed": 0,
        "inputs": {"events": 11},
        "trials": len(rows),
        "rows": tuple(rows),
    }
    return ScanReport(**(known | changes))
