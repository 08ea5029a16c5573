"""PretrainGraph: any edges become the same clean graph, PyG's tools work on it, and the store is never stale."""

import copy
import gc
import pickle
import warnings

import numpy as np
import pytest
import torch
import torch_geometric.transforms as T
from hypothesis import example, given, settings
from hypothesis import strategies as st
from torch_geometric.data import Batch, Data
from torch_geometric.utils import to_networkx

from sigraph.data.graph import PretrainGraph
from sigraph.edges.store import CSRStore, EdgeStore

pytestmark = pytest.mark.filterwarnings("ignore:'PretrainGraph' dropped")


@st.composite
def edge_lists(draw, max_nodes=9, max_edges=25):
    n = draw(st.integers(1, max_nodes))
    node = st.integers(0, n - 1)
    weight = st.sampled_from([0.0, 0.5, 1.0, 3.0, 7.25])
    return n, draw(st.lists(st.tuples(node, node, weight), max_size=max_edges))


def make(n, edges, weighted=True):
    index = [[edge[0] for edge in edges], [edge[1] for edge in edges]]
    return PretrainGraph(index, num_nodes=n, edge_weight=[edge[2] for edge in edges] if weighted else None)


def undirected(edges):
    """Weights by unordered pair: the oracle."""
    found: dict[tuple[int, int], list[float]] = {}
    for i, j, weight in edges:
        if i != j:
            found.setdefault((min(i, j), max(i, j)), []).append(weight)
    return {pair: sum(weights) / len(weights) for pair, weights in found.items()}


def directed(edges):
    return {(i, j): w for (a, b), w in undirected(edges).items() for i, j in ((a, b), (b, a))}


def store_edges(store):
    """What a store holds, read row by row: {(i, j): weight}."""
    found = {}
    for i in range(store.num_nodes):
        neighbors = store.neighbors(i).tolist()
        assert neighbors == sorted(set(neighbors)) and int(store.degree(torch.tensor([i]))) == len(neighbors)
        for j in neighbors:
            position = store.edges_between(torch.tensor([i]), torch.tensor([j]))[1]
            found[i, j] = 1.0 if store.weight is None else float(store.weight[position])
    return found


def assert_not_stale(graph):
    """The store says what ``edge_index``, ``edge_weight`` and ``num_nodes`` say now."""
    index = torch.empty(2, 0, dtype=torch.long) if graph.edge_index is None else graph.edge_index
    weight = [1.0] * index.size(1) if graph.edge_weight is None else graph.edge_weight.tolist()
    assert store_edges(graph.store) == pytest.approx(directed(list(zip(*index.tolist(), weight, strict=True))))
    assert graph.store.num_nodes == graph.num_nodes and (graph.store.weight is None) == (graph.edge_weight is None)


def small(weighted=True, **attrs):
    """0 - 1 - 2 - 3, and 4 alone."""
    return PretrainGraph([[0, 1, 2], [1, 2, 3]], 5, [1.0, 2.0, 3.0] if weighted else None, **attrs)


def is_built(graph):
    return "edge_index" in graph.__dict__["_store"]


@pytest.fixture(params=["memory", "opened"])
def graph(request, tmp_path):
    if request.param == "memory":
        return small()
    small().save(tmp_path / "graph")
    return PretrainGraph.open(tmp_path / "graph")


# Any edges ############################################################################################################


@given(edge_lists())
def test_any_edges_become_a_clean_graph(case):
    n, edges = case
    graph = make(n, edges)
    expected = directed(edges)
    listed = list(zip(*graph.edge_index.tolist(), strict=True))
    assert listed == sorted(expected)  # symmetric, sorted, once each, no loops
    assert graph.edge_weight.tolist() == pytest.approx([expected[edge] for edge in listed])
    rowptr, col = graph.csr()
    assert rowptr.tolist() == [sum(edge[0] < i for edge in listed) for i in range(n + 1)]
    assert col.tolist() == [j for _, j in listed] and col.dtype == torch.int32 and rowptr.dtype == torch.long
    assert graph.num_edges == len(expected) and graph.num_nodes == n
    assert store_edges(graph.store) == pytest.approx(expected)


@given(edge_lists(), st.randoms(use_true_random=False))
def test_order_and_direction_of_given_edges_do_not_matter(case, random):
    n, edges = case
    other = [(j, i, w) if random.random() < 0.5 else (i, j, w) for i, j, w in edges]
    random.shuffle(other)
    one, two = make(n, edges), make(n, other)
    assert torch.equal(one.edge_index, two.edge_index)
    torch.testing.assert_close(one.edge_weight, two.edge_weight)


@given(edge_lists())
def test_a_clean_graph_given_again_is_the_same_and_nothing_is_dropped(case):
    first = make(*case)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.filterwarnings("ignore", ".* is 0 for every edge")
        again = PretrainGraph(first.edge_index, first.num_nodes, first.edge_weight)
    assert torch.equal(again.edge_index, first.edge_index) and torch.equal(again.edge_weight, first.edge_weight)


def test_edges_of_weight_zero_are_edges():
    graph = PretrainGraph([[0, 1], [1, 2]], 3, edge_weight=[0.0, 1.0])
    assert graph.edge_index.tolist() == [[0, 1, 1, 2], [1, 0, 2, 1]] and graph.edge_weight.tolist() == [0, 0, 1, 1]


def test_weights_are_averaged_over_repeats_and_directions():
    graph = PretrainGraph([[0, 0, 1, 1], [1, 1, 0, 2]], 3, edge_weight=[1.0, 2.0, 6.0, 5.0])
    assert graph.edge_weight.tolist() == [3, 3, 5, 5] and graph.edge_weight.dtype == torch.float


@pytest.mark.parametrize(
    "edge_index",
    [
        np.array([[0, 1], [1, 2]]),
        np.array([[0, 1], [1, 2]], dtype=np.int16),
        ((0, 1), (1, 2)),
        torch.tensor([[0, 1], [1, 2]], dtype=torch.int32),
    ],
)
def test_edges_come_as_lists_arrays_and_tensors(edge_index):
    assert PretrainGraph(edge_index).edge_index.tolist() == [[0, 1, 1, 2], [1, 0, 2, 1]]


def test_what_was_given_is_not_changed():
    given_index, given_weight = torch.tensor([[2, 1], [1, 0]]), torch.tensor([1.0, 2.0])
    graph = PretrainGraph(given_index, edge_weight=given_weight)
    graph.edge_index.zero_()
    graph.edge_weight.zero_()
    assert given_index.tolist() == [[2, 1], [1, 0]] and given_weight.tolist() == [1, 2]


def test_says_what_it_dropped():
    with pytest.warns(UserWarning, match=r"dropped 1 self-loops and 2 repeated edges of 5 given edges \(2 undirected"):
        graph = PretrainGraph([[0, 0, 0, 0, 1], [0, 1, 1, 1, 2]], 3)
    assert graph.dropped == {"self_loops": 1, "repeated_edges": 2}


def test_isolated_nodes_and_graphs_without_edges():
    assert small().store.degree(torch.arange(5)).tolist() == [1, 2, 2, 1, 0]
    for graph in (PretrainGraph(num_nodes=3), PretrainGraph([[], []], 3), PretrainGraph(torch.empty(2, 0), 3)):
        assert graph.num_edges == 0 and graph.edge_index.shape == (2, 0) and graph.num_nodes == 3
        assert graph.edges_between([0, 1], [1, 2]).shape == (2, 0) and graph.csr()[0].tolist() == [0, 0, 0, 0]
    assert PretrainGraph([[], []]).num_nodes == 0


@pytest.mark.filterwarnings("ignore:Unable to accurately infer 'num_nodes'")
def test_an_empty_object_can_be_filled():
    graph = PretrainGraph()
    assert graph.num_edges == 0 and graph.store.num_nodes == 0 and "num_edges=0" in repr(graph)
    graph.edge_index, graph.num_nodes = torch.tensor([[0], [2]]), 4
    assert set(store_edges(graph.store)) == {(0, 2), (2, 0)}
    assert_not_stale(graph)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"edge_index": [[0, 1], [1, 3]], "num_nodes": 3}, r"ids in \[0, 3\).*first wrong edge: number 1, \[1, 3\]"),
        ({"edge_index": [[0, -1], [1, 2]], "num_nodes": 3}, r"ids in \[0, 3\).*number 1, \[-1, 2\]"),
        ({"edge_index": [[-5], [-6]]}, r"'edge_index' needs node ids .*\[-6, -5\]"),
        ({"edge_index": [[0.5], [1.0]]}, "integer node ids .*float32"),
        ({"edge_index": [[0.0], [1.0]]}, "integer node ids .*float32"),
        ({"edge_index": [[True], [False]]}, "integer node ids .*bool"),
        ({"edge_index": [[1j], [1]]}, "integer node ids .*complex"),
        ({"edge_index": [0, 1]}, r"shape \[2, num_edges\] .*\[2\]"),
        ({"edge_index": [[0, 1], [1, 2], [2, 3]]}, r"shape \[2, num_edges\] .*\[3, 2\].*torch.tensor\(pairs\).t"),
        ({"edge_index": [[0], [1]], "num_nodes": -1}, r"'num_nodes' needs .*-1"),
        ({"edge_index": [[0], [1]], "num_nodes": 2.5}, r"'num_nodes' needs .*2.5"),
        ({"edge_index": [[0], [1]], "num_nodes": True}, r"'num_nodes' needs .*True"),
        ({"edge_index": [[0], [1]], "edge_weight": [1.0, 2.0]}, r"'edge_weight' needs shape \[1\]"),
        ({"edge_index": [[0], [1]], "edge_weight": [float("nan")]}, r"finite values >= 0 .*nan of edge number 0"),
        ({"edge_index": [[0, 1], [1, 2]], "edge_weight": [1.0, float("inf")]}, "inf of edge number 1"),
        ({"edge_index": [[0, 1], [1, 2]], "edge_weight": [1.0, -2.0]}, "-2.0 of edge number 1"),
        ({"edge_index": [[0], [1]], "group": [0]}, "'group' needs 2 integers"),
        ({"edge_index": [[0], [1]], "group": [0.0, 1.0]}, "'group' needs 2 integers"),
        ({"edge_weight": [1.0]}, "need 'edge_index' or 'num_nodes'"),
        ({"group": [1]}, "need 'edge_index' or 'num_nodes'"),
    ],
)
def test_bad_input_is_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        PretrainGraph(**arguments)


# A PyG Data ###########################################################################################################


def test_is_a_data_with_attributes():
    graph = small(group=[0, 0, 1, 1, 1], x=torch.rand(5, 2), name="line")
    assert isinstance(graph, Data) and graph.x.shape == (5, 2) and graph.name == "line"
    assert graph.group.tolist() == [0, 0, 1, 1, 1] and graph.num_node_features == 2
    assert set(graph.keys()) == {"num_nodes", "group", "edge_index", "edge_weight", "x", "name"}
    assert graph.is_undirected() and not graph.has_self_loops() and graph.has_isolated_nodes() and graph.is_coalesced()
    assert graph.validate() and isinstance(graph.store, EdgeStore)
    with pytest.raises(AttributeError):
        graph.nothing  # noqa: B018


def test_repr_tells_sizes():
    graph = small(x=torch.rand(5, 1))
    assert repr(graph) == "PretrainGraph(num_nodes=5, num_edges=6, edge_weight, x)" and not is_built(graph)
    assert repr(small(weighted=False)) == "PretrainGraph(num_nodes=5, num_edges=6)"


def test_batch_and_back(graph):
    ring = PretrainGraph([[0, 1, 2], [1, 2, 0]], 3, edge_weight=[1.0, 1.0, 4.0])
    batch = Batch.from_data_list([graph, ring])
    assert batch.num_nodes == 8 and batch.num_edges == 12 and batch.batch.tolist() == [0] * 5 + [1] * 3
    assert set(store_edges(batch.store)) == set(store_edges(graph.store)) | {
        (i + 5, j + 5) for i, j in store_edges(ring.store)
    }
    assert_not_stale(batch)
    for back, original in zip(batch.to_data_list(), (graph, ring), strict=True):
        assert type(back) is PretrainGraph and back.num_nodes == original.num_nodes
        assert store_edges(back.store) == store_edges(original.store)
        assert_not_stale(back)


COPIES = {
    "copy": copy.copy,
    "deepcopy": copy.deepcopy,
    "clone": lambda graph: graph.clone(),
    "pickle": lambda graph: pickle.loads(pickle.dumps(graph)),
    "to": lambda graph: copy.copy(graph).to("cpu"),
    "from_data": PretrainGraph.from_data,
}
every_copy = pytest.mark.parametrize("duplicate", COPIES.values(), ids=COPIES)


@every_copy
@pytest.mark.parametrize("touch", ["nothing", "store", "edge_index", "changed"])
def test_copies_are_equal_and_independent(graph, duplicate, touch):
    if touch in ("store", "edge_index"):
        getattr(graph, touch)
    if touch == "changed":
        graph.edge_index = torch.tensor([[4], [0]])
        graph.edge_weight = None
    graph.x = torch.arange(5.0)
    other = duplicate(graph)
    assert type(other) is PretrainGraph and other.num_nodes == 5 and torch.equal(other.x, graph.x)
    before = store_edges(graph.store)
    assert store_edges(other.store) == before
    assert_not_stale(other)
    other.edge_weight = None
    other.edge_index = torch.tensor([[0, 1], [3, 4]])
    assert set(store_edges(other.store)) == {(0, 3), (3, 0), (1, 4), (4, 1)}
    assert store_edges(graph.store) == before
    assert_not_stale(graph)


@every_copy
@pytest.mark.parametrize("ask_first", [False, True])
def test_copies_of_a_graph_that_was_just_written_to_are_not_stale(duplicate, ask_first):
    graph = small(weighted=False)
    graph.edge_index[1, 0] = 1  # one write before the store is asked for and one after it
    assert ask_first is False or graph.store
    graph.edge_index[:, 0] = torch.tensor([0, 4])
    other = duplicate(graph)
    assert store_edges(other.store) == store_edges(graph.store)
    assert (4, 0) in store_edges(other.store)
    assert_not_stale(other)


def test_writing_to_a_shared_edge_index_reaches_both_copies(graph):
    assert graph.edge_index is not None
    other = copy.copy(graph)
    assert graph.store and other.store
    graph.edge_index[:, :2] = torch.tensor([[0, 4], [4, 0]])
    for one in (graph, other):
        assert_not_stale(one)
        assert (0, 4) in store_edges(one.store)


def test_clones_do_not_share_memory(graph):
    other = graph.clone()
    other.edge_index.zero_()
    other.edge_weight.zero_()
    assert graph.edge_index.tolist() == [[0, 1, 1, 2, 2, 3], [1, 0, 2, 1, 3, 2]]
    assert graph.edge_weight.tolist() == [1, 1, 2, 2, 3, 3]


@pytest.mark.parametrize("duplicate", [copy.copy, copy.deepcopy])
def test_copies_made_before_edge_index_was_built_do_not_share_it(graph, duplicate):
    other = duplicate(graph)
    graph.edge_weight.zero_()
    graph.edge_index.zero_()
    assert other.edge_weight.tolist() == [1, 1, 2, 2, 3, 3] and other.store.weight.tolist() == [1, 1, 2, 2, 3, 3]
    assert other.edge_index.tolist() == [[0, 1, 1, 2, 2, 3], [1, 0, 2, 1, 3, 2]]


@every_copy
def test_a_copy_outlives_its_original(duplicate):
    other = duplicate(small(x=torch.rand(5, 2)))
    gc.collect()
    assert other.is_node_attr("x") and other.subgraph(torch.tensor([0, 1])).num_edges == 2


def test_subgraph(graph):
    graph.group = torch.tensor([0, 1, 2, 3, 4])
    part = graph.subgraph(torch.tensor([1, 2, 4]))
    assert type(part) is PretrainGraph and part.num_nodes == 3 and part.group.tolist() == [1, 2, 4]
    assert store_edges(part.store) == {(0, 1): 2.0, (1, 0): 2.0}
    assert graph.num_nodes == 5 and len(store_edges(graph.store)) == 6
    edges = graph.edge_subgraph(graph.edge_weight > 1.5)
    assert set(store_edges(edges.store)) == {(1, 2), (2, 1), (2, 3), (3, 2)}


TRANSFORMS = {
    "AddSelfLoops": (T.AddSelfLoops(), None),
    "ToUndirected": (T.ToUndirected(), None),
    "RandomNodeSplit": (T.RandomNodeSplit(num_val=1, num_test=1), None),
    "RemoveDuplicatedEdges": (T.RemoveDuplicatedEdges(), None),
    "NormalizeFeatures": (T.NormalizeFeatures(), None),
    "LocalDegreeProfile": (T.LocalDegreeProfile(), None),
    "RemoveIsolatedNodes": (T.RemoveIsolatedNodes(), {(0, 1), (1, 2), (2, 3)}),
    "LargestConnectedComponents": (T.LargestConnectedComponents(), {(0, 1), (1, 2), (2, 3)}),
    "TwoHop": (T.TwoHop(), {(0, 1), (1, 2), (2, 3), (0, 2), (1, 3)}),
    "KNNGraph": (T.KNNGraph(k=1), {(0, 1), (1, 2), (2, 3), (3, 4)}),
    "RadiusGraph": (T.RadiusGraph(r=2.5), {(0, 1), (1, 2), (2, 3), (0, 2), (1, 3)}),
    "Compose": (T.Compose([T.Constant(), T.AddSelfLoops(), T.ToUndirected()]), None),
    "GCNNorm": (T.GCNNorm(), None),
}


@pytest.mark.parametrize("name", TRANSFORMS)
def test_transforms_leave_no_stale_store(name, graph):
    transform, expected = TRANSFORMS[name]
    if name in {"TwoHop", "KNNGraph", "RadiusGraph"}:
        graph.edge_weight = None  # these replace the edges and leave old weights behind
    graph.x = torch.rand(5, 2)
    graph.pos = torch.tensor([0.0, 1, 2.1, 3.3, 10]).view(-1, 1)
    assert graph.store
    before = store_edges(graph.store)
    try:
        after = transform(graph)
    except ImportError as error:
        pytest.skip(f"PyG's {name} needs an optional package: {error}")
    assert type(after) is PretrainGraph
    assert_not_stale(after)
    found = {edge for edge in store_edges(after.store) if edge[0] < edge[1]}
    assert found == (expected or {edge for edge in before if edge[0] < edge[1]})
    assert store_edges(graph.store) == before  # transforms copy


def test_random_link_split_keeps_each_part_fresh(graph):
    parts = T.RandomLinkSplit(num_val=0.34, num_test=0, is_undirected=True, add_negative_train_samples=False)(graph)
    assert parts[0].num_edges == 4
    for part in parts:
        assert_not_stale(part)


def test_an_adjacency_matrix_instead_of_edge_index_is_refused_not_taken_for_no_edges():
    with pytest.raises(ValueError, match="keeps its edges in 'edge_index'"):
        T.ToSparseTensor()(small()).store  # noqa: B018


def test_networkx_and_back(graph):
    g = to_networkx(graph, to_undirected=True, edge_attrs=["edge_weight"])
    assert sorted(g.edges) == [(0, 1), (1, 2), (2, 3)] and g.number_of_nodes() == 5
    back = PretrainGraph.from_networkx(g, weight="edge_weight")
    assert torch.equal(back.edge_index, graph.edge_index) and torch.equal(back.edge_weight, graph.edge_weight)
    assert back.num_nodes == 5


def test_from_data_keeps_node_and_graph_attributes():
    data = Data(
        x=torch.rand(4, 2),
        edge_index=torch.tensor([[0, 1, 1], [1, 0, 1]]),
        edge_attr=torch.rand(3, 7),
        edge_weight=torch.tensor([1.0, 3.0, 9.0]),
        y=torch.arange(4),
        name="toy",
    )
    with pytest.warns(UserWarning, match="keeps no edge attributes 'edge_attr'$"):
        graph = PretrainGraph.from_data(data)
    assert graph.num_nodes == 4 and store_edges(graph.store) == {(0, 1): 2.0, (1, 0): 2.0}
    assert torch.equal(graph.x, data.x) and torch.equal(graph.y, data.y) and graph.name == "toy"
    assert graph.edge_attr is None and "edge_attr" not in graph
    with pytest.raises(ValueError, match="'data' needs to be a PyG Data with an 'edge_index'"):
        PretrainGraph.from_data(Data(x=torch.rand(2, 2)))


# Never a stale store ##################################################################################################


def replace_edges(graph):
    graph.edge_index, graph.edge_weight = torch.tensor([[0], [4]]), None


def assign_by_key(graph):
    graph["edge_weight"] = None
    graph["edge_index"] = torch.tensor([[0], [4]])


def write_edge(graph):
    graph.edge_index[:, 0] = torch.tensor([0, 4])


def write_weight(graph):
    graph.edge_weight[:2] = 17.0


def scale_weight(graph):
    graph.edge_weight.mul_(3)


def assign_weight(graph):
    graph.edge_weight = torch.full((6,), 5.0)


def delete_weight(graph):
    del graph.edge_weight


def delete_edges(graph):
    del graph.edge_index, graph.edge_weight


def forget_edges(graph):
    graph.edge_weight = graph.edge_index = None


def grow(graph):
    graph.num_nodes = 9


def shrink(graph):
    graph.num_nodes = 4


def grow_and_connect(graph):
    graph.num_nodes = 7
    graph.edge_index, graph.edge_weight = torch.tensor([[6], [0]]), torch.tensor([2.0])


def apply_in_place(graph):
    graph.apply_(lambda value: value.fill_(0), "edge_index")


def coalesced(graph):
    graph.update(Data(edge_index=torch.tensor([[0, 1], [4, 3]]), edge_weight=torch.tensor([1.0, 2.0])).to_dict())


CHANGES = [
    replace_edges,
    assign_by_key,
    write_edge,
    write_weight,
    scale_weight,
    assign_weight,
    delete_weight,
    delete_edges,
    forget_edges,
    grow,
    shrink,
    grow_and_connect,
    apply_in_place,
    coalesced,
]


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("ask_first", ["nothing", "store", "edge_index", "edge_weight"])
def test_no_change_leaves_a_stale_store(graph, change, ask_first):
    if ask_first != "nothing":
        getattr(graph, ask_first)
    before = (graph.num_nodes, store_edges(graph.store), graph.store.weight is None)
    change(graph)
    assert_not_stale(graph)
    after = (graph.num_nodes, store_edges(graph.store), graph.store.weight is None)
    assert after != before
    for other in (copy.copy(graph), copy.deepcopy(graph), pickle.loads(pickle.dumps(graph))):
        assert store_edges(other.store) == after[1] and other.store.num_nodes == after[0]


def assert_not_stale_or_said(graph):
    try:
        graph.store  # noqa: B018
    except ValueError:
        return  # e.g. weights that no longer fit the edges: said, not swallowed
    assert_not_stale(graph)


@given(st.lists(st.sampled_from([*CHANGES, copy.copy, copy.deepcopy, EdgeStore]), max_size=6))
@example([replace_edges, shrink, EdgeStore])
@example([replace_edges, assign_weight, EdgeStore, delete_weight])
@settings(max_examples=60)
def test_no_row_of_changes_leaves_a_stale_store(changes):
    graph = small()
    for change in changes:
        if change is EdgeStore:
            assert_not_stale_or_said(graph)  # asks, so that what is asked next was cached
        elif change in (copy.copy, copy.deepcopy):
            graph = change(graph)
        else:
            try:
                change(graph)
            except (TypeError, IndexError, AttributeError, RuntimeError, KeyError):
                continue  # e.g. writes to weights that were deleted before
    assert_not_stale_or_said(graph)


def test_an_unchanged_graph_is_not_rebuilt():
    graph = small()
    store = graph.store
    assert graph.store is store and graph.edge_index is not None and graph.store is store
    assert graph.edge_weight is not None and graph.store is store


def test_changes_that_are_wrong_are_said_when_the_store_is_asked_for(graph):
    graph.num_nodes = 2
    with pytest.raises(ValueError, match=r"ids in \[0, 2\)"):
        graph.csr()
    graph.num_nodes = 5
    graph.edge_weight[0] = float("nan")
    with pytest.raises(ValueError, match="finite values >= 0"):
        graph.store  # noqa: B018
    graph.edge_weight = torch.ones(3)
    with pytest.raises(ValueError, match=r"'edge_weight' needs shape \[6\]"):
        graph.store  # noqa: B018


def test_directed_edges_assigned_later_are_read_as_undirected():
    graph = small(weighted=False)
    graph.edge_index = torch.tensor([[0, 2, 2], [4, 2, 3]])
    assert set(store_edges(graph.store)) == {(0, 4), (4, 0), (2, 3), (3, 2)}
    assert graph.edges_between([4], [0]).tolist() == [[0], [0]]


# Opened graphs ########################################################################################################


def big(n=3000, num_edges=20000, **fields):
    index = torch.randint(n, (2, num_edges), generator=torch.Generator().manual_seed(0))
    return PretrainGraph(index, n, **fields)


@given(edge_lists())
@settings(max_examples=25)
def test_saved_and_opened_it_is_the_same(tmp_path_factory, case):
    graph, path = make(*case), tmp_path_factory.mktemp("saved") / "graph"
    graph.save(path)
    opened = PretrainGraph.open(path, verify=True)
    assert opened.num_nodes == graph.num_nodes and opened.num_edges == graph.num_edges
    assert torch.equal(opened.edge_index, graph.edge_index) and torch.equal(opened.edge_weight, graph.edge_weight)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("group", [None, [3, 1, 2, 2, 0]])
def test_weights_and_groups_are_saved_where_there_are_any(tmp_path, weighted, group):
    small(weighted, group=group).save(tmp_path / "graph")
    opened = PretrainGraph.open(tmp_path / "graph", verify=True)
    assert (opened.edge_weight is not None) == weighted
    assert (opened.group is None) if group is None else (opened.group.tolist() == group)
    small().save(tmp_path / "graph")  # over it, without groups now
    assert PretrainGraph.open(tmp_path / "graph").group is None


def test_an_opened_graph_stays_lazy(tmp_path):
    big(edge_weight=torch.ones(20000)).save(tmp_path / "graph")
    graph = PretrainGraph.open(tmp_path / "graph")
    assert graph.num_nodes == 3000 and graph.num_edges == graph.store.num_edges and "edge_weight" in repr(graph)
    assert graph.csr()[1].numel() == graph.num_edges and graph.store.path == tmp_path / "graph"
    assert graph.edges_between([0, 1], [2, 3]).shape[0] == 2 and 0 <= graph.local_consistency(torch.arange(3000)) < 1
    graph.label = torch.arange(3000)
    others = [copy.copy(graph), copy.deepcopy(graph), pickle.loads(pickle.dumps(graph))]
    for one in (graph, *others):
        assert not is_built(one) and one.store.path == tmp_path / "graph" and one.num_edges == graph.num_edges
        assert torch.equal(one.label, graph.label)
    assert copy.deepcopy(graph).store is graph.store  # never written to, so never copied
    assert others[0].edge_index.size(1) == graph.num_edges and is_built(others[0])
    assert not is_built(graph)


def test_asking_for_weights_of_an_unweighted_opened_graph_builds_nothing(tmp_path):
    big().save(tmp_path / "graph")
    graph = PretrainGraph.open(tmp_path / "graph")
    assert graph.edge_weight is None and graph.group is None and not is_built(graph)


def test_an_opened_graph_pickles_as_its_path(tmp_path):
    graph = big(group=torch.zeros(3000, dtype=torch.long))
    graph.save(tmp_path / "graph")
    opened = PretrainGraph.open(tmp_path / "graph")
    opened.group = None
    assert len(pickle.dumps(opened)) < 2000 < 100_000 < len(pickle.dumps(graph))
    moved = pickle.dumps(opened)
    (tmp_path / "graph").rename(tmp_path / "elsewhere")
    with pytest.raises(FileNotFoundError, match=r"holds no header.json"):
        pickle.loads(moved)


def test_writing_to_an_opened_graph_leaves_the_files_alone(tmp_path):
    small(group=[0, 0, 0, 0, 0]).save(tmp_path / "graph")
    graph = PretrainGraph.open(tmp_path / "graph")
    graph.edge_index.zero_()
    graph.edge_weight.zero_()
    graph.group.fill_(7)
    again = PretrainGraph.open(tmp_path / "graph", verify=True)
    assert again.edge_weight.tolist() == [1, 1, 2, 2, 3, 3] and again.group.tolist() == [0] * 5
    graph.save(tmp_path / "graph")
    assert PretrainGraph.open(tmp_path / "graph", verify=True).num_edges == 0


@pytest.mark.parametrize("name", ["header.json", "rowptr.npy", "col.npy", "weight.npy", "group.npy"])
@pytest.mark.parametrize("damage", ["missing", "truncated", "longer", "empty", "altered"])
def test_a_damaged_folder_is_not_opened(tmp_path, name, damage):
    small(group=[1, 1, 1, 1, 1]).save(tmp_path / "graph")
    file = tmp_path / "graph" / name
    content = file.read_bytes()
    if damage == "missing":
        file.unlink()
    else:
        changed = bytes([content[-1] ^ 1])
        new = {"truncated": content[:-4], "longer": content + b"x", "empty": b"", "altered": content[:-1] + changed}
        file.write_bytes(new[damage])
    with pytest.raises((ValueError, FileNotFoundError), match=str(file) if damage != "missing" else str(file.parent)):
        PretrainGraph.open(tmp_path / "graph", verify=damage == "altered")


def test_an_interrupted_save_leaves_the_old_graph(tmp_path, monkeypatch):
    small(group=[1, 1, 1, 1, 1]).save(tmp_path / "graph")
    for failing in ("rowptr", "weight", "group"):
        with monkeypatch.context() as patch:
            save = np.save

            def full_disk(file, *args, failing=failing, save=save, **kwargs):
                if file.name == f"{failing}.npy":
                    raise OSError("no space left on device")
                save(file, *args, **kwargs)

            patch.setattr(np, "save", full_disk)
            with pytest.raises(OSError, match="no space left"):
                PretrainGraph([[0], [1]], 2, [1.0], [0, 0]).save(tmp_path / "graph")
        old = PretrainGraph.open(tmp_path / "graph", verify=True)
        assert old.num_nodes == 5 and old.group.tolist() == [1] * 5
        assert [path.name for path in tmp_path.iterdir()] == ["graph"]


def test_groups_that_do_not_fit_are_not_saved(tmp_path):
    graph = small(group=[1, 1, 1, 1, 1])
    graph.num_nodes = 6
    with pytest.raises(ValueError, match="'group' needs 6 integers"):
        graph.save(tmp_path / "graph")
    assert not (tmp_path / "graph").exists()


# Queries ##############################################################################################################


@given(edge_lists(), st.data())
def test_edges_between_equals_brute_force(case, data):
    n, edges = case
    nodes = st.lists(st.integers(0, n - 1), max_size=8)
    rows, cols = data.draw(nodes), data.draw(nodes)
    graph = make(n, edges, weighted=False)
    found = graph.edges_between(rows, torch.tensor(cols, dtype=torch.int32))
    assert found.dtype == torch.long and found.shape[0] == 2
    expected = directed(edges)
    assert sorted(zip(*found.tolist(), strict=True)) == [
        (a, b) for a, i in enumerate(rows) for b, j in enumerate(cols) if (i, j) in expected
    ]


@pytest.mark.parametrize("nodes", [[5], [-1], [0.5], [[0, 1]], [True, False], torch.tensor(1)])
def test_edges_between_refuses_what_is_no_node(nodes):
    for rows, cols, name in ((nodes, [0], "rows"), ([0], nodes, "cols")):
        with pytest.raises(ValueError, match=f"'{name}' needs"):
            small().edges_between(rows, cols)


def test_methods_that_need_csr_say_so():
    class Other(EdgeStore):
        num_nodes = 5

        def degree(self, nodes): ...
        def neighbors(self, node): ...
        def draw_neighbors(self, nodes, k, generator=None): ...
        def draw_non_neighbors(self, nodes, k, generator=None): ...
        def edges_between(self, rows, cols): ...

    graph = small()
    assert isinstance(graph.store, CSRStore)
    graph._adopt(Other())
    with pytest.raises(ValueError, match=r"'csr' needs a graph with a CSRStore \(got Other\)"):
        graph.csr()
    with pytest.raises(ValueError, match=r"'save' needs a graph with a CSRStore \(got Other\)"):
        graph.save("unused")


def test_local_consistency_by_hand():
    # 0 - 1 - 2 - 3, labels a a b (missing): node 0 agrees 1/1, node 1 1/2, node 2 0/1.
    assert small().local_consistency(torch.tensor([0, 0, 1, -1, 0])) == pytest.approx((1 + 0.5 + 0) / 3)


def test_what_is_no_graph_of_the_library_is_said():
    with pytest.raises(ValueError, match="'g' needs a networkx graph"):
        PretrainGraph.from_networkx([[0, 1]])
    with pytest.raises(ValueError, match="'data' needs to be a PyG Data"):
        PretrainGraph.from_data({"edge_index": [[0], [1]]})


def test_more_nodes_than_memory_holds_are_refused_before_it_is_asked_for():
    with pytest.raises(ValueError, match="'num_nodes' needs to be smaller in 'PretrainGraph'"):
        PretrainGraph([[0], [1]], num_nodes=10**13)
