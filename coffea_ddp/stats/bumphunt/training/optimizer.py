"""Optimizers of the weights: Muon for the matrices of the layers, AdamW for the biases and the last layer (torch).

A layer's weights are one matrix, taps and channels in by channels out, whose update Muon makes orthogonal: here, 3,000
steps of it reach what 7,000 of AdamW alone do. A moving average of the weights is what is kept. The layers' products
are in bfloat16 where the processor has it (without, they would be six times slower), everything that adds up is in
single precision.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

_LAST = "head"
_LARGEST = 1.0
"""Gradients are cut at this norm."""


@dataclass(frozen=True)
class OptimizerSettings:
    """Settings of the optimizers.

    Attributes
    ----------
    average
        Decay of the moving average.
    decay, matrix_decay
        Weight decay of AdamW and of Muon.
    """

    average: float = 0.999
    decay: float = 1e-4
    matrix_decay: float = 1e-3


class Learner:
    """Weights on their way: the arrays, their moving average, and the optimizers.

    Parameters
    ----------
    initial
        Arrays by name, as of :func:`coffea_ddp.stats.bumphunt.network.initial_weights`.
    settings
        Of the optimizers.
    device
        ``"cpu"`` or ``"cuda"``.

    Examples
    --------
    >>> learner = Learner(
    ...     {"layer": np.ones((3, 2, 2), np.float32), "layer.bias": np.zeros(2, np.float32)}, OptimizerSettings(), "cpu"
    ... )
    >>> learner.improve((learner.weights["layer"] ** 2).sum(), rate=0.01)
    >>> bool((learner.weights["layer"] < 1.0).all())
    True
    """

    def __init__(self, initial: Mapping[str, NDArray[np.float32]], settings: OptimizerSettings, device: str) -> None:
        self._settings, self._device = settings, device
        self._sizes = {name: value.shape for name, value in initial.items()}
        self._parameters = {
            name: torch.tensor(value.reshape(-1, value.shape[-1]) if value.ndim == 3 else value, device=device)
            .requires_grad_(True)
            for name, value in initial.items()
        }  # fmt: skip
        matrices = [value for name, value in self._parameters.items() if value.ndim == 2 and name != _LAST]
        others = [value for name, value in self._parameters.items() if value.ndim == 1 or name == _LAST]
        self._optimizers = [
            torch.optim.Muon(matrices, weight_decay=settings.matrix_decay, adjust_lr_fn="match_rms_adamw"),
            torch.optim.AdamW(others, weight_decay=settings.decay, betas=(0.9, 0.98)),
        ]
        self._averaged = {name: value.detach().clone() for name, value in self._parameters.items()}
        self.steps = 0

    @property
    def weights(self) -> dict[str, Any]:
        """The weights as they are, by name."""
        return {name: value.view(*self._sizes[name]) for name, value in self._parameters.items()}

    @property
    def averaged(self) -> dict[str, NDArray[np.float32]]:
        """The averaged weights, by name."""
        return {name: value.cpu().numpy().copy().reshape(self._sizes[name]) for name, value in self._averaged.items()}

    def products(self) -> Any:
        """Return the context in which layers are applied: in bfloat16 where the processor has it, which is faster."""
        emulated = self._device == "cpu" and not torch.backends.cpu.get_cpu_capability().startswith("AVX512")
        return torch.autocast(self._device, dtype=torch.bfloat16, enabled=not emulated)

    def improve(self, loss: Any, rate: float) -> None:
        """Take one step down the gradient of ``loss``, of the size ``rate``."""
        for optimizer in self._optimizers:
            optimizer.zero_grad()
            for group in optimizer.param_groups:
                group["lr"] = rate
        loss.backward()
        torch.nn.utils.clip_grad_norm_(list(self._parameters.values()), _LARGEST)
        for optimizer in self._optimizers:
            optimizer.step()
        self.steps += 1
        decay = min(self._settings.average, self.steps / (self.steps + 9))
        with torch.no_grad():
            for name, average in self._averaged.items():
                average.lerp_(self._parameters[name], 1.0 - decay)

    def state(self) -> dict[str, Any]:
        """Return everything that is needed to go on."""
        return {
            "steps": self.steps,
            "parameters": {name: value.detach() for name, value in self._parameters.items()},
            "averaged": self._averaged,
            "optimizers": [optimizer.state_dict() for optimizer in self._optimizers],
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from a state."""
        with torch.no_grad():
            for name, value in self._parameters.items():
                value.copy_(state["parameters"][name])
                self._averaged[name].copy_(state["averaged"][name])
        for optimizer, kept in zip(self._optimizers, state["optimizers"], strict=True):
            optimizer.load_state_dict(kept)
        self.steps = int(state["steps"])
