"""Histograms of regions in the JSON form of the Unified Histogram Interface, which hist and others read."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from boost_histogram.serialization import to_uhi

from coffea_ddp.spectra.writing import plain

if TYPE_CHECKING:
    from coffea_ddp.report.rows import Row

FORMAT, VERSION = "coffea-ddp/region", 1


def region_histograms(row: Row, sides: dict[str, Any], told: dict[str, Any]) -> dict[str, Any]:
    """Return histograms of a region as JSON-ready data.

    Parameters
    ----------
    row
        Of the report.
    sides
        ``hist`` histograms by their names, with all bins of the observable: the region is in the row.
    told
        What else there is to say.

    Examples
    --------
    >>> import hist
    >>> from coffea_ddp.report.rows import Row
    >>> row = Row.of_columns(
    ...     kind="spectrum", symmetry=None, observable="2mu", cell="inclusive", region=None, test="bump", n_a=None,
    ...     n_b=4, statistic=4.2, p_local=None, z_local=4.2, p_global=None, z_global=None, method="", status="OK",
    ... )  # fmt: skip
    >>> found = region_histograms(row, {"spectrum": hist.Hist.new.Reg(2, 0, 1).Int64()}, {})
    >>> found["format"], found["histograms"]["spectrum"]["storage"]["values"]
    ('coffea-ddp/region', [0, 0, 0, 0])
    """
    written = {name: to_uhi(one) for name, one in sides.items()}
    content = {"format": FORMAT, "version": VERSION, **told, "row": row.to_dict(), "histograms": written}
    found: dict[str, Any] = json.loads(json.dumps(content, default=plain))
    return found
