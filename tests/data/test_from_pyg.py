"""One PyG graph whose nodes are samples becomes features, graph and task; what is not kept or not clear is said."""

import warnings

import pytest
import torch
import torch_geometric.transforms as T
from torch_geometric.data import Batch, Data, HeteroData, InMemoryDataset

import sigraph as sg

MASKS = {name: torch.arange(9) % 3 == i for i, name in enumerate(("train_mask", "val_mask", "test_mask"))}


def data(**changes):
    """Nine nodes in three classes; an attribute that is None is left out."""
    x, y = torch.arange(18.0).view(9, 2), torch.tensor([0, 1, 2] * 3)
    held = {"x": x, "y": y, "edge_index": torch.tensor([[0, 3, 6], [1, 4, 7]]), **MASKS, **changes}
    return Data(**{key: value for key, value in held.items() if value is not None})


def made(of, *others, **options):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.filterwarnings("ignore", "task |Sparse")
        return sg.SampleDataset.from_pyg(of, *others, **options)


def test_features_graph_labels_and_masks_in_one_call():
    dataset = made(data(), name="mine")
    assert torch.equal(dataset.samples, data().x) and dataset.name == "mine"
    assert dataset.graph("edges").edge_index.tolist() == [[0, 1, 3, 4, 6, 7], [1, 0, 4, 3, 7, 6]]
    task = dataset.task("label")
    assert torch.equal(task.labels, data().y) and task.split["valid"].tolist() == [1, 4, 7]
    assert "x" not in dataset.graph().keys()  # noqa: SIM118 -- what a PyG Data has: features are not held twice


class One(InMemoryDataset):
    def __init__(self):
        super().__init__()
        self.data, self.slices = self.collate([data()])


@pytest.mark.parametrize(
    "transformed",
    [
        T.ToSparseTensor(remove_edge_index=True),
        T.ToUndirected(),
        T.Compose([T.NormalizeFeatures(), T.Constant()]),
        None,
    ],
    ids=str,
)
def test_what_transforms_make_of_it_has_the_same_graph_and_task(transformed):
    dataset = made(transformed(data()) if transformed else One())
    plain = made(data())
    assert torch.equal(dataset.graph().edge_index, plain.graph().edge_index) and len(dataset) == 9
    assert torch.equal(dataset.task().labels, plain.task().labels)


def test_of_several_splits_one_is_chosen():
    several = T.RandomNodeSplit(num_splits=4, num_val=3, num_test=3)(data())
    with pytest.raises(
        ValueError, match=r"'train_mask' holds 4 splits side by side, \[9, 4\]; choose one: split_index=0"
    ):
        made(several)
    split = made(several, split_index=2).task().split
    assert split["test"].tolist() == several.test_mask[:, 2].nonzero().view(-1).tolist()
    shared = data(train_mask=several.train_mask, val_mask=several.val_mask, test_mask=several.test_mask[:, 1])
    assert made(shared, split_index=1).task().split["test"].tolist() == shared.test_mask.nonzero().view(-1).tolist()
    for of, index in ((several, 4), (data(), 0)):
        with pytest.raises(ValueError, match=rf"'split_index' needs a column of masks \[N, S\] .*got {index}"):
            made(of, split_index=index)
    with pytest.raises(ValueError, match="'split' is given besides"):
        made(several, split=MASKS, split_index=0)


def test_texts_in_place_of_features_and_a_split_in_place_of_masks():
    texts = [f"word{i}" for i in range(9)]
    dataset = made(data(x=None), texts, ids=range(100, 109))
    assert dataset.records["text"].to_pylist() == texts and dataset.graph().num_nodes == 9
    masked = dict.fromkeys(MASKS)
    named = made(data(**masked), split=["train", "test", "valid"] * 3, task="kind", graph="links")
    assert named.task("kind").split["test"].tolist() == [1, 4, 7] and list(named.graphs) == ["links"]


@pytest.mark.parametrize(
    ("y", "kind"),
    [
        (torch.tensor([[0], [1], [1]] * 3), "classification"),
        (torch.rand(9), "regression"),
        (torch.eye(9), "multilabel"),
    ],
)
def test_labels_are_of_the_kind_that_their_shape_says(y, kind):
    assert made(data(y=y)).task().type == kind  # [N, 1] of integers is how OGB writes classes


def test_what_is_left_out_is_said():
    said = {
        "leaves out 'pos', 'stopping_mask'": data(pos=torch.rand(9, 2), stopping_mask=MASKS["val_mask"]),
        "keeps no edge attributes 'edge_attr'": data(edge_attr=torch.rand(3, 2)),
        "no task: 'data' has no labels y": data(y=None),
        "no task of y: .*RandomNodeSplit": data(**dict.fromkeys(MASKS)),
    }
    for message, of in said.items():
        with pytest.warns(UserWarning, match=message):
            sg.SampleDataset.from_pyg(of)
    assert not made(data(edge_index=None)).graphs


@pytest.mark.parametrize(
    ("of", "message"),
    [
        (data(x=None), r"needs features of its nodes, x, .*'edge_index'.*samples=texts"),
        (data(x=torch.ones(9, 2).long()), "needs floats"),
        (data(train_mask=None), r"missing \['train'\]"),
        (data(y=torch.full((9,), -1)), "without a label"),
        ([data(), data()], r"got a list\); graphs that are samples themselves: SampleDataset\(graphs\)"),
        (Batch.from_data_list([data()] * 2), r"graphs that are samples themselves"),
        (HeteroData(), r"Data\(x=data\[TYPE\].x"),
        (None, "needs to be one PyG Data"),
    ],
)
def test_what_is_no_such_graph_is_refused_with_the_way_out(of, message):
    with pytest.raises(ValueError, match=message):
        sg.SampleDataset.from_pyg(of)


def test_one_graph_with_masks_is_no_sample():
    for of in (data(), [data()], One()):
        with pytest.raises(ValueError, match=r"SampleDataset.from_pyg\(data\)"):
            sg.SampleDataset(of)
    assert len(sg.SampleDataset([data(**dict.fromkeys(MASKS), y=None)])) == 1
