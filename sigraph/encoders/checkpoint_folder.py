"""Checkpoints of Hugging Face on disk: opened without code of others, without pickles and without the network."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

import torch

from sigraph.files.arguments import MOST_LAYERS, check_integers, check_rates, shown
from sigraph.files.atomic import sha256
from sigraph.files.memory import check_fits
from sigraph.files.paths import user_path
from sigraph.files.sealed import content_sum
from sigraph.files.suggestions import did_you_mean, fetched_by

CONFIG, WEIGHTS, INDEX = "config.json", "model.safetensors", "model.safetensors.index.json"
MODULES = "modules.json"  # of sentence-transformers
_READ = (".json", ".safetensors", ".txt", ".model")  # endings of files that shape an encoder or its tokens
_FREE = ("architectures", "model_type", "transformers_version", "dtype", "torch_dtype", "_name_or_path")
# Settings that older folders name and newer transformers do not: what they say where they say nothing.
_OUTLIVED = {"gradient_checkpointing": False, "position_embedding_type": "absolute"}
_LAYER = re.compile(r"^(.*?\.\d+)\.")  # encoder.layer.3.output.dense.weight
_POOLED = {"mean": "pooling_mode_mean_tokens", "max": "pooling_mode_max_tokens", "cls": "pooling_mode_cls_token"}


@dataclass
class CheckpointFolder:
    """What a folder says.

    Args:
        path: Where ``config.json`` and the weights are; None: there is no folder.
        config: The architecture.
        pooling: sentence-transformers' word for how tokens are pooled; None: it says none.
        normalize: Whether it makes unit vectors of embeddings.
    """

    path: Path | None = None
    config: dict[str, Any] = field(default_factory=dict)
    pooling: str | None = None
    normalize: bool = False


def open_checkpoint(path: str, owner: str) -> CheckpointFolder:
    """A folder of transformers, or of sentence-transformers, its weights not yet read.

    Raises:
        ValueError: It is no such folder, its weights are a pickle, or it asks for code of its own.
    """
    root = user_path(path)
    if not root.is_dir():
        raise ValueError(
            f"'checkpoint' needs a folder with {CONFIG} and {WEIGHTS} in {owner!r} (got {str(path)!r}, which is none); "
            f"nothing is downloaded: fetch it once ({fetched_by(path)})"
        )
    found = CheckpointFolder(root)
    if (root / MODULES).is_file():
        found = _of_sentence_transformers(root, owner)
    place = found.path or root
    if not (place / CONFIG).is_file():
        raise ValueError(f"'checkpoint' {str(place)!r} of {owner!r} holds no {CONFIG}; name the folder that does")
    found.config = _read(place / CONFIG, owner)
    if "auto_map" in found.config:
        raise ValueError(
            f"'checkpoint' {str(place)!r} of {owner!r} asks for code of its own (auto_map in {CONFIG}), which is never "
            "run; choose a checkpoint whose model_type transformers knows"
        )
    if not isinstance(found.config, dict) or not isinstance(found.config.get("model_type"), str):
        raise ValueError(
            f"'checkpoint' {str(place)!r} of {owner!r} names no 'model_type' in {CONFIG}, as old folders do not; "
            "write it there, bert for BERT and SciBERT (docs/transformers.md)"
        )
    if not (place / WEIGHTS).is_file() and not (place / INDEX).is_file():
        pickled = sorted(one.name for one in place.glob("*.bin")) + sorted(one.name for one in place.glob("*.pt*"))
        way = (
            f"convert it there: safetensors.torch.save_file({{name: value.clone() for name, value in torch.load("
            f"{pickled[0]!r}, weights_only=True).items()}}, {WEIGHTS!r})"
            if pickled
            else "its weights are missing"
        )
        held = f"holds a pickle, {pickled[0]}" if pickled else "holds no weights"
        raise ValueError(f"'checkpoint' {str(place)!r} of {owner!r} needs {WEIGHTS} ({held}); {way}")
    return found


def content_of(path: str) -> str | None:
    """What a folder holds, as a sum of its files that are read, wherever it lies; None: there is no such folder."""
    root = user_path(path)
    if not root.is_dir():
        return None
    files = sorted(one for one in root.rglob("*") if one.suffix in _READ and one.is_file())
    return _content(root, *((one, one.stat().st_mtime_ns, one.stat().st_size) for one in files))


@lru_cache(maxsize=16)
def _content(root: Path, *files: tuple[Path, int, int]) -> str:
    return content_sum({str(file.relative_to(root)): sha256(file) for file, _, _ in files})[:16]


def checked_config(
    given: Mapping[str, Any], num_tokens: int, pad_token: int, owner: str, path: Path | None
) -> dict[str, Any]:
    """Settings of an architecture, each one that it has, with the vocabulary of the samples.

    Raises:
        ValueError: ``model_type`` is unknown, a setting is none of its own, or the vocabulary does not fit.
    """
    auto = _transformers(owner).AutoConfig
    if not isinstance(given, Mapping) or not isinstance(given.get("model_type"), str):
        raise ValueError(f"'config' needs a mapping with 'model_type', such as bert, in {owner!r} (got {shown(given)})")
    kind = given["model_type"]
    try:
        known = auto.for_model(kind).to_dict()
    except (ValueError, KeyError) as error:
        from transformers.models.auto.configuration_auto import CONFIG_MAPPING_NAMES as names

        close = did_you_mean(kind, names)
        raise ValueError(f"'config.model_type' {kind!r} of {owner!r} is none that transformers knows{close}") from error
    found = {
        name: value
        for name, value in given.items()
        if name in known or name not in _OUTLIVED or _OUTLIVED[name] != value
    }
    places = found.get("position_embedding_type", "absolute")
    if places != "absolute" and "position_embedding_type" not in known:
        what = f"'config.position_embedding_type' {places!r}" if path is None else f"'checkpoint' {str(path)!r}"
        raise ValueError(
            f"{what} of {owner!r} counts places as this transformers no longer does ({places!r}); choose another"
        )
    if path is None:
        for name in found:
            if name not in known and name not in _FREE:
                close = did_you_mean(name, known)
                raise ValueError(f"'config.{name}' of {owner!r} is no setting of {kind!r}{close}")
        if found.get("vocab_size", num_tokens) < num_tokens:
            raise ValueError(
                f"'config.vocab_size' needs to be >= {num_tokens}, the tokens of the samples, in {owner!r} (got "
                f"{found['vocab_size']}); leave it out"
            )
        return {"vocab_size": num_tokens, "pad_token_id": pad_token, **found}
    size = found.get("vocab_size", known.get("vocab_size"))
    if isinstance(size, int) and num_tokens > size:
        raise ValueError(
            f"'num_tokens' needs to be <= {size}, the vocabulary of checkpoint {str(path)!r}, in {owner!r} (got "
            f"{num_tokens}); read the samples by its own tokenizer: HuggingFaceTokens(checkpoint={str(path)!r})"
        )
    pad = found.get("pad_token_id", known.get("pad_token_id"))
    if pad is not None and pad != pad_token:
        raise ValueError(
            f"'pad_token' needs to be {pad}, as checkpoint {str(path)!r} has it, in {owner!r} (got {pad_token}); read "
            f"the samples by its own tokenizer: HuggingFaceTokens(checkpoint={str(path)!r})"
        )
    return found


def plain_config(config: Any) -> dict[str, Any]:
    """A model's configuration as :func:`checked_config` takes it: what differs from its class's defaults.

    What a folder's ``config.json`` says besides, as of other versions of transformers, shapes no model and is left out.
    """
    left_out = ("transformers_version", "architectures", "_name_or_path", "dtype", "torch_dtype")
    known = type(config)().to_dict()
    found = {key: value for key, value in config.to_diff_dict().items() if key in known and key not in left_out}
    return {**found, "model_type": config.model_type}


def with_dropout(settings: Mapping[str, Any], rate: float, owner: str) -> dict[str, Any]:
    """Settings of an architecture with one rate for all that it drops in training.

    Raises:
        ValueError: The rate is not in [0, 1), or above 0 and the architecture drops nothing.
    """
    check_rates(owner, dropout=rate)
    known = {**_transformers(owner).AutoConfig.for_model(settings["model_type"]).to_dict(), **settings}
    numbers = [name for name, value in known.items() if type(value) in (int, float)]
    rates = [name for name in numbers if "dropout" in name or name.endswith("pdrop")]  # the latter in GPT's family
    if not rates and rate:
        kind = settings["model_type"]
        raise ValueError(f"'dropout' of {owner!r} needs a model that drops units (got {kind!r}, which drops none)")
    return {**settings, **dict.fromkeys(rates, float(rate))}


def new_model(settings: Mapping[str, Any], owner: str, folder: CheckpointFolder) -> Any:
    """A model without the layers that read the first token alone: with the weights of a folder, or drawn anew.

    Raises:
        ValueError: It does not fit into memory, reads no tokens or decodes them, transformers refuses the settings, or
            the weights are not those of such a model.
    """
    library = _transformers(owner)
    for name, value in settings.items():
        if name.endswith(("layers", "depth")) and isinstance(value, int):
            check_integers(owner, 1, most=MOST_LAYERS, **{f"config.{name}": value})
    rest = {key: value for key, value in settings.items() if key not in ("model_type", "dtype", "torch_dtype")}
    try:
        config = library.AutoConfig.for_model(settings["model_type"], **rest)
        with torch.device("meta"):
            outline = library.AutoModel.from_config(config)
    except (ValueError, TypeError, KeyError, AttributeError, RuntimeError, ZeroDivisionError) as error:
        what = " ".join(str(error).split())
        raise ValueError(f"'config' of {owner!r} makes no {settings['model_type']!r}: {what:.300}") from error
    _check_encodes(outline, settings["model_type"], owner)
    size = sum(value.numel() for value in outline.parameters())
    sizes = {key: value for key, value in rest.items() if isinstance(value, int) and value > 1 and "size" in key}
    check_fits(owner, 4 * size, **sizes)
    model = library.AutoModel.from_config(config) if folder.path is None else _loaded(outline, folder.path, owner)
    return _without_pooler(model).float().train()  # transformers hands out a loaded one with its dropout off


def _check_encodes(model: Any, kind: str, owner: str) -> None:
    config, others = model.config, "choose another, such as bert, roberta, modernbert or esm"
    if getattr(config, "is_encoder_decoder", False):
        raise ValueError(
            f"'model_type' needs to be an encoder alone in {owner!r} (got {kind!r}, which has a decoder too); {others}"
        )
    if model.main_input_name != "input_ids" or not isinstance(getattr(config, "hidden_size", None), int):
        raise ValueError(f"'model_type' needs to be an encoder of tokens in {owner!r} (got {kind!r}); {others}")


def _loaded(outline: Any, path: Path, owner: str) -> Any:
    """A model with the weights of a folder; heads on top are left out, and older names of weights are understood."""
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    names = [WEIGHTS]
    if not (path / WEIGHTS).is_file():
        names = sorted({Path(name).name for name in _read(path / INDEX, owner)["weight_map"].values()})
    given: dict[str, torch.Tensor] = {}
    for name in names:
        try:
            given |= load_file(path / name)
        except (SafetensorError, OSError) as error:
            raise ValueError(f"'checkpoint' {str(path / name)!r} of {owner!r} cannot be read: {error}") from error
    given = {name: value.float() if value.is_floating_point() else value for name, value in given.items()}
    settings = {"config": outline.config, "ignore_mismatched_sizes": True}
    with _quiet(owner):
        model, about = type(outline).from_pretrained(None, state_dict=given, output_loading_info=True, **settings)
    needed = _without_pooler(outline).state_dict()
    lacking = [name for name in about["missing_keys"] if name in needed]
    other = [name for name, *_ in about["mismatched_keys"] if name in needed]
    beyond = _layers_beyond(about["unexpected_keys"], outline)
    for weights, what, than in (
        (lacking, "lacks", "that its"),
        (other, "has", "of another shape than its"),
        (beyond, "has", "of more layers than its"),
    ):
        if weights:
            raise ValueError(
                f"'checkpoint' {str(path)!r} of {owner!r} {what} {len(weights)} weights {than} {CONFIG} asks for, such "
                f"as {min(weights)!r}; both have to be of one model"
            )
    return model


def _layers_beyond(names: Any, model: Any) -> list[str]:
    """Weights of the encoder's own layers, by number, that a model does not have."""
    prefix, own = f"{model.base_model_prefix}.", model.state_dict()
    parts = {name.partition(".")[0] for name in own}
    layers = {found[1] for name in own if (found := _LAYER.match(name))}
    bare = [name.removeprefix(prefix) for name in names if name.removeprefix(prefix).partition(".")[0] in parts]
    return [name for name in bare if (found := _LAYER.match(name)) and found[1] not in layers]


def _without_pooler(model: Any) -> Any:
    if getattr(model, "pooler", None) is not None:
        model.pooler = None
    return model


@contextmanager
def _quiet(owner: str) -> Iterator[None]:
    """No progress bars and reports of transformers: what matters of them is an error here."""
    logging = _transformers(owner).utils.logging
    level, bar = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(level)
        if bar:
            logging.enable_progress_bar()


def _of_sentence_transformers(root: Path, owner: str) -> CheckpointFolder:
    listed = _read(root / MODULES, owner)
    found, place = CheckpointFolder(), root
    for one in listed if isinstance(listed, list) else []:
        kind, where = str(one.get("type", "")).rpartition(".")[2], root / Path(str(one.get("path", ""))).name
        if kind == "Transformer":
            place = root / Path(str(one.get("path", ""))).name
        elif kind == "Pooling":
            modes = _read(where / CONFIG, owner)
            on = [name for name, key in _POOLED.items() if modes.get(key)]
            if len(on) != 1 or any(
                modes.get(key) for key in modes if key.startswith("pooling_mode") and key not in _POOLED.values()
            ):
                raise ValueError(
                    f"'checkpoint' {str(root)!r} of {owner!r} pools by {[key for key in modes if modes[key] is True]}; "
                    f"one of {', '.join(_POOLED)} can be read"
                )
            found.pooling = on[0]
        elif kind == "Normalize":
            found.normalize = True
        else:
            raise ValueError(
                f"'checkpoint' {str(root)!r} of {owner!r} has a module of kind {kind!r} behind its transformer, which "
                "is not read; Transformer, Pooling and Normalize are"
            )
    found.path = place
    return found


def _read(path: Path, owner: str) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ValueError(f"'checkpoint' of {owner!r}: {path} cannot be read ({error})") from error


def _transformers(owner: str) -> Any:
    try:
        import transformers
    except ImportError as error:
        raise ImportError(f"{owner!r} needs transformers: pip install 'sigraph[sequence]'") from error
    return transformers
