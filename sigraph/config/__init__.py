"""YAML -> checked, typed config. Only :mod:`sigraph.cli` and :mod:`sigraph.experiment` know that config exists.

``place`` says where a setting stands, ``overlay`` checks plain containers against dataclasses and lays one over
another, ``schema`` says which keys an experiment has, ``load`` reads files and overrides. Importing any of them does
not import torch; :mod:`sigraph.build` makes objects of the components named here.
"""

from sigraph.config.load import config_from_dict, load_config
from sigraph.config.place import ConfigError
from sigraph.config.schema import (
    ArmConfig,
    ExperimentConfig,
    FinetuneConfig,
    PretrainConfig,
    TrainerConfig,
    settings_hash,
)

__all__ = [
    "ArmConfig",
    "ConfigError",
    "ExperimentConfig",
    "FinetuneConfig",
    "PretrainConfig",
    "TrainerConfig",
    "config_from_dict",
    "load_config",
    "settings_hash",
]
