"""What a component may name, and that nothing else is ever called."""

import sys
import types
from abc import ABC, abstractmethod
from functools import partial
from pathlib import Path

import pytest
import torch
from torch import nn

from sigraph.config import ConfigError
from sigraph.config import build as build_module
from sigraph.config.build import build, check, partial_build, resolve
from sigraph.config.trust import trusting

CALLS = []
HERE = "sigraph_test_targets"


class Base(ABC):
    @abstractmethod
    def act(self): ...


class Part(Base):
    """Records that it was called."""

    def __init__(self, width, depth=1, *, graph=None, inner=None, parts=()):
        CALLS.append(type(self).__name__)
        if width < 0:
            raise ValueError(f"'width' needs to be >= 0 (got {width})")
        self.width, self.depth, self.graph, self.inner, self.parts = width, depth, graph, inner, parts

    def act(self): ...


class Free(Base):
    def __init__(self, **options):
        CALLS.append("Free")
        self.options = options

    def act(self): ...


class Layer(nn.Module):
    def __init__(self, in_channels, out_channels=None):
        CALLS.append("Layer")
        super().__init__()
        self.in_channels, self.out_channels = in_channels, out_channels


class Stranger:
    """Derives from nothing that a slot needs."""

    def __init__(self, width=0):
        CALLS.append("Stranger")


def function(width=0):
    CALLS.append("function")
    return Part(width)


@pytest.fixture(autouse=True)
def targets(monkeypatch):
    """The classes above as an importable module, and no calls so far."""
    module = types.ModuleType(HERE)
    for value in (Base, Part, Free, Layer, Stranger, function):
        setattr(module, value.__name__, value)
    module.instance = "a text"
    monkeypatch.setitem(sys.modules, HERE, module)
    CALLS.clear()
    with trusting([HERE, "numpy", "sigraph_test_broken", "sigraph_test_own"]):
        yield module


def component(name, **arguments):
    return {"_target_": f"{HERE}.{name}", **arguments}


def refused(given, expected=Base, **available):
    """The message that a component is refused with, after nothing was called."""
    with pytest.raises(ConfigError) as caught:
        build(given, expected, "pretrain.slot", **available)
    assert CALLS == []
    assert str(caught.value).startswith("pretrain.slot")
    return str(caught.value)


def test_builds_what_the_component_says():
    part = build(component("Part", width=3, depth=2), Base, "slot")
    assert type(part) is Part
    assert (part.width, part.depth) == (3, 2)
    linear = build({"_target_": "torch.nn.Linear", "in_features": 2, "out_features": 3}, nn.Module, "slot")
    assert linear.weight.shape == (3, 2)


def test_expected_may_be_several():
    assert type(build(component("Part", width=0), (nn.Module, Base), "slot")) is Part
    CALLS.clear()
    assert "torch.nn.modules.module.Module or " in refused(component("Stranger"), (nn.Module, Base))


def test_the_component_stays_as_it_was():
    given = component("Part", width=1, inner=component("Layer", in_channels=2), parts=[{"a": [1]}])
    before = repr(given)
    part = build(given, Base, "slot", graph="late")
    part.parts[0]["a"].append(2)
    assert repr(given) == before


# Late-bound values


def test_late_bound_values_go_where_there_is_a_parameter():
    part = build(component("Part"), Base, "slot", width=5, graph="g", in_channels=9)
    assert (part.width, part.graph) == (5, "g")


def test_the_component_wins_over_late_bound_values():
    assert build(component("Part", width=1), Base, "slot", width=5).width == 1


def test_late_bound_values_are_passed_untouched():
    graph = component("Stranger")  # looks like a component, but does not come from the YAML
    assert build(component("Part", width=0), Base, "slot", graph=graph).graph is graph


def test_options_take_anything_but_no_late_bound_values():
    assert build(component("Free", a=1), Base, "slot", graph="g").options == {"a": 1}


def test_nested_components_get_late_bound_values_only_where_needed():
    part = build(
        component("Part", width=0, inner=component("Layer")), Base, "slot", in_channels=7, out_channels=8, graph="g"
    )
    assert (part.inner.in_channels, part.inner.out_channels) == (7, None)


# Nested components


def test_nested_components_are_built_inside_lists_and_mappings():
    layer = component("Layer", in_channels=2)
    part = build(component("Part", width=0, inner={"a": layer}, parts=[layer, [layer], 3]), Base, "slot")
    assert isinstance(part.inner["a"], Layer)
    assert isinstance(part.parts[0], Layer)
    assert isinstance(part.parts[1][0], Layer)
    assert part.parts[2] == 3


@pytest.mark.parametrize("where", ["inner", "parts"])
@pytest.mark.parametrize("name", ["Stranger", "function", "Part", "instance"])
def test_a_nested_target_needs_a_known_base(name, where):
    nested = component(name, width=1)
    given = component("Part", width=0, **{where: nested if where == "inner" else [1, {"deep": nested}]})
    path = "pretrain.slot.inner" if where == "inner" else "pretrain.slot.parts.1.deep"
    assert refused(given).startswith(f"{path}: ")


def test_the_bases_of_sigraph_are_fine_as_nested_targets(monkeypatch, targets):
    monkeypatch.setattr(build_module, "NESTED_BASES", {HERE: "Base"})
    given = component("Part", width=0, inner=component("Part", width=1))
    assert build(given, Base, "slot").inner.width == 1
    assert CALLS == ["Part", "Part"]


def test_nested_arguments_are_checked_before_anything_is_called():
    given = component(
        "Part", width=0, inner=component("Layer", in_channels=1), parts=[component("Layer", in_chanels=1)]
    )
    assert "pretrain.slot.parts.0: 'Layer' has no argument 'in_chanels' (did you mean 'in_channels'?)" in refused(given)


# Refusals


@pytest.mark.parametrize(
    "target",
    [
        "os.system",
        "builtins.eval",
        "builtins.exec",
        "subprocess.Popen",
        "subprocess.run",
        "posix.system",
        "importlib.import_module",
        "pickle.loads",
        "torch.load",
        "torch.hub.load",
        "torch.nn",
        "torch.nn.functional.relu",
        "torch.Tensor",
        "torch.serialization.pickle",
        "torch.os.system",
        "numpy.load",
        f"{HERE}.function",
        f"{HERE}.Stranger",
        f"{HERE}.instance",
    ],
)
@pytest.mark.parametrize("expected", [Base, nn.Module, torch.optim.Optimizer])
def test_what_is_no_subclass_is_refused_uncalled(target, expected, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    given = {"_target_": target, "command": "touch ran", "args": "touch ran", "width": 1}
    refused(given, expected)
    with pytest.raises(ConfigError):
        partial_build(given, expected, "slot")
    refused(component("Part", width=0, inner=given))
    assert CALLS == []
    assert list(Path(tmp_path).iterdir()) == []


def test_the_standard_library_is_not_even_imported(monkeypatch):
    monkeypatch.delitem(sys.modules, "antigravity", raising=False)
    monkeypatch.delitem(sys.modules, "this", raising=False)
    assert "is of the standard library" in refused({"_target_": "antigravity.Encoder"})
    refused(component("Part", width=0, inner={"_target_": "this.Encoder"}))
    assert not {"antigravity", "this"} & set(sys.modules)


def test_an_abstract_class_is_refused():
    assert "is abstract, it lacks act(); write it, or name a subclass" in refused(component("Base"))


def test_an_unknown_name_lists_what_fits():
    message = refused(component("Prat"))
    assert f"{HERE!r} has no 'Prat' (did you mean 'Part'?); it has Free, Part" in message
    assert "Stranger" not in message


def test_an_unknown_package_and_module():
    assert "no package 'nowhere_at_all' is installed" in refused({"_target_": "nowhere_at_all.X"})
    assert "no package 'sigrap' is installed (from 'sigrap.X') (did you mean 'sigraph'?)" in refused(
        {"_target_": "sigrap.X"}
    )
    assert "'torch.nowhere' cannot be imported: ModuleNotFoundError" in refused({"_target_": "torch.nowhere.X"})


@pytest.mark.parametrize(
    "error", ["RuntimeError('out of order')", "SystemExit('out of order')", "GeneratorExit('out of order')"]
)
@pytest.mark.parametrize("lazily", [False, True])
def test_a_module_that_fails_on_import(tmp_path, monkeypatch, error, lazily):
    code = f"def __getattr__(name):\n    raise {error}\n" if lazily else f"raise {error}\n"
    (tmp_path / "sigraph_test_broken.py").write_text(code)
    monkeypatch.syspath_prepend(tmp_path)
    message = refused({"_target_": "sigraph_test_broken.X"})
    assert f"'sigraph_test_broken' cannot be imported: {error.partition('(')[0]}: out of order" in message
    sys.modules.pop("sigraph_test_broken", None)


def test_ctrl_c_during_an_import_stays_one(tmp_path, monkeypatch):
    (tmp_path / "sigraph_test_broken.py").write_text("raise KeyboardInterrupt")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(KeyboardInterrupt):
        check({"_target_": "sigraph_test_broken.X"}, Base, "slot")


def test_a_constructor_that_ends_the_program_is_an_error(targets):
    class Ending(Base):
        def __init__(self):
            raise SystemExit(0)

        def act(self): ...

    targets.Ending = Ending
    with pytest.raises(ConfigError, match=r"slot: 'Ending' ends the program \(exit code 0\)"):
        build(component("Ending"), Base, "slot")


def test_a_users_own_module(tmp_path, monkeypatch):
    (tmp_path / "sigraph_test_own.py").write_text("import torch\nclass Net(torch.nn.Module):\n    pass\n")
    monkeypatch.syspath_prepend(tmp_path)
    assert type(build({"_target_": "sigraph_test_own.Net"}, nn.Module, "slot")).__name__ == "Net"
    monkeypatch.delitem(sys.modules, "sigraph_test_own")


@pytest.mark.parametrize("target", [None, 3, "", "Part", ".Part", "a..b", "a b.C", "os.system('x')", f"{HERE}."])
def test_a_target_that_is_no_dotted_path(target):
    message = "'_target_' needs to be the dotted path of a class"
    assert message in refused({"_target_": target})
    assert message in refused(component("Part", width=0, inner={"_target_": target}))


@pytest.mark.parametrize("given", [None, "Part", {"width": 1}, []])
def test_what_is_no_component(given):
    assert "needs a mapping with '_target_'" in refused(given)


# Arguments


def test_an_unknown_argument():
    message = refused(component("Part", width=0, dept=2))
    assert "'Part' has no argument 'dept' (did you mean 'depth'?); valid arguments: width, depth, graph" in message


@pytest.mark.parametrize("name", ["_partial_", "_args_", "self", "__class__"])
def test_special_names_are_unknown_arguments(name):
    assert f"has no argument {name!r}" in refused(component("Part", width=0, **{name: True}))


def test_a_missing_argument():
    assert "'Part' needs 'width'" in refused(component("Part", depth=1))
    message = refused({"_target_": "torch.nn.Linear"}, nn.Module)
    assert "'Linear' needs 'in_features', 'out_features'" in message


def test_a_constructor_that_refuses_is_quoted_with_the_place():
    with pytest.raises(ConfigError, match=r"pretrain\.slot: 'width' needs to be >= 0 \(got -1\)") as caught:
        build(component("Part", width=-1), Base, "pretrain.slot")
    assert isinstance(caught.value.__cause__, ValueError)
    with pytest.raises(ConfigError, match=r"slot: .*not supported between") as caught:
        build(component("Part", width="wide"), Base, "slot")
    assert isinstance(caught.value.__cause__, TypeError)


def test_a_nested_constructor_that_refuses_is_quoted_once(monkeypatch):
    monkeypatch.setattr(build_module, "NESTED_BASES", {HERE: "Base"})
    with pytest.raises(ConfigError, match=r"^slot\.inner: 'width' needs"):
        build(component("Part", width=0, inner=component("Part", width=-1)), Base, "slot")


def test_check_calls_nothing():
    assert check(component("Part", width=-1), Base, "slot") is Part
    with pytest.raises(ConfigError, match="needs 'width'"):
        check(component("Part"), Base, "slot")
    assert check(component("Part"), Base, "slot", width=None) is Part
    assert resolve(f"{HERE}.Part", Base, "slot") is Part
    assert CALLS == []


# Optimizers and schedules


def test_an_optimizer_waits_for_its_parameters():
    made = partial_build({"_target_": "torch.optim.AdamW", "lr": 0.5}, torch.optim.Optimizer, "pretrain.optimizer")
    assert isinstance(made, partial)
    assert (made.func, made.args, made.keywords) == (torch.optim.AdamW, (), {"lr": 0.5})
    assert made(nn.Linear(1, 1).parameters()).param_groups[0]["lr"] == 0.5


def test_a_schedule_waits_for_its_optimizer():
    scheduler = torch.optim.lr_scheduler.LRScheduler
    given = {"_target_": "torch.optim.lr_scheduler.CosineAnnealingLR"}
    made = partial_build(given, scheduler, "pretrain.scheduler", T_max=7, total_steps=9)
    assert made.keywords == {"T_max": 7}
    assert made(torch.optim.SGD(nn.Linear(1, 1).parameters(), lr=1.0)).T_max == 7
    with pytest.raises(ConfigError, match="'CosineAnnealingLR' needs 'T_max'"):
        partial_build(given, scheduler, "slot")


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        ({"_target_": "torch.optim.AdamW", "beta": 1}, r"'AdamW' has no argument 'beta' \(did you mean 'betas'\?\)"),
        ({"_target_": "torch.optim.AdamW", "params": []}, "'AdamW' has no argument 'params'"),
        ({"_target_": "torch.optim.AdamW", "lr": -1.0}, "Invalid learning rate: -1.0"),
        ({"_target_": "torch.optim.AdamW", "lr": "fast"}, "not supported between"),
        ({"_target_": "torch.optim.AdamV"}, r"has no 'AdamV' \(did you mean 'Adam"),
        ({"_target_": "torch.nn.Linear"}, r"needs to be a subclass of torch\.optim\.optimizer\.Optimizer"),
    ],
)
def test_an_optimizer_that_does_not_fit(given, problem):
    with pytest.raises(ConfigError, match=rf"^pretrain\.optimizer: .*{problem}"):
        partial_build(given, torch.optim.Optimizer, "pretrain.optimizer")
