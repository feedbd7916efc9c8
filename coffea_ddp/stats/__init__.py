"""Statistics on arrays: no histogram library, no framework, no event data.

All functions take arrays, have keyword-only options after the data, and return frozen results. Called
directly they raise :class:`~coffea_ddp.errors.InputError` for data that they cannot use.

Examples
--------
>>> from coffea_ddp import stats
>>> result = stats.n_sigma([4, 0, 9], [9, 0, 16])
>>> round(result.statistic, 3), result.n_bins
(1.971, 2)
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from coffea_ddp.stats.bumphunt.fits.bump_fit import BumpFitResult, bump_fit
    from coffea_ddp.stats.bumphunt.fits.ideal import ideal_significance
    from coffea_ddp.stats.bumphunt.hunt import BumpHuntResult, bump_significance
    from coffea_ddp.stats.classifier.classifier import ClassifierResult, classifier_test
    from coffea_ddp.stats.classifier.learners import BoostingLearner, KernelLearner, NetworkLearner
    from coffea_ddp.stats.dispersion import DispersionResult, common_factor, effective_counts, poisson_dispersion
    from coffea_ddp.stats.kappa import KappaResult, estimate_kappa
    from coffea_ddp.stats.likelihood import LikelihoodResult, asimov_l1, asimov_l2, q0_l1, q0_l2, signal_for_z
    from coffea_ddp.stats.log_ratio.nplm import nplm, nplm_counts
    from coffea_ddp.stats.log_ratio.reference import nplm_reference
    from coffea_ddp.stats.log_ratio.result import NPLMResult
    from coffea_ddp.stats.log_ratio.solvers import BinSolver, FourierSolver, KernelSolver, NetworkSolver, SplineSolver
    from coffea_ddp.stats.nsigma import NSigmaResult, n_sigma
    from coffea_ddp.stats.relabelling import relabel
    from coffea_ddp.stats.status import Status
    from coffea_ddp.stats.submatrix.submatrix import BestRectangles, SubmatrixResult, best_rectangles, scan_submatrices
    from coffea_ddp.stats.tail import PermutationP, permutation_p
    from coffea_ddp.stats.trials import local_p, p_from_z, sidak, sidak_z, z_from_p

# scipy costs 0.2 s: names are resolved on first use (PEP 562).
_HOME = {
    "bumphunt.hunt": ("BumpHuntResult", "bump_significance"),
    "bumphunt.fits.ideal": ("ideal_significance",),
    "bumphunt.fits.bump_fit": ("BumpFitResult", "bump_fit"),
    "dispersion": ("DispersionResult", "common_factor", "effective_counts", "poisson_dispersion"),
    "likelihood": ("LikelihoodResult", "asimov_l1", "asimov_l2", "q0_l1", "q0_l2", "signal_for_z"),
    "nsigma": ("NSigmaResult", "n_sigma"),
    "relabelling": ("relabel",),
    "kappa": ("KappaResult", "estimate_kappa"),
    "status": ("Status",),
    "submatrix.submatrix": ("BestRectangles", "SubmatrixResult", "best_rectangles", "scan_submatrices"),
    "tail": ("PermutationP", "permutation_p"),
    "classifier.classifier": ("ClassifierResult", "classifier_test"),
    "classifier.learners": ("BoostingLearner", "KernelLearner", "NetworkLearner"),
    "log_ratio.solvers": ("BinSolver", "FourierSolver", "KernelSolver", "NetworkSolver", "SplineSolver"),
    "log_ratio.reference": ("nplm_reference",),
    "log_ratio.result": ("NPLMResult",),
    "log_ratio.nplm": ("nplm", "nplm_counts"),
    "trials": ("local_p", "p_from_z", "sidak", "sidak_z", "z_from_p"),
}
_MODULE_OF = {name: module for module, names in _HOME.items() for name in names}

__all__ = [
    "BestRectangles",
    "BinSolver",
    "BoostingLearner",
    "BumpFitResult",
    "BumpHuntResult",
    "ClassifierResult",
    "DispersionResult",
    "FourierSolver",
    "KappaResult",
    "KernelLearner",
    "KernelSolver",
    "LikelihoodResult",
    "NPLMResult",
    "NSigmaResult",
    "NetworkLearner",
    "NetworkSolver",
    "PermutationP",
    "SplineSolver",
    "Status",
    "SubmatrixResult",
    "asimov_l1",
    "asimov_l2",
    "best_rectangles",
    "bump_fit",
    "bump_significance",
    "classifier_test",
    "common_factor",
    "effective_counts",
    "estimate_kappa",
    "ideal_significance",
    "local_p",
    "n_sigma",
    "nplm",
    "nplm_counts",
    "nplm_reference",
    "p_from_z",
    "permutation_p",
    "poisson_dispersion",
    "q0_l1",
    "q0_l2",
    "relabel",
    "scan_submatrices",
    "sidak",
    "sidak_z",
    "signal_for_z",
    "z_from_p",
]


def __getattr__(name: str) -> Any:
    if name in _MODULE_OF:
        return getattr(importlib.import_module(f"{__name__}.{_MODULE_OF[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
