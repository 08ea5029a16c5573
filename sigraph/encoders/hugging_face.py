"""HuggingFaceEncoder: any encoder of the transformers library, from a checkpoint on disk or from scratch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

from torch import Tensor, nn
from torch.nn.functional import normalize as unit_rows

from sigraph.config.overlay import Component
from sigraph.encoders.checkpoint_folder import (
    CheckpointFolder,
    checked_config,
    new_model,
    open_checkpoint,
    plain_config,
    with_dropout,
)
from sigraph.encoders.padded_encoder import PaddedEncoder
from sigraph.encoders.token_pooling import POOLINGS, TokenPooling
from sigraph.files.arguments import check_flags, check_integers, check_rates, is_one_of, shown
from sigraph.files.memory import check_fits
from sigraph.machines.layers import layers_of
from sigraph.samples.tokens import MASK, PAD

_PLACES = ("position_embeddings", "wpe")  # tables of learnt places, by their names in transformers
_LORA = {"r": 8, "alpha": 16, "dropout": 0.0, "target_modules": "all-linear"}


class HuggingFaceEncoder(PaddedEncoder):
    r"""A transformer of Hugging Face (BERT, RoBERTa, ESM, ...), its tokens pooled. Extra ``sequence``.

    Args:
        num_tokens: Size of the vocabulary of the samples, >= 3; a checkpoint's may be larger.
        checkpoint: Folder with ``config.json`` and ``model.safetensors``; one of sentence-transformers brings its
            pooling. Nothing is downloaded, and code in the folder is never run. null: ``config``.
        config: Architecture, with weights drawn anew: ``{model_type: bert, hidden_size: 128, ...}``, as the class of
            transformers names its settings; the vocabulary is that of the samples.
        pooling: ``mean``, ``max``, ``cls`` (the first token) or ``attention`` (a mean with learnt weights); null: the
            checkpoint's, where it says one, else ``mean``.
        normalize: Whether embeddings are unit vectors; null: as the checkpoint says, else no.
        lora: Rank of low-rank updates, the only weights that learn (Hu et al., ICLR 2022; by peft); or ``{r: 8, alpha:
            16, dropout: 0.0, target_modules: all-linear}``. null: all weights learn.
        freeze_layers: Layers that do not learn, from the lowest, the embedding of tokens being the first, >= 0.
        dropout: Share of units and of attention dropped in training, in [0, 1); null: as the checkpoint or ``config``
            says. On the CPU drawing them takes a third of a step and more; 0 saves it.
        gradient_checkpointing: Keep a layer's input only and compute the layer again for the gradients: less memory for
            long sequences, a third more time.
        max_length: Tokens of the longest sequence that is read, >= 1; null: what the architecture has places for.
        pad_token, mask_token: The vocabulary's ids of padding and of a hidden token.
        max_tokens, recompute: As of :class:`TransformerEncoder`.

    Shapes:
        - **inputs:** B sequences, M tokens in all  ->  **z:** [B, D], **h:** [M, D], D the model's hidden size

    Raises:
        ValueError: No or both of ``checkpoint`` and ``config``; a checkpoint lacks weights, holds a pickle or asks for
            code of its own, or its vocabulary is smaller than that of the samples.
        ImportError: The extra is not installed.

    Source: transformers' ``AutoModel``; pooling as in Reimers & Gurevych, "Sentence-BERT", EMNLP 2019, section 3.

    Guide:
        reads: token sequences
    """

    def __init__(
        self,
        num_tokens: int,
        checkpoint: str | None = None,
        config: Mapping[str, Any] | None = None,
        pooling: str | None = None,
        normalize: bool | None = None,
        lora: int | Mapping[str, Any] | None = None,
        freeze_layers: int = 0,
        dropout: float | None = None,
        gradient_checkpointing: bool = False,
        max_length: int | None = None,
        pad_token: int = PAD,
        mask_token: int = MASK,
        max_tokens: int | None = None,
        recompute: bool = False,
    ) -> None:
        super().__init__(num_tokens, max_length, pad_token, mask_token, max_tokens, recompute)
        name = "HuggingFaceEncoder"
        check_integers(name, 0, freeze_layers=freeze_layers)
        check_flags(name, gradient_checkpointing=gradient_checkpointing)
        check_flags(name, normalize=False if normalize is None else normalize)
        if not is_one_of(pooling, [None, *POOLINGS]):
            known = ", ".join(POOLINGS)
            raise ValueError(f"'pooling' needs to be one of {known} or null in {name!r} (got {shown(pooling)})")
        if (checkpoint is None) == (config is None):
            got = "none" if checkpoint is None else "both"
            raise ValueError(f"'checkpoint' or 'config' is needed in {name!r}, one of them (got {got})")
        folder = CheckpointFolder() if checkpoint is None else open_checkpoint(checkpoint, name)
        settings = checked_config(folder.config if config is None else config, num_tokens, pad_token, name, folder.path)
        if dropout is not None:
            settings = with_dropout(settings, dropout, name)
        self.model: Any = new_model(settings, name, folder)
        self._check_places(name)
        self.pooling = TokenPooling(pooling or folder.pooling or "mean", self.out_channels)
        self.normalize = bool(folder.normalize if normalize is None else normalize)
        self.lora = _checked_lora(lora, name)
        if self.lora is not None:
            _add_lora(self.model, self.lora)
        self.recomputes_layers = gradient_checkpointing
        if gradient_checkpointing:
            self.model.gradient_checkpointing_enable()
        self.freeze_layers = freeze_layers
        if freeze_layers > len(layers_of(self.model)):
            most = len(layers_of(self.model))
            raise ValueError(
                f"'freeze_layers' needs to be <= {most}, the layers there are, in {name!r} (got {freeze_layers})"
            )
        self.requires_grad_(True)

    @property
    def out_channels(self) -> int:  # type: ignore[override]
        """D, the model's hidden size."""
        return int(self.model.config.hidden_size)

    @property
    def token_embedding(self) -> nn.Embedding:
        """The table of embeddings of tokens, [V, D]."""
        return self.model.get_input_embeddings()

    def requires_grad_(self, requires_grad: bool = True) -> Self:
        """As of any module, but that what is frozen stays so."""
        super().requires_grad_(requires_grad)
        if requires_grad:
            held = [name for layer in layers_of(self.model)[: self.freeze_layers] for name in layer]
            for name, parameter in self.model.named_parameters():
                if name in held or (self.lora is not None and "lora_" not in name):
                    parameter.requires_grad_(False)
        return self

    def encode_padded(self, token: Tensor, is_real: Tensor) -> tuple[Tensor, Tensor]:
        state = self.model(input_ids=token, attention_mask=is_real.long()).last_hidden_state
        z = self.pooling(state, is_real)
        return unit_rows(z, dim=1) if self.normalize else z, state

    def standing_alone(self, component: Component) -> Component:
        """Without the checkpoint's folder: what it said of the architecture, of pooling and of length."""
        rest = {key: value for key, value in component.items() if key not in ("checkpoint", "config")}
        said = {"config": plain_config(self.model.config), "pooling": self.pooling.kind, "normalize": self.normalize}
        return {**rest, **said}

    def _check_places(self, name: str) -> None:
        """``max_length``, as far as the model has places."""
        places = num_places(self.model)
        if self.max_length is None:
            self.max_length = places
        elif places is not None and self.max_length > places:
            raise ValueError(
                f"'max_length' needs to be <= {places}, the places that the model has, in {name!r} (got "
                f"{self.max_length}); let the reader cut longer sequences: HuggingFaceTokens(max_length={places})"
            )


def num_places(model: nn.Module) -> int | None:
    """Tokens of the longest sequence that a model has a place for; None: any number."""
    for name, table in model.named_modules():
        if name.rpartition(".")[2] in _PLACES and isinstance(table, nn.Embedding):
            # RoBERTa counts its places from behind the id of padding.
            return table.num_embeddings - (0 if table.padding_idx is None else table.padding_idx + 1)
    return None


def _checked_lora(lora: Any, name: str) -> dict[str, Any] | None:
    if lora is None:
        return None
    given = {"r": lora} if isinstance(lora, int) and not isinstance(lora, bool) else lora
    if not isinstance(given, Mapping) or not set(given) <= set(_LORA):
        raise ValueError(f"'lora' needs a rank, or a mapping of {', '.join(_LORA)}, in {name!r} (got {shown(lora)})")
    found = {**_LORA, **given}
    check_integers(name, 1, **{"lora.r": found["r"], "lora.alpha": found["alpha"]})
    check_rates(name, **{"lora.dropout": found["dropout"]})
    modules = found["target_modules"]
    listed = isinstance(modules, list | tuple) and modules and all(isinstance(one, str) for one in modules)
    if not listed and not (isinstance(modules, str) and modules):
        raise ValueError(
            f"'lora.target_modules' needs all-linear, a pattern, or a list of names, in {name!r} (got {shown(modules)})"
        )
    return found


def _add_lora(model: nn.Module, lora: Mapping[str, Any]) -> None:
    try:
        from peft import LoraConfig, inject_adapter_in_model
    except ImportError as error:
        raise ImportError("'lora' of 'HuggingFaceEncoder' needs peft: pip install 'sigraph[sequence]'") from error
    width = max(parameter.numel() ** 0.5 for parameter in model.parameters())
    check_fits("HuggingFaceEncoder", int(4 * lora["r"] * width), **{"lora.r": lora["r"]})
    modules = lora["target_modules"]
    settings = LoraConfig(
        r=lora["r"],
        lora_alpha=lora["alpha"],
        lora_dropout=float(lora["dropout"]),
        target_modules=modules if isinstance(modules, str) else list(modules),
    )
    try:
        inject_adapter_in_model(settings, model)
    except ValueError as error:
        last = sorted({one.rpartition(".")[2] for one, kind in model.named_modules() if isinstance(kind, nn.Linear)})
        raise ValueError(
            f"'lora.target_modules' of 'HuggingFaceEncoder' names no layers of the model that can be updated (got "
            f"{shown(modules)}); there are {', '.join(last)}"
        ) from error
