"""Training the network: every spectrum is drawn anew from (seed, step), none is seen twice.

Worker processes draw spectra, labels and features; the main process trains. Families that decide between trainings
(:data:`~coffea_ddp.stats.bumphunt.training.families.VALIDATION`) are never trained on. A checkpoint is written as it
goes, and a training that was cut off goes on from it.
"""

from __future__ import annotations

import json
import multiprocessing
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from queue import Full
from typing import TYPE_CHECKING, Any

import numpy as np

from coffea_ddp.errors import FileError, InputError
from coffea_ddp.stats.bumphunt.domain import domain
from coffea_ddp.stats.bumphunt.features import CHANNELS, N_SCORES, features
from coffea_ddp.stats.bumphunt.finder import log_bayes
from coffea_ddp.stats.bumphunt.network import Shape, apply, initial_weights
from coffea_ddp.stats.bumphunt.training.families import VALIDATION
from coffea_ddp.stats.bumphunt.training.sampling import SimulatedSpectra, SpectrumSettings, draw

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from coffea_ddp._typing import BoolArray, FloatArray
    from coffea_ddp.stats.bumphunt.training.optimizer import Learner

Report = Callable[[str], None]

BINS = (24, 300)
"""Smallest and largest number of bins of a spectrum, drawn evenly in the logarithm."""
_GROUPS = 4
"""Widths of the signal in one step."""
_TESTED, _LEAST = (5.0, 2.0), 0.1
"""Mean and standard deviation of the z for which the evidence is the best, and the weight of those far above."""
_MEAN = 0.34
"""About the mean weight of resonances inside of the domain."""
_REAL = 2.5
"""A resonance counts as one to be found from this Asimov z on."""


@dataclass(frozen=True)
class Settings:
    """Settings of a training; with the version of the package, everything that the weights depend on.

    Attributes
    ----------
    seed
        Of the weights and of all spectra.
    steps
        Number of gradient steps.
    batch
        Spectra a step.
    rate
        The largest learning rate of the one-cycle schedule.
    average
        Decay of the moving average of the weights, which is what is kept.
    beta
        Errors count with their stated variance to the power ``beta - 1`` (arXiv:2203.09168): 1 is the squared error,
        0 the likelihood.
    odds, evidence
        Weights of the losses of the log-odds at every bin, and of the evidence of every spectrum.
    widths
        Channels of the network.
    distribution
        What spectra are drawn.
    """

    seed: int = 1
    steps: int = 40_000
    batch: int = 192
    rate: float = 2e-3
    average: float = 0.999
    beta: float = 0.5
    odds: float = 0.5
    evidence: float = 0.5
    widths: tuple[int, ...] = (24, 40, 56, 64)
    distribution: SpectrumSettings = field(default_factory=SpectrumSettings)

    @property
    def shape(self) -> Shape:
        """Sizes of the network."""
        return Shape(len(CHANNELS), N_SCORES, tuple(self.widths))


@dataclass(frozen=True, eq=False)
class Batch:
    """Spectra of one training step; arrays of shape (n_spectra, n_bins).

    The features have the shape (n_spectra, channels, n_bins); ``found`` and ``counted``, whether there is a resonance,
    and how much a spectrum counts for the evidence, are of shape (n_spectra,).
    """

    features: NDArray[np.float32]
    z: NDArray[np.float32]
    weight: NDArray[np.float32]
    resonance: NDArray[np.float32]
    injected: NDArray[np.float32]
    inside: NDArray[np.float32]
    found: NDArray[np.float32]
    counted: NDArray[np.float32]


def training_batch(settings: Settings, step: int) -> Batch:
    """Return the spectra of one step, the same ones wherever it is asked for."""
    rng = np.random.default_rng([settings.seed, step, 1])
    n_bins = int(np.exp(rng.uniform(*np.log(BINS))))
    parts = [
        draw(settings.seed, step * _GROUPS + group + 10, size=settings.batch // _GROUPS, n_bins=n_bins,
             distribution=settings.distribution)
        for group in range(_GROUPS)
    ]  # fmt: skip
    found = [features(part.counts, np.full(n_bins, part.sigma), part.use) for part in parts]
    return Batch(
        np.concatenate(found),
        np.concatenate([part.z for part in parts]).astype(np.float32),
        np.concatenate([_weight(part) for part in parts]).astype(np.float32),
        np.concatenate([resonance(part, _REAL) for part in parts]).astype(np.float32),
        np.concatenate([resonance(part, 0.0) for part in parts]).astype(np.float32),
        np.concatenate([_inside(part) for part in parts]).astype(np.float32),
        np.concatenate([part.injected > 0 for part in parts]).astype(np.float32),
        np.concatenate([_counted(part, settings.distribution.signal) for part in parts]).astype(np.float32),
    )


def _inside(batch: SimulatedSpectra) -> BoolArray:
    return domain(batch.background, batch.use, batch.sigma)


def _counted(batch: SimulatedSpectra, signal: float) -> FloatArray:
    """Return how much a spectrum counts for the evidence: those of strengths that are in doubt the most.

    Resonances count as if their z were drawn from a normal distribution around 5, all of them together as much as all
    spectra without one; those outside of the domain do not count at all.
    """
    place = _inside(batch)[np.arange(len(batch.place)), batch.place]
    doubt = np.where(batch.injected > _TESTED[0], np.maximum(_normal(batch.injected), _LEAST), _normal(batch.injected))
    return np.where(batch.injected > 0, doubt * place * (1.0 - signal) / (signal * _MEAN), 1.0)


def _normal(z: FloatArray) -> FloatArray:
    return np.asarray(np.exp(-0.5 * ((z - _TESTED[0]) / _TESTED[1]) ** 2))


def _weight(batch: SimulatedSpectra) -> FloatArray:
    """Return 1 where an estimate means something, less at the edges, 0 where nothing can be known."""
    inside = domain(batch.background, batch.use, batch.sigma)
    anywhere = domain(batch.background, batch.use, batch.sigma, edges=0.0)
    return np.where(inside, 1.0, np.where(anywhere, 0.1, 0.0))


def resonance(batch: SimulatedSpectra, least: float) -> FloatArray:
    """Return 1 in the bins at a resonance injected with more than ``least`` (within a sigma of it), else 0."""
    bins = np.arange(batch.counts.shape[1])
    near = np.abs(bins - batch.place[:, None]) <= max(batch.sigma, 0.5)
    return np.where(near & (batch.injected[:, None] > least), 1.0, 0.0)


def _work(settings: Settings, steps: range, queue: Any) -> None:
    parent = multiprocessing.parent_process()
    for step in steps:
        made = (step, training_batch(settings, step))
        while True:
            try:
                queue.put(made, timeout=5.0)
                break
            except Full:
                if parent is not None and not parent.is_alive():
                    return


def training_batches(settings: Settings, first: int, workers: int) -> Iterator[Batch]:
    """Yield the batches from step ``first`` on, in order, made by ``workers`` processes."""
    context = multiprocessing.get_context("spawn")
    queues = [context.Queue(maxsize=4) for _ in range(workers)]
    processes = [
        context.Process(
            target=_work, args=(settings, range(first + i, settings.steps, workers), queues[i]), daemon=True
        )
        for i in range(workers)
    ]
    for process in processes:
        process.start()
    try:
        for step in range(first, settings.steps):
            number, found = queues[(step - first) % workers].get()
            assert number == step
            yield found
    finally:
        for process in processes:
            process.terminate()


def rate_at(settings: Settings, step: int) -> float:
    """Return the learning rate: a short rise, then half a cosine down to nothing."""
    warm = max(settings.steps // 20, 1)
    if step < warm:
        return settings.rate * (step + 1) / warm
    return float(settings.rate * 0.5 * (1.0 + np.cos(np.pi * (step - warm) / max(settings.steps - warm, 1))) + 1e-6)


def loss(outputs: Any, target: Any, settings: Settings) -> Any:
    """Return the loss of a batch (torch)."""
    import torch
    from torch.nn import functional

    z, log_error, logit, given, evidence = outputs
    truth, weight, real, injected, inside, found, counted = target
    log_error = log_error.clamp(-3.0, 3.0)
    variance = torch.exp(2.0 * log_error)
    gauss = 0.5 * (z - truth) ** 2 / variance + log_error
    by_size = gauss * variance.detach() ** settings.beta
    odds = functional.binary_cross_entropy_with_logits(logit, real, reduction="none")
    # What z is if there is a resonance is learned where there is one: no pull towards the many bins without.
    if_real = injected * (given - truth) ** 2 / (1.0 + variance.detach())
    # As in `finder.log_bayes`; a spectrum without a domain says nothing.
    room = inside.sum(dim=1)
    log_bayes = torch.logsumexp(evidence.masked_fill(inside == 0, -1e4), dim=1) - room.clamp(min=1.0).log()
    anywhere = functional.binary_cross_entropy_with_logits(log_bayes, found, reduction="none") * counted * (room > 0)
    everywhere = ((by_size + settings.odds * odds) * weight).sum() / weight.sum().clamp(min=1.0)
    peaks = (if_real * weight).sum() / (injected * weight).sum().clamp(min=1.0)
    return everywhere + 0.2 * peaks + settings.evidence * anywhere.mean()


def train(
    settings: Settings,
    folder: str | Path,
    *,
    start: Mapping[str, NDArray[np.float32]] | None = None,
    workers: int = 1,
    device: str = "cpu",
    report: Report = print,
    every: int = 1000,
) -> dict[str, NDArray[np.float32]]:
    """Train, and return the averaged weights.

    Parameters
    ----------
    settings
        How.
    folder
        Where ``checkpoint.pt`` and ``log.jsonl`` are kept; a training found there goes on.
    start
        Weights to begin with; random ones by default.
    workers
        Processes that draw spectra.
    device
        ``"cpu"`` or ``"cuda"``.
    report
        Called with the progress, a line each time.
    every
        Steps between checkpoints and measurements.

    Raises
    ------
    InputError
        If the folder holds a training with other settings.
    FileError
        If it holds anything else.
    """
    import torch

    from coffea_ddp.stats.bumphunt.training.optimizer import Learner, OptimizerSettings

    folder = Path(folder)
    _check_folder(folder)
    folder.mkdir(parents=True, exist_ok=True)
    shape = settings.shape
    learner = Learner(start or initial_weights(shape, settings.seed), OptimizerSettings(settings.average), device)
    _resume(folder, settings, learner, device)
    check = [measured_set(settings.seed, number) for number in range(6)]
    began, total = time.monotonic(), 0.0
    for found in training_batches(settings, learner.steps, workers):
        given = [torch.from_numpy(part).to(device) for part in _parts(found)]
        with learner.products():
            outputs = apply(learner.weights, given[0], shape)
        value = loss([part.float() for part in outputs], given[1:], settings)
        learner.improve(value, rate_at(settings, learner.steps))
        total += float(value.detach())
        if learner.steps % every == 0 or learner.steps == settings.steps:
            _save(folder, settings, learner)
            minutes = (time.monotonic() - began) / 60.0
            line = {"step": learner.steps, "loss": total / every, "minutes": minutes}
            line |= measure(learner.averaged, shape, check)
            total = 0.0
            with (folder / "log.jsonl").open("a") as log:
                log.write(json.dumps(line) + "\n")
            report(", ".join(f"{name} {number:.4g}" for name, number in line.items()))
    return learner.averaged


def _parts(found: Batch) -> tuple[NDArray[np.float32], ...]:
    return tuple(vars(found).values())


def _save(folder: Path, settings: Settings, learner: Learner) -> None:
    import torch

    temporary = folder / "checkpoint.tmp"
    torch.save({"settings": json.dumps(describe(settings)), "state": learner.state()}, temporary)
    temporary.replace(folder / "checkpoint.pt")


def _check_folder(folder: Path) -> None:
    """Fail where checkpoints would be mixed with, or replace, files of somebody else."""
    here = {path.name for path in folder.iterdir()} if folder.is_dir() else set()
    others = here - {"checkpoint.pt", "checkpoint.tmp", "log.jsonl"}
    if folder.is_file() or others or (here and "checkpoint.pt" not in here):
        raise FileError(f"{folder}: holds other files than checkpoints of a training; give a new or empty folder")


def _resume(folder: Path, settings: Settings, learner: Learner, device: str) -> None:
    import torch

    path = folder / "checkpoint.pt"
    if not path.exists():
        return
    try:
        kept = torch.load(path, map_location=device, weights_only=True)
    except Exception as error:
        raise FileError(
            f"{path}: not a checkpoint of a training ({type(error).__name__}); give another folder"
        ) from error
    if kept.get("settings") != json.dumps(describe(settings)):
        raise InputError(f"{path}: of a training with other settings; give another folder, or remove it")
    learner.restore(kept["state"])


@dataclass(frozen=True, eq=False)
class Measured:
    """A set of spectra to measure with: the batch, its features, and where estimates count."""

    batch: SimulatedSpectra
    features: NDArray[np.float32]
    inside: Any


def measured_set(
    seed: int, number: int, *, size: int = 500, n_bins: int = 100, names: tuple[str, ...] = VALIDATION, **options: Any
) -> Measured:
    """Return spectra of families that are not trained on: 100 bins, widths 1, 2, 3, 1e3 to 1e7 events."""
    sigma = float(options.pop("sigma", (1.0, 2.0, 3.0)[number % 3]))
    given = {
        "events": (1e3, 1e7),
        "signal": 0.8,
        "strongest": (3.0, 5.0, 7.0, 10.0),
        "masked": 0.0,
        "huge": 0.0,
        "second": 0.0,
        **options,
    }
    batch = draw(
        seed + 1_000_003,
        number,
        size=size,
        n_bins=n_bins,
        sigma=sigma,
        distribution=SpectrumSettings(names, None, **given),
    )
    found = features(batch.counts, np.full(n_bins, sigma), batch.use)
    return Measured(batch, found, domain(batch.background, batch.use, sigma))


def measure(weights: Any, shape: Shape, sets: list[Measured]) -> dict[str, float]:
    """Return the root mean square error of z in all sets together, how errors cover, and the power at z = 5."""
    squares, covered, scores, injected = [], [], [], []
    for one in sets:
        z, log_error, _, _, evidence = apply(weights, one.features, shape)
        away = (z - one.batch.z)[one.inside]
        squares.append(away**2)
        covered.append(np.abs(away) < np.exp(np.clip(log_error, -3.0, 3.0))[one.inside])
        scores.append(log_bayes(evidence, one.inside))
        injected.append(one.batch.injected)
    score, strength = np.concatenate(scores), np.concatenate(injected)
    cut = np.quantile(score[strength == 0], 0.99)
    return {
        "rmse": float(np.sqrt(np.concatenate(squares).mean())),
        "cover": float(np.concatenate(covered).mean()),
        "power5": float((score[strength == 5] > cut).mean()),
    }


def describe(settings: Settings) -> dict[str, Any]:
    """Return the settings as JSON-ready data."""
    return asdict(settings)
