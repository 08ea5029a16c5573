"""SampleDataset: samples, the pre-training graphs over them and the tasks on them; in memory or a prepared folder."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from torch import Tensor

from sigraph.data.arguments import shown
from sigraph.data.card import CARD, Card, did_you_mean
from sigraph.data.dataset_parts import (
    card_to_write,
    check_finite,
    checked_ids,
    checked_names,
    checked_node,
    checked_samples,
    named_parts,
    refuse_ambiguous_ids,
)
from sigraph.data.folder import atomic_folder
from sigraph.data.graph import PretrainGraph
from sigraph.data.prepared import (
    FEATURES,
    IDS,
    RECORDS,
    check_manifest,
    content_hash,
    manifest_hash,
    open_samples,
    part_names,
    read_task,
    write_manifest,
    write_samples,
    write_task,
)
from sigraph.data.task import SPLITS, Task, is_labelled
from sigraph.data.tokens import TokenColumn, has_tokens


class SampleDataset:
    """Samples with the pre-training graphs over them and the tasks on them.

    Args:
        samples: Feature rows (a float tensor, kept in float32; a warning says if that loses what tells values apart) or
            records (a pyarrow Table; with a column ``tokens`` of lists they are token sequences, see
            :func:`token_table`); or the path of a float32 ``.npy`` file, which is memory-mapped, or of a ``.parquet``
            file.
        graphs: Pre-training graphs by name, node i is sample i. The first is the default.
        tasks: Tasks by name. The first is the default.
        name: The data set's name; by default the card's.
        card: Where the data come from.
        ids: What the user calls each sample: integers or text (an array, a list), each once, by which results are found
            again.
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
        samples: Tensor | pa.Table | str | Path,
        graphs: Mapping[str, PretrainGraph] | None = None,
        tasks: Mapping[str, Task] | None = None,
        name: str = "",
        card: Card | None = None,
        ids: pa.Array | Sequence[int | str] | None = None,
        feature_names: Sequence[str] | None = None,
    ) -> None:
        self._ids: pa.Array | Path | None = checked_ids(ids)  # a path: not read yet
        self._path: Path | None = None  # of the samples, if they are mapped
        self._fingerprint: str | None = None  # of the prepared folder, if opened from one
        self._graphs, self._tasks = named_parts("graph", graphs, PretrainGraph), named_parts("task", tasks, Task)
        self.name, self.card = name or (card.name if card else ""), card
        if isinstance(samples, str | Path):
            self._path = Path(samples).resolve()
            samples = open_samples(self._path)
        self._take(samples)
        if isinstance(self.samples, Tensor):
            check_finite(self.samples)
        self.feature_names = checked_names(feature_names, self.in_channels)
        self._check_counts()
        if isinstance(self._ids, pa.Array):
            refuse_ambiguous_ids(self._ids)

    def _take(self, samples: Any) -> None:
        self.samples = checked_samples(samples)
        self._tokens = TokenColumn(self.samples) if has_tokens(self.samples) else None

    def _check_counts(self) -> None:
        if len(self) == 0:
            raise ValueError("'samples' needs at least one sample in 'SampleDataset' (got none)")
        if isinstance(self._ids, pa.Array) and len(self._ids) != len(self):
            raise ValueError(f"'ids' needs one id per sample in 'SampleDataset' (got {len(self._ids)} for {len(self)})")
        for name, graph in self._graphs.items():
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
        for name, task in self._tasks.items():
            if task.num_samples != len(self):
                raise ValueError(
                    f"task {name!r} needs one label per sample in 'SampleDataset' (got {task.num_samples} labels, "
                    f"{len(self)} samples); mark missing ones (-1, or NaN) rather than leaving them out"
                )

    @property
    def graphs(self) -> Mapping[str, PretrainGraph]:
        """The pre-training graphs by name, read-only; see :meth:`replace`."""
        return MappingProxyType(self._graphs)

    @property
    def tasks(self) -> Mapping[str, Task]:
        """The tasks by name, read-only; see :meth:`replace`."""
        return MappingProxyType(self._tasks)

    @property
    def in_channels(self) -> int | None:
        """F, the width of a feature row; None for records."""
        return self.samples.size(1) if isinstance(self.samples, Tensor) else None

    @property
    def num_tokens(self) -> int | None:
        """Size of the vocabulary of token sequences, the ids of padding and mask included; None for other samples."""
        return None if self._tokens is None else self._tokens.num_tokens

    @property
    def max_length(self) -> int | None:
        """Tokens of the longest sequence; None for samples that are none."""
        return None if self._tokens is None else self._tokens.longest

    @property
    def ids(self) -> pa.Array | None:
        """What the user calls each sample, [N]; None: by its number. Read from a prepared folder when asked for."""
        if isinstance(self._ids, Path):
            self._ids = pq.read_table(self._ids).column(0).combine_chunks()
        return self._ids

    @staticmethod
    def way_from(value: Any) -> str:
        """How a data set is made from a value that is none, for messages; empty where there is no telling."""
        if isinstance(value, str | Path):
            return "open it: sigraph.open_dataset(...)"
        if isinstance(value, Tensor | pa.Table):
            return "make one: sigraph.SampleDataset(...)"
        return "make one: sigraph.SampleDataset(torch.tensor(...))" if hasattr(value, "__array__") else ""

    def __len__(self) -> int:
        return self.samples.size(0) if isinstance(self.samples, Tensor) else self.samples.num_rows

    def __repr__(self) -> str:
        width = f"in_channels={self.in_channels}" if self.in_channels is not None else "records"
        width = width if self._tokens is None else f"num_tokens={self.num_tokens}"
        parts = f"graphs={list(self._graphs)}, tasks={list(self._tasks)}"
        return f"SampleDataset({self.name!r}, num_samples={len(self)}, {width}, {parts})"

    def fetch(self, node: Tensor) -> Any:
        """What an encoder is given for some samples, in their order; a sample listed twice comes twice.

        Args:
            node: Sample ids (a mask has them: ``mask.nonzero().view(-1)``). Shape [B].

        Returns:
            Feature rows, float [B, F]; or :class:`~sigraph.data.tokens.Tokens`, padded to the longest of them; or a
            list of B records, each a dictionary.
        """
        node = checked_node(node, len(self))
        if isinstance(self.samples, Tensor):
            return self.samples.index_select(0, node)
        if self._tokens is not None:
            return self._tokens.fetch(node)
        return self.samples.take(pa.array(node.cpu().numpy())).to_pylist()

    def graph(self, name: str | None = None) -> PretrainGraph:
        """A pre-training graph by name; without a name the first."""
        return _choose("graph", self._graphs, name, self.name)

    def task(self, name: str | None = None) -> Task:
        """A task by name; without a name the first."""
        return _choose("task", self._tasks, name, self.name)

    def replace(self, graphs: Mapping[str, PretrainGraph] | None = None, tasks: Mapping[str, Task] | None = None):
        """The same samples with other graphs or tasks; mapped samples stay mapped."""
        out = object.__new__(type(self))
        out.__dict__.update(self.__dict__, _fingerprint=None)
        out._graphs = named_parts("graph", self._graphs if graphs is None else graphs, PretrainGraph)
        out._tasks = named_parts("task", self._tasks if tasks is None else tasks, Task)
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
        samples = self.samples[ids] if isinstance(self.samples, Tensor) else self.samples.take(pa.array(ids.numpy()))
        graphs = {}
        for name, graph in self._graphs.items():
            index, edge = graph.store.edges_between(ids, ids)
            weight = None if graph.store.weight is None else graph.store.weight[edge]
            group = None if graph.group is None else graph.group[ids]
            graphs[name] = PretrainGraph(index, ids.numel(), weight, group)
        called = None if self.ids is None else self.ids.take(pa.array(ids.numpy()))
        return SampleDataset(samples, graphs, name=self.name, ids=called, feature_names=self.feature_names)

    def __getstate__(self) -> dict[str, Any]:
        state = self.__dict__.copy()
        state["_tokens"] = None
        if self._path is not None:
            state["samples"] = None
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._take(self.samples if self._path is None else open_samples(self._path))

    @property
    def fingerprint(self) -> str:
        """SHA-256 of samples, graphs and tasks: of a prepared folder's sums, of the content in memory otherwise."""
        return self._fingerprint or content_hash(self.samples, self._graphs, self._tasks)

    def measure(self) -> dict[str, Any]:
        """Counts as a card states them: ``samples``, ``graphs`` (undirected edges, isolated nodes), ``tasks``."""
        kind = "features" if isinstance(self.samples, Tensor) else "records"
        graphs, tasks = {}, {}
        for name, graph in self._graphs.items():
            isolated = int((graph.csr()[0].diff() == 0).sum())
            graphs[name] = {"num_edges": graph.num_edges // 2, "num_isolated": isolated}
        for name, task in self._tasks.items():
            tasks[name] = {
                "type": task.type,
                "metric": task.metric,
                "num_classes": None if task.type == "regression" else task.num_outputs,
                **{part: task.split[part].numel() for part in SPLITS},
                "num_labelled": int(is_labelled(task.labels).sum()),
            }
        return {
            "samples": {"kind": kind, "count": len(self), "channels": self.in_channels},
            "graphs": graphs,
            "tasks": tasks,
        }

    def save(self, path: str | Path, overwrite: bool = False) -> None:
        """Write a prepared folder that any tool can read, all or nothing.

        ``card.yaml``, ``samples.npy`` or ``samples.parquet``, ``ids.parquet`` if there are ids, ``graphs/<name>/``,
        ``tasks/<name>/`` and, last, ``manifest.json`` with the size and the sum of every file.

        Args:
            path: The folder.
            overwrite: Replace what is there.
        """
        path = Path(path)
        if not overwrite and path.exists() and (not path.is_dir() or any(path.iterdir())):
            raise FileExistsError(f"{path} exists; pass overwrite=True to replace it")
        with atomic_folder(path) as folder:
            card_to_write(self, path.name).write(folder / CARD)
            write_samples(self.samples, folder)
            if self.ids is not None:
                pq.write_table(pa.table({"id": self.ids}), folder / IDS)
            for name, graph in self._graphs.items():
                graph.save(folder / "graphs" / name)
            for name, task in self._tasks.items():
                write_task(task, folder / "tasks" / name)
            parts = [*(f"graphs/{name}" for name in self._graphs), *(f"tasks/{name}" for name in self._tasks)]
            write_manifest(folder, [CARD, FEATURES, RECORDS, IDS, *parts])

    @classmethod
    def open(cls, path: str | Path, verify: bool = False) -> SampleDataset:
        """Open a prepared folder; feature rows and graphs are memory-mapped, not read.

        Args:
            path: The folder.
            verify: Read everything once: check the sums, and the features for NaN. Otherwise sizes are checked, and
                the sums of files whose time is not that of their writing.

        Raises:
            FileNotFoundError: There is no manifest: not a prepared data set, or its writing was cut short.
            ValueError: A file is missing, truncated or altered.
        """
        path = Path(path).resolve()
        manifest = check_manifest(path, verify)
        out = object.__new__(cls)
        out.card = Card.read(path / CARD)
        out.name = out.card.name
        out._path = path / (FEATURES if FEATURES in manifest else RECORDS)
        out._take(open_samples(out._path))
        out._ids = path / IDS if IDS in manifest else None
        out.feature_names = out.card.samples.columns
        if verify and isinstance(out.samples, Tensor):
            check_finite(out.samples)
        out._graphs = {n: PretrainGraph.open(path / "graphs" / n, verify) for n in part_names(manifest, "graphs")}
        out._tasks = {n: read_task(path / "tasks" / n) for n in part_names(manifest, "tasks")}
        out._fingerprint = manifest_hash(manifest)
        out._check_counts()
        return out


def _choose(kind: str, items: dict[str, Any], name: str | None, dataset: str) -> Any:
    if not items:
        way = "; make one with a constructor of sigraph.graphs, such as KNNGraph or LabelCliques" * (kind == "graph")
        raise ValueError(f"data set {dataset!r} has no {kind}{way}")
    if name is None:
        return next(iter(items.values()))
    if not isinstance(name, str) or name not in items:
        raise ValueError(
            f"unknown {kind} {shown(name)} of data set {dataset!r}{did_you_mean(str(name), items)}; there are: "
            f"{', '.join(items)}"
        )
    return items[name]
