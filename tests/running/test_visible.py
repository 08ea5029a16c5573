"""What a pre-training may see, by each meaning of ``inductive``: a hidden sample changes no bit of it."""

import pyarrow as pa
import pytest
import torch
import yaml

from sigraph.cli import main
from sigraph.config import ConfigError, config_from_dict, settings_hash
from sigraph.config.inductive import MEANINGS, arm_suffix, meaning
from sigraph.data import PretrainGraph, SampleDataset
from sigraph.experiment import run
from sigraph.running.parts import build_parts, pretrain_hash, visible_classes
from sigraph.running.progress import Progress
from sigraph.running.stages import pretrain_stage
from sigraph.running.visible import hidden_test, make_graph, seen_in_pretraining, sight
from sigraph.tasks import Task

pytestmark = pytest.mark.filterwarnings("ignore:'PretrainGraph' dropped")
NUM = 48
SHARE = {"share": 0.4}
BLOCK = {"tasks": ["block"]}
KINDS = (True, "test", "edges", "outside-train", SHARE, BLOCK)
KNN = {"_target_": "sigraph.graphs.KNNGraph", "k": 3}
CLIQUES = {"_target_": "sigraph.graphs.LabelCliques", "labels": "block"}
CARD = {"_target_": "sigraph.graphs.DatasetGraph", "name": "near"}
GRAPHS = {
    "card": CARD,
    "weighed hops": {**CARD, "hops": 2, "weight": "normalized"},
    "rewired": {**CARD, "rewire": 0.7, "hops": 2},
    "noisy": {**CARD, "drop": 0.2, "add": 0.3},
    "knn": KNN,
    "radius": {"_target_": "sigraph.graphs.RadiusGraph", "radius": 2.2},
    "items": {
        "_target_": "sigraph.graphs.BipartiteGraph",
        "pairs": [[i, i % 9] for i in range(NUM)],
        "weight": "jaccard",
    },
    "labels": CLIQUES,
    "rewired labels": {"_target_": "sigraph.graphs.Rewired", "graph": CLIQUES},
    "union": {"_target_": "sigraph.graphs.UnionGraph", "graphs": [CLIQUES, KNN, {**CARD, "hops": 2}]},
    "closure": {
        "_target_": "sigraph.graphs.HopClosure",
        "weight": "normalized",
        "graph": {"_target_": "sigraph.graphs.Rewired", "graph": KNN, "rate": 0.5},
    },
}


@pytest.fixture
def world() -> SampleDataset:
    """Every sample has neighbours of all parts; the second task tests other samples than the first."""
    generator, ids = torch.Generator().manual_seed(1), torch.randperm(NUM, generator=torch.Generator().manual_seed(2))
    index = torch.randint(0, NUM, (2, 4 * NUM), generator=generator)
    index = index[:, index[0] != index[1]]
    graph = PretrainGraph(index, NUM, torch.rand(index.size(1), generator=generator) + 0.5)
    y = torch.arange(NUM) % 3
    block = Task("block", y, {"train": ids[:20], "valid": ids[20:28], "test": ids[28:43]})
    size = Task(
        "size", torch.rand(NUM, generator=generator), {"train": ids[:9], "valid": ids[43:45], "test": ids[45:47]}
    )
    x = torch.randn(NUM, 5, generator=generator)
    return SampleDataset(x, {"near": graph}, {"block": block, "size": size}, name="world")


def planted(dataset: SampleDataset, inductive) -> SampleDataset:
    """The same with other features (unless they may be seen), edges and labels of all samples that are hidden."""
    found = sight(dataset, inductive)
    joined = torch.zeros(len(dataset), dtype=torch.bool)
    joined[found.joined] = True
    hidden = (~joined).nonzero().view(-1)
    x = dataset.samples.clone()
    if found.samples is not None:
        x[hidden] = x[hidden].flip(1) * 3 + 1
    old = dataset.graph()
    row, col, weight = torch.repeat_interleave(old.csr()[0].diff()), old.csr()[1].long(), old.store.weight
    stay = joined[row] & joined[col]
    new = torch.stack([hidden, torch.arange(len(dataset))[: len(hidden)]])
    new = new[:, new[0] != new[1]]
    index = torch.cat([torch.stack([row, col])[:, stay], new], dim=1)
    graph = PretrainGraph(index, len(dataset), torch.cat([weight[stay], torch.full((new.size(1),), 9.0)]))
    tasks = {}
    for name, task in dataset.tasks.items():
        labels = task.labels.clone()
        labels[hidden] = (labels[hidden] + 1) % 3 if name == "block" else labels[hidden] + 5
        tasks[name] = Task(name, labels, task.split)
    return SampleDataset(x, {"near": graph}, tasks, name="world")


def settings(folder, graph, inductive, **changes):
    pretrain = {
        "dataset": str(folder),
        "graph": graph,
        "encoder": {"_target_": "sigraph.encoders.MLPEncoder", "hidden_channels": 4, "out_channels": 3},
        "objective": {"_target_": "sigraph.objectives.MaskedFeature"},
        "structure_weight": 0.5,
        "batch_size": 16,
        "inductive": inductive,
        "valid_edge_rate": 0.2,
        "trainer": {"max_epochs": 1, "accelerator": "cpu"},
    }
    whole = {"name": "e", "seeds": [0], "pretrain": pretrain | changes}
    return config_from_dict(whole).arm("sipt").pretrain


def same(a, b):
    return torch.equal(a, b) if a is not None and b is not None else a is b


def made(dataset, folder, graph, inductive, **changes):
    dataset.save(folder / "world", overwrite=True)
    return build_parts(settings(folder / "world", graph, inductive, **changes), 3)


@pytest.mark.parametrize("inductive", KINDS, ids=meaning)
@pytest.mark.parametrize("graph", GRAPHS)
def test_what_is_hidden_changes_no_bit_of_the_graph(world, tmp_path, graph, inductive):
    first = made(world, tmp_path, GRAPHS[graph], inductive)
    again = made(planted(world, inductive), tmp_path, GRAPHS[graph], inductive)
    assert first.whole.fingerprint != again.whole.fingerprint and first.graph.num_edges > 0
    for one, two in zip(first.graph.csr(), again.graph.csr(), strict=True):
        assert torch.equal(one, two)
    assert same(first.graph.store.weight, again.graph.store.weight) and same(first.held_out, again.held_out)
    assert torch.equal(first.dataset.samples, again.dataset.samples)
    assert same(visible_classes(first), visible_classes(again)) and first.visible == again.visible
    hidden = sight(world, inductive).joined
    if inductive == "edges":
        assert len(first.dataset) == NUM == first.graph.num_nodes
        joined = (first.graph.csr()[0].diff() > 0).nonzero().view(-1)
        assert torch.isin(joined, hidden).all() and torch.isin(first.held_out, hidden).all()


@pytest.mark.parametrize("inductive", KINDS, ids=meaning)
def test_what_is_hidden_changes_no_bit_of_a_pretraining(world, tmp_path, inductive):
    records = {}
    for name, dataset in (("first", world), ("planted", planted(world, inductive))):
        dataset.save(tmp_path / name)
        config = settings(tmp_path / name, GRAPHS["union"], inductive)
        records[name] = pretrain_stage(config, 0, tmp_path / f"{name}-run")[2]
    for field in ("encoder_sha256", "validation", "certificate", "num_steps", "num_edges", "num_edges_held_out"):
        assert records["first"][field] == records["planted"][field], field
    moved = planted(world, inductive)
    seen = moved.samples.clone()
    seen[seen_in_pretraining(world, inductive)[0]] += 1
    SampleDataset(seen, moved.graphs, moved.tasks, name="world").save(tmp_path / "seen")
    other = pretrain_stage(settings(tmp_path / "seen", GRAPHS["union"], inductive), 0, tmp_path / "seen-run")[2]
    assert other["encoder_sha256"] != records["first"]["encoder_sha256"]


READERS = {
    "words": {"_target_": "sigraph.readers.WordTokens", "column": "text"},
    "symbols": {"_target_": "sigraph.readers.SymbolTokens", "column": "text"},
    "tf-idf": {"_target_": "sigraph.readers.TfIdf", "column": "text"},
    "table": {"_target_": "sigraph.readers.TableFeatures"},
}


@pytest.mark.parametrize("inductive", [True, "test", "outside-train", SHARE], ids=meaning)
@pytest.mark.parametrize("reader", READERS)
def test_what_is_hidden_teaches_no_reader_and_makes_no_items(world, tmp_path, reader, inductive):
    states, graphs = [], []
    hidden = torch.ones(NUM, dtype=torch.bool)
    hidden[seen_in_pretraining(world, inductive)] = False
    for which in (False, True):
        odd = (hidden & which).tolist()
        text = [("qqzz unheard " * 9 if odd[i] else "") + f"word{i % 4} and {'abc'[i % 3]}" for i in range(NUM)]
        table = pa.table({"text": text, "size": [i * (1e6 if odd[i] else 1.0) for i in range(NUM)]})
        records = SampleDataset(table, world.graphs, world.tasks, "notes")
        words = {"_target_": "sigraph.graphs.BipartiteGraph", "column": "text", "separator": " ", "weight": "jaccard"}
        encoder = "BagOfWordsEncoder" if reader in ("words", "symbols") else "MLPEncoder"
        parts = made(
            records,
            tmp_path,
            words,
            inductive,
            reader=READERS[reader],
            objective=None,
            structure_weight=1.0,
            encoder={"_target_": f"sigraph.encoders.{encoder}", "hidden_channels": 4, "out_channels": 3},
        )
        states.append((parts.whole.reader.state(), dict(parts.dataset.sizes)))
        graphs.append((*parts.graph.csr(), parts.graph.store.weight))
    assert states[0] == states[1] and all(map(torch.equal, *graphs))


# Meanings #############################################################################################################


def test_each_meaning_hides_what_it_says(world):
    block, size = world.task("block"), world.task("size")
    tested = torch.cat([block.split["test"], size.split["test"]])
    looked_at = torch.cat([tested, block.split["valid"], size.split["valid"]])
    everyone = torch.arange(NUM)
    assert sight(world, False) == (None, None)
    trained = torch.cat([block.split["train"], size.split["train"]])
    outside = everyone[~torch.isin(everyone, trained) | torch.isin(everyone, looked_at)]
    assert not torch.isin(outside, looked_at).all()  # some are in no split, and hidden all the same
    for value, hidden in ((True, looked_at), ("test", tested), ("edges", looked_at), ("outside-train", outside)):
        found = sight(world, value)
        assert torch.equal(found.joined, everyone[~torch.isin(everyone, hidden)])
        assert (found.samples is None) is (value == "edges")
    parts = [hidden_test(world, task, SHARE) for task in (block, size)]
    assert [int(part.sum()) for part in parts] == [6, 1] and hidden_test(world, block, "test") is None
    hidden = torch.cat([task.split["test"][part] for task, part in zip((block, size), parts, strict=True)])
    assert torch.equal(sight(world, SHARE).samples, everyone[~torch.isin(everyone, hidden)])
    assert {meaning(value).partition(" ")[0] for value in (False, *KINDS)} == set(MEANINGS)


def test_a_graph_of_two_levels_stays_one_and_groups_stay(world):
    from sigraph.edges import LabelSetStore
    from sigraph.graphs import DatasetGraph, LabelCliques

    found = sight(world, "edges")
    graph = make_graph(LabelCliques("block"), world, found, torch.Generator())
    y, train = world.task("block").labels, world.task("block").split["train"]
    train = train[torch.isin(train, found.joined)]
    assert isinstance(graph.store, LabelSetStore)
    wanted = torch.zeros(NUM, NUM, dtype=torch.bool)
    wanted[train[:, None], train] = y[train][:, None] == y[train]
    got = torch.zeros(NUM, NUM, dtype=torch.bool)
    got[graph.edge_index[0], graph.edge_index[1]] = True
    assert torch.equal(got, wanted.fill_diagonal_(False))
    near, group = world.graph(), torch.arange(NUM) % 2
    grouped = world.replace(graphs={"near": PretrainGraph(near.edge_index, NUM, near.edge_weight, group)})
    assert make_graph(DatasetGraph(), grouped, found, torch.Generator()).num_edges < near.num_edges


def test_groups_of_samples_without_edges_are_kept(world, tmp_path):
    near, group = world.graph(), torch.arange(NUM) % 2
    grouped = world.replace(graphs={"near": PretrainGraph(near.edge_index, NUM, near.edge_weight, group)})
    assert torch.equal(made(grouped, tmp_path, CARD, "edges").graph.group, group)


def test_for_the_sake_of_one_task(world):
    """Its samples are hidden; what others test is seen, unless it is among them, and then scored apart."""
    block, size = world.task("block"), world.task("size")
    hidden = torch.cat([block.split["valid"], block.split["test"]])
    rest = torch.tensor([i for i in range(NUM) if i not in hidden.tolist()])
    assert torch.equal(seen_in_pretraining(world, BLOCK), rest)
    assert torch.equal(seen_in_pretraining(world, {"tasks": ["block", "size"]}), seen_in_pretraining(world, True))
    assert hidden_test(world, block, BLOCK) is None and hidden_test(world, size, BLOCK) is None  # all, and none
    seen, unseen = int(rest[-1]), int(hidden[-1])
    both = {"train": rest[:1], "valid": rest[1:2], "test": torch.tensor([seen, unseen])}
    assert hidden_test(world, Task("both", size.labels, both), BLOCK).tolist() == [False, True]
    with pytest.raises(ValueError, match=r"names a task 'blok' that 'world' lacks; it has: block, size .*'block'"):
        sight(world, {"tasks": ["blok"]})


# Settings #############################################################################################################


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("tests", r"\(got 'tests'\) \(did you mean 'test'\?\)"),
        ("true", r"got 'true'\); leave the quotes out"),
        (None, "got None"),
        (0.2, "got 0.2"),
        ({}, "got 'nothing' in it"),
        ({"shares": 0.2}, r"got 'shares' in it\) \(did you mean 'share'"),
        ({"share": 0.0}, r"got a share of 0.0\); all of them: inductive: test"),
        ({"share": 1}, r"got a share of 1\)"),
        ({"share": True}, "got a share of True"),
        ({"share": "0.2"}, "got a share of '0.2'"),
        ({"tasks": []}, r"got tasks of \[\]"),
        ({"tasks": "block"}, "got tasks of 'block'"),
        ({"tasks": [1]}, r"got tasks of \[1\]"),
        ({"task": ["block"]}, r"got 'task' in it\) \(did you mean 'tasks'"),
        ({"tasks": ["block"], "share": 0.2}, "got 'both' in it"),
    ],
)
def test_what_is_no_meaning_is_said(toy, value, message):
    toy["pretrain"]["inductive"] = value
    with pytest.raises(ConfigError, match=rf"'pretrain.inductive' needs to be false, true, test, edges, .*{message}"):
        config_from_dict(toy)


def test_overrides_and_hashes(toy):
    def of(*overrides):
        return config_from_dict(toy, overrides).arm("sipt").pretrain

    texts = ("test", "edges", "outside-train", "{share: 0.25}")
    values = [of(f"pretrain.inductive={text}").inductive for text in (*texts, "true")]
    assert values == [*texts[:3], {"share": 0.25}, True]
    assert of("pretrain.inductive.share=0.5").inductive == {"share": 0.5}
    assert len({pretrain_hash(of(f"pretrain.inductive={v}")) for v in ("false", "true", "test", "edges")}) == 4
    assert (
        settings_hash({"inductive": False}) == "6d120cf4718b" and settings_hash({"inductive": True}) == "db1b2630b9bf"
    )
    toy["arms"]["some"] = {"pretrain.inductive": {"share": 0.5}}
    assert config_from_dict(toy).arm("some").pretrain.inductive == {"share": 0.5}
    assert [arm_suffix(v) for v in (False, True, "test", {"share": 0.25}, {"tasks": ["a b", "c"]})] == [
        *("transductive", "inductive", "inductive-test", "inductive-share-0.25", "inductive-tasks-a-b-c"),
    ]
    assert of("pretrain.inductive={tasks: [c, a, c]}").inductive == {"tasks": ["a", "c"]}


# Records and baselines ################################################################################################


@pytest.fixture
def compared(toy):
    toy["finetune"] = [{"task": "block", "head": "knn", "k": 3}]
    toy["seeds"] = [0]
    toy["pretrain"]["trainer"]["max_epochs"] = 1
    toy["arms"] |= {
        "rewired-graph": {"pretrain.graph.rewire": 1.0},
        "knn-graph": {"pretrain.graph": {"_target_": "sigraph.graphs.KNNGraph", "k": 3}},
        "cliques": {"pretrain.graph": CLIQUES},
        "sipt-inductive": {"pretrain.inductive": True},
        "sipt-edges": {"pretrain.inductive": "edges"},
        "sipt-share": {"pretrain.inductive": SHARE},
        "sipt-share-too": {"pretrain.inductive": SHARE, "pretrain.graph.hops": 2},
        "masked-inductive": {"pretrain.structure_weight": 0.0, "pretrain.inductive": True},
        "sipt-block": {"pretrain.inductive": BLOCK},
    }
    return toy


def test_every_arm_has_a_baseline_that_sees_the_same(compared):
    config = config_from_dict(compared)
    added = [f"objective-only-inductive-{word}" for word in ("edges", "share-0.4", "tasks-block")]
    assert config.arm_names == [*compared["arms"], *added]
    wanted = {
        **dict.fromkeys(("sipt", "objective-only", "rewired-graph", "knn-graph", "cliques"), "objective-only"),
        **dict.fromkeys(("sipt-inductive", "masked-inductive"), "masked-inductive"),  # there already
        **dict.fromkeys(("sipt-edges", added[0]), added[0]),
        **dict.fromkeys(("sipt-share", "sipt-share-too", added[1]), added[1]),
        **dict.fromkeys(("sipt-block", added[2]), added[2]),
    }
    assert {name: config.baseline_of(name) for name in config.arm_names} == wanted
    again = config_from_dict(config.to_dict())
    assert again == config
    base, twin = config.arm("objective-only").to_dict(), config.arm(added[1]).to_dict()
    assert twin["pretrain"].pop("inductive") == SHARE and base["pretrain"].pop("inductive") is False and twin == base
    assert config_from_dict({**compared, "baseline": None}).arm_names == [*compared["arms"]]


def test_a_name_that_is_taken_and_a_baseline_that_is_inductive(toy):
    toy["arms"]["objective-only-transductive"] = {"pretrain.batch_size": 7, "pretrain.inductive": "test"}
    toy["arms"]["objective-only"]["pretrain.inductive"] = "test"
    config = config_from_dict(toy)
    assert config.baseline_of("sipt") == "objective-only-transductive-2" == config.arm_names[-1]
    assert config.arm("objective-only-transductive-2").pretrain.inductive is False
    assert config.baseline_of("objective-only-transductive") == "objective-only"


def test_records_say_what_shaped_an_arm_and_with_whom_it_is_compared(compared, capsys):
    said = []

    class Listens(Progress):
        def say(self, text):
            said.append(text)

    results = run(config_from_dict(compared), Listens())
    assert not results.failed
    records = {record["arm"]: record for record in results.records}
    visible = {name: record["visible"] for name, record in records.items()}
    assert {name: found["inductive"] for name, found in visible.items() if "share" in name or "edges" in name} == {
        **dict.fromkeys(("sipt-edges", "objective-only-inductive-edges"), "edges"),
        **dict.fromkeys(("sipt-share", "sipt-share-too", "objective-only-inductive-share-0.4"), "share 0.4"),
    }
    samples = {name: found["samples"][0] for name, found in visible.items()}
    assert [samples[name] for name in ("sipt", "sipt-edges", "sipt-inductive", "sipt-share")] == [40, 40, 11, 32]
    assert visible["sipt"]["samples"] == visible["sipt-edges"]["samples"] == visible["knn-graph"]["samples"]
    assert visible["objective-only"]["edges"] is None and visible["masked-inductive"]["edges"] is None
    assert visible["sipt"]["edges"] == visible["rewired-graph"]["edges"] and visible["knn-graph"]["edges"][0] == 0
    assert visible["sipt-edges"]["edges"] == visible["sipt-inductive"]["edges"] != visible["sipt"]["edges"]
    assert visible["sipt-share"]["edges"] == visible["sipt-share-too"]["edges"]
    assert {name for name, found in visible.items() if found["labels"] == "train"} == {"cliques"}
    assert records["sipt-inductive"]["baseline_arm"] == "masked-inductive" and "baseline_arm" not in records["sipt"]
    twin = records["objective-only-inductive-edges"]
    assert records["sipt-edges"]["baseline_hash"] == twin["hash"] and twin["baseline_of"] == "objective-only"
    assert "sipt-edges is compared with objective-only-inductive-edges: objective-only with pretrain.inductive " in (
        " ".join(said)
    )
    (task,) = records["sipt-share"]["tasks"]
    share, num = task["test_hidden"], 7  # of 17
    assert abs((share * num + task["test_seen"] * (17 - num)) / 17 - task["test"]) < 1e-9
    assert "test_hidden" not in records["sipt-inductive"]["tasks"][0]


def test_trials_are_those_of_the_grid(toy):
    toy |= {"grid": {"pretrain.structure_weight": [0.2, 0.5, 0.9]}, "seeds": [0]}
    trials = {record["arm"]: record["visible"]["trials"] for record in run(config_from_dict(toy)).records}
    assert trials == {"sipt": 3, "objective-only": 1}


def test_dry_run_knows_the_added_arms(compared, tmp_path, capsys):
    added = "objective-only-inductive-edges"
    (tmp_path / "e.yaml").write_text(yaml.safe_dump(compared))
    assert main(["run", str(tmp_path / "e.yaml"), "--dry-run", "--arm", "sipt-edges", "--arm", added]) == 0
    out = capsys.readouterr().out
    assert f"| {added} |" in out and f"sipt-edges is compared with {added}" in out


def test_the_audit_knows_the_meanings(compared, tmp_path, capsys):
    (tmp_path / "e.yaml").write_text(yaml.safe_dump(compared))
    assert main(["audit", str(tmp_path / "e.yaml"), "--task", "block"]) == 0
    out = capsys.readouterr().out
    assert "blocks, inductive-edges" in out and "blocks, inductive-share-0.4" in out
