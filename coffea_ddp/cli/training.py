"""The command that makes the network of the bump hunt: train-bump."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from coffea_ddp._files import NETWORK
from coffea_ddp.cli.outputs import Command, OutputFile, OutputFolder, delivering
from coffea_ddp.cli.telling import result
from coffea_ddp.cli.terminal import DONE, note
from coffea_ddp.errors import InputError


@click.command("train-bump", cls=Command)
@click.option("-o", "--output", type=OutputFile(NETWORK), required=True, help="The weights to write (npz).")
@click.option("--seed", type=click.IntRange(min=0), default=1, show_default=True, help="Seed of weights and spectra.")
@click.option(
    "--steps", type=click.IntRange(min=1), default=None, help="Gradient steps.  [default: those of the package's]"
)
@click.option("--batch", type=click.IntRange(min=8), default=None, help="Spectra a step.  [default: 192]")
@click.option(
    "--workers", type=click.IntRange(min=1), default=1, show_default=True, help="Processes that draw spectra."
)
@click.option("--device", type=click.Choice(["cpu", "cuda"]), default="cpu", show_default=True, help="Where to train.")
@click.option(
    "--calibration", type=click.IntRange(min=1), default=None,
    help="Background-only spectra for the calibration of the score, in hundreds.  [default: 2000]",
)  # fmt: skip
@click.option("--folder", type=OutputFolder(), help="For checkpoints.  [default: OUTPUT without its suffix]")
def train_bump(output: str, seed: int, folder: str | None, workers: int, device: str, **options: int | None) -> int:
    r"""Train the network of the bump hunt, on simulated spectra.

    Every spectrum is drawn anew; nothing is read. Two cores take under two hours. A training that was cut off goes on
    from its last checkpoint.

    \b
    coffea-ddp train-bump -o weights.npz
    coffea-ddp train-bump -o weights.npz --device cuda --workers 14 --batch 768
    coffea-ddp bump spectra.root --weights weights.npz
    """
    if folder is None and not Path(output).suffix:
        raise InputError(
            f"-o {output}: give it a suffix, as in {output}.npz: the folder of checkpoints has its name without"
        )
    from coffea_ddp.stats.bumphunt.training.making import CALIBRATION, make_finder
    from coffea_ddp.stats.bumphunt.training.training import Settings

    chosen: dict[str, Any] = {
        name: value for name, value in options.items() if name != "calibration" and value is not None
    }
    hundreds = options["calibration"]
    finder = make_finder(
        Settings(seed=seed, **chosen),
        folder or Path(output).with_suffix(""),
        workers=workers,
        device=device,
        calibration=CALIBRATION if hundreds is None else max(hundreds // 2, 1),
        report=note,
    )
    with delivering() as deliver:
        deliver(output, finder.save)
    note(str(finder.about["measured"]))
    result(lambda: {"output": output, "about": finder.about})
    return DONE
