"""Names of columns, and the parts that they play in a table of a spectrum.

Examples
--------
>>> [role_of(name).value for name in ("M [GeV]", "M [GeV] LOW", "M [GeV] HIGH", "Events / 50 GeV", "stat +", "stat -")]
['mass', 'low', 'high', 'count', 'error', 'error']
"""

from __future__ import annotations

import re
from enum import Enum

_UNITS = re.compile(
    r"\[[^\]]*\]|\((?:[kmgt]?ev|pb|fb|nb|%|in [^)]*)[^)]*\)|/\s*[kmgt]ev\b|\bin [kmgt]ev\b", re.IGNORECASE
)
_MASS = re.compile(
    r"(?:inv(?:ariant)?)?_?m(?:ass)?|m(?:inv|vis)|(?:m|mass|minv)_?"
    r"(?:[ejlbtgzwhxy]|mu|tau|gam(?:ma)?|ph(?:oton)?|lep|jet|mumu|os|ss|reco|rec|inv|vis|pair|\d|_)+",
)
_LONGEST, _LONGEST_MASS = 200, 30
"""Characters of a name that are looked at, and of the name of a mass: a stranger's may have any number."""
_DENSITY = re.compile(r"(?:1\s*/\s*\w+\s*)?d\s*\\?\w+\s*/\s*d\s*\w+", re.IGNORECASE)
"""The name of a density: ``dN/dm``, ``dsigma/dm [pb/TeV]``."""
_NO_MASS = frozenset({"met", "mt", "meet"})
_EXACT = {
    "spectrum": ("spectrum", "histogram", "hist"),
    "index": ("bin", "index", "idx", "i", "ibin", "nbin", "bin_number", "bin_index", "binnumber", "row"),
    "half": ("half_width", "halfwidth", "hw", "xerr", "ex", "dx", "x_err", "x_error", "half", "err_x", "error_x"),
    "width": ("width", "bin_width", "binwidth", "bin_size"),
    "weight": ("weight", "weights", "w", "wgt", "genweight", "evtweight", "event_weight"),
    "mid": ("x", "center", "centre", "centers", "centres", "mid", "middle", "midpoint", "bincenter", "bincentre"),
    "count": ("n", "y", "num", "freq", "frequency", "data", "obs", "observed", "nevents", "nevts", "n_evt", "nev"),
}
_WORDS = {
    "variance": {"variance", "variances", "var", "sumw2", "w2", "sumsq", "err2", "error2", "sw2"},
    "error": {
        "error", "errors", "err", "errs", "unc", "uncertainty", "uncert", "stat", "statistical", "sys", "syst",
        "systematic", "std", "stdev", "ey", "dy", "yerr", "dn", "en", "total", "sigma_n", "poisson", "e_y", "lumi",
        "relerr",
    },
    "edge": {"edge", "edges"},
    "low": {"low", "lo", "lower", "min", "left", "xlow", "xlo", "xmin", "from", "begin", "start", "mlow", "binlow"},
    "high": {"high", "hi", "upper", "up", "max", "right", "xhigh", "xhi", "xmax", "to", "end", "stop", "mhigh",
             "binhigh"},
    "count": {
        "count", "counts", "entries", "events", "yield", "yields", "content", "contents", "bincontent", "observed",
        "occurrences", "nentries",
    },
    "mid": {"center", "centre", "centers", "centres", "midpoint"},
}  # fmt: skip


class Role(Enum):
    """The part that a column plays."""

    LOW = "low"
    HIGH = "high"
    EDGE = "edge"
    MID = "mid"
    MASS = "mass"
    WIDTH = "width"
    HALF = "half"
    COUNT = "count"
    VARIANCE = "variance"
    ERROR = "error"
    RELATIVE = "relative error"
    WEIGHT = "weight"
    SPECTRUM = "spectrum"
    INDEX = "index"
    OTHER = "other"


def words_of(name: str) -> list[str]:
    """Return the words of a column's name in lower case, without units.

    Examples
    --------
    >>> words_of("M(jj) [GeV] LOW"), words_of("binLow"), words_of("err_lo")
    (['m', 'jj', 'low'], ['bin', 'low'], ['err', 'lo'])
    """
    plain = _UNITS.sub(" ", name[:_LONGEST])
    plain = re.sub(r"(?<=[a-z])(?=[A-Z][a-z])", " ", plain).lower()
    return [word for word in re.split(r"[^a-z0-9]+", plain) if word and word not in ("gev", "tev", "mev")]


def role_of(name: str) -> Role:
    """Return the part that a column of a name plays."""
    role = _role_of(name)
    return Role.RELATIVE if role in (Role.ERROR, Role.VARIANCE) and is_relative(name) else role


def is_relative(name: str) -> bool:
    """Return whether a name says that an error is a part of the content.

    Examples
    --------
    >>> [is_relative(name) for name in ("stat [%]", "rel_err", "relative uncertainty", "error", "errlow")]
    [True, True, True, False, False]
    """
    words = set(words_of(name))
    return "%" in name or not words.isdisjoint(("rel", "relative", "frac", "fractional", "percent", "pct", "relerr"))


def in_percent(name: str) -> bool:
    """Return whether a name says that its numbers are per cent."""
    return "%" in name or not {"percent", "pct"}.isdisjoint(words_of(name))


def _role_of(name: str) -> Role:
    words = words_of(name)
    joined = "_".join(words)
    if _DENSITY.match(name.strip()):
        return Role.OTHER
    for role, names in _EXACT.items():
        if joined in names:
            return Role(role)
    if (
        joined == "sigma"
        or re.search(r"[+\-±]$", name[-_LONGEST:].strip())
        or "±" in name
        or "+-" in name
        or "+/-" in name
    ):
        return Role.ERROR
    for role, known in _WORDS.items():
        if known & set(words) or joined in known or joined.replace("_", "") in known:
            return Role(role)
    return Role.MASS if is_mass(words) else Role.OTHER


def is_mass(words: list[str]) -> bool:
    """Return whether words name a mass.

    Examples
    --------
    >>> [is_mass(words_of(name)) for name in ("M", "m_mumu", "mjj", "Invariant mass", "dimuon_mass", "MET_pt", "m4l")]
    [True, True, True, True, True, False, True]
    """
    joined = "_".join(words)
    if not words or words[0] in _NO_MASS:
        return False
    return "mass" in words or (len(joined) < _LONGEST_MASS and _MASS.fullmatch(joined) is not None)


def statistical(names: list[str]) -> list[str]:
    """Return those of the names of errors that are statistical: labelled so, or the only kind.

    Examples
    --------
    >>> statistical(["stat +", "stat -", "sys,lumi +", "sys,lumi -"]), statistical(["error"]), statistical(["sys"])
    (['stat +', 'stat -'], ['error'], [])
    """
    labelled = [name for name in names if any(word.startswith("stat") or word == "poisson" for word in words_of(name))]
    if labelled:
        return labelled
    other = {"sys", "syst", "systematic", "lumi", "total"}
    plain = [name for name in names if not other & set(words_of(name)) and "sys" not in name.lower()]
    kinds = {
        re.sub(r"_?(?:up|down|plus|minus|lo|low|hi|high|upper|lower|dn)$", "", "_".join(words_of(n))) for n in plain
    }
    return plain if len(kinds) == 1 and len(plain) <= 2 else []
