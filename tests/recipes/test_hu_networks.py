"""The protein networks of Hu et al. 2020 from their own file: graphs, labels, the parts of their own split."""

import random

import pytest
import torch
from hu_file import SPECIES, hu_graphs, write_hu_file

from sigraph.encoders import embed, from_pretrained_gnns
from sigraph.recipes.hu_networks import hu_networks


def of_pretrain_gnns(count, first, second):
    """random_split of pretrain-gnns, seed 42: two lists of places."""
    random.seed(42)
    order = list(range(count))
    random.shuffle(order)
    end = int(first * count)
    return order[:end], order[end : int(second * count) + end]


def test_graphs_labels_and_parts_are_theirs(tmp_path, monkeypatch):
    graphs = hu_graphs(90)
    dataset = hu_networks(write_hu_file(tmp_path / "data.pt", graphs, monkeypatch))
    for i in (0, 7, 89):
        one, given = dataset.fetch(torch.tensor([i])), graphs[i]
        assert one.x.view(-1).nonzero().view(-1).tolist() == given.center_node_idx.tolist()
        assert torch.equal(one.edge_index, given.edge_index) and torch.equal(
            one.edge_attr, given.edge_attr[:, :7].byte()
        )
    go, pretrain = dataset.task("go"), dataset.task("go-pretrain")
    assert torch.equal(go.labels, torch.stack([one.go_target_downstream for one in graphs]).to(go.labels.dtype))
    assert torch.equal(pretrain.labels[11], graphs[11].go_target_pretrain.to(pretrain.labels.dtype))
    human = [i for i in range(90) if SPECIES[i % 8] == 9606]
    rest = [i for i in range(90) if i not in human]
    train, valid = ([rest[j] for j in part] for part in of_pretrain_gnns(len(rest), 0.85, 0.15))
    broad, hard = ([human[j] for j in part] for part in of_pretrain_gnns(len(human), 0.5, 0.5))
    assert {part: ids.tolist() for part, ids in go.split.items()} == {
        "train": sorted(train),
        "valid": sorted(valid),
        "test": sorted(hard),
    }
    assert pretrain.split["train"].tolist() == sorted(train + broad)
    assert pretrain.split["test"].tolist() == sorted(hard)


def test_the_published_encoder_reads_them(tmp_path, monkeypatch, data_source):
    weights = data_source / "pretrained_gnns/bio/model_architecture/gcn_masking.pth"
    if not weights.is_file():
        pytest.skip("needs the encoders of pretrain-gnns in SIGRAPH_DATA_SOURCE")
    file = write_hu_file(tmp_path / "data.pt", hu_graphs(24), monkeypatch)
    z = embed(from_pretrained_gnns(weights), hu_networks(file, published=True))
    assert z.shape == (24, 300) and z.isfinite().all()
    with pytest.raises(ValueError, match="needs graphs with 9 attributes of edges"):
        embed(from_pretrained_gnns(weights), hu_networks(file))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda one: one.__delattr__("go_target_pretrain"), "lacks go_target_pretrain"),
        (lambda one: setattr(one, "edge_attr", one.edge_attr[:, :6]), "edges have fewer than seven attributes"),
        (lambda one: setattr(one, "center_node_idx", torch.tensor([6])), "center_node_idx to be a node of each graph"),
        (lambda one: setattr(one, "species_id", torch.tensor([9606])), r"of man and of other species \(got 60 and 0\)"),
    ],
)
def test_other_graphs_are_refused(tmp_path, monkeypatch, change, message):
    graphs = hu_graphs()
    for one in graphs:
        change(one)
    with pytest.raises(ValueError, match=message):
        hu_networks(write_hu_file(tmp_path / "data.pt", graphs, monkeypatch))
