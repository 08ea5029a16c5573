"""YAML -> checked settings -> objects. Objects never see a setting.

``location`` says where a setting stands, ``overlay`` checks plain containers against dataclasses and lays one over
another, ``schema`` says which keys the stages have, ``experiment`` those of the file and its arms, ``load`` reads files
and overrides; none of them imports torch. ``build`` makes objects of the components that settings name, of code that
``trust`` allows.
"""

from sigraph.config.experiment import ArmConfig, ExperimentConfig
from sigraph.config.load import config_from_dict, load_config
from sigraph.config.location import ConfigError
from sigraph.config.schema import FinetuneConfig, PretrainConfig, TrainerConfig, settings_hash

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
