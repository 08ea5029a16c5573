"""Samples that are graphs through a whole experiment: saved, run from a YAML, embedded again, what is refused."""

import pytest
import torch
import yaml
from torch_geometric.data import Data

import sigraph
from sigraph.cli import main
from sigraph.config import ConfigError
from sigraph.data import PretrainGraph, SampleDataset
from sigraph.encoders import embed
from sigraph.experiment import run
from sigraph.export.load import load_encoder
from sigraph.running.run_one import run_folder
from sigraph.tasks import Task


@pytest.fixture
def molecules() -> SampleDataset:
    """Rings and chains of several sizes, joined with their kind; which of both a sample is, is to be told."""
    draw, ids, graphs = torch.Generator().manual_seed(0), torch.arange(40), []
    y = ids % 2
    for is_ring in y.tolist():
        size = int(torch.randint(3, 9, (1,), generator=draw))
        i = torch.arange(size if is_ring else size - 1)
        ends = torch.stack([i, (i + 1) % size])
        graphs.append(Data(x=torch.ones(size, 2), edge_index=torch.cat([ends, ends.flip(0)], dim=1)))
    pairs = torch.combinations(ids).t()
    same = pairs[:, y[pairs[0]] == y[pairs[1]]]
    graph = PretrainGraph(same[:, torch.rand(same.size(1), generator=draw) < 0.3], 40)
    task = Task("ring", y, {"train": ids[:10], "valid": ids[10:20], "test": ids[20:]})
    return SampleDataset(graphs, {"alike": graph}, {"ring": task}, name="molecules")


@pytest.fixture
def file(molecules, toy, tmp_path):
    molecules.save(tmp_path / "molecules")
    toy["pretrain"] |= {
        "dataset": str(tmp_path / "molecules"),
        "graph": "alike",
        "encoder": {"_target_": "sigraph.encoders.GraphEncoder", "hidden_channels": 8, "out_channels": 4},
    }
    toy["pretrain"].pop("objective", None)
    toy["pretrain"]["structure_weight"] = 1.0
    toy["finetune"] = [{"task": "ring", "head": head, "max_epochs": 4} for head in ("linear", "full")]
    toy["finetune"].append({"task": "ring", "head": "knn", "k": 3})
    toy |= {"seeds": [0], "arms": {"sipt": {}, "no-pretraining": {"pretrain.trainer.max_epochs": 0}}}
    toy |= {"baseline": "no-pretraining", "output_dir": str(tmp_path / "runs")}
    path = tmp_path / "graphs.yaml"
    path.write_text(yaml.safe_dump(toy))
    return path


def test_a_yaml_trains_on_graphs_and_the_encoder_comes_home(file, molecules, tmp_path):
    results = run(file)
    assert [record["status"] for record in results.records] == ["ok", "ok"] and not results.failed
    folder = run_folder(results.config, results.config.arm("sipt"), 0)
    encoder = load_encoder(folder)  # knows from its record how many attributes a node has
    z = embed(encoder, SampleDataset.open(tmp_path / "molecules"))
    torch.testing.assert_close(z, embed(encoder, molecules, batch_size=3))
    assert main(["embed", str(folder), "--out", str(tmp_path / "z.npy")]) == 0
    assert main(["audit", str(tmp_path / "molecules")]) == 0


def test_an_encoder_of_other_samples_is_refused_by_name(file, molecules):
    with pytest.raises(ConfigError, match=r"needs feature rows, but the samples .* are graphs with 2 attributes"):
        run(sigraph.load_config(file, ["pretrain.encoder={_target_: sigraph.encoders.MLPEncoder}"]))
    rows = SampleDataset(torch.ones(40, 3))
    with pytest.raises(ValueError, match="needs graphs with 2 attributes of nodes, but the samples are rows"):
        embed(sigraph.encoders.GraphEncoder(2, 4, 4), rows)


def kinds(molecules: SampleDataset) -> SampleDataset:
    """The same with attributes that are kinds, of edges too."""
    graphs, draw = [], torch.Generator().manual_seed(0)
    for i in range(40):
        one = molecules.fetch(torch.tensor([i]))
        x = torch.randint(3, (one.num_nodes, 2), generator=draw)
        graphs.append(Data(x=x, edge_index=one.edge_index, edge_attr=torch.zeros(one.num_edges, 1).long()))
    return SampleDataset(graphs, molecules.graphs, molecules.tasks, name="molecules")


GRAPH_ENCODER = {"_target_": "sigraph.encoders.GraphEncoder", "hidden_channels": 8, "num_layers": 2}
KINDS = {**GRAPH_ENCODER, "layer": "gine", "node_encoder": [3, 3], "edge_encoder": [2], "norm": "batch"}
MODULE = {
    "_target_": "sigraph.encoders.ModuleEncoder",
    "module": {"_target_": "torch_geometric.nn.GIN", "in_channels": 2, "hidden_channels": 8, "num_layers": 2},
    "out_channels": 8,
    "pooling": "max",
}
OBJECTIVES = {
    "AttributeMasking": (KINDS, {"node_categories": [3, 3], "edge_categories": [2]}),
    "GraphMAE": (KINDS, {"node_categories": [3, 3], "decoder": "gat"}),
    "EdgePrediction": (MODULE, {"num_negatives": 2}),
    "ContextPrediction": (
        GRAPH_ENCODER,
        {"num_hops": 2, "context_encoder": {**GRAPH_ENCODER, "out_channels": 4, "node_encoder": "linear"}},
    ),
}


@pytest.mark.parametrize("name", OBJECTIVES)
def test_objectives_on_graphs_train_from_a_yaml(file, molecules, tmp_path, name):
    encoder, arguments = OBJECTIVES[name]
    is_kinds = encoder is KINDS
    (kinds(molecules) if is_kinds else molecules).save(tmp_path / "molecules", overwrite=True)
    settings = yaml.safe_load(file.read_text())
    objective = {"_target_": f"sigraph.objectives.{name}", **arguments}
    settings["pretrain"] |= {"encoder": encoder, "objective": objective, "structure_weight": 0.5}
    settings["finetune"], settings["arms"] = settings["finetune"][:1], {"sipt": {}}
    settings.pop("baseline")
    file.write_text(yaml.safe_dump(settings))
    results = run(file)
    assert [record["status"] for record in results.records] == ["ok"]
    folder = run_folder(results.config, results.config.arm("sipt"), 0)
    z = embed(load_encoder(folder), SampleDataset.open(tmp_path / "molecules"))
    assert z.isfinite().all() and z.std(dim=0).sum() > 0


def test_an_objective_that_the_encoder_does_not_fit_is_refused_before_anything_trains(file):
    context = {"_target_": "sigraph.objectives.ContextPrediction", "context_encoder": GRAPH_ENCODER, "num_hops": 3}
    changes = {"pretrain.encoder": GRAPH_ENCODER, "pretrain.objective": context, "pretrain.structure_weight": 0.5}
    overrides = [f"{key}={yaml.safe_dump(value, default_flow_style=True).strip()}" for key, value in changes.items()]
    overrides = [one.removesuffix("\n...") for one in overrides]
    with pytest.raises(ValueError, match=r"'num_hops' needs to be the number of the encoder's layers, 2, .*\(got 3\)"):
        run(sigraph.load_config(file, overrides))
