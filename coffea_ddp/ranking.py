"""Ranking: of all looks of a scan the best are kept, told apart from their look-alikes, and turned into rows.

Examples
--------
>>> Collector(best=10).z_histogram.counts[0]
0
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from coffea_ddp.rows import Row, ZHistogram
from coffea_ddp.stats.nsigma import METHOD, BlockNSigma
from coffea_ddp.stats.similar import leaders
from coffea_ddp.stats.status import Status
from coffea_ddp.stats.trials import p_from_z, sidak, sidak_z

if TYPE_CHECKING:
    from coffea_ddp._typing import BoolArray, IntArray
    from coffea_ddp.blocks import Block
    from coffea_ddp.histograms import Histograms
    from coffea_ddp.lattice import DistinctCells


@dataclass(frozen=True, eq=False)
class Where:
    """What all candidates of one channel share."""

    test: str
    symmetry: str
    observable: str
    cells: DistinctCells


class Candidate(NamedTuple):
    """What a row is made of, once it is known that it stays."""

    where: Where
    cell: int
    n_a: float
    n_b: float
    statistic: float
    n_bins: int
    asymmetry: float


def _size(candidate: Candidate) -> float:
    return abs(candidate.statistic)


@dataclass
class Collector:
    """The best candidates so far, the best of every channel, and the histogram of all z."""

    best: int
    candidates: list[Candidate] = field(default_factory=list)
    leaders: dict[tuple[str, str, str], Candidate] = field(default_factory=dict)
    z_histogram: ZHistogram = field(default_factory=ZHistogram)

    def add(self, where: Where, block: Block, found: BlockNSigma, finite: BoolArray) -> None:
        """Take in a block; of equal abs(z) the first to come stays, so the size of blocks does not show."""
        self.z_histogram = self.z_histogram.with_values(found.statistic[finite])
        usable = np.flatnonzero(finite)
        ranked = usable[np.argsort(-np.abs(found.statistic[usable]), kind="stable")]
        if not len(ranked):
            return
        columns = (block.cells, block.n_a, block.n_b, found.statistic, found.n_bins, found.asymmetry)

        def candidates(chosen: IntArray) -> list[Candidate]:
            values = zip(*(column[chosen].tolist() for column in columns), strict=True)
            return [Candidate(where, *row) for row in values]

        key = (where.test, where.symmetry, where.observable)
        first = candidates(ranked[:1])[0]
        if key not in self.leaders or abs(first.statistic) > abs(self.leaders[key].statistic):
            self.leaders[key] = first
        full = len(self.candidates) >= self.best
        least = abs(self.candidates[-1].statistic) if full else -1.0
        better = ranked[np.abs(found.statistic[ranked]) > least][: self.best]
        merged = sorted([*self.candidates, *candidates(better)], key=_size, reverse=True)
        self.candidates = merged[: self.best]

    def rows(self, hists: Histograms, looks: int) -> tuple[Row, ...]:
        """Return the rows, ranked, with their global p-values."""
        if not self.candidates:
            return ()
        # Leaders beyond the best have no rank: how many looks lie between is not known.
        kept = {(candidate.where, candidate.cell) for candidate in self.candidates}
        beyond = (leader for leader in self.leaders.values() if (leader.where, leader.cell) not in kept)
        others = sorted(beyond, key=_size, reverse=True)
        ranked = [*enumerate(self.candidates, start=1), *((None, leader) for leader in others)]
        z = np.array([candidate.statistic for _, candidate in ranked])
        p_local = p_from_z(z, two_sided=True)
        found = (p_local, sidak(p_local, looks), sidak_z(z, looks))
        columns = zip(*(values.tolist() for values in found), strict=True)
        method = f"{METHOD}; global: Sidak bound over {looks} looks"
        like = self._like(hists)
        return tuple(
            self._row(hists, candidate, (rank, like.get(rank)), method, probabilities)
            for (rank, candidate), probabilities in zip(ranked, columns, strict=True)
        )

    def _like(self, hists: Histograms) -> dict[int | None, int]:
        """Return rank -> rank of the strongest row that holds mostly the same events."""
        like: dict[int | None, int] = {}
        for symmetry in dict.fromkeys(candidate.where.symmetry for candidate in self.candidates):
            ranks = [i for i, candidate in enumerate(self.candidates, 1) if candidate.where.symmetry == symmetry]
            mine = [self.candidates[rank - 1] for rank in ranks]
            members = mine[0].where.cells.members([candidate.cell for candidate in mine])
            _, events, _ = hists.matrices(symmetry)
            heads = leaders(members, np.maximum(events.sum(axis=1), 0.0), [candidate.statistic for candidate in mine])
            like |= {rank: ranks[head] for rank, head in zip(ranks, heads.tolist(), strict=True)}
        return like

    @staticmethod
    def _row(
        hists: Histograms,
        candidate: Candidate,
        ranks: tuple[int | None, int | None],
        method: str,
        found: tuple[float, float, float],
    ) -> Row:
        where = candidate.where
        number = float if hists.layout.weighted else int
        return Row(
            kind="symmetry",
            symmetry=where.symmetry,
            observable=where.observable,
            cell=str(where.cells.cell(candidate.cell)),
            region=None,
            test=where.test,
            n_a=number(candidate.n_a),
            n_b=number(candidate.n_b),
            statistic=candidate.statistic,
            p_local=found[0],
            z_local=candidate.statistic,
            p_global=found[1],
            z_global=found[2],
            method=method,
            status=Status.OK.name,
            rank=ranks[0],
            n_bins=candidate.n_bins,
            kappa=hists.layout.symmetry(where.symmetry).kappa,
            asymmetry=candidate.asymmetry,
            aliases=int(where.cells.aliases[candidate.cell]),
            like=ranks[1],
        )
