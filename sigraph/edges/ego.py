"""The graph around each of many nodes: all nodes within some hops, as many as fit, and the edges among them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from sigraph.edges.neighborhood import neighbor_sums
from sigraph.edges.store import CSRStore
from sigraph.files.random import keyed_seed, mixed

_TABLE = 1 << 24  # entries of the table that says where each node stands in each network of a block
_WALKS = 1 << 22  # neighbours looked at at a time


class EgoNetworks(NamedTuple):
    """Some ego-networks one after the other; in each its centre comes first, then nodes by hops and by number.

    Args:
        node: Which node of the whole graph each is. int64 [V]
        ptr: Where each network's nodes begin, and their end. int64 [C + 1]
        hop: Hops from the centre. int64 [V]
        ends: Of the edges among a network's nodes, in both directions, numbered within it. int64 [E, 2]
        edge_ptr: Where each network's edges begin, and their end. int64 [C + 1]
        edge: Where each edge stands among those of the whole graph. int64 [E]
    """

    node: np.ndarray
    ptr: np.ndarray
    hop: np.ndarray
    ends: np.ndarray
    edge_ptr: np.ndarray
    edge: np.ndarray


def ego_networks(store: CSRStore, centers: Tensor, hops: int, max_nodes: int, seed: int) -> Iterator[EgoNetworks]:
    """Ego-networks of some nodes, block by block; memory is O(N + block).

    Nodes are taken hop by hop as long as there is room; of the hop that does not fit, those whose hash of (seed,
    centre, node) is smallest, a uniform draw that depends on nothing else. Every network is connected by shortest
    paths: whoever is in it has a neighbour in it one hop nearer to the centre.

    Args:
        store: The edges.
        centers: Nodes, perhaps one several times. Shape [C].
        hops: >= 1.
        max_nodes: Of a network, its centre among them, >= 1.
        seed: Of the draw.
    """
    walks = store.rowptr.diff().double()[:, None]
    total = walks
    for _ in range(hops - 1):  # a hop looks at no more than all edges
        walks = neighbor_sums(store, walks).clamp(max=float(store.num_edges))
        total = total + walks
    ahead = total[centers].cumsum(0).view(-1)
    most = max(1, _TABLE // max(store.num_nodes, 1))
    table = np.full((min(most, len(centers)), store.num_nodes), -1, np.int32).reshape(-1)
    start = 0
    while start < len(centers):
        passed = float(ahead[start - 1]) if start else 0.0
        end = int(torch.searchsorted(ahead, passed + _WALKS, right=True))
        end = min(max(end, start + 1), start + most, len(centers))
        yield _block(store, centers[start:end].numpy().astype(np.int64), hops, max_nodes, seed, table)
        start = end


def _block(store: CSRStore, center: np.ndarray, hops: int, max_nodes: int, seed: int, table: np.ndarray) -> EgoNetworks:
    """``table``, [networks of a block, N], is all -1 before and after; a network's node stands at owner * N + node."""
    num_nodes, rowptr, col = store.num_nodes, store.rowptr.numpy(), store.col.numpy()
    own = np.arange(len(center))
    count = np.ones(len(center), np.int64)
    front = own * num_nodes + center
    table[front] = 0
    keys, hop_of = [front], [np.zeros(len(front), np.int64)]
    for hop in range(1, hops + 1):
        front = front[(count < max_nodes)[front // num_nodes]]
        row, at = _expanded(rowptr, front % num_nodes)
        key = (front - front % num_nodes)[row] + col[at]
        key = key[table[key] < 0]
        turn = np.arange(len(key), dtype=np.int32)
        table[key] = turn  # of a node that is found several times, one stays
        key = key[table[key] == turn]
        key, dropped = _fitting(key, count, center, max_nodes, num_nodes, seed)
        table[dropped] = -1
        count += np.bincount(key // num_nodes, minlength=len(count))
        keys.append(key)
        hop_of.append(np.full(len(key), hop))
        front = key
    key, hop_all = np.concatenate(keys), np.concatenate(hop_of)
    order = np.lexsort((key, hop_all, key // num_nodes))
    key, hop_all = key[order], hop_all[order]
    owner, node = key // num_nodes, key % num_nodes
    ptr = np.concatenate([[0], np.cumsum(count)])
    place = np.arange(len(key)) - ptr[owner]
    table[key] = place
    ends, edges, num_edges = [], [], np.zeros(len(center), np.int64)
    looked = np.cumsum(rowptr[node + 1] - rowptr[node])
    first = 0
    while first < len(key):
        passed = looked[first - 1] if first else 0
        last = max(first + 1, int(np.searchsorted(looked, passed + _WALKS, "right")))
        row, at = _expanded(rowptr, node[first:last])
        target = table[owner[first:last][row] * num_nodes + col[at]]
        found = np.flatnonzero(target >= 0)
        row = row[found] + first
        ends.append(np.stack([place[row], target[found]], axis=1))
        edges.append(at[found])
        num_edges += np.bincount(owner[row], minlength=len(center))
        first = last
    table[key] = -1
    edge_ptr = np.concatenate([[0], np.cumsum(num_edges)])
    return EgoNetworks(node, ptr, hop_all, np.concatenate(ends), edge_ptr, np.concatenate(edges))


def _expanded(rowptr: np.ndarray, node: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The neighbours of some nodes in a row: which of the nodes each is of, and where it stands in ``col``."""
    degree = rowptr[node + 1] - rowptr[node]
    row = np.repeat(np.arange(len(node)), degree)
    return row, np.arange(len(row)) - np.repeat(np.cumsum(degree) - degree, degree) + rowptr[node][row]


def _fitting(
    key: np.ndarray, count: np.ndarray, center: np.ndarray, max_nodes: int, num_nodes: int, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """Of the nodes that a hop finds, those for which there is room, and the others."""
    owner = key // num_nodes
    found = np.bincount(owner, minlength=len(count))
    crowded = (count + found > max_nodes)[owner]
    if not crowded.any():
        return key, key[:0]
    free, key, owner = key[~crowded], key[crowded], owner[crowded]
    salt = np.uint64(keyed_seed(seed))
    drawn = mixed(mixed(center.astype(np.uint64) ^ salt)[owner] ^ (key % num_nodes).astype(np.uint64))
    order = np.lexsort((drawn, owner))
    key, owner = key[order], owner[order]
    start = np.searchsorted(owner, np.arange(len(count)))
    fits = np.arange(len(key)) - start[owner] < (max_nodes - count)[owner]
    return np.concatenate([free, key[fits]]), key[~fits]
