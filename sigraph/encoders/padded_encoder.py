"""PaddedEncoder: what encoders share whose layers want padded sequences; alike lengths are encoded together."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from contextlib import nullcontext
from typing import Any

import torch
from torch import Tensor
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.checkpoint import checkpoint

from sigraph.encoders.base import Encoding
from sigraph.encoders.token_encoder import TokenEncoder
from sigraph.files.arguments import check_flags, check_integers
from sigraph.samples.tokens import MASK, PAD, Tokens, rows_between

ON_CPU, ON_GPU = 1 << 11, 1 << 16  # tokens of a chunk
_FUSED_FROM = 192  # tokens of a sequence from which torch's fused attention trains faster in bf16 on the CPU


class PaddedEncoder(TokenEncoder):
    """An encoder of token sequences that is given them padded. Implement :meth:`encode_padded`.

    A batch is encoded in chunks of sequences of alike lengths, so that little is padded, and put back in order.

    Args:
        num_tokens, max_length, pad_token, mask_token: As of :class:`TokenEncoder`.
        max_tokens: Tokens of a chunk at most, padding counted, >= 1; a longer sequence is one by itself. None: 2,048 on
            the CPU, 65,536 elsewhere.
        recompute: In training keep only what a chunk gives and encode it once more in the backward pass: memory of one
            chunk whatever the number of samples, for a third more time, the same gradients.

    Source of ``recompute``: Gao et al., "Scaling Deep Contrastive Learning Batch Size under Memory Limited Setup",
    RepL4NLP 2021.
    """

    recomputes_layers = False  # whether its layers run again in the backward pass, by the library that they are of

    def __init__(
        self,
        num_tokens: int,
        max_length: int | None = None,
        pad_token: int = PAD,
        mask_token: int = MASK,
        max_tokens: int | None = None,
        recompute: bool = False,
    ) -> None:
        super().__init__(num_tokens, max_length, pad_token, mask_token)
        check_integers(type(self).__name__, 1, max_tokens=1 if max_tokens is None else max_tokens)
        check_flags(type(self).__name__, recompute=recompute)
        self.max_tokens, self.recompute = max_tokens, recompute
        self.num_padded = 0  # tokens that the last batch took, padding counted
        self._compiled: Callable[..., Any] | None = None

    def forward(self, inputs: Tokens) -> Encoding:
        inputs = self.check_inputs(inputs)
        length = inputs.length
        chunks, self.num_padded = self._chunks(length), 0
        if len(chunks) == 1:
            return self._encoded(inputs)
        order = torch.cat(chunks)
        back = order.argsort()
        parts = [self._encoded(inputs.take(chunk)) for chunk in chunks]
        z = torch.cat([part.z for part in parts])[back]
        if parts[0].h is None:
            return Encoding(z)
        ptr = torch.cat([length.new_zeros(1), length[order].cumsum(0)])
        return Encoding(
            z, torch.cat([part.h for part in parts if part.h is not None])[rows_between(ptr, back)[1]], inputs.ptr
        )

    @abstractmethod
    def encode_padded(self, token: Tensor, is_real: Tensor) -> tuple[Tensor, Tensor | None]:
        """Encode sequences that are filled up to the longest of them, whatever stands behind the ends.

        Args:
            token: Ids. int64 [b, L].
            is_real: Which are tokens and no padding. bool [b, L].

        Returns:
            Embeddings of the samples [b, D], and of the tokens [b, L, D'], or None where there are none.
        """

    def compile(self, *args: Any, **settings: Any) -> None:
        """Compile :meth:`encode_padded` by :func:`torch.compile`, in place; chunks are cut as ever.

        Args:
            *args, **settings: As of ``torch.compile``; ``dynamic=True`` unless they say otherwise, for any length.
        """
        self._compiled = torch.compile(self.encode_padded, *args, **{"dynamic": True, **settings})

    def __getstate__(self) -> dict[str, Any]:
        """Without what was compiled, as of any module."""
        return {**super().__getstate__(), "_compiled": None}

    def _encoded(self, inputs: Tokens) -> Encoding:
        """A chunk at once."""
        token, is_real = inputs.padded(self.pad_token)
        self.num_padded += token.numel()
        if not len(token):
            none = next(self.parameters()).new_zeros(0, self.out_channels)
            return Encoding(none, none.new_zeros(0, self.part_channels), inputs.ptr)
        if self.recompute and torch.is_grad_enabled():
            z, state = checkpoint(self._encode, token, is_real, use_reentrant=False)
        else:
            z, state = self._encode(token, is_real)
        return Encoding(z) if state is None else Encoding(z, state[is_real], inputs.ptr)

    def _encode(self, token: Tensor, is_real: Tensor) -> tuple[Tensor, Tensor | None]:
        """What :meth:`encode_padded` says, by the attention that is fastest.

        In bf16 on the CPU the backward pass of torch's fused attention multiplies each head of each sequence by itself,
        and with short ones spends its time on calls: of plain products of matrices a step takes half as long.
        """
        if self._compiled is not None:
            return self._compiled(token, is_real)
        trains_in_bf16 = torch.is_autocast_enabled("cpu") and torch.is_grad_enabled() and token.device.type == "cpu"
        plain = trains_in_bf16 and token.size(1) < _FUSED_FROM and not self.recomputes_layers
        with sdpa_kernel(SDPBackend.MATH) if plain else nullcontext():
            return self.encode_padded(token, is_real)

    def _chunks(self, length: Tensor) -> list[Tensor]:
        """Samples that are encoded together: of alike lengths, as many as fit; all in their order where all do."""
        most = self.max_tokens or (ON_CPU if length.device.type == "cpu" else ON_GPU)
        size = len(length)
        if not size or size * int(length.max()) <= most:
            return [torch.arange(size, device=length.device)]
        sizes, order = length.cpu().sort(stable=True)
        own, start, cuts = sizes.tolist(), 0, []
        for i, each in enumerate(own):
            if i > start and (i - start + 1) * each > most:
                cuts.append(i)
                start = i
        return list(order.to(length.device).tensor_split(cuts))
