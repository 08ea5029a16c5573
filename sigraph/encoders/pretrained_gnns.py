"""The graph encoders that Hu et al. 2020 published, as ours."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from sigraph.encoders.graph_encoder import GraphEncoder
from sigraph.files.paths import user_path

_LOOP, _HIDDEN, _BIO_EDGES = 7, 8, 9  # which of the nine attributes of an edge marks a loop, and a hidden one
_WAY = "from_pretrained_gnns reads GCN and GIN of chem, and GCN of bio, of github.com/snap-stanford/pretrain-gnns"


def from_pretrained_gnns(path: str | os.PathLike[str], jump: str = "last", dropout: float = 0.0) -> GraphEncoder:
    """A graph encoder with weights in the form of pretrain-gnns (``model_gin/*.pth``, ``model_architecture/*.pth``).

    Its embedding of a sample is the mean over the nodes, as theirs. The encoder of molecules reads two attributes of
    atoms and two of bonds (``node_encoder: hu2020``), that of protein networks nodes without attributes, ``x`` zeros
    [V, 1], and nine attributes of edges.

    Args:
        path: File of a state dict. Nothing in it is executed.
        jump: What an embedding of a node is made of, as in :class:`~sigraph.encoders.GraphEncoder`; the file does not
            say. Theirs is ``last``.
        dropout: In fine-tuning, in [0, 1).

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: It is no state dict, or of another kind of encoder.

    Source: Hu et al., "Strategies for Pre-training Graph Neural Networks", ICLR 2020.
    """
    file = user_path(path)
    try:
        given = torch.load(file, map_location="cpu", weights_only=True)
    except OSError:
        raise
    except Exception as error:  # of bytes that are no state dict torch may raise anything
        raise ValueError(f"{file} holds no weights alone ({' '.join(str(error).split()):.200}); {_WAY}") from error
    if not isinstance(given, Mapping) or not all(isinstance(value, Tensor) for value in given.values()):
        raise ValueError(f"{file} holds no state dict; {_WAY}")
    is_bio = "gnns.0.input_node_embeddings.weight" in given
    layer = "gcn" if "gnns.0.linear.weight" in given else "gin"
    if not is_bio and not {"x_embedding1.weight", "x_embedding2.weight", "gnns.0.edge_embedding1.weight"} <= set(given):
        raise ValueError(f"{file} holds weights of another kind (first: {next(iter(given), 'none')!r}); {_WAY}")
    num_layers = len({name.split(".")[1] for name in given if name.startswith("gnns.")})
    first = given["gnns.0.input_node_embeddings.weight" if is_bio else "x_embedding1.weight"]
    width = first.size(1)
    out = width * num_layers if jump == "cat" else width
    sizes: dict[str, Any] = {"hidden_channels": width, "out_channels": out, "num_layers": num_layers}
    if is_bio:
        sizes |= {"node_channels": 1, "node_encoder": [1], "edge_channels": _BIO_EDGES, "edge_encoder": "linear"}
    else:
        sizes |= {"node_channels": 2, "node_encoder": "hu2020", "edge_channels": 2, "edge_encoder": "hu2020"}
    norm = "batch" if "batch_norms.0.weight" in given else None
    with torch.random.fork_rng(devices=[]):  # every weight is replaced
        encoder = GraphEncoder(layer=layer, norm=norm, last_norm=True, jump=jump, dropout=dropout, **sizes)
    state = _bio(given, num_layers) if is_bio else _chem(given, num_layers, layer)
    state |= {"linear.weight": torch.eye(out), "linear.bias": torch.zeros(out)}
    try:
        encoder.load_state_dict(state)
    except RuntimeError as error:
        raise ValueError(
            f"{file} holds weights of another kind ({' '.join(str(error).split()):.200}); {_WAY}"
        ) from error
    return encoder


def _chem(given: Mapping[str, Tensor], num_layers: int, layer: str) -> dict[str, Tensor]:
    renamed = {"linear": "linear"} if layer == "gcn" else {"mlp.0": "nn.lins.0", "mlp.2": "nn.lins.1"}
    state = {"node_encoder.table.weight": torch.cat([given["x_embedding1.weight"], given["x_embedding2.weight"]])}
    used = {"x_embedding1.weight", "x_embedding2.weight"}
    for i in range(num_layers):
        tables = [f"gnns.{i}.edge_embedding{number}.weight" for number in (1, 2)]
        state[f"layers.edges.{i}.table.weight"] = torch.cat([given[name] for name in tables if name in given])
        used |= {*tables}
        for prefix, own in (
            *((f"gnns.{i}.{theirs}.", f"layers.convs.{i}.{ours}.") for theirs, ours in renamed.items()),
            (f"batch_norms.{i}.", f"layers.norms.{i}.module."),
        ):
            found = {name: value for name, value in given.items() if name.startswith(prefix)}
            state |= {own + name.removeprefix(prefix): value for name, value in found.items()}
            used |= found.keys()
    return state | {name: value for name, value in given.items() if name not in used}  # others are refused


def _bio(given: Mapping[str, Tensor], num_layers: int) -> dict[str, Tensor]:
    first = "gnns.0.input_node_embeddings.weight"
    marks = torch.eye(_BIO_EDGES)
    state = {"node_encoder.table.weight": given[first]}
    for i in range(num_layers):
        state |= {f"layers.edges.{i}.hidden": marks[_HIDDEN], f"layers.edges.{i}.loop": marks[_LOOP]}
    for name, value in given.items():
        if name != first:
            own = name.replace("gnns.", "layers.edges." if ".edge_encoder." in name else "layers.convs.", 1)
            state[own.replace(".edge_encoder.", ".linear.")] = value
    return state
