"""ProjectedLoss: any structure loss on a projection of the embeddings, which is dropped after pre-training."""

from __future__ import annotations

from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from sigraph.data import PretrainGraph, SampleDataset
from sigraph.data.pairs import Pairs
from sigraph.files.arguments import check_integers
from sigraph.files.memory import check_fits
from sigraph.losses.base import StructureLoss, at_least_float32
from sigraph.losses.memory import CrossBatchMemory


class ProjectedLoss(StructureLoss):
    r"""Any structure loss, on what a projection head makes of the embeddings instead of on these themselves.

    .. math:: L = L_{SI}\big(g(z);\; P, N\big), \qquad g(z) = W^{(2)} \max\big(0,\, W^{(1)} z\big)

    The head is trained with the encoder, and nothing of it is kept: heads of tasks, neighbours and embeddings taken
    home are of z. So z may hold what the structure loss wants forgotten.

    Args:
        loss: The structure loss; any without a memory. Where it asks for ``encoder_channels``, in an experiment file,
            it gets ``out_channels``.
        encoder_channels: E, width of the embedding.
        hidden_channels: H, width of the hidden layer, >= 1; None: no hidden layer, :math:`g(z) = Wz`.
        out_channels: O, width of what the loss compares, >= 1.

    Shapes:
        - **z:** [A, E].  **pairs:** A anchors, C candidates, passed on as they are.  **returns:** scalar, as of
          ``loss``.

    As the head has no biases, :math:`g(cz) = c\,g(z)` for :math:`c > 0`: a loss of cosines still sees no lengths. A
    queue goes around it, ``CrossBatchMemory(ProjectedLoss(loss))``: embeddings of earlier steps are then projected by
    the head as it is now. A certificate is of z, in cosines and without a bound, for that is the space that is kept;
    ``certify(loss.project(z), graph, loss.loss)`` is one of the space that was trained.

    Raises:
        ValueError: ``loss`` is no structure loss or holds a memory, or z has another width.

    Source: Chen et al., "A Simple Framework for Contrastive Learning of Visual Representations", ICML 2020, section 2.1
    (the head) and 4.2 (why it is dropped). Differs in any loss between samples in place of NT-Xent.

    Guide:
        minimises: the given loss, of :math:`g(z)=W^{(2)}\max(0,W^{(1)}z)`
        use it when: the graph and the tasks want different things of z, or z is wide; compare it with the loss alone
        start with: ``{hidden_channels: 256}``, ``{out_channels: 128}``
        costs: its loss + (A + C) (E + O) H
        anchor without a positive: as its loss
        anchor without a negative: as its loss
        several processes: as its loss
        in a memory: as its loss
    """

    inner_channels: ClassVar[str] = "out_channels"  # the argument that is the width of what the loss inside reads

    def __init__(
        self,
        loss: StructureLoss,
        encoder_channels: int,
        hidden_channels: int | None = 256,
        out_channels: int = 128,
    ) -> None:
        super().__init__()
        name = "ProjectedLoss"
        if not isinstance(loss, StructureLoss):
            raise ValueError(f"'loss' needs to be a StructureLoss in {name!r} (got {type(loss).__name__})")
        if any(isinstance(part, CrossBatchMemory) for part in loss.modules()):
            raise ValueError(
                f"'loss' needs to be without a memory in {name!r} (got a CrossBatchMemory, which would keep what "
                "earlier heads made); put the memory around it: CrossBatchMemory(ProjectedLoss(loss))"
            )
        widths = {"encoder_channels": encoder_channels, "out_channels": out_channels}
        if hidden_channels is not None:
            widths["hidden_channels"] = hidden_channels
        check_integers(name, 1, **widths)
        last = encoder_channels if hidden_channels is None else hidden_channels
        size = last * out_channels + (0 if hidden_channels is None else encoder_channels * hidden_channels)
        check_fits(name, 4 * size, **widths)
        self.loss, self.in_channels = loss, encoder_channels
        self.hidden = None if hidden_channels is None else nn.Linear(encoder_channels, hidden_channels, bias=False)
        self.output = nn.Linear(last, out_channels, bias=False)

    def project(self, z: Tensor) -> Tensor:
        """What the loss compares: g(z), in z's own precision, of halves in float32. Shape [B, E] -> [B, O]."""
        if z.size(1) != self.in_channels:
            raise ValueError(
                f"'encoder_channels' needs to be the width of z, {z.size(1)}, in 'ProjectedLoss' "
                f"(got {self.in_channels})"
            )
        with torch.autocast(z.device.type, enabled=False):
            z = at_least_float32(z)
            if self.hidden is not None:
                z = F.linear(z, self.hidden.weight.to(z.dtype)).relu()  # [B, H]
            return F.linear(z, self.output.weight.to(z.dtype))

    def prepare(self, dataset: SampleDataset, graph: PretrainGraph, seed: int) -> None:
        self.loss.prepare(dataset, graph, seed)

    def forward(self, z: Tensor, pairs: Pairs, candidates: Tensor | None = None) -> Tensor:
        self.check(z, pairs, candidates)
        return self.loss(self.project(z), pairs, None if candidates is None else self.project(candidates))

    @property
    def additive(self) -> bool:
        """Whether its loss is: the head looks at each sample by itself."""
        return self.loss.additive
