"""save_sentence_transformer: an encoder and its tokenizer as a folder that sentence-transformers opens."""

from __future__ import annotations

import copy
import json
import os
from pathlib import Path
from typing import Any

from safetensors.torch import save

from sigraph.encoders import HuggingFaceEncoder
from sigraph.export.chosen_run import chosen_run
from sigraph.export.load import load_encoder, load_reader
from sigraph.export.trained_heads import FULL, trained_head
from sigraph.files.arguments import said
from sigraph.files.atomic import atomic_folder
from sigraph.readers import HuggingFaceTokens

_MODES = {"mean": "mean_tokens", "max": "max_tokens", "cls": "cls_token"}


def save_sentence_transformer(
    run: str | os.PathLike[str] | HuggingFaceEncoder,
    folder: str | os.PathLike[str],
    reader: HuggingFaceTokens | None = None,
    task: str | None = None,
) -> Path:
    """Write a transformer in the layout of sentence-transformers: weights, tokenizer, pooling.

    ``HuggingFaceEncoder(checkpoint=folder)`` opens it again. Low-rank updates are added to the weights.

    Args:
        run: A run's folder, or one above it, which stands for the run that validation prefers; or that of a saved
            encoder; or an encoder itself.
        folder: Is new, or empty.
        reader: What made tokens for it; None: the run's.
        task: The encoder as it was fine-tuned on this task of the run (``head: full``); None: as it was pre-trained.

    Returns:
        The folder.

    Raises:
        ValueError: The encoder is none of transformers, its pooling has no name there, nothing made tokens for it, or
            no encoder was fine-tuned on the task.
        FileExistsError: The folder holds something.

    Example:
        >>> sigraph.save_sentence_transformer("runs/papers/sipt/0a1b2c3d4e5f/seed-0", "mine")
    """
    name = "save_sentence_transformer"
    if isinstance(run, HuggingFaceEncoder):
        if task is not None:
            raise ValueError(f"'task' needs a run's folder in {name!r} (got an encoder, which is written as it is)")
        encoder: Any = run
    else:
        kept = chosen_run(run, task, None if task is None else FULL).path
        encoder = load_encoder(kept) if task is None else trained_head(kept, task, FULL).encoder(None)
        found = load_reader(kept)
        if reader is None and isinstance(found, HuggingFaceTokens):
            reader = found
    if not isinstance(encoder, HuggingFaceEncoder):
        raise ValueError(f"'run' needs a HuggingFaceEncoder in {name!r} (got {said(encoder)})")
    if reader is None:
        raise ValueError(f"'reader' needs the fitted HuggingFaceTokens that made tokens for the encoder, in {name!r}")
    if encoder.pooling.kind not in _MODES:
        raise ValueError(
            f"'run' pools by {encoder.pooling.kind!r}, which sentence-transformers has no name for, in {name!r}; "
            f"pre-train with pooling: {', '.join(_MODES)}"
        )
    config, state = encoder.model.config, reader.state()
    with atomic_folder(Path(folder)) as place:
        (place / "model.safetensors").write_bytes(save(_weights(encoder), {"format": "pt"}))
        (place / "config.json").write_text(config.to_json_string(use_diff=True), encoding="utf-8")
        (place / "tokenizer.json").write_text(state["tokenizer"], encoding="utf-8")
        names = {f"{key}_token": reader.token_of(key) for key in state["special"]}
        most = min(reader.limit, encoder.max_length or reader.limit)
        kind = {"tokenizer_class": "PreTrainedTokenizerFast", "model_max_length": most}
        _write(place / "tokenizer_config.json", {**names, **kind})
        _write(place / "sentence_bert_config.json", {"max_seq_length": most, "do_lower_case": False})
        kinds = [("", "Transformer"), ("1_Pooling", "Pooling"), *([("2_Normalize", "Normalize")] * encoder.normalize)]
        modules = [
            {"idx": i, "name": str(i), "path": path, "type": f"sentence_transformers.models.{one}"}
            for i, (path, one) in enumerate(kinds)
        ]
        _write(place / "modules.json", modules)
        for path, _ in kinds[1:]:
            (place / path).mkdir()
        modes = {f"pooling_mode_{mode}": kind == encoder.pooling.kind for kind, mode in _MODES.items()}
        _write(place / "1_Pooling" / "config.json", {"word_embedding_dimension": encoder.out_channels, **modes})
    return Path(folder)


def _weights(encoder: HuggingFaceEncoder) -> dict[str, Any]:
    """The model's weights by their own names, low-rank updates added."""
    model = encoder.model
    if encoder.lora is not None:
        model = copy.deepcopy(model)
        for module in model.modules():
            if hasattr(module, "lora_A") and hasattr(module, "merge"):
                module.merge()
    return {
        name.replace(".base_layer.", "."): value.detach().cpu().contiguous().clone()
        for name, value in model.state_dict().items()
        if ".lora_" not in name
    }


def _write(file: Path, content: Any) -> None:
    file.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
