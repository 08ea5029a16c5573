"""Published encoders of Hu et al. 2020: the embeddings of their own formula, and files that hold others."""

import os
from pathlib import Path

import pytest
import torch
from torch_geometric.data import Data

from sigraph.data import SampleDataset
from sigraph.encoders import embed, from_pretrained_gnns
from sigraph.encoders.pretrained_gnns import _bio


def published(name: str) -> Path:
    source = os.environ.get("SIGRAPH_DATA_SOURCE")
    path = Path(source or "") / "pretrained_gnns" / name / "model_architecture"
    if source is None or not path.is_dir():
        pytest.skip("SIGRAPH_DATA_SOURCE holds no pretrained_gnns")
    return next(path.glob("*.pth"))


def graphs(name: str) -> SampleDataset:
    """Rings, chains, two parts, one node alone; each edge in both directions, alike."""
    draw, found = torch.Generator().manual_seed(0), []
    for pairs, size in (([(0, 1), (1, 2), (2, 0), (2, 3)], 4), ([(0, 1), (2, 3)], 5), ([], 1)):
        ends = torch.tensor(pairs, dtype=torch.long).reshape(-1, 2).t()
        if name == "bio":
            x, attributes = torch.zeros(size, 1), torch.randint(2, (len(pairs), 9), generator=draw).float()
            x = x.long()
        else:
            x = torch.stack([torch.randint(118, (size,), generator=draw), torch.randint(3, (size,), generator=draw)], 1)
            attributes = torch.stack([torch.randint(n, (len(pairs),), generator=draw) for n in (4, 3)], 1)
        found.append(Data(x=x, edge_index=torch.cat([ends, ends.flip(0)], 1), edge_attr=torch.cat([attributes] * 2)))
    return SampleDataset(found)


def by_formula(given: dict[str, torch.Tensor], x: torch.Tensor, ends: torch.Tensor, attributes: torch.Tensor):
    """Section A of their paper and their model.py, with dense matrices: embeddings of the nodes of one graph."""
    size, bio = len(x), "gnns.0.input_node_embeddings.weight" in given
    h = given["gnns.0.input_node_embeddings.weight"][x[:, 0]] if bio else None
    if h is None:
        h = given["x_embedding1.weight"][x[:, 0]] + given["x_embedding2.weight"][x[:, 1]]
    own = torch.arange(size)
    loops = torch.zeros(size, 9).index_fill(1, torch.tensor([7]), 1) if bio else torch.tensor([[4, 0]]).expand(size, 2)
    attributes = torch.cat([attributes, loops.to(attributes)]).to(h if bio else attributes)
    source, to = torch.cat([ends, torch.stack([own, own])], dim=1)
    joined = torch.nn.functional.one_hot(to, size).t().to(h)  # [V, E]
    degree = source.bincount(minlength=size).to(h)
    layers = 1 + max(int(name.split(".")[1]) for name in given if name.startswith("gnns"))
    for i in range(layers):
        part = {name.removeprefix(f"gnns.{i}."): value for name, value in given.items() if f"gnns.{i}." in name}
        if bio:
            e = attributes @ part["edge_encoder.weight"].t() + part["edge_encoder.bias"]
        else:
            e = part["edge_embedding1.weight"][attributes[:, 0]] + part["edge_embedding2.weight"][attributes[:, 1]]
        if "linear.weight" in part:
            norm = (degree[source] * degree[to]).rsqrt()[:, None]
            h = joined @ (norm * ((h @ part["linear.weight"].t() + part["linear.bias"])[source] + e))
        else:
            h = joined @ (h[source] + e)
            h = (h @ part["mlp.0.weight"].t() + part["mlp.0.bias"]).relu()
            h = h @ part["mlp.2.weight"].t() + part["mlp.2.bias"]
        if f"batch_norms.{i}.weight" in given:
            norm = {
                name: given[f"batch_norms.{i}.{name}"] for name in ("weight", "bias", "running_mean", "running_var")
            }
            h = (h - norm["running_mean"]) / (norm["running_var"] + 1e-5).sqrt() * norm["weight"] + norm["bias"]
        h = h.relu() if i < layers - 1 else h
    return h


def check(path: Path, name: str) -> None:
    given, encoder, samples = (
        torch.load(path, map_location="cpu", weights_only=True),
        from_pretrained_gnns(path),
        graphs(name),
    )
    encoder.check_samples(samples)
    z = embed(encoder, samples)
    exact = {name: value.double() if value.is_floating_point() else value for name, value in given.items()}
    for i in range(len(samples)):
        batch = samples.fetch(torch.tensor([i]))
        expected = by_formula(exact, batch.x, batch.edge_index, batch.edge_attr)
        torch.testing.assert_close(encoder.double().eval()(batch).h, expected, rtol=1e-9, atol=1e-9)
        torch.testing.assert_close(z[i], expected.mean(dim=0).float(), rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("name", ["chem", "bio"])
def test_published_weights_give_their_embeddings(name):
    check(published(name), name)


def gin(width: int = 6, layers: int = 3) -> dict[str, torch.Tensor]:
    """A state dict in the form of their GIN of molecules."""
    draw = torch.Generator().manual_seed(0)
    sizes = {"x_embedding1.weight": (120, width), "x_embedding2.weight": (3, width)}
    for i in range(layers):
        sizes |= {f"gnns.{i}.mlp.0.weight": (2 * width, width), f"gnns.{i}.mlp.0.bias": (2 * width,)}
        sizes |= {f"gnns.{i}.mlp.2.weight": (width, 2 * width), f"gnns.{i}.mlp.2.bias": (width,)}
        sizes |= {f"gnns.{i}.edge_embedding{n}.weight": (size, width) for n, size in ((1, 6), (2, 3))}
        sizes |= {f"batch_norms.{i}.{name}": (width,) for name in ("weight", "bias", "running_mean", "running_var")}
    found = {name: torch.rand(size, generator=draw) - 0.3 * ("norms" not in name) for name, size in sizes.items()}
    return found | {f"batch_norms.{i}.num_batches_tracked": torch.tensor(5) for i in range(layers)}


def test_gin_by_formula(tmp_path):
    torch.save(gin(), tmp_path / "gin.pth")
    check(tmp_path / "gin.pth", "chem")
    assert from_pretrained_gnns(tmp_path / "gin.pth", jump="cat").out_channels == 18


def test_bio_has_marks_for_loops_and_hidden_edges():
    given = {"gnns.0.input_node_embeddings.weight": torch.ones(2, 4), "gnns.0.edge_encoder.weight": torch.ones(4, 9)}
    state = _bio(given, 1)
    assert state["layers.edges.0.loop"].nonzero().tolist() == [[7]]
    assert state["layers.edges.0.hidden"].nonzero().tolist() == [[8]] and "layers.edges.0.linear.weight" in state


class Planted:
    def __reduce__(self):
        return (Path.touch, (Path("executed"),))


def test_other_files_are_refused_and_nothing_in_them_is_executed(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    without = {name: value for name, value in gin().items() if name != "gnns.1.mlp.0.bias"}
    for content, message in (
        (Planted(), "holds no weights alone"),
        ([torch.ones(2)], "holds no state dict"),
        ({"weight": torch.ones(2)}, "weights of another kind .first: 'weight'.; from_pretrained_gnns reads GCN"),
        (without, "weights of another kind .*layers.convs.1.nn.lins.0.bias"),
        (gin() | {"extra.weight": torch.ones(2)}, "weights of another kind .*extra.weight"),
    ):
        torch.save(content, tmp_path / "file.pth")
        with pytest.raises(ValueError, match=message):
            from_pretrained_gnns("file.pth")
    assert not (tmp_path / "executed").exists()
    (tmp_path / "file.pth").write_bytes(b"hello")
    with pytest.raises(ValueError, match="holds no weights alone"):
        from_pretrained_gnns("file.pth")
    with pytest.raises(FileNotFoundError):
        from_pretrained_gnns("absent.pth")
