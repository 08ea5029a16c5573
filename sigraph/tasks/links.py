"""LinkTask: links scored against negatives that come with the data, as OGB's are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from sigraph.files.arguments import as_tensor, check_flags, check_integers
from sigraph.tasks.base import SPLITS
from sigraph.tasks.metrics import second_class
from sigraph.tasks.pairs import PairTask
from sigraph.tasks.scorable import check_scorable

SIDES = ("source", "target")  # which end of a link the candidates take the place of
_RECIPROCAL = "mrr"


class LinkTask(PairTask):
    r"""Links between samples; validation and test links are ranked against given negatives.

    Negatives of a part are pairs that all its links are ranked against (``hits@k``, ROC-AUC); or candidates of each
    link, which take the place of one of its ends (``mrr``: the mean over links, and over ends that have candidates, of
    1 / rank, of equal scores the middle rank). Training negatives are drawn anew in every step among the training
    samples, unless some are given.

    Unlike those of a :class:`PairTask`, pairs may be there twice, in two parts, and of a sample with itself: official
    splits hold such pairs, as a collaboration of several years.

    Args:
        name: The task's name.
        links: By part, ``train``, ``valid`` and ``test``. Shape [2, n] each.
        num_samples: N of the data set.
        metric: ``hits@K``, ``rocauc``, ``ap``, ...; or ``mrr`` with ``candidates``.
        negatives: By part. Shape [2, Q] each.
        candidates: By part (``valid``, ``test``), and in it by ``source`` or ``target``: samples. Shape [n, K] each.
        directed: Whether (i, j) is another link than (j, i).
        num_negatives: Training negatives that are drawn for each link, >= 1.
        about: Where the links come from, in words.

    Raises:
        ValueError: A part has no links or no negatives, a link names an unknown sample, or both kinds of negatives are
            given.

    Source: Hu et al., "Open Graph Benchmark", NeurIPS 2020, whose evaluators give the same numbers.
    """

    item = "link"

    def __init__(
        self,
        name: str,
        links: Mapping[str, Any],
        num_samples: int,
        metric: str,
        *,
        negatives: Mapping[str, Any] | None = None,
        candidates: Mapping[str, Mapping[str, Any]] | None = None,
        directed: bool = False,
        num_negatives: int = 1,
        about: str = "",
    ) -> None:
        check_integers("LinkTask", 1, num_samples=num_samples, num_negatives=num_negatives)
        check_flags("LinkTask", directed=directed)
        self.name, self.about, self.directed, self.num_negatives = name, about, directed, num_negatives
        self._num_samples, self.type, self.classes = num_samples, "classification", None
        if bool(negatives) == bool(candidates) or (candidates is not None) != (metric == _RECIPROCAL):
            raise ValueError(
                f"task {name!r} needs either 'negatives' of all links or, for metric 'mrr', 'candidates' of each link "
                f"(got metric {metric!r})"
            )
        self.links = {part: self._ids(links.get(part), f"'links' {part!r}") for part in SPLITS}
        self.negatives = {part: self._ids(value, f"'negatives' {part!r}") for part, value in (negatives or {}).items()}
        self.candidates = {part: self._of_part(part, value) for part, value in (candidates or {}).items()}
        needed = self.candidates or self.negatives
        if unknown := needed.keys() - set(SPLITS) or {"valid", "test"} - needed.keys():
            raise ValueError(f"task {name!r} needs negatives of valid and test (got {', '.join(needed)}; {unknown})")
        self._lay_out()
        self.read_metrics(metric)
        if self.draws_negatives:
            self._training_negatives = self._negatives_of_train()

    def _lay_out(self) -> None:
        """Links and negatives one behind the other: what items are, and how many rows each takes."""
        parts, labels, self.split, self._first, start = [], [], {}, {}, 0
        for part in SPLITS:
            held = [self.links[part], *([self.negatives[part]] if part in self.negatives else [])]
            count, self._first[part] = sum(pairs.size(1) for pairs in held), start
            parts += held
            labels += [torch.full((pairs.size(1),), 1 - i) for i, pairs in enumerate(held)]
            self.split[part] = torch.arange(start, start := start + count)
        self.pairs, self.labels = torch.cat(parts, dim=1), torch.cat(labels).long()
        self._rows = torch.ones(self.num_items, dtype=torch.long)  # of a prediction, by item
        for part, sides in self.candidates.items():
            self._rows[self.split[part]] += sum(value.size(1) for value in sides.values())

    def _ids(self, value: Any, what: str) -> Tensor:
        what = f"{what} of task {self.name!r}"
        if value is None:
            raise ValueError(f"{what} are missing")
        pairs = as_tensor(value)
        if pairs.dim() != 2 or pairs.size(0) != 2 or pairs.is_floating_point() or not pairs.size(1):
            raise ValueError(f"{what} need integer sample ids [2, n], n >= 1 (got {pairs.dtype} {list(pairs.shape)})")
        return self._known(pairs, what)

    def _known(self, ids: Tensor, what: str) -> Tensor:
        ids = ids.detach().cpu().long()
        if ids.numel() and not 0 <= int(ids.min()) <= int(ids.max()) < self._num_samples:
            raise ValueError(
                f"{what} need sample ids in [0, {self._num_samples}) (got {int(ids.min())} to {int(ids.max())})"
            )
        return ids

    def _of_part(self, part: str, value: Mapping[str, Any]) -> dict[str, Tensor]:
        what = f"'candidates' {part!r} of task {self.name!r}"
        links = self.links.get(part)
        if links is None or not value or value.keys() - set(SIDES):
            raise ValueError(f"{what} need samples by 'source' or 'target', of valid and test (got {', '.join(value)})")
        found = {side: self._known(as_tensor(value[side]), what) for side in SIDES if side in value}
        for side, ids in found.items():
            if ids.dim() != 2 or len(ids) != links.size(1) or not ids.size(1):
                raise ValueError(f"{what} need {side!r} [{links.size(1)}, K], K >= 1 (got {list(ids.shape)})")
        return found

    def samples(self, items: Tensor, generator: torch.Generator | None = None) -> tuple[Tensor, Tensor]:
        if generator is not None or not self.candidates:
            return super().samples(items, generator)
        rows = self._rows[items]
        ends = self.pairs[:, items.repeat_interleave(rows)].clone()  # [2, R]
        first = rows.cumsum(0) - rows
        for part, sides in self.candidates.items():
            start = self._first[part]
            here = ((items >= start) & (items < start + self.links[part].size(1))).nonzero().view(-1)
            place = first[here][:, None] + 1
            for side, ids in sides.items():
                at = place + torch.arange(ids.size(1))  # [h, K]
                ends[SIDES.index(side), at.view(-1)] = ids[items[here] - start].view(-1)
                place = place + ids.size(1)
        node, found = ends.unique(return_inverse=True)
        return node, found.T.contiguous()

    def row_items(self, items: Tensor) -> Tensor:
        return torch.arange(len(items)).repeat_interleave(self._rows[items])

    def target(self, items: Tensor) -> Tensor:
        if not self.candidates:
            return super().target(items)
        rows = self._rows[items]
        y = torch.zeros(int(rows.sum()), dtype=torch.long)
        y[rows.cumsum(0) - rows] = 1
        return y

    def evaluate(self, items: Tensor, predicted: Tensor, metrics: Sequence[str] | None = None) -> dict[str, float]:
        if not self.candidates:
            return super().evaluate(items, predicted, metrics)
        score = torch.from_numpy(second_class(predicted.detach().cpu().float().numpy()))
        if not bool(torch.isfinite(score).all()):
            raise ValueError(f"predictions of task {self.name!r} are NaN or infinite: training diverged")
        rows, found = self._rows[items], []
        first = rows.cumsum(0) - rows
        for part, sides in self.candidates.items():
            start = self._first[part]
            here = ((items >= start) & (items < start + self.links[part].size(1))).nonzero().view(-1)
            place = first[here][:, None] + 1
            for ids in sides.values():
                found.append(reciprocal_rank(score[first[here]], score[place + torch.arange(ids.size(1))]))
                place = place + ids.size(1)
        known = torch.cat(found)
        if not known.numel():
            raise ValueError(f"task {self.name!r}: links of train have no candidates to be ranked against")
        return {_RECIPROCAL: float(known.double().mean())}

    def check_scorable(self) -> None:
        if not self.candidates:
            check_scorable(self)

    def edges(self) -> Tensor:
        """Links that are validated or tested and not trained on as well. Shape [2, n]"""
        scored = torch.cat([self.links["valid"], self.links["test"]], dim=1)
        return scored[:, ~torch.isin(self._keys(scored), self._keys(self.links["train"]))]

    def state(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        arrays = {f"links-{part}": pairs for part, pairs in self.links.items()}
        arrays |= {f"negatives-{part}": pairs for part, pairs in self.negatives.items()}
        for part, sides in self.candidates.items():
            arrays |= {f"candidates-{part}-{side}": ids for side, ids in sides.items()}
        own = {"num_samples": self._num_samples, "directed": self.directed, "num_negatives": self.num_negatives}
        return {"labels": self.labels, **arrays, **self.split}, {**self.facts(), **own}

    @classmethod
    def restored(cls, arrays: Mapping[str, Tensor], facts: Mapping[str, Any]) -> LinkTask:
        held: dict[str, dict[str, Any]] = {"links": {}, "negatives": {}, "candidates": {}}
        for name, value in arrays.items():
            kind, *where = name.split("-")
            if kind == "candidates":
                held[kind].setdefault(where[0], {})[where[1]] = value
            elif kind in held:
                held[kind][where[0]] = value
        return cls(
            facts["name"],
            held["links"],
            facts["num_samples"],
            facts["metric"],
            negatives=held["negatives"] or None,
            candidates=held["candidates"] or None,
            directed=facts["directed"],
            num_negatives=facts["num_negatives"],
            about=facts["about"],
        )

    def __repr__(self) -> str:
        sizes = ", ".join(f"{part}={pairs.size(1):,}" for part, pairs in self.links.items())
        return f"LinkTask({self.name!r}, {self.metric}, {sizes})"


def reciprocal_rank(positive: Tensor, negative: Tensor) -> Tensor:
    """1 / rank of each score among its own negatives, of equal ones the middle rank. [n], [n, K] -> [n]"""
    above = (negative > positive[:, None]).sum(dim=1)
    not_below = (negative >= positive[:, None]).sum(dim=1)
    return 1.0 / (0.5 * (above + not_below) + 1)
