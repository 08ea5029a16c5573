"""Two gloo processes are one process on the concatenated batch: losses, gradients, memory, training."""

from pathlib import Path
from typing import Any

import joint_cases
import pytest
import torch
from joint_cases import SCENARIOS, SENTENCES, STEPS

from sigraph.data import SeedBatch, SeedBatchSampler, batch
from sigraph.losses import CrossBatchMemory, InfoNCELoss, PMLLoss
from sigraph.machines import distributed

EXACT = {"rtol": 1e-6, "atol": 1e-9}


@pytest.fixture(scope="module")
def two(tmp_path_factory) -> list[dict[str, Any]]:
    """What each of two processes found."""
    folder: Path = tmp_path_factory.mktemp("two")
    torch.multiprocessing.start_processes(joint_cases.run, (folder,), 2, start_method="forkserver")
    return [torch.load(folder / f"{rank}.pt", weights_only=False) for rank in (0, 1)]


def assert_same(found: dict[str, torch.Tensor], expected: dict[str, torch.Tensor], **tolerance: float) -> None:
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        torch.testing.assert_close(found[name], value, msg=lambda text, name=name: f"{name}: {text}", **tolerance)


def test_every_loss_is_the_loss_of_one_process(two):
    assert {name.split(",")[0] for name, _ in two[0]["step"]} >= {
        "ContrastiveLoss",
        "MultiSimilarityLoss",
        "InfoNCELoss",
    }
    for name, loss in joint_cases.losses().items():
        for scenario, nodes in SCENARIOS.items():
            module = joint_cases.module_of(loss)
            expected = joint_cases.step(module, joint_cases.batch_of(module, list(nodes)))
            for process in two:
                assert_same(process["step"][name, scenario], expected, **EXACT)
            if scenario != "no positive at all":
                assert expected["structure_loss"] > 0 and (expected["encoder.weight"] != 0).any()


def test_masked_tokens_are_those_of_one_process(two):
    """Of which the processes have other numbers, from tokens' own embeddings and from their samples'."""
    expected = joint_cases.token_gradients(list(SENTENCES))
    for process in two:
        for found, value in zip(process["tokens"], expected, strict=True):
            assert (value != 0).any()
            torch.testing.assert_close(found, value, **EXACT)


def test_reconstructed_rows_are_those_of_one_process(two):
    module = joint_cases.denoising()
    batch = joint_cases.batch_of(module, list(SCENARIOS["other numbers of samples"]))
    expected = joint_cases.step(module, batch)
    assert expected["objective_loss"] > 0 and (expected["objective.decoder.weight"] != 0).any()
    for process in two:
        assert_same(process["denoising"], expected, **EXACT)


def test_gather_lays_all_rows_out_and_adds_the_gradients_up(two):
    for rank, process in enumerate(two):
        rows, ids, half, gradient = process["gather"]
        assert rows.tolist() == [[0, 1], [2, 3], [4, 5], [10, 11]] and ids.tolist() == [0, 1, 2, 0]
        assert half.dtype == torch.float32 and torch.equal(half, rows)
        # each process asks for (its number + 1) * row
        assert torch.equal(
            gradient, 3 * torch.tensor([[0.0, 1, 2], [3, 3, 3]][rank][: 3 - 2 * rank]).view(-1, 1).expand(-1, 2)
        )


def test_a_gather_without_gradient_is_half_of_the_signal(two):
    for whole, cut in (process["cut"] for process in two):
        torch.testing.assert_close(2 * cut, whole)
        assert whole.norm() > 0.01


def test_a_memory_is_that_of_one_process(two):
    module = joint_cases.module_of(CrossBatchMemory(InfoNCELoss().double(), size=12))
    for i, nodes in enumerate(STEPS):
        expected = joint_cases.step(module, joint_cases.batch_of(module, list(nodes)))
        for process in two:
            assert_same(process["memory"][i], expected, **EXACT)
    queue = module.structure_loss.get_extra_state()
    for process in two:
        assert_same(
            {"z": process["queue"]["z"], "node": process["queue"]["node"]}, {k: queue[k] for k in ("z", "node")}
        )
        assert process["queue"]["num_steps"] == len(STEPS)


def test_a_nan_of_one_process_stops_both(two):
    for process in two:
        assert process["nan embedding"].startswith(("'z' needs finite", "'candidates' needs finite"))
        assert "node ids 8" in process["nan embedding"]
        assert process["nan loss"].startswith("structure_loss is nan in epoch 0, step 0 (samples ")


def batches_of(sampler: SeedBatchSampler, epoch: int, monkeypatch) -> list[list[SeedBatch]]:
    """The batches of each of two processes."""
    found = []
    monkeypatch.setattr(batch, "world_size", lambda: 2)
    for rank in (0, 1):
        monkeypatch.setattr(batch, "rank", lambda rank=rank: rank)
        sampler.set_epoch(epoch)
        found.append(list(sampler))
    monkeypatch.undo()
    return found


def train_alone(loss, weight: float, monkeypatch):
    """What two processes should train, step by step on the concatenated batch."""
    module, loader = joint_cases.training(loss, weight)
    optimizer = module.configure_optimizers()
    for epoch in (0, 1):
        for seeds in zip(*batches_of(loader.sampler, epoch, monkeypatch), strict=True):
            parts = [loader.collate_fn(one) for one in seeds]
            node = torch.cat([part.node for part in parts])
            target = type(parts[0].target)(*(torch.cat(x) for x in zip(*(part.target for part in parts), strict=True)))
            inputs = torch.cat([part.inputs for part in parts])
            whole = batch.PretrainBatch(node, len(node), inputs, module.sampler.pairs(node, node), target)
            optimizer.zero_grad()
            module.losses(whole)["loss"].backward()
            optimizer.step()
    return module


@pytest.mark.parametrize(("name", "weight"), [("both", 0.7), ("structure", 1.0), ("objective", 0.0)])
def test_lightning_trains_what_one_process_would(two, name, weight, monkeypatch):
    expected = train_alone(InfoNCELoss(), weight, monkeypatch).state_dict()
    start = joint_cases.training(InfoNCELoss(), weight)[0].state_dict()
    for state, logged in (process[name] for process in two):
        assert_same(state, expected, rtol=1e-5, atol=1e-6)
        assert logged == two[0][name][1] and logged["positives_per_anchor"] > 0
    moved = {key for key in start if not torch.allclose(start[key], expected[key], atol=1e-3)}
    assert any(key.startswith("encoder") for key in moved)
    assert any(key.startswith("objective") for key in moved) == (weight < 1)


def test_lightning_trains_with_a_memory(two, monkeypatch):
    expected = train_alone(CrossBatchMemory(InfoNCELoss(), size=16), 0.7, monkeypatch).encoder.state_dict()
    for process in two:
        assert_same(process["training with a memory"], expected, rtol=1e-5, atol=1e-6)


def test_several_processes_without_a_sampler_are_refused(two):
    for process in two:
        assert "'sampler' is needed in 'PretrainModule' for 'devices' > 1 (got 2 processes)" in process["no sampler"]


def test_alone_nothing_changes():
    x, count = torch.randn(3, 2, requires_grad=True), torch.tensor([0, 2, 3])
    assert distributed.world_size() == 1 and distributed.rank() == 0
    assert distributed.gather(x)[0] is x and torch.equal(distributed.average(x), x)
    with distributed.joint():
        assert distributed.denominator(count).tolist() == [1, 2, 3]


def test_a_loss_whose_library_hides_its_counts_is_not_shared():
    library = pytest.importorskip("pytorch_metric_learning.losses")
    loss = PMLLoss(library.ContrastiveLoss())
    assert not loss.additive and not CrossBatchMemory(loss).additive and InfoNCELoss().additive
