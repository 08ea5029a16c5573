"""CrossBatchMemory: more candidates than the step holds, from the steps before it."""

from __future__ import annotations

from typing import Any, Protocol

import torch
from torch import Tensor

from sigraph.data.pairs import Pairs
from sigraph.files.memory import check_fits
from sigraph.losses.base import StructureLoss, at_least_float32


class PairRule(Protocol):
    """What decides which pairs are positive; every :class:`~sigraph.samplers.PairSampler` does."""

    def pairs(self, anchors: Tensor, candidates: Tensor) -> Pairs: ...


class CrossBatchMemory(StructureLoss):
    r"""Any structure loss, with the embeddings of the last steps as further candidates.

    A queue keeps the latest M embeddings and their node ids. With the step's embeddings :math:`z` (anchors),
    candidates :math:`c` (:math:`z` itself on one process) and the queue :math:`q`, which has no gradient,

    .. math:: L = L_{SI}\big(z,\; [c;\, q]\big), \qquad q \leftarrow \text{last } M \text{ of } [q;\, c].

    The sampler decides on every pair of a step that looks into the queue: a neighbour there is a positive, an older
    copy of the anchor is nothing, anything else is a negative. An older copy is still a positive of its neighbours, and
    a node that was seen several times is as many candidates.

    Args:
        loss: The structure loss; any but another memory.
        size: M, embeddings kept, >= 1. A step costs (C + M) / C times as much and needs M D more floats.
        start_step: Training steps before the queue is looked into, >= 0; it fills meanwhile. Early embeddings move
            fast, and old ones mislead until they slow down (1,000 steps in the source).
        sampler: Decides which pairs are positive. None: :class:`~sigraph.PretrainModule` gives its own.

    Shapes:
        - **z:** [A, D].  **pairs:** A anchors, C candidates, with node ids.  **returns:** scalar, as of ``loss``.

    In evaluation mode the queue is looked into and stays as it is. It is part of the checkpoint. On several processes
    each keeps the embeddings of all of them. Means, weights and anchors without pairs are those of ``loss``; samplers
    that draw few negatives profit most. Use with :class:`~sigraph.samplers.NeighborPairSampler`.

    Source: Wang et al., "Cross-Batch Memory for Embedding Learning", CVPR 2020. Differs in one loss over the step's own
    samples, with their gradient, and the queue together, and in that positives are edges, not equal labels.

    Guide:
        minimises: the given loss, with the embeddings of the last steps as further candidates
        use it when: the encoder is so large that a step holds few samples
        start with: ``{size: 8192}``, ``{start_step: 1000}``
        costs: (C + M) / C × its loss
        anchor without a positive: as its loss
        anchor without a negative: as its loss
        several processes: as its loss
        in a memory: no
    """

    def __init__(
        self, loss: StructureLoss, size: int = 8192, start_step: int = 0, sampler: PairRule | None = None
    ) -> None:
        super().__init__()
        if not isinstance(loss, StructureLoss) or isinstance(loss, CrossBatchMemory):
            got = type(loss).__name__
            raise ValueError(f"'loss' needs to be a StructureLoss without a memory in 'CrossBatchMemory' (got {got})")
        for name, value, least in (("size", size, 1), ("start_step", start_step, 0)):
            if isinstance(value, bool) or not isinstance(value, int) or value < least:
                raise ValueError(f"{name!r} needs to be an integer >= {least} in 'CrossBatchMemory' (got {value!r})")
        self.loss, self.size, self.start_step, self.sampler = loss, size, start_step, sampler
        # No buffers: weight averaging would average the ids, and DDP send the queue to every process at each step.
        self.queue_z, self.queue_node = torch.empty(0, 0), torch.empty(0, dtype=torch.long)  # [M, D], [M] oldest first
        self.num_steps = 0

    def check_size(self, channels: int) -> None:
        """Refuse a queue of embeddings of ``channels`` that the machine cannot hold once it is full."""
        check_fits("CrossBatchMemory", self.size * (4 * channels + 8), size=self.size)

    @property
    def additive(self) -> bool:
        return self.loss.additive

    def forward(self, z: Tensor, pairs: Pairs, candidates: Tensor | None = None) -> Tensor:
        """The loss against candidates and queue; in training, the candidates join the queue afterwards."""
        if pairs.anchor_id is None or pairs.candidate_id is None:
            raise ValueError(
                "'pairs' needs node ids in 'CrossBatchMemory' (got none); a PairSampler's pairs() has them, by hand "
                "they are Pairs(..., anchor_id=node, candidate_id=node)"
            )
        fresh = z if candidates is None else candidates
        if self.queue_node.numel() and self.num_steps >= self.start_step:
            if self.sampler is None:
                raise ValueError(
                    "'sampler' is needed in 'CrossBatchMemory' (got None); give it here or to the PretrainModule"
                )
            self.check(z, pairs, candidates)
            self.queue_z, self.queue_node = self.queue_z.to(z.device), self.queue_node.to(z.device)
            node = torch.cat([pairs.candidate_id, self.queue_node])  # [C + M]
            wide = self.sampler.pairs(pairs.anchor_id.cpu(), node.cpu()).to(z.device)
            everyone = at_least_float32(fresh)
            value = self.loss(z, wide, torch.cat([everyone, self.queue_z.to(everyone.dtype)]))
        else:
            value = self.loss(z, pairs, candidates)
        if self.training:
            self.push(fresh, pairs.candidate_id)
        return value

    @torch.no_grad()
    def push(self, z: Tensor, node: Tensor) -> None:
        """Append embeddings [C, D] and their ids [C] to the queue; the oldest leave it."""
        z = at_least_float32(z.detach())[-self.size :]
        first = max(self.queue_node.numel() + z.size(0) - self.size, 0)
        old = self.queue_z.to(z)[first:] if self.queue_node.numel() else z[:0]
        self.queue_z = torch.cat([old, z])
        self.queue_node = torch.cat([self.queue_node.to(node.device)[first:], node[-self.size :]])
        self.num_steps += 1

    def get_extra_state(self) -> dict[str, Any]:
        """The queue, for checkpoints."""
        return {"z": self.queue_z, "node": self.queue_node, "num_steps": self.num_steps}

    def set_extra_state(self, state: dict[str, Any]) -> None:
        """Continue with the queue of a checkpoint."""
        self.queue_z, self.queue_node = state["z"][-self.size :], state["node"][-self.size :]
        self.num_steps = state["num_steps"]
