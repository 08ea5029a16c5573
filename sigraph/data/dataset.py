"""SampleDataset: samples, the pre-training graphs over them and the tasks on them; in memory or a prepared folder."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq
from torch import Tensor

from sigraph.data.card import Card
from sigraph.data.column_uses import ColumnUse, read_uses, write_uses
from sigraph.data.given import checked_ids, checked_names, chosen, named_items, refuse_ambiguous_ids, refuse_other_names
from sigraph.data.held_graphs import HeldGraphs
from sigraph.data.prepared import (
    IDS,
    Manifest,
    content_hash,
    read_manifest,
    read_task,
    write_manifest,
    write_task,
)
from sigraph.data.sample_graph import SampleGraph, StoredGraph
from sigraph.data.stated import stated_card
from sigraph.files.arguments import check_kinds, checked_node, said
from sigraph.files.atomic import atomic_folder
from sigraph.files.ownership import CARD, DATASET, replaces
from sigraph.files.paths import resolved
from sigraph.files.row_index import warn_caller
from sigraph.readers.base import Reader
from sigraph.samples import Samples
from sigraph.samples.given import open_samples, read_samples
from sigraph.tasks.base import BaseTask

if TYPE_CHECKING:
    from sigraph.data.graph import PretrainGraph


class SampleDataset:
    """Samples with the pre-training graphs over them and the tasks on them.

    Args:
        samples: Feature rows (floats in a tensor, array, sparse matrix or lists, kept in float32; a warning says if
            that loses what tells values apart); records (a pyarrow Table; a column ``tokens`` of lists: token
            sequences, see :func:`token_table`); texts (a list, an array, a column); PyG graphs (a list, a data set; one
            whose nodes are the samples: :meth:`from_pyg`); the path of a float32 ``.npy`` file, which is mapped, or of
            a ``.parquet`` file. A table of pandas or polars, columns by name and a list of dictionaries are feature
            rows if all columns are numbers, else records; a column ``id``, or a pandas index of names, are the ids.
        graphs: Pre-training graphs by name, node i is sample i. The first is the default.
        tasks: Tasks by name. The first is the default.
        name: The data set's name; by default the card's.
        card: Where the data come from.
        ids: What the user calls each sample: integers or text (an array, a list), each once, by which results are found
            again; None: the table's own.
        feature_names: What the columns of feature rows are called, by which new samples are matched; F of them.

    Shapes:
        - **samples:** [N, F], or N records.  **ids:** [N]

    Samples given by path travel to DataLoader workers as that path and are mapped again there.

    Raises:
        ValueError: Numbers of samples, nodes and labels differ; features are NaN or infinite; ids are missing or
            repeat; graphs or tasks have no name.

    Example:
        >>> dataset = SampleDataset(torch.eye(3), {"line": PretrainGraph([[0, 1], [1, 2]], num_nodes=3)})
        >>> dataset.fetch(torch.tensor([2, 0])).shape
        torch.Size([2, 3])
    """

    def __init__(
        self,
        samples: Any,
        graphs: Mapping[str, SampleGraph] | None = None,
        tasks: Mapping[str, BaseTask] | None = None,
        name: str = "",
        card: Card | None = None,
        ids: pa.Array | Sequence[int | str] | None = None,
        feature_names: Sequence[str] | None = None,
    ) -> None:
        given = read_samples(samples, has_ids=ids is not None)
        self._ids: pa.Array | Manifest | None = checked_ids(given.ids if ids is None else ids)  # a manifest: not read
        self._fingerprint: str | None = None
        self._graphs = HeldGraphs(named_items("graph", graphs, SampleGraph))
        self._tasks = named_items("task", tasks, BaseTask)
        if card is not None:
            check_kinds("SampleDataset", card=(card, Card))
        self.name, self.card = name or (card.name if card else ""), card
        self.store = given.store
        self.store.check()
        self.feature_names = checked_names(
            given.feature_names if feature_names is None else feature_names, self.in_channels
        )
        if isinstance(self._ids, pa.Array):
            refuse_ambiguous_ids(self._ids)
        self._check_counts()

    _unread: Samples | None = None
    _records: pa.Table | None = None  # that a reader read
    reader: Reader | None = None  # that made the samples of records
    column_uses: Sequence[ColumnUse] | None = None  # what the columns of a user's table were taken for

    @property
    def unread(self) -> Samples:
        """The samples as they were before a reader read them: by these, equal ones are found."""
        return self._unread or self.store

    @property
    def records(self) -> pa.Table | None:
        """Named columns of the samples, as a reader takes them; None: they have none."""
        if self._records is not None:
            return self._records
        rows = self.store.vectors() if self.feature_names is not None else None
        if rows is None:
            return self.store.records()
        return pa.table({name: rows[:, i].numpy() for i, name in enumerate(self.feature_names or ())})

    def read(self, reader: Reader) -> SampleDataset:
        """The same data set, whose records a fitted reader has read; the fingerprint stays that of the records.

        Raises:
            ValueError: The samples have no columns, or the reader cannot read them.
        """
        check_kinds("SampleDataset.read", reader=(reader, Reader))
        if (records := self.records) is None:
            name = type(reader).__name__
            raise ValueError(
                f"{name!r} needs records, but the samples of data set {self.name!r} are {self.store.describe()}; they "
                "are read as they are, without 'reader'"
            )
        out = object.__new__(type(self))
        out.__dict__.update(self.__dict__, _fingerprint=self.fingerprint, _unread=self.unread, _records=records)
        out.store, out.reader, out.feature_names = reader.read(records), reader, None
        if (most := reader.max_parts) is not None:
            out._tasks = {name: task.cut(most) for name, task in self._tasks.items()}
            for name, task in out._tasks.items():
                if task.left_out:
                    warn_caller(f"task {name!r}: {task.left_out}")
        if not isinstance(out.store, Samples) or len(out.store) != len(self):
            got = f"{len(out.store)} of {len(self)}" if isinstance(out.store, Samples) else said(out.store)
            raise ValueError(f"read() of {type(reader).__name__!r} needs to give Samples, one a record (got {got})")
        out.store.check()
        return out

    @property
    def samples(self) -> Any:
        """As they were given: feature rows [N, F], N records, ...; of a prepared folder, all checked against sums."""
        return self.store.given

    @classmethod
    def from_pyg(
        cls,
        data: Any,
        samples: Any = None,
        *,
        split: Any = None,
        split_index: int | None = None,
        graph: str = "edges",
        task: str = "label",
        name: str = "",
        ids: Any = None,
    ) -> SampleDataset:
        """Of a PyG ``Data`` whose nodes are the samples: features, graph and task at once.

        Args:
            data: With ``x`` [N, F] and ``edge_index`` (and ``edge_weight``) or ``adj_t``; a PyG data set of one such.
                ``y`` and boolean ``train_mask``, ``val_mask``, ``test_mask`` make the task. The rest is left out, said.
            samples: In place of ``x``, such as the nodes' texts.
            split: In place of the masks, as of :class:`~sigraph.Task`.
            split_index: Which split, in [0, S), where masks hold several side by side, [N, S].
            graph, task, name, ids: What these are called; as of :class:`SampleDataset`.

        Raises:
            ValueError: It is no such ``Data``; masks hold several splits; the parts do not fit.
        """
        from sigraph.data.from_pyg import read_pyg

        found = read_pyg(data, samples, task, split, split_index)
        graphs = {} if found.graph is None else {graph: found.graph}
        return cls(found.samples, graphs, {} if found.task is None else {task: found.task}, name, ids=ids)

    def _check_counts(self) -> None:
        if len(self) == 0:
            raise ValueError("'samples' needs at least one sample in 'SampleDataset' (got none)")
        if isinstance(self._ids, pa.Array) and len(self._ids) != len(self):
            raise ValueError(f"'ids' needs one id per sample in 'SampleDataset' (got {len(self._ids)} for {len(self)})")
        for name, graph in self.held_graphs.items():
            if (num_nodes := graph.num_nodes or 0) != len(self):
                way = (
                    "isolated nodes at the end are kept by 'num_nodes'"
                    if num_nodes < len(self)
                    else "node i has to be sample i, and every node a sample"
                )
                raise ValueError(
                    f"graph {name!r} needs one node per sample in 'SampleDataset' (got {num_nodes} nodes, "
                    f"{len(self)} samples); {way}"
                )
            if graph.names_of_nodes is not None and self.ids is not None:
                refuse_other_names(self.ids, graph, name)
        for task in self._tasks.values():
            task.check_samples(self.store)

    @property
    def graphs(self) -> Mapping[str, PretrainGraph]:
        """The pre-training graphs by name, read-only; see :meth:`replace`."""
        return self._graphs

    @property
    def held_graphs(self) -> Mapping[str, SampleGraph]:
        """The same as they are held: for who only reads edges, since one in a folder needs no PyG to be read."""
        return self._graphs.as_held

    @property
    def tasks(self) -> Mapping[str, BaseTask]:
        """The tasks by name, read-only; see :meth:`replace`."""
        return MappingProxyType(self._tasks)

    @property
    def sizes(self) -> Mapping[str, int]:
        """What constructor arguments of these names are filled with: ``in_channels``, ``num_tokens``, ..."""
        return self.store.sizes

    @property
    def in_channels(self) -> int | None:
        """F, the width of a feature row; None for other samples."""
        return self.sizes.get("in_channels")

    @property
    def num_tokens(self) -> int | None:
        """Size of the vocabulary of token sequences, the ids of padding and mask included; None for other samples."""
        return self.sizes.get("num_tokens")

    @property
    def max_length(self) -> int | None:
        """Tokens of the longest sequence; None for samples that are none."""
        return self.sizes.get("max_length")

    @property
    def ids(self) -> pa.Array | None:
        """What the user calls each sample, [N]; None: by its number. Read from a prepared folder when asked for."""
        if isinstance(self._ids, Manifest):
            self._ids = pq.read_table(self._ids.checked(IDS)).column(0).combine_chunks()
        return self._ids

    @staticmethod
    def way_from(value: Any) -> str:
        """How a data set is made from a value that is none, for messages; empty where there is no telling."""
        if isinstance(value, str | Path):
            return "open it: sigraph.open_dataset(...)"
        is_samples = isinstance(value, pa.Table | list) or hasattr(value, "__array__")
        return "make one: sigraph.SampleDataset(...)" if is_samples else ""

    def __len__(self) -> int:
        return len(self.store)

    def __repr__(self) -> str:
        width = next((f"{name}={size}" for name, size in self.sizes.items()), self.store.kind)
        parts = f"graphs={list(self._graphs)}, tasks={list(self._tasks)}"
        return f"SampleDataset({self.name!r}, num_samples={len(self)}, {width}, {parts})"

    def fetch(self, node: Tensor) -> Any:
        """What an encoder is given for some samples, in their order; a sample listed twice comes twice.

        Args:
            node: Sample ids (a mask has them: ``mask.nonzero().view(-1)``). Shape [B].

        Returns:
            Feature rows, float [B, F]; or :class:`~sigraph.samples.tokens.Tokens`, one after the other; or a
            list of B records, each a dictionary; as the kind of samples has it.
        """
        return self.store.fetch(checked_node(node, len(self)))

    def graph(self, name: str | None = None) -> PretrainGraph:
        """A pre-training graph by name; without a name the first."""
        return chosen("graph", self._graphs, name, self.name)

    def task(self, name: str | None = None) -> Any:
        """A task by name; without a name the first."""
        return chosen("task", self._tasks, name, self.name)

    def replace(self, graphs: Mapping[str, SampleGraph] | None = None, tasks: Mapping[str, BaseTask] | None = None):
        """The same samples with other graphs or tasks; mapped samples stay mapped."""
        out = object.__new__(type(self))
        out.__dict__.update(self.__dict__, _fingerprint=None)
        given = self.held_graphs if graphs is None else graphs
        out._graphs = HeldGraphs(named_items("graph", given, SampleGraph))
        out._tasks = named_items("task", self._tasks if tasks is None else tasks, BaseTask)
        out._check_counts()
        return out

    def subset(self, ids: Tensor) -> SampleDataset:
        """Some samples, in memory, with the edges among them; without tasks, whose splits speak of all samples.

        Args:
            ids: Sample ids, each once; sample i of the result is ``ids[i]``. Shape [M], M >= 1.
        """
        ids = checked_node(ids, len(self), "ids")
        if (different := ids.unique().numel()) != ids.numel():
            raise ValueError(f"'ids' needs each sample once in 'subset' (got {ids.numel()} ids of {different} samples)")
        graphs = {}
        for name, graph in self.held_graphs.items():
            index, edge = graph.store.edges_between(ids, ids)
            weight = graph.store.weight_of(edge)
            group = None if graph.group is None else graph.group[ids]
            graphs[name] = StoredGraph.from_edges(index, ids.numel(), weight, group)
        called = None if self.ids is None else self.ids.take(pa.array(ids.numpy()))
        part = SampleDataset(self.store.take(ids), graphs, name=self.name, ids=called, feature_names=self.feature_names)
        if self.reader is not None:
            part.reader, part._unread, part._records = self.reader, self.unread.take(ids), None
            part._records = None if self.records is None else self.records.take(pa.array(ids.numpy()))
        return part

    @property
    def fingerprint(self) -> str:
        """SHA-256 of samples, graphs and tasks: of a prepared folder's sums, of the content in memory otherwise."""
        return self._fingerprint or content_hash(self.store, self.held_graphs, self._tasks)

    def measure(self) -> dict[str, Any]:
        """Counts as a card states them: ``samples``, ``graphs`` (undirected edges, isolated nodes), ``tasks``."""
        graphs, tasks = {}, {}
        for name, graph in self.held_graphs.items():
            isolated = int((graph.csr()[0].diff() == 0).sum())
            graphs[name] = {"num_edges": graph.num_edges // 2, "num_isolated": isolated}
        for name, task in self._tasks.items():
            tasks[name] = task.measure()
        return {
            "samples": {"kind": self.store.kind, "count": len(self), "channels": self.in_channels},
            "graphs": graphs,
            "tasks": tasks,
        }

    def save(self, path: str | Path, overwrite: bool = False) -> None:
        """Write a prepared folder that any tool can read, all or nothing.

        ``card.yaml``, ``samples.npy``, ``samples.arrow`` or ``samples.parquet``, ``ids.parquet`` if there are ids,
        ``columns.json`` of a user's table, ``graphs/<name>/``, ``tasks/<name>/``, and ``manifest.json`` with sizes and
        sums of all files.

        Args:
            path: The folder.
            overwrite: Replace a prepared folder that is there; a folder of anything else, or one that holds anything
                else besides, is never replaced.

        Raises:
            FileExistsError: There is something that must stay; the message names it.
            DiskFullError: No room; what was there is as it was.
        """
        path = resolved(path)
        if not overwrite and path.exists() and (not path.is_dir() or any(path.iterdir())):
            raise FileExistsError(f"{path} exists; pass overwrite=True to replace it")
        with atomic_folder(path, replaces({DATASET})) as folder:
            card = stated_card(self.card, self.name or path.name, self.measure(), self.tasks, self.feature_names)
            card.write(folder / CARD)
            self.store.save(folder)
            if self.ids is not None:
                pq.write_table(pa.table({"id": self.ids}), folder / IDS)
            if self.column_uses is not None:
                write_uses(folder, self.column_uses)
            for name, graph in self.held_graphs.items():
                graph.save(folder / "graphs" / name)
            for name, task in self._tasks.items():
                write_task(task, folder / "tasks" / name)
            write_manifest(folder, card, self._graphs, self._tasks)

    @classmethod
    def open(cls, path: str | Path, verify: bool = False) -> SampleDataset:
        """Open a prepared folder; feature rows and graphs are memory-mapped, not read.

        Args:
            path: The folder.
            verify: Read everything once: check the sums, and the features for NaN. Otherwise every part is checked
                against its sum when it is first read, block by block where it is mapped.

        Raises:
            FileNotFoundError: There is no manifest: not a prepared data set, or its writing was cut short.
            ValueError: A file is missing, truncated or altered; what is mapped may raise it later too.
        """
        path = resolved(path)
        manifest = read_manifest(path, verify)
        out = object.__new__(cls)
        out.card = manifest.card()
        out.name, out.store = out.card.name, open_samples(manifest)
        if verify:
            out.store.check()
        out._ids = manifest if IDS in manifest else None
        out.feature_names, out.column_uses = out.card.samples.columns, read_uses(manifest)
        out._graphs = HeldGraphs({name: manifest.graph(name, verify) for name in manifest.graphs})
        out._tasks = {name: read_task(manifest, name) for name in manifest.tasks}
        out._fingerprint = manifest.hash()
        out._check_counts()
        return out
