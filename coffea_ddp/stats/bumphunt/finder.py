"""The trained network as it is applied: weights, calibration of its score, and spectra of any width and length.

Examples
--------
>>> import numpy as np
>>> finder = shipped()
>>> counts = np.random.default_rng(1).poisson(1e4 * np.exp(-np.arange(60) / 15.0), (2, 60)).astype(float)
>>> found = finder.evaluate(counts, np.full(60, 2.0))
>>> found.z.shape, bool((found.error > 0).all())
((2, 60), True)
"""

from __future__ import annotations

import functools
import importlib.resources
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.special import expit, log_ndtr, logsumexp, ndtri, ndtri_exp

from coffea_ddp._files import NETWORK, check_input, write_in_place
from coffea_ddp.errors import FileError, FormatError
from coffea_ddp.stats.bumphunt.domain import domain
from coffea_ddp.stats.bumphunt.features import CHANNELS, N_SCORES, describe
from coffea_ddp.stats.bumphunt.network import Shape, apply, layers
from coffea_ddp.stats.samples.threads import one_thread

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from coffea_ddp._typing import AnyArray, BoolArray, FloatArray

FORMAT, VERSION = "coffea-ddp/bump-network", 3
_RARE = 0.01
_CAUTION, _BEYOND_DOUBT = 1.5, 6.0
_AT_ONCE, _IN_NUMPY = 128, 32
"""Spectra that are described together, and those that go through the network in numpy: arrays stay in the cache."""


@dataclass(frozen=True, eq=False)
class Estimates:
    """Estimates of the network at every bin; all of shape (n_spectra, n_bins).

    Attributes
    ----------
    z, error
        The ideal significance and its own uncertainty.
    peak
        z of a candidate: where there are odds of a resonance, that of one, which is not drawn towards the z of the many
        bins without; :class:`Correction`.
    odds
        Log-odds of a resonance here against none, for the mix of spectra that the network was trained on.
    evidence
        Logarithm of the Bayes factor of a resonance here, and nowhere else, against none anywhere.
    smooth
        A background of the spectrum's own, the strongest candidate taken out.
    inside
        Where the estimates mean something.
    spread
        How far the chosen background is from describing the spectrum, in sigma; shape (n_spectra,).
    shoulder
        The best background with a shoulder, of :class:`~coffea_ddp.stats.bumphunt.features.SpectrumFeatures`; shape
        (n_spectra, 4).
    """

    z: FloatArray
    error: FloatArray
    peak: FloatArray
    odds: FloatArray
    evidence: FloatArray
    smooth: FloatArray
    inside: BoolArray
    spread: FloatArray
    shoulder: FloatArray

    @property
    def log_bayes(self) -> FloatArray:
        """Logarithm of the Bayes factor of a resonance anywhere in the domain against none, shape (n_spectra,).

        All places are equally likely before; -inf where there is no domain.
        """
        return log_bayes(self.evidence, self.inside)

    @property
    def score(self) -> FloatArray:
        """The evidence on a scale like that of z, shape (n_spectra,); -inf without a domain.

        ``sqrt(2 log(1 + BF))`` rises with the Bayes factor BF, and grows as the significance of a resonance does. Of
        resonances beyond doubt, which are much stronger than those that the evidence was trained for, it is the largest
        ``z - 1.5 error`` where that is more.
        """
        cautious = np.where(self.inside, self.z - _CAUTION * self.error, -np.inf).max(axis=1)
        evidence = np.sqrt(2.0 * np.logaddexp(0.0, np.maximum(self.log_bayes, -700.0)))
        score = np.where(cautious > _BEYOND_DOUBT, np.maximum(evidence, cautious), evidence)
        return np.asarray(np.where(self.inside.any(axis=1), score, -np.inf))


def log_bayes(evidence: FloatArray, inside: BoolArray) -> FloatArray:
    """Return the logarithm of the mean of the Bayes factors inside of the domain, shape (n_spectra,); -inf without one.

    Parameters
    ----------
    evidence
        Logarithms of Bayes factors, shape (n_spectra, n_bins).
    inside
        The domain, of the same shape.

    Examples
    --------
    >>> log_bayes(np.array([[0.0, 9.0, np.log(3.0)]]), np.array([[True, False, True]])).round(3)  # (1 + 3) / 2
    array([0.693])
    """
    some = np.asarray(inside.any(axis=1))
    total = logsumexp(np.where(inside | ~some[:, None], evidence, -np.inf), axis=1)
    return np.asarray(np.where(some, total - np.log(np.maximum(inside.sum(axis=1), 1)), -np.inf))


def put_together(parts: Sequence[Estimates], put: Callable[[list[AnyArray]], AnyArray]) -> Estimates:
    """Return estimates each of whose arrays ``put`` makes of those of the parts.

    Parameters
    ----------
    parts
        Of other spectra, or of the same ones for other widths.
    put
        Makes one array of a list: concatenates them, say.
    """
    return Estimates(
        z=put([part.z for part in parts]),
        error=put([part.error for part in parts]),
        peak=put([part.peak for part in parts]),
        odds=put([part.odds for part in parts]),
        evidence=put([part.evidence for part in parts]),
        smooth=put([part.smooth for part in parts]),
        inside=put([part.inside for part in parts]),
        spread=put([part.spread for part in parts]),
        shoulder=put([part.shoulder for part in parts]),
    )


@dataclass(frozen=True)
class Correction:
    """Correction of the bias of z of a candidate, which comes of training on many spectra without a resonance.

    ``peak = z + expit(odds + shift) (given - z + lift error)``; both numbers are chosen on families that were not
    trained on.

    Attributes
    ----------
    shift
        Added to the log-odds.
    lift
        Errors added to the z of a resonance: the largest of estimates that are each drawn to the mean is too small.

    Examples
    --------
    >>> float(Correction(0.0, 0.5).peak(z=np.array(2.0), error=np.array(0.4), given=np.array(3.0), odds=np.array(50.0)))
    3.2
    """

    shift: float = 0.0
    lift: float = 0.0

    def peak(self, z: FloatArray, error: FloatArray, given: FloatArray, odds: FloatArray) -> FloatArray:
        """Return z of a candidate in every bin; all of one shape."""
        return np.asarray(z + expit(odds + self.shift) * (given - z + self.lift * error))


_CALIBRATION = {"looks": "n_widths", "tails": "tails", "scores": "scores"}
"""Names in a file, and of the fields."""


@dataclass(frozen=True, eq=False)
class Calibration:
    """Calibration of the score: its upper tails in background-only spectra.

    Attributes
    ----------
    n_widths
        Lengths of the domain in widths of the signal, increasing; shape (n_groups,).
    tails
        Probabilities, falling; shape (n_tails,).
    scores
        The score that is exceeded with that probability, shape (n_groups, n_tails).
    """

    n_widths: FloatArray
    tails: FloatArray
    scores: FloatArray

    def p_value(self, score: FloatArray, n_widths: FloatArray) -> FloatArray:
        """Return the probability of a score as large in a background-only spectrum, both of shape (n_spectra,)."""
        return np.exp(self.log_p(score, n_widths))

    def log_p(self, score: FloatArray, n_widths: FloatArray) -> FloatArray:
        """Return the logarithm of :meth:`p_value`, which does not underflow; shape (n_spectra,).

        Between groups and probabilities it is interpolated in logarithms. Beyond the smallest probability its
        significance goes on in a straight line, with the slope it has between the last 1 % and there: so does that of
        the largest of Gaussian numbers.
        """
        at = np.log(np.clip(n_widths, self.n_widths[0], self.n_widths[-1]))
        grid = np.log(self.n_widths)
        scores = np.array([np.interp(at, grid, column) for column in self.scores.T])
        log_tails, sigmas = np.log(self.tails), -ndtri(self.tails)
        since = int(np.argmin(np.abs(self.tails - _RARE)))
        out = np.empty(len(score))
        for row, value in enumerate(score):
            column = scores[:, row]
            if value >= column[-1]:
                slope = (sigmas[-1] - sigmas[since]) / max(column[-1] - column[since], 1e-9)
                out[row] = log_ndtr(-sigmas[-1] - min(slope, 1.0) * (value - column[-1]))
            elif value < column[0]:
                # Strictly rising on to 1: spectra without any candidate are not all alike to a rank among toys.
                out[row] = np.log1p(-(1.0 - self.tails[0]) * np.exp(value - column[0]))
            else:
                out[row] = np.interp(value, column, log_tails)
        return np.where(score == -np.inf, 0.0, out)


@dataclass(frozen=True, eq=False)
class BumpFinder:
    """Weights with all that is needed to use them.

    Attributes
    ----------
    shape, weights
        The network.
    calibration, correction
        Of its score, and of z of a candidate.
    about
        How it was made: settings, seed, versions, measurements.
    """

    shape: Shape
    weights: Mapping[str, NDArray[np.float32]]
    calibration: Calibration
    about: Mapping[str, Any]
    correction: Correction = Correction()

    def evaluate(
        self, counts: FloatArray, sigma: FloatArray, use: FloatArray | None = None, *, backend: str = "numpy"
    ) -> Estimates:
        """Return the estimates for spectra of one length.

        Parameters
        ----------
        counts
            Shape (n_spectra, n_bins).
        sigma
            Width of the signal in bins at every bin, shape (n_bins,).
        use
            0 where a bin is masked, else 1; shape (n_spectra, n_bins).
        backend
            ``"numpy"``, or ``"torch"``: the same numbers to single precision.
        """
        used = np.ones_like(counts) if use is None else use
        with one_thread():
            parts = [
                self._some(counts[first : first + _AT_ONCE], sigma, used[first : first + _AT_ONCE], backend)
                for first in range(0, len(counts), _AT_ONCE)
            ]
        if len(parts) == 1:
            return parts[0]
        return put_together(parts, np.concatenate)

    def _some(self, counts: FloatArray, sigma: FloatArray, use: FloatArray, backend: str) -> Estimates:
        described = describe(counts, sigma, use)
        out = (_in_torch if backend == "torch" else _in_numpy)(self, described.features)
        z, log_error, odds, given, evidence = (np.asarray(part, dtype=np.float64) for part in out)
        spread = 3.0 * described.features[:, CHANNELS.index("spread"), 0].astype(np.float64)
        inside = domain(described.smooth, use, sigma)
        error = np.exp(np.clip(log_error, -3.0, 3.0))
        peak = self.correction.peak(z, error, given, odds)
        return Estimates(z, error, peak, odds, evidence, described.smooth, inside, spread, described.shoulder)

    def p_value(self, found: Estimates, sigma: FloatArray) -> FloatArray:
        """Return the calibrated p-value of every spectrum, shape (n_spectra,)."""
        return np.exp(self._log_p(found, sigma))

    def significance(self, found: Estimates, sigma: FloatArray) -> FloatArray:
        """Return the calibrated p-values as one-sided z, shape (n_spectra,); -inf where p is 1."""
        return np.asarray(-ndtri_exp(self._log_p(found, sigma)))

    def _log_p(self, found: Estimates, sigma: FloatArray) -> FloatArray:
        return self.calibration.log_p(found.score, n_widths(found.inside, sigma))

    def save(self, path: str | Path) -> Path:
        """Write the finder to an npz file of plain arrays, which replaces an older one and nothing else.

        Raises
        ------
        FileError
            If it cannot be written, or something else is there.
        """
        about = {
            "format": FORMAT,
            "version": VERSION,
            "inputs": self.shape.inputs,
            "scores": self.shape.scores,
            "widths": list(self.shape.widths),
            "correction": asdict(self.correction),
            "about": dict(self.about),
        }
        arrays = {f"weights/{name}": value for name, value in self.weights.items()}
        calibration = {f"calibration/{key}": getattr(self.calibration, name) for key, name in _CALIBRATION.items()}
        text = np.frombuffer(json.dumps(about).encode(), dtype=np.uint8)

        def write(temporary: Path) -> None:
            with temporary.open("wb") as file:  # by its path, numpy would call it .npz
                np.savez(file, about=text, **arrays, **calibration)  # type: ignore[arg-type]

        return write_in_place(path, write, NETWORK)


def n_widths(inside: BoolArray, sigma: FloatArray) -> FloatArray:
    """Return the length of the domain in widths of the signal, shape (n_spectra,)."""
    return np.asarray((inside / np.asarray(sigma)).sum(axis=1))


def load(path: str | Path) -> BumpFinder:
    """Read a finder; nothing in the file is executed.

    Raises
    ------
    FileError
        If it cannot be read.
    FormatError
        If it is none, or of another version.
    """
    check_input(path)
    try:
        with Path(path).open("rb") as file, np.load(file, allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in archive.files}
        about = json.loads(bytes(arrays["about"]))
        if about["format"] != FORMAT or about["version"] != VERSION:
            raise FormatError(f"{path}: {about['format']} of version {about['version']}; this package reads {VERSION}")
        shape = Shape(int(about["inputs"]), int(about["scores"]), tuple(map(int, about["widths"])))
        correction = Correction(**{name: float(value) for name, value in about["correction"].items()})
        weights = {name[8:]: value for name, value in arrays.items() if name.startswith("weights/")}
        calibration = Calibration(**{name: arrays[f"calibration/{key}"] for key, name in _CALIBRATION.items()})
    except FormatError:
        raise
    except OSError as error:
        raise FileError(f"{path}: cannot be read ({error}); `coffea-ddp train-bump` makes one") from error
    except Exception as error:  # there is no end of what a damaged archive does to those who read it
        raise FormatError(f"{path}: no network of a bump hunt ({error}); `coffea-ddp train-bump` makes one") from error
    _check(path, shape, weights)
    return BumpFinder(shape, weights, calibration, about["about"], correction)


def _check(path: Any, shape: Shape, weights: Mapping[str, NDArray[np.float32]]) -> None:
    if (shape.inputs, shape.scores) != (len(CHANNELS), N_SCORES):
        raise FormatError(
            f"{path}: a network of {shape.inputs} features, this version makes {len(CHANNELS)}; train it again"
        )
    for name, size in layers(shape).items():
        if name not in weights or weights[name].shape != size:
            raise FormatError(f"{path}: the layer {name!r} is missing or of another size; train it again")


@functools.cache
def shipped() -> BumpFinder:
    """Return the finder that comes with the package."""
    with importlib.resources.as_file(importlib.resources.files(__package__) / "weights.npz") as path:
        return load(path)


def _in_numpy(finder: BumpFinder, features: NDArray[np.float32]) -> tuple[Any, ...]:
    parts = [
        apply(finder.weights, features[first : first + _IN_NUMPY], finder.shape)
        for first in range(0, len(features), _IN_NUMPY)
    ]
    return parts[0] if len(parts) == 1 else tuple(map(np.concatenate, zip(*parts, strict=True)))


def _in_torch(finder: BumpFinder, features: NDArray[np.float32]) -> tuple[Any, ...]:
    import torch

    with torch.inference_mode():
        return tuple(part.numpy() for part in apply(_tensors(finder), torch.from_numpy(features), finder.shape))


@functools.lru_cache(maxsize=4)
def _tensors(finder: BumpFinder) -> dict[str, Any]:
    import torch

    return {name: torch.from_numpy(np.array(value)) for name, value in finder.weights.items()}
