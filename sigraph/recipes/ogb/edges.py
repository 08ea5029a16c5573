"""Pre-training graphs from arrays of edges that may be larger than memory."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
from scipy.sparse import csr_array

from sigraph.data.graph import PretrainGraph
from sigraph.edges.csr_writer import CSRWriter
from sigraph.edges.runs import EdgeRuns

ROOM = 1 << 29  # bytes of memory in which edges are sorted
PIECE = 1 << 22  # edges at a time
MOST = 50  # samples of an item that joins them: d samples make d^2 pairs


def graph_of(edge: np.ndarray, num_nodes: int, folder: Path, what: str) -> PretrainGraph:
    """The undirected graph of listed edges, written out of core and mapped; loops and repeats are dropped.

    Args:
        edge: Ends of each edge, in one or both directions. [E, 2]
        num_nodes: N.
        folder: To write; not there yet.
        what: Whose edges, for messages.

    Raises:
        ValueError: An edge ends at no node, or none is left.
    """
    pieces = ((edge[i : i + PIECE, 0], edge[i : i + PIECE, 1]) for i in range(0, len(edge), PIECE))
    return _built(_checked(pieces, num_nodes, what), num_nodes, folder, what)


def shared_items(pairs: np.ndarray, num_samples: int, folder: Path, what: str) -> PretrainGraph:
    """The graph that joins samples which share an item of at most :data:`MOST` samples.

    Args:
        pairs: Rows (sample, item). [M, 2]
        num_samples: N.
        folder: To write.
        what: Whose, for messages.
    """
    num_items = int(pairs[:, 1].max()) + 1 if len(pairs) else 0
    degree = np.bincount(pairs[:, 1], minlength=num_items)
    kept = pairs[degree[pairs[:, 1]] <= MOST]
    ones = np.ones(len(kept), np.float32)
    of_sample = csr_array((ones, (kept[:, 0], kept[:, 1])), shape=(num_samples, num_items))
    of_item = of_sample.T.tocsr()

    def pieces() -> Iterator[tuple[np.ndarray, np.ndarray]]:
        products = np.concatenate([[0], np.cumsum(of_sample @ np.minimum(degree, MOST))])
        start = 0
        while start < num_samples:
            end = max(start + 1, int(np.searchsorted(products, products[start] + PIECE, side="right")) - 1)
            block = (of_sample[start:end] @ of_item).tocoo()
            upward = block.col > block.row + start
            yield block.row[upward] + start, block.col[upward]
            start = end

    return _built(pieces(), num_samples, folder, what)


def _checked(
    pieces: Iterable[tuple[np.ndarray, np.ndarray]], num_nodes: int, what: str
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    for u, v in pieces:
        if min(int(u.min()), int(v.min())) < 0 or max(int(u.max()), int(v.max())) >= num_nodes:
            wrong = next(int(one) for one in np.concatenate([u, v]) if not 0 <= one < num_nodes)
            raise ValueError(f"{what} holds an edge that ends at {wrong}, and nodes are 0 to {num_nodes - 1}")
        apart = u != v
        yield u[apart], v[apart]


def _built(pieces: Iterable[tuple[np.ndarray, np.ndarray]], num_nodes: int, folder: Path, what: str) -> PretrainGraph:
    scratch = folder.with_name(f"{folder.name}-runs")
    scratch.mkdir(parents=True)
    folder.mkdir()
    runs = EdgeRuns(scratch, ROOM)
    for u, v in pieces:
        runs.add(u, v)
    with CSRWriter(folder, num_nodes, False) as writer:
        for piece, _ in runs.pieces():
            writer.add(piece)
        if writer.num_edges == 0:
            raise ValueError(f"{what} holds no edge between two nodes")
        writer.seal()
    for file in scratch.iterdir():
        file.unlink()
    scratch.rmdir()
    return PretrainGraph.open(folder)
