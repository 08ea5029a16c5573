"""ModuleEncoder: any torch module as an encoder."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from sigraph.data.dataset import SampleDataset
from sigraph.encoders.base import Encoder, Encoding, samples_of
from sigraph.encoders.graph_pooling import POOLINGS, Pooling
from sigraph.files.arguments import check_integers, check_kinds, is_of, is_one_of, shown
from sigraph.samples.tokens import Tokens


class ModuleEncoder(Encoder):
    """A module of one's own, of torch or of PyG, whose rows are embeddings of samples or, pooled, of their parts.

    Args:
        module: Any ``torch.nn.Module``; in a YAML a component of its own.
        out_channels: Width of the rows that it gives, >= 1.
        pooling: None: it gives a row for each sample. ``mean``, ``sum``, ``max``, ``attention`` (a mean with learnt
            weights) or ``set2set`` (twice as wide): it gives a row for each node of graphs, or for each place of token
            sequences [B, L, D], which are pooled.
        arguments: What of a batch of graphs (``x``, ``edge_index``, ``edge_attr``, ``batch``, ...) or of tokens, padded
            (``token``, ``is_real``, ``length``, ``is_special``), the module is given, in this order. None: what its
            ``forward`` has parameters of that name for, else the batch itself. Feature rows and records are given as
            they are.

    Shapes:
        - **inputs:** what the data set gives of B samples  ->  **z:** [B, out_channels], **h:** with a pooling, the
          rows of the parts

    The module has to treat every sample by itself in evaluation mode.

    Example:
        >>> encoder = ModuleEncoder(torch_geometric.nn.GIN(9, 64, num_layers=3), out_channels=64, pooling="mean")

    Guide:
        reads: what the module reads
    """

    def __init__(
        self,
        module: nn.Module,
        out_channels: int,
        pooling: str | None = None,
        arguments: list[str] | None = None,
    ) -> None:
        super().__init__()
        name = "ModuleEncoder"
        check_kinds(name, module=(module, nn.Module))
        check_integers(name, 1, out_channels=out_channels)
        if not is_one_of(pooling, [None, *POOLINGS]):
            raise ValueError(
                f"'pooling' needs to be one of {', '.join(POOLINGS)} or null in {name!r} (got {shown(pooling)})"
            )
        is_list = isinstance(arguments, Sequence) and not isinstance(arguments, str)
        if arguments is not None and not (is_list and arguments and all(isinstance(one, str) for one in arguments)):
            raise ValueError(f"'arguments' needs a list of names, or null, in {name!r} (got {shown(arguments)})")
        self.module, self.width, self.arguments = module, out_channels, arguments
        self.pool = None if pooling is None else Pooling(pooling, out_channels)
        self.out_channels = out_channels if self.pool is None else self.pool.out_channels

    @property
    def part_channels(self) -> int:
        """Width of the rows that the module gives."""
        return self.width

    def check_samples(self, dataset: SampleDataset) -> None:
        """Encode two samples: what a module reads, only the module knows."""
        modes = {module: module.training for module in self.modules()}
        try:
            with torch.no_grad(), torch.random.fork_rng(devices=[]):
                self.eval()(dataset.fetch(torch.arange(min(2, len(dataset)))))
        except Exception as error:  # a module may raise anything at what it does not expect
            what = " ".join(str(error).split()) or type(error).__name__
            raise ValueError(
                f"'ModuleEncoder' cannot read {samples_of(dataset)}, {dataset.store.describe()}, by "
                f"{type(self.module).__name__!r}: {what:.300}; 'arguments' says what of a batch the module is given"
            ) from error
        finally:
            for module, training in modes.items():
                module.training = training

    def forward(self, inputs: Any) -> Encoding:
        graphs, tokens = is_of(inputs, "torch_geometric.data", "Batch"), isinstance(inputs, Tokens)
        out = self.module(*self._positional(inputs), **self._named(inputs))
        if isinstance(out, Encoding):
            return out
        if not isinstance(out, Tensor) or out.dim() < 2 or out.size(-1) != self.width:
            got = list(out.shape) if isinstance(out, Tensor) else type(out).__name__
            raise ValueError(
                f"'out_channels' needs to be the width of the rows that {type(self.module).__name__!r} gives in "
                f"'ModuleEncoder', a tensor [..., {self.width}] (got {got})"
            )
        if self.pool is None:
            count = inputs.num_graphs if graphs else len(inputs.length) if tokens else len(inputs)
            if out.dim() != 2 or len(out) != count:
                raise ValueError(
                    f"'module' needs to give a row for each of {count} samples in 'ModuleEncoder' (got "
                    f"{list(out.shape)}); where it gives one for each of their parts, choose a 'pooling'"
                )
            return Encoding(out)
        if tokens and out.dim() == 3:
            out = out[inputs.padded()[1]]
        if not graphs and not tokens:
            raise ValueError(f"'pooling' needs graphs or tokens in 'ModuleEncoder' (got {type(inputs).__name__})")
        size = inputs.length if tokens else inputs.ptr.diff()
        if out.dim() != 2 or len(out) != int(size.sum()):
            raise ValueError(
                f"'module' needs to give a row for each of {int(size.sum())} parts of the samples in 'ModuleEncoder' "
                f"(got {list(out.shape)}); where it gives one for each sample, leave out 'pooling'"
            )
        whose = torch.arange(len(size), device=out.device).repeat_interleave(size)
        ptr = torch.cat([size.new_zeros(1), size.cumsum(0)])
        return Encoding(self.pool(out, whose, len(size)), out, ptr)

    def _positional(self, inputs: Any) -> list[Any]:
        held = _held(inputs)
        if not held:
            return [inputs]
        if self.arguments is None:
            return [] if self._names(held) else [inputs]
        lacking = [name for name in self.arguments if name not in held]
        if lacking:
            raise ValueError(
                f"'arguments' names {lacking[0]!r} in 'ModuleEncoder', which the batch has not (it has "
                f"{', '.join(sorted(held))})"
            )
        return [held[name] for name in self.arguments]

    def _named(self, inputs: Any) -> dict[str, Any]:
        held = _held(inputs)
        return {name: held[name] for name in self._names(held)} if held and self.arguments is None else {}

    def _names(self, held: dict[str, Any]) -> list[str]:
        """Parameters of the module's ``forward`` that a batch has something for."""
        wanted = inspect.signature(self.module.forward).parameters.values()
        return [one.name for one in wanted if one.kind is not one.VAR_KEYWORD and held.get(one.name) is not None]


def _held(inputs: Any) -> dict[str, Any]:
    """By name, what a batch of graphs or tokens holds; of other samples nothing."""
    if isinstance(inputs, Tokens):
        token, is_real = inputs.padded()
        special = (
            None if inputs.is_special is None else inputs._replace(token=inputs.is_special.long()).padded(0)[0].bool()
        )
        return {"token": token, "length": inputs.length, "is_real": is_real, "is_special": special}
    if is_of(inputs, "torch_geometric.data", "Batch"):
        return {**dict(inputs), "batch_size": inputs.num_graphs}
    return {}
