"""Read an experiment: a YAML file, the one it extends, overrides."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from os import PathLike
from pathlib import Path
from typing import Any

import yaml
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

from sigraph.config.experiment import ExperimentConfig, check_experiment, in_order
from sigraph.config.location import ConfigError, Place
from sigraph.config.overlay import construct, fresh, overlay, put
from sigraph.config.yaml_text import MOST_VALUES, check_yaml, read_text
from sigraph.files.paths import user_path


def load_config(path: str | PathLike[str], overrides: Iterable[str] | Mapping[str, Any] = ()) -> ExperimentConfig:
    """Read and check an experiment file.

    Args:
        path: The YAML file. Its ``extends: other.yaml`` (beside it) is laid underneath: mappings merge deeply, lists
            replace, a component whose ``_target_`` changes keeps no argument. One level only.
        overrides: ``dotted.key=value`` with YAML values, e.g. ``seeds=[0,1]`` or ``finetune.0.head=full``; or a
            mapping, ``{"finetune.0.head": "full"}``. They merge as a file's values do and apply before the arms'.

    Raises:
        ConfigError: Anything about the file, the one it extends, or an override does not fit.

    Example:
        >>> config = load_config("experiments/cora/mlp.yaml", ["seeds=[0]"])
        >>> config.arm("sipt").pretrain.structure_weight
    """
    file = user_path(path)
    text, tree = _read(file)
    layers = [(tree, Place(str(file), text=text))]
    if "extends" in tree:
        layers.insert(0, _read_base(file, tree.pop("extends"), layers[0][1]))
    return _resolve(layers, overrides)


def config_from_dict(
    tree: Mapping[str, Any], overrides: Iterable[str] | Mapping[str, Any] = (), source: str = "config"
) -> ExperimentConfig:
    """Check an experiment given as plain containers, e.g. what ``to_dict`` of one returned.

    Args:
        tree: Keys as in an experiment file, without ``extends``.
        overrides: As in :func:`load_config`.
        source: What error messages start with.

    Raises:
        ConfigError: A key or a value does not fit.
    """
    return _resolve([(dict(tree), Place(source))], overrides)


def _resolve(
    layers: list[tuple[dict[str, Any], Place]], overrides: Iterable[str] | Mapping[str, Any]
) -> ExperimentConfig:
    tree = fresh(ExperimentConfig)
    for layer, place in layers:
        tree = overlay(ExperimentConfig, tree, layer, place)
    if isinstance(overrides, Mapping):
        pairs = [(str(dotted), (value, f"{dotted}={value}")) for dotted, value in overrides.items()]
    else:
        pairs = [_split(text) for text in ([overrides] if isinstance(overrides, str) else overrides)]
    for path, (value, text) in in_order(pairs, Place("override")):
        if path[0] == "extends":
            raise Place(f"override {text!r}").error("'extends' can only stand in a file")
        changed = put(ExperimentConfig, tree, path, value, Place(f"override {text!r}"))
        if value == {} and changed == tree:
            raise Place(f"override {text!r}").error(
                "an empty mapping changes nothing, since mappings merge; null empties it ('--arm' picks arms)"
            )
        tree = changed
    # With overrides the line of a value in the file no longer says where it comes from.
    place = Place(f"{layers[-1][1].source} with overrides") if pairs else layers[-1][1]
    return check_experiment(construct(ExperimentConfig, tree, place), place)


def _read_base(file: Path, extends: Any, place: Place) -> tuple[dict[str, Any], Place]:
    if not isinstance(extends, str) or not extends:
        raise (place / "extends").error(f"'extends' needs to be the path of a YAML file (got {extends!r})")
    if not extends.lower().endswith((".yaml", ".yml")):
        raise (place / "extends").error(
            f"'extends' needs to be the path of a YAML file, ending in .yaml or .yml (got {extends!r})"
        )
    base = file.parent / user_path(extends)
    if "\0" in extends or not base.is_file():
        raise (place / "extends").error(f"'extends' names a file that does not exist: {base}")
    text, tree = _read(base)
    if "extends" in tree:
        raise Place(str(base), ("extends",), text).error(
            f"'extends' works one level deep only, and {file} extends this file already"
        )
    return tree, Place(str(base), text=text)


def _read(file: Path) -> tuple[str, dict[str, Any]]:
    text = read_text(file)
    tree = _parse(text, str(file))
    if not isinstance(tree, dict):
        raise ConfigError(f"{file}: needs to be a mapping with keys such as 'name' and 'pretrain'")
    return text, tree


def _parse(text: str, source: str, load: Callable[[str], Any] = OmegaConf.create) -> Any:
    """YAML by OmegaConf's rules: 1e-3 is a number, repeated keys are an error. Interpolations stay text."""
    try:
        check_yaml(text, source, MOST_VALUES)
        return OmegaConf.to_container(load(text), resolve=False)
    except yaml.YAMLError as error:
        raise ConfigError(f"{source}{_line(error, text)}: not valid YAML: {_problem(error)}") from error
    except (OmegaConfBaseException, AssertionError) as error:  # AssertionError: the document is a single number
        first = str(error).partition("\n")[0] or "a single value"
        raise ConfigError(f"{source}: needs to be a mapping of plain values ({first})") from error


def _line(error: yaml.YAMLError, text: str) -> str:
    if isinstance(error, yaml.MarkedYAMLError) and error.problem_mark:
        return f":{error.problem_mark.line + 1}"
    if isinstance(error, yaml.reader.ReaderError):
        return f":{text.count(chr(10), 0, error.position) + 1}"
    return ""


def _problem(error: yaml.YAMLError) -> str:
    if isinstance(error, yaml.MarkedYAMLError):
        return ", ".join(part for part in (error.problem, error.context) if part)
    return str(error).partition("\n")[0]


def _split(text: Any) -> tuple[str, tuple[Any, str]]:
    """``key=value`` -> (key, (value, the text itself))."""
    dotted, equals, value = text.partition("=") if isinstance(text, str) else ("", "", "")
    if not equals:
        raise ConfigError(f"override {text!r:.200}: needs the form key=value, e.g. pretrain.structure_weight=0.3")
    parsed = _parse(value, f"override {text!r:.200}", lambda text: OmegaConf.from_dotlist([f"value={text}"]))
    return dotted.strip(), (parsed["value"], text)
