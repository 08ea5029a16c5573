"""PretrainGraph: the graph a user has over the samples."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch_geometric.data import Data

from sigraph.data.edges import (
    check_attributes,
    check_edge_index,
    check_edge_weight,
    check_group,
    say_dropped,
    say_no_weights,
)
from sigraph.data.from_adjacency import read_adjacency
from sigraph.data.from_data import read_data
from sigraph.data.from_networkx import read_networkx
from sigraph.data.sample_graph import SampleGraph, StoredGraph
from sigraph.edges.label_store import in_full
from sigraph.edges.store import CSRStore, EdgeStore
from sigraph.files.array_folder import open_folder
from sigraph.files.ownership import GRAPHS


class PretrainGraph(SampleGraph, Data):
    r"""Undirected graph over samples: node i is sample i. A PyG ``Data``, on which PyG's functions work.

    Edges are made undirected, self-loops and repeats are dropped, and an edge given several times, or in both
    directions, has the mean of its weights (a warning says how many). Edges live as sorted CSR rows in :attr:`store`;
    ``edge_index`` and ``edge_weight`` are built from it when somebody asks for them, and after they were changed (by
    assignment, in place or by a transform) the store is built anew, so that it is never stale.

    Args:
        edge_index: Node ids in [0, N), one column an edge, in one or both directions; [2, 2] are two columns too.
            Graphs in another form have constructors: :meth:`from_data`, :meth:`from_networkx`, :meth:`from_adjacency`.
        num_nodes: N, the number of samples. None: the largest id + 1, which loses isolated nodes at the end.
        edge_weight: Weight of each given edge, finite and >= 0; larger means closer. Kept in float32; a warning says
            if they lose what tells them apart. None: unweighted.
        group: Group of each node (e.g. species); pairs across groups are no negatives.
        **attrs: Further attributes of nodes and of the graph, kept as PyG keeps them.

    Shapes:
        - **edge_index:** [2, E] integers, **edge_weight:** [E], **group:** [N]

    Raises:
        ValueError: Ids that are negative, fractional or out of range; shapes that do not fit; weights that are
            negative, infinite or NaN.

    Example:
        >>> graph = PretrainGraph([[0, 1], [1, 2]], num_nodes=4)
        >>> graph
        PretrainGraph(num_nodes=4, num_edges=4)
    """

    def __init__(
        self,
        edge_index: Any = None,
        num_nodes: int | None = None,
        edge_weight: Any = None,
        group: Any = None,
        **attrs: Any,
    ) -> None:
        Data.__init__(self, **attrs)
        if edge_index is None and num_nodes is None:
            if edge_weight is not None or group is not None:
                raise ValueError("'edge_weight' and 'group' need 'edge_index' or 'num_nodes' in 'PretrainGraph'")
            return  # PyG builds empty objects and fills them
        given, num_nodes = check_edge_index([[], []] if edge_index is None else edge_index, num_nodes)
        weight = None if edge_weight is None else check_edge_weight(edge_weight, given.size(1))
        say_no_weights(weight)
        check_attributes(attrs, given.size(1))
        self.num_nodes = num_nodes
        if group is not None:
            self.group = check_group(group, num_nodes)
        self._adopt(store := CSRStore.from_edges(given, num_nodes, weight))
        self.__dict__["averaged"] = store.averaged
        self.__dict__["dropped"] = say_dropped(given.size(1), store.num_edges // 2, store.dropped, store.averaged)

    # Construction from elsewhere ######################################################################################

    @classmethod
    def from_data(cls, data: Data, num_nodes: int | None = None) -> PretrainGraph:
        """From a homogeneous PyG ``Data``; node and graph attributes are kept, edge attributes but the weight are not.

        Args:
            data: With ``edge_index``, and its ``edge_weight`` if there is one; or with a matrix ``adj_t``.
            num_nodes: N. None: what the data say, by themselves or by their rows of ``x`` and the like; otherwise the
                largest id + 1, which is said.

        Raises:
            ValueError: It is no graph over samples (a ``Batch``, ``HeteroData``); its parts speak of different numbers
                of nodes.
        """
        given, kept = read_data(data, num_nodes)
        return cls(given.edge_index, given.num_nodes, given.weight, given.group, **kept)

    @classmethod
    def from_networkx(
        cls,
        g: Any,
        weight: str | None = "weight",
        num_nodes: int | None = None,
        nodes: Any = None,
        group: str | None = None,
    ) -> PretrainGraph:
        """From a networkx graph, whose nodes stand in the order in which they were first mentioned.

        Args:
            g: Directed or not, multi or not. Its nodes are sample numbers, or ``nodes`` says which samples they are.
            weight: Edge attribute to use as weight: every edge has it, or none. None: unweighted.
            num_nodes: N, where the nodes are sample numbers. None: as many as ``g`` has, so that these are 0 ... N - 1.
            nodes: Which node each sample is: sample i is ``nodes[i]``. Shape [N]; samples that are no node have no
                edge. None: the nodes are the sample numbers themselves. Kept as :attr:`names_of_nodes`.
            group: Node attribute to use as the node's group. None: no groups.

        Raises:
            ValueError: Nodes that are no sample numbers without ``nodes``, or that are not in it; weights or groups
                that some have and others have not.
        """
        given = read_networkx(g, weight, num_nodes, nodes, group)
        graph = cls(given.edge_index, given.num_nodes, given.weight, given.group)
        graph.names_of_nodes = given.names
        return graph

    @classmethod
    def from_adjacency(cls, matrix: Any) -> PretrainGraph:
        """From a matrix with a row and a column a sample: row i is sample i.

        Args:
            matrix: Sparse (of scipy, of torch in any layout, a ``SparseTensor``) or dense (an array, a tensor, lists).
                Entries other than 0 are edges; if all are 1 or true the graph is unweighted, otherwise they are the
                weights, and an edge in both directions has their mean. Entries stored twice are summed. Shape [N, N].

        Raises:
            ValueError: The matrix is not square or not of real numbers; entries are negative, infinite or NaN.
        """
        given = read_adjacency(matrix)
        return cls(given.edge_index, given.num_nodes, given.weight)

    @classmethod
    def from_store(cls, store: EdgeStore, group: Any = None) -> PretrainGraph:
        """From a store as it is, e.g. a :class:`LabelSetStore`, and the group of each node, [N]."""
        graph = cls()
        graph.num_nodes = store.num_nodes
        graph.group = None if group is None else check_group(group, store.num_nodes)
        graph._adopt(store)
        if isinstance(store, CSRStore):
            graph.__dict__.update(averaged=store.averaged, dropped=store.dropped)
        return graph

    @classmethod
    def from_stored(cls, graph: StoredGraph) -> PretrainGraph:
        """From a graph that is nothing but its edges, which stay where they lie."""
        out = cls.from_store(graph.store, graph.group)
        out.names_of_nodes = graph.names_of_nodes
        if graph.is_group_mapped and out.group is not None:
            out._hold_mapped_group(out.group)
        return out

    def _hold_mapped_group(self, group: Tensor) -> None:
        self.group = group
        self.__dict__["_mapped_group"] = _Version(group)

    # The store ########################################################################################################

    @property
    def store(self) -> EdgeStore:
        """The edges as samplers need them: undirected, without loops or repeats, never stale."""
        raw = self.__dict__["_store"]
        if self.__dict__.get("_signature") != self._sign():
            edge_index = self.edge_index
            if edge_index is None and ("adj_t" in raw or "adj" in raw):
                raise ValueError("'PretrainGraph' keeps its edges in 'edge_index' (got an adjacency matrix instead)")
            given, num_nodes = check_edge_index([[], []] if edge_index is None else edge_index, raw.num_nodes)
            weight = None if self.edge_weight is None else check_edge_weight(self.edge_weight, given.size(1))
            self.__dict__["_edges"] = CSRStore.from_edges(given, num_nodes, weight)
            self.__dict__["_signature"] = self._sign()
        return self.__dict__["_edges"]

    def _adopt(self, store: EdgeStore) -> None:
        """Take the edges from a store; ``edge_index`` exists from now on when it is asked for."""
        self.__dict__.update(_edges=store, _lazy=True)
        self.__dict__["_signature"] = self._sign()

    def _sign(self) -> tuple:
        """What the store depends on; the tensors themselves are kept, so that an id is never reused."""
        raw = self.__dict__["_store"]
        tensors = [_Version(raw[key]) if key in raw else None for key in ("edge_index", "edge_weight")]
        return (*tensors, raw.get("num_nodes"))

    @property
    def _store(self):
        """PyG's storage; asking for it as a whole builds ``edge_index``."""
        raw = self.__dict__["_store"]
        if self.__dict__.get("_lazy"):
            store = in_full(self.__dict__["_edges"], "edge_index")  # may refuse: then nothing has changed
            self.__dict__["_lazy"] = False
            row = torch.repeat_interleave(store.rowptr.diff())
            unchanged = self.__dict__.get("_signature") == self._sign()
            raw.edge_index = torch.stack([row, store.col.long()])
            if store.weight is not None:
                raw.edge_weight = store.weight.clone()
            if unchanged:
                self.__dict__["_signature"] = self._sign()
        return raw

    # What PyG's Data does, without building edge_index where it is not needed #########################################

    def __getattr__(self, key: str) -> Any:
        if "_store" not in self.__dict__:
            raise AttributeError(key)
        return getattr(self.__dict__["_store"], key)

    def __setattr__(self, key: str, value: Any) -> None:
        propobj = getattr(type(self), key, None)
        if isinstance(propobj, property) and propobj.fset is not None:
            propobj.fset(self, value)
        else:
            setattr(self.__dict__["_store"], key, value)

    def __copy__(self) -> PretrainGraph:
        out = type(self).__new__(type(self))
        out.__dict__.update(self.__dict__)
        out.__dict__["_store"] = copy.copy(self.__dict__["_store"])
        out.__dict__["_store"]._parent = out
        return out

    def __deepcopy__(self, memo: dict) -> PretrainGraph:
        out = type(self).__new__(type(self))
        for key, value in self.__dict__.items():
            if key != "_signature":
                out.__dict__[key] = copy.deepcopy(value, memo)
        out.__dict__["_store"]._parent = out
        if self.__dict__.get("_signature") == self._sign():  # only then was the copied store built from these edges
            out.__dict__["_signature"] = out._sign()
        return out

    def __getstate__(self) -> dict[str, Any]:
        state = self.__dict__.copy()
        mapped, store = state.pop("_mapped_group", None), state.get("_edges")
        if not state.get("_lazy"):  # edge_index travels; the store is rebuilt from it
            state.pop("_edges", None)
        elif mapped and isinstance(store, CSRStore) and store.path and mapped == _Version(self.group):
            state["_store"] = copy.copy(state["_store"])
            state["_store"]["group"] = None  # mapped again where it is unpickled
            state["_group_folder"] = store.path
        state.pop("_signature", None)
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        group_folder = state.pop("_group_folder", None)
        super().__setstate__(state)
        if group_folder is not None:
            self.group = open_folder(group_folder, GRAPHS).arrays["group"].whole()
            self.__dict__["_mapped_group"] = _Version(self.group)
        if state.get("_lazy"):
            self.__dict__["_signature"] = self._sign()

    def __repr__(self) -> str:
        raw = self.__dict__["_store"]
        extra = [key for key in raw if key not in {"edge_index", "num_nodes"}]
        weighted = ["edge_weight"] if self.__dict__.get("_lazy") and self.__dict__["_edges"].is_weighted else []
        return (
            f"{type(self).__name__}(num_nodes={self.num_nodes}, num_edges={self.num_edges}"
            + "".join(f", {key}" for key in weighted + extra)
            + ")"
        )

    @property
    def num_nodes(self) -> int | None:
        """N, the number of nodes and of samples."""
        return self.__dict__["_store"].num_nodes

    @num_nodes.setter
    def num_nodes(self, num_nodes: int | None) -> None:
        self.__dict__["_store"].num_nodes = num_nodes

    @property
    def num_edges(self) -> int:
        """Directed edges, as everywhere in PyG: twice the number of undirected ones."""
        if self.__dict__.get("_lazy"):
            return self.__dict__["_edges"].num_edges
        return super(SampleGraph, self).num_edges

    @property
    def edge_index(self) -> Tensor | None:
        """[2, E], both directions, sorted; built when it is first asked for."""
        return self._store.get("edge_index")

    @edge_index.setter
    def edge_index(self, edge_index: Tensor | None) -> None:
        self._store.edge_index = edge_index

    @property
    def edge_weight(self) -> Tensor | None:
        """[E], in the order of ``edge_index``; None for an unweighted graph."""
        if self.__dict__.get("_lazy") and not self.__dict__["_edges"].is_weighted:
            return None
        return self._store.get("edge_weight")

    @edge_weight.setter
    def edge_weight(self, edge_weight: Tensor | None) -> None:
        self._store.edge_weight = edge_weight

    @property
    def group(self) -> Tensor | None:
        """[N], the group of each node; None without groups."""
        return self.__dict__["_store"].get("group")

    @group.setter
    def group(self, group: Tensor | None) -> None:
        self.__dict__["_store"].group = group

    @property
    def names_of_nodes(self) -> Sequence[Any] | None:
        """What the tool that the graph is from calls node i, by which a data set checks its ids; None: not known.

        In memory alone: not saved, and no part of a fingerprint. Forgotten by a graph of another number of nodes.
        """
        names = self.__dict__.get("_names_of_nodes")
        return names if names is not None and len(names) == self.num_nodes else None

    @names_of_nodes.setter
    def names_of_nodes(self, names: Sequence[Any] | None) -> None:
        self.__dict__["_names_of_nodes"] = names


class _Version:
    """A tensor and how often it was written to; equal while it is the same tensor, unchanged."""

    def __init__(self, tensor: Tensor | None) -> None:
        self.tensor = tensor
        self.version = 0 if tensor is None or tensor.is_inference() else tensor._version

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, _Version):
            return False
        return self.tensor is other.tensor and self.version == other.version

    __hash__ = None  # type: ignore[assignment]
