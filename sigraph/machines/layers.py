"""layers_of: which parameters of a module are of which layer, by their names."""

from __future__ import annotations

import re

from torch import nn

_NUMBER = re.compile(r"(?:^|\.)(\d+)(?=\.|$)|_l(\d+)(?=_|$)")  # layers.3.weight; weight_hh_l1_reverse of a GRU


def layers_of(module: nn.Module) -> list[list[str]]:
    """Names of a module's parameters by layer, those that read its inputs first.

    A layer is what has the same first number in its name (``layers.3.linear.weight``, ``weight_hh_l1``). What comes
    before the first number (an embedding, a table of categories) is the lowest layer, what comes after one (a last
    linear map, a norm) belongs to the highest.
    """
    below: list[str] = []
    numbered: dict[int, list[str]] = {}
    above: list[str] = []
    for name, _ in module.named_parameters():
        found = _NUMBER.search(name)
        if found is not None:
            numbered.setdefault(int(found[1] or found[2]), []).append(name)
        else:
            (above if numbered else below).append(name)
    layers = [*([below] if below else []), *(numbered[number] for number in sorted(numbered))]
    if above:
        layers[-1] = [*layers[-1], *above]
    return layers
