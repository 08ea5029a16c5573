"""RetrievalTask: ranks among shared candidates against sorting and graph_retrieval; through a whole experiment."""

import json

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch
import yaml
from scipy.sparse import csr_matrix

from sigraph.cli import main
from sigraph.data import PretrainGraph, SampleDataset
from sigraph.encoders import MLPEncoder
from sigraph.evaluation import graph_retrieval
from sigraph.evaluation.retrieved import ranked_answers
from sigraph.finetune import FinetuneSettings, fine_tune
from sigraph.leaderboard.weighted_metrics import weighted_score
from sigraph.tasks import RetrievalTask, drawn
from sigraph.tasks.retrieval import METRICS

N, TRAIN = 70, 50
SPLIT = {"valid": torch.arange(50, 60), "test": torch.arange(60, 70)}


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def answers():
    """From one to eight training samples for each of the others."""
    pairs = [(q, a) for q in range(TRAIN, N) for a in torch.randperm(TRAIN, generator=seeded(q))[: 1 + q % 8].tolist()]
    return torch.tensor(pairs).T


def task(metric=METRICS, **changes):
    given = {"answers": answers(), "candidates": torch.arange(TRAIN), "split": SPLIT, "num_samples": N} | changes
    return RetrievalTask("cites", **given, metric=metric)


def test_figures_are_those_of_sorting_every_candidate():
    it, z = task(), torch.randn(N, 5, generator=seeded())
    items = it.split["test"]
    found = ranked_answers(it, z[it.candidates], z[items], items)
    unit = torch.nn.functional.normalize(z, dim=1)
    for row, query in enumerate(items.tolist()):
        order = (unit[:TRAIN] @ unit[query]).argsort(descending=True).tolist()
        own = sorted(order.index(a) + 1 for a in answers()[1][answers()[0] == query].tolist())
        wanted = {"mrr": 1 / own[0]}
        for k in (1, 10, 100):
            wanted[f"recall@{k}"] = sum(rank <= k for rank in own) / len(own)
            wanted[f"hits@{k}"] = float(own[0] <= k)
            ideal = sum(1 / np.log2(1 + rank) for rank in range(1, min(k, len(own)) + 1))
            wanted[f"ndcg@{k}"] = sum(1 / np.log2(1 + rank) for rank in own if rank <= k) / ideal
        assert dict(zip(METRICS, found[row].tolist(), strict=True)) == pytest.approx(wanted, abs=1e-9)
    assert it.evaluate(items, found)["mrr"] == pytest.approx(float(found[:, 0].mean()))


@pytest.mark.parametrize("ties", [False, True])
def test_it_agrees_with_graph_retrieval_where_other_queries_are_left_out(ties):
    z = torch.randint(3, (N, 3), generator=seeded()).float() + 1 if ties else torch.randn(N, 4, generator=seeded())
    it, items = task(), SPLIT["test"]
    nodes = torch.cat([items, torch.arange(TRAIN)])
    asked, answer = it.answers(items)
    graph = PretrainGraph(torch.stack([asked, answer + len(items)]), len(nodes))
    others = PretrainGraph(torch.combinations(torch.arange(len(items))).T, len(nodes))
    oracle = graph_retrieval(z[nodes], graph, (1, 10, 100), torch.arange(len(items)), others)
    found = it.evaluate(items, ranked_answers(it, z[:TRAIN], z[items], items))
    assert found == pytest.approx({name: oracle[name] for name in METRICS}, abs=1e-6)


def test_sparse_rows_and_dense_ones_rank_alike_and_a_query_never_finds_itself():
    rows = torch.rand(N, 30, generator=seeded()) * (torch.rand(N, 30, generator=seeded(1)) < 0.3)
    split = {"valid": [3, 4], "test": [5, 6, 7]}
    pairs = torch.tensor([[3, 4, 5, 6, 7, 7], [0, 1, 2, 5, 6, 9]])
    it = task(answers=pairs, split=split)
    assert it.split["train"].tolist() == [0, 1, 2, *range(8, TRAIN)] and it.candidates.tolist() == list(range(TRAIN))
    items = it.split["test"]
    dense = ranked_answers(it, rows[:TRAIN], rows[items], items)
    sparse = ranked_answers(it, csr_matrix(rows[:TRAIN].numpy()), csr_matrix(rows[items].numpy()), items)
    assert torch.allclose(dense, sparse)
    unit = torch.nn.functional.normalize(rows, dim=1)
    cosine = unit[:TRAIN] @ unit[5]
    cosine[5] = -1
    assert float(dense[0, 0]) == pytest.approx(1 / (1 + int((cosine > cosine[2]).sum())))


def test_nothing_trains_and_a_folder_keeps_it(tmp_path):
    x, it = torch.rand(N, 6, generator=seeded()), task(["recall@10", "mrr"])
    dataset = SampleDataset(x, {"g": PretrainGraph([[0], [1]], N)}, {"cites": it})
    dataset.save(tmp_path / "data")
    again = SampleDataset.open(tmp_path / "data").task("cites")
    assert type(again) is RetrievalTask and torch.equal(again.pairs, it.pairs) and again.metrics == it.metrics
    assert all(torch.equal(again.split[part], it.split[part]) for part in it.split)
    encoder = MLPEncoder(in_channels=6, hidden_channels=8, out_channels=4)
    found = fine_tune(encoder, dataset, again, FinetuneSettings("knn"), accelerator="cpu")
    assert found.num_parameters == 0 and found.scores["mrr"].keys() == {"valid", "test"}
    for head, said in (("linear", "trains nothing; use 'head' knn"), ("full", "trains nothing; use 'head' knn")):
        with pytest.raises(ValueError, match=said):
            fine_tune(encoder, dataset, again, FinetuneSettings(head), accelerator="cpu")
    with pytest.raises(ValueError, match="'leave_one_out' does not act"):
        fine_tune(encoder, dataset, again, FinetuneSettings("knn", leave_one_out=True), accelerator="cpu")
    assert len(drawn(again, max_scored=4).split["test"]) == 4
    with pytest.raises(ValueError, match="trains on nothing; leave 'max_train_samples' out"):
        drawn(again, max_train=4)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"answers": torch.tensor([[60], [61]])}, r"needs candidates \(1 are none, first: 61\)"),
        ({"answers": torch.tensor([[60], [70]])}, r"needs ids in \[0, 70\) \(got 60 to 70\)"),
        ({"answers": torch.tensor([[6, 60], [6, 2]])}, "sample 6 as an answer to itself"),
        ({"answers": torch.tensor([60, 1])}, r"integers \[2, A\]"),
        ({"candidates": []}, "needs sample ids, integers"),
        ({"split": {"valid": [50], "test": [50, 61]}}, "has query 50 in 'valid' and 'test'"),
        (
            {"split": {"valid": [50], "test": [3]}},
            r"'test' of task 'cites' has 1 queries without an answer \(first: 3\)",
        ),
        ({"split": {"valid": [50]}}, "needs queries of valid and test"),
        ({"metric": "recall@5"}, "needs to be one of mrr, .*did you mean"),
        ({"metric": []}, "needs a name"),
    ],
)
def test_what_is_no_retrieval_is_said(changes, said):
    with pytest.raises(ValueError, match=said):
        task(**changes)


def test_every_arm_ranks_what_pretraining_did_not_see(tmp_path, capsys):
    group = torch.arange(N) % 5
    x = torch.rand(N, 5, generator=seeded()) + 2 * torch.eye(5)[group]
    edges = torch.combinations(torch.arange(TRAIN)).T
    edges = edges[:, group[edges[0]] == group[edges[1]]]
    pairs = torch.tensor(
        [[q, a] for q in range(TRAIN, N) for a in range(TRAIN) if a % 5 == q % 5 and (q + a) % 3 == 0]
    ).T
    graph = PretrainGraph(torch.cat([edges, pairs], dim=1), N)
    cites = RetrievalTask("cites", pairs, torch.arange(TRAIN), SPLIT, N)
    SampleDataset(x, {"near": graph}, {"cites": cites}).save(tmp_path / "data")
    tree = {
        "name": "found",
        "seeds": [0, 1],
        "output_dir": str(tmp_path / "runs"),
        "pretrain": {
            "dataset": str(tmp_path / "data"),
            "graph": "near",
            "inductive": "outside-train",
            "encoder": {"_target_": "MLPEncoder", "hidden_channels": 8, "out_channels": 4},
            "trainer": {"max_epochs": 2, "accelerator": "cpu"},
        },
        "finetune": [{"task": "cites", "head": "knn"}],
        "arms": {"sipt": {}, "no-pretraining": {"pretrain.trainer.max_epochs": 0}},
        "baseline": "no-pretraining",
    }
    file = tmp_path / "found.yaml"
    file.write_text(yaml.safe_dump(tree))
    assert main(["run", str(file)]) == 0
    runs = [json.loads(one.read_text()) for one in (tmp_path / "runs").rglob("results.json")]
    assert {run["arm"] for run in runs if run["tasks"]} == {"sipt", "no-pretraining", "raw-features", "ridge"}
    for run in runs:
        for one in run["tasks"]:
            assert one["metric"] == "mrr" and 0 < one["scores"]["recall@10"]["test"] <= 1
    kept = [pq.read_table(one) for one in (tmp_path / "runs").rglob("sipt/*/seed-0/predictions/*.parquet")]
    assert kept[0]["item"].to_pylist() == SPLIT["test"].tolist()
    y_pred = np.stack([kept[0][f"y_pred_{i}"].to_numpy() for i in range(2)], axis=1)
    score = weighted_score("mrr", "retrieval", kept[0]["y_true"].to_numpy(), y_pred)
    (scored,) = (run["tasks"][0]["test"] for run in runs if (run["arm"], run["seed"]) == ("sipt", 0))
    assert score(np.ones((10, 1)))[0] == pytest.approx(scored)
    assert "[" in next(line for line in capsys.readouterr().out.splitlines() if line.startswith("| sipt"))  # interval
    tree["pretrain"]["inductive"] = False
    file.write_text(yaml.safe_dump(tree))
    assert main(["run", str(file)]) != 0
    number = cites.edges().size(1)
    assert f"it holds {number} of {number} test pairs of task 'cites'" in capsys.readouterr().err
