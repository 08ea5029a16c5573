"""RetrievalTask: which candidates, the same for all queries, belong to a query, as what a new paper cites."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from sigraph.files.arguments import as_tensor, check_integers
from sigraph.files.suggestions import did_you_mean
from sigraph.samples.encoding import Encoding
from sigraph.tasks.base import SPLITS, BaseTask, Embeds, HeadSettings
from sigraph.tasks.kinds import LossSettings

KS = (1, 10, 100)
METRICS = ("mrr", *(f"{name}@{k}" for name in ("recall", "hits", "ndcg") for k in KS))
SCORED = ("valid", "test")


class RetrievalTask(BaseTask):
    r"""Queries, each with known answers among candidates that all queries share; embeddings rank them, as they are.

    An item is a query. Nothing trains: candidates are ranked by the cosine of their embedding and the query's, a block
    of queries at a time, and neither is another query a candidate nor the query itself. So it is scored of any encoder,
    and of any rows of numbers.

    Figures of a query, then their mean over queries: ``mrr``, 1 / rank of its first answer; ``recall@k``, the share of
    its answers among the k closest; ``hits@k``, whether one of them is; ``ndcg@k``. Of ties all orders count alike, as
    :func:`~sigraph.evaluation.graph_retrieval` has it.

    Args:
        name: The task's name.
        answers: Query and answer, as sample ids; a pair that stands there twice counts once. Shape [2, A].
        candidates: Sample ids that are ranked. Shape [C].
        split: Queries under ``valid`` and ``test``.
        num_samples: N of the data set.
        metric: Some of :data:`METRICS`, the first decides; by default ``mrr`` and ``recall@10``.
        about: Where the answers come from, in words.

    The part ``train`` is the candidates that are no query: what pre-training may see where it sees training samples.

    Raises:
        ValueError: An id is none, an answer is no candidate or the query itself, a query has no answer, parts share
            one, or a metric does not exist.
    """

    item = "query"
    type = "retrieval"

    def __init__(
        self,
        name: str,
        answers: Any,
        candidates: Any,
        split: Mapping[str, Any],
        num_samples: int,
        metric: str | Sequence[str] = ("mrr", "recall@10"),
        *,
        about: str = "",
    ) -> None:
        check_integers("RetrievalTask", 1, num_samples=num_samples)
        self.name, self.about, self._num_samples = name, about, num_samples
        self.metrics = tuple(dict.fromkeys([metric] if isinstance(metric, str) else metric))
        for one in self.metrics:
            if one not in METRICS:
                raise ValueError(
                    f"'metric' of task {name!r} needs to be one of {', '.join(METRICS)} (got {one!r})"
                    f"{did_you_mean(str(one), METRICS)}"
                )
        if not self.metrics:
            raise ValueError(f"'metric' of task {name!r} needs a name (got none)")
        self.metric = self.metrics[0]
        self.candidates = self._ids(candidates, "'candidates'", 1).unique()
        pairs = self._ids(answers, "'answers'", 2)
        key = (pairs[0] * num_samples + pairs[1]).unique()
        self.pairs = torch.stack([key // num_samples, key % num_samples])
        self.ptr = torch.cat([key.new_zeros(1), self.pairs[0].bincount(minlength=num_samples).cumsum(0)])
        self._check_answers()
        unknown = [part for part in split if part not in SPLITS]
        if unknown or any(part not in split for part in SCORED):
            raise ValueError(f"'split' of task {name!r} needs queries of valid and test (got {', '.join(split)})")
        queries = {part: self._ids(split[part], f"'split' {part!r}", 1).unique() for part in SCORED}
        train = self.candidates[~torch.isin(self.candidates, torch.cat(list(queries.values())))]
        self.split = {"train": train, **queries}
        self._check_queries()
        self.labels = self.ptr.diff()

    def _ids(self, value: Any, what: str, dim: int) -> Tensor:
        found = as_tensor(value).detach().cpu()
        if found.dtype == torch.bool and dim == 1:
            found = found.nonzero().view(-1)
        shape = list(found.shape)
        if found.dim() != dim or found.is_floating_point() or not found.numel() or (dim == 2 and shape[0] != 2):
            raise ValueError(
                f"{what} of task {self.name!r} needs sample ids, integers {'[2, A]' if dim == 2 else '[n]'}, one or "
                f"more (got {found.dtype} {shape})"
            )
        found = found.long()
        if not 0 <= int(found.min()) <= int(found.max()) < self._num_samples:
            span = f"{int(found.min())} to {int(found.max())}"
            raise ValueError(f"{what} of task {self.name!r} needs ids in [0, {self._num_samples}) (got {span})")
        return found

    def _check_answers(self) -> None:
        own = (self.pairs[0] == self.pairs[1]).nonzero().view(-1)
        if own.numel():
            first = int(self.pairs[0, own[0]])
            raise ValueError(f"'answers' of task {self.name!r} has sample {first} as an answer to itself; leave it out")
        strange = self.pairs[1, ~torch.isin(self.pairs[1], self.candidates)]
        if strange.numel():
            raise ValueError(
                f"'answers' of task {self.name!r} needs candidates ({strange.numel():,} are none, first: "
                f"{int(strange[0])}); leave them out, or add them to 'candidates'"
            )

    def _check_queries(self) -> None:
        shared = self.split["valid"][torch.isin(self.split["valid"], self.split["test"])]
        if shared.numel():
            raise ValueError(f"'split' of task {self.name!r} has query {int(shared[0])} in 'valid' and 'test'")
        for part in SCORED:
            idle = self.split[part][self.ptr.diff()[self.split[part]] == 0]
            if idle.numel():
                raise ValueError(
                    f"'split' {part!r} of task {self.name!r} has {idle.numel():,} queries without an answer (first: "
                    f"{int(idle[0])}); leave them out"
                )

    @property
    def greater_is_better(self) -> bool:
        """All of its figures are."""
        return True

    @property
    def num_samples(self) -> int:
        """N of the data set."""
        return self._num_samples

    @property
    def num_items(self) -> int:
        """N: a query is a sample."""
        return self._num_samples

    def answers(self, items: Tensor) -> tuple[Tensor, Tensor]:
        """Known answers of queries: the position of the query in ``items``, ascending, and that among the candidates.

        Shape [A] each.
        """
        size = self.ptr.diff()[items]
        row = torch.repeat_interleave(torch.arange(len(items)), size)
        place = torch.arange(len(row)) - (size.cumsum(0) - size)[row] + self.ptr[items][row]
        return row, torch.searchsorted(self.candidates, self.pairs[1, place])

    def samples(self, items: Tensor, generator: torch.Generator | None = None) -> tuple[Tensor, Tensor]:
        return items, torch.arange(len(items))

    def read(self, encoding: Encoding, place: Tensor, inputs: Any) -> Tensor:
        """Embeddings of the queries. Shape [n, D]."""
        return encoding.z[place]

    def head(self, encoder: Embeds, settings: HeadSettings) -> nn.Module:
        raise ValueError(
            f"task {self.name!r} ranks candidates by embeddings as they are, and trains nothing; use 'head' knn"
        )

    def target(self, items: Tensor) -> Tensor:
        """How many answers each query has. Shape [n]."""
        return self.labels[items]

    def loss(self, predicted: Tensor, target: Tensor, settings: LossSettings) -> Tensor:
        raise ValueError(f"task {self.name!r} has no loss: nothing in it trains")

    def evaluate(self, items: Tensor, predicted: Tensor, metrics: Sequence[str] | None = None) -> dict[str, float]:
        """Means over queries.

        Args:
            items: Queries.
            predicted: The figures of each, in the order of :attr:`metrics`, as
                :func:`~sigraph.evaluation.retrieved.ranked_answers` gives them. Shape [n, num_metrics].
            metrics: Some of the task's; None: all.
        """
        if tuple(predicted.shape) != (len(items), len(self.metrics)) or not len(items):
            need = f"[{len(items)}, {len(self.metrics)}], a figure of each query and metric"
            raise ValueError(f"'predicted' of task {self.name!r} needs shape {need} (got {list(predicted.shape)})")
        mean = dict(zip(self.metrics, predicted.double().mean(dim=0).tolist(), strict=True))
        return mean if metrics is None else {name: mean[name] for name in metrics}

    def with_split(self, split: Mapping[str, Tensor], about: str) -> BaseTask:
        if len(split["train"]) < len(self.split["train"]):
            raise ValueError(f"task {self.name!r} trains on nothing; leave 'max_train_samples' out")
        return super().with_split(split, about)

    def edges(self) -> Tensor:
        """Test queries and their answers. Shape [2, n]."""
        row, place = self.answers(self.split["test"])
        return torch.stack([self.split["test"][row], self.candidates[place]])

    def state(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        arrays = {"labels": self.labels, "answers": self.pairs, "candidates": self.candidates, **self.split}
        facts = {"name": self.name, "type": self.item, "metric": self.metric, "metrics": list(self.metrics)}
        return arrays, {**facts, "about": self.about, "num_samples": self._num_samples}

    @classmethod
    def restored(cls, arrays: Mapping[str, Tensor], facts: Mapping[str, Any]) -> RetrievalTask:
        split = {part: arrays[part] for part in SCORED}
        given = (arrays["answers"], arrays["candidates"], split, facts["num_samples"], facts["metrics"])
        return cls(facts["name"], *given, about=facts["about"])

    def __repr__(self) -> str:
        sizes = ", ".join(f"{part}={len(self.split[part]):,}" for part in SCORED)
        return f"RetrievalTask({self.name!r}, {sizes}, {len(self.candidates):,} candidates)"
