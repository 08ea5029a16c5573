"""What is proposed for each kind of samples is an experiment that loads, names its graph and control, and says why."""

import pyarrow as pa
import pytest
import torch
from tiny_checkpoint import tiny_checkpoint

from sigraph.config import load_config
from sigraph.data import PretrainGraph, SampleDataset
from sigraph.proposal.experiment import propose
from sigraph.running.checks import check_components
from sigraph.samples import token_table
from sigraph.tasks import Task

N = 24
EDGES = PretrainGraph(torch.stack([torch.arange(N - 1), torch.arange(1, N)]), N)
TASK = Task("topic", torch.arange(N) % 2, {"train": range(8), "valid": range(8, 16), "test": range(16, N)})
SAMPLES = {
    "text": (pa.table({"text": ["some words here"] * N}), {"text": "text"}, "TfIdf"),
    "texts": (
        pa.table({"title": ["a title"] * (N - 1) + [None], "abstract": ["some words"] * (N - 1) + [" "]}),
        {"title": "text", "abstract": "text"},
        "TfIdf",
    ),
    "protein": (pa.table({"seq": ["MKV" * 4] * N}), {"seq": "protein"}, "TfIdf"),
    "smiles": (pa.table({"smiles": ["CCO"] * N}), {"smiles": "smiles"}, "Molecules"),
    "table": (
        pa.table({"age": range(N), "town": ["a", "b"] * 12}),
        {"age": "number", "town": "category"},
        "TableFeatures",
    ),
    "numbers": (torch.rand(N, 5), {}, None),
    "tokens": (token_table([[2, 3, 4]] * N, 6), {}, None),
}


@pytest.mark.parametrize("kind", SAMPLES)
@pytest.mark.parametrize("edges", [True, False])
def test_a_proposal_loads(kind, edges, tmp_path):
    samples, uses, reader = SAMPLES[kind]
    dataset = SampleDataset(samples, {"cites": EDGES} if edges else {}, {"topic": TASK}, name="mine")
    proposal = propose(dataset, "mine", uses)
    file = tmp_path / "mine.yaml"
    file.write_text(proposal.text())
    config = load_config(file)
    for name in config.arm_names:
        check_components(config.arm(name))
    assert config.baseline == "objective-only" and "rewired-graph" in config.arm_names
    found = config.pretrain.reader
    assert (found and found["_target_"].rsplit(".", 1)[1]) == reader
    graph = config.pretrain.graph
    assert graph.get("name") == "cites" if edges else graph["_target_"].endswith("Rewired")
    rewired = config.arm("rewired-graph").pretrain.graph
    assert rewired["rewire" if edges else "rate"] == 1.0
    reads_features = config.pretrain.encoder["_target_"].endswith("MLPEncoder")
    assert ("sipt-target" in config.arm_names) == reads_features
    assert "# your edges" in file.read_text() if edges else "# no edges were given" in file.read_text()


def test_without_labels_nothing_is_fine_tuned_and_several_graphs_are_arms(tmp_path):
    dataset = SampleDataset(torch.rand(N, 5), {"a": EDGES, "b": EDGES}, name="mine")
    file = tmp_path / "mine.yaml"
    file.write_text(propose(dataset, "mine", {}).text())
    config = load_config(file)
    assert config.finetune == [] or not config.finetune
    assert "sipt-b" in config.arm_names and "rewired-graph" not in config.arm_names
    assert config.pretrain.valid_edge_rate == 0.1


def test_texts_are_read_together_and_it_is_said():
    samples, uses, _ = SAMPLES["texts"]
    proposal = propose(SampleDataset(samples, {"cites": EDGES}, name="mine"), "mine", uses)
    assert proposal.settings["pretrain"]["reader"]["column"] == ["title", "abstract"]
    assert "# title and abstract hold text, read as one (1 sample without any)" in proposal.text()


def test_items_of_a_column_are_a_graph():
    dataset = SampleDataset(pa.table({"text": ["words"] * N, "authors": ["ann;bob"] * N}), name="mine")
    graph = propose(dataset, "mine", {"text": "text", "authors": "terms"}).settings["pretrain"]["graph"]["graph"]
    assert graph["_target_"].endswith("BipartiteGraph") and graph["separator"] == ";"


def test_what_nothing_reads_is_refused_with_the_way_out():
    dataset = SampleDataset(pa.table({"what": [[1.0], [2.0]] * 12}), {"cites": EDGES}, name="mine")
    with pytest.raises(ValueError, match=r"nothing to read.*--text"):
        propose(dataset, "mine", {"what": "left out"})


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    folder = tmp_path_factory.mktemp("model")
    tiny_checkpoint(folder, {"red", "blue"})
    return str(folder)


@pytest.mark.parametrize("kind", ["text", "texts", "protein"])
def test_a_checkpoint_is_compared_with_counts_of_what_it_reads(kind, tmp_path, model):
    samples, uses, _ = SAMPLES[kind]
    dataset = SampleDataset(samples, {"cites": EDGES}, {"topic": TASK}, name="mine")
    file = tmp_path / "mine.yaml"
    file.write_text(propose(dataset, "mine", uses, checkpoint=model).text())
    config = load_config(file)
    for name in config.arm_names:
        check_components(config.arm(name))
    reader, counts = config.pretrain.reader, config.arm("tf-idf").pretrain.reader
    assert reader["checkpoint"] == config.pretrain.encoder["checkpoint"] == model
    assert counts["_target_"].endswith("TfIdf") and counts["column"] == reader["column"]
    assert counts.get("analyzer", "word") == ("char" if kind == "protein" else "word")


def test_without_edges_a_checkpoint_joins_texts_by_rare_words_and_no_sequences(model):
    def proposed(kind):
        samples, uses, _ = SAMPLES[kind]
        return propose(SampleDataset(samples, tasks={"topic": TASK}), "mine", uses, checkpoint=model)

    graph = proposed("text").settings["pretrain"]["graph"]["graph"]
    assert graph["_target_"].endswith("BipartiteGraph") and graph["column"] == "text"
    with pytest.raises(ValueError, match="no edges were given, and of such samples none are made"):
        proposed("protein")
