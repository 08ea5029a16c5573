"""Values of the wrong kind, by the type hints of constructors."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import pytest
from torch import Tensor, nn

from sigraph.config.type_hints import misfit


class Typed:
    def __init__(
        self,
        rate: float = 0.1,
        size: int | None = None,
        flag: bool = False,
        kind: Literal["a", "b"] = "a",
        names: Sequence[str] = (),
        table: Mapping[str, int] | None = None,
        module: nn.Module | None = None,
        vectors: Tensor | None = None,
        free: Any = None,
        untyped=None,
    ) -> None: ...


@pytest.mark.parametrize(
    ("settings", "needed"),
    [
        ({"rate": True}, "a number"),
        ({"rate": "x"}, "a number"),
        ({"rate": 1e308}, "within 3e+38"),
        ({"size": 1.5}, "an integer or null"),
        ({"size": True}, "an integer or null"),
        ({"flag": 1}, "true or false"),
        ({"kind": "c"}, "'a' or 'b'"),
        ({"names": "x"}, "a list"),
        ({"table": []}, "null or a component"),
        ({"module": "x"}, "null or a component"),
        ({"module": {"a": 1}}, "null or a component"),
        ({"vectors": 3}, "null or a list"),
    ],
)
def test_what_does_not_fit_is_named(settings, needed):
    name, wrong = misfit(Typed, settings)
    assert name == next(iter(settings)) and needed in wrong and "got" in wrong


def test_what_fits_passes():
    fitting = {"rate": 1, "size": None, "flag": True, "kind": "b", "names": ["x"], "table": {"a": 1}, "free": object()}
    assert misfit(Typed, fitting) is None
    assert misfit(Typed, {"module": {"_target_": "torch.nn.Linear"}, "vectors": [[1.0]], "untyped": "x"}) is None
    assert misfit(nn.Linear, {"bias": "x"}) in (None, ("bias", "needs to be true or false (got 'x')"))
