"""How fast samples that are graphs are read, opened again, batched and joined, beside peers in the same run, one core.

    python experiments/speed/graphs_as_samples.py            # about two minutes
    python experiments/speed/graphs_as_samples.py --quick    # 3,000 molecules, seconds

Needs the raw files of `zinc` (29,445 SMILES) in the folder that SIGRAPH_DATA_SOURCE names, rdkit and ogb; the data set
`node2vec-ppi` is prepared on first use. Where a peer would take minutes it does a part, which the table says, and is
scaled. What peers give is compared first. Times are of the wall and, in brackets, of the processor, by which ratios are
taken; memory is the peak on top of what was held before.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from pathlib import Path

import numpy as np
import pyarrow as pa
import torch
from measure import Spent, apart, one_core, spent, table
from rdkit import Chem, DataStructs
from rdkit.Chem.rdFingerprintGenerator import GetMorganGenerator
from torch_geometric.data import Batch, Data
from torch_geometric.utils import k_hop_subgraph

import sigraph as sg
from sigraph.graphs import ScaffoldGraph, TanimotoGraph
from sigraph.readers import Molecules
from sigraph.recipes import ego_networks

BATCH, BATCHES, PART, K = 256, 20, 200, 10


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="3,000 molecules")
    arguments = parser.parse_args()
    smiles = zinc()[: 3_000 if arguments.quick else None]
    records = pa.table({"smiles": smiles})
    print(f"{one_core()}\n")
    header = ["what", "sigraph", "peer", "peer / sigraph"]
    with tempfile.TemporaryDirectory() as root:
        os.environ["SIGRAPH_DATA"], before = root, os.environ.get("SIGRAPH_DATA")
        rows = reading(records)
        if before is None:
            del os.environ["SIGRAPH_DATA"]
        else:
            os.environ["SIGRAPH_DATA"] = before
    rows += [collation(smiles[:3_000]), *egos()]
    rows += [apart(tanimoto, smiles), scaffolds(records)]
    table(header, rows)


def zinc() -> list[str]:
    folder = os.environ.get("SIGRAPH_DATA_SOURCE")
    files = [Path(folder or ".") / "zinc" / f"{part}.txt" for part in ("valid", "test")]
    if not folder or not all(file.is_file() for file in files):
        raise SystemExit("set SIGRAPH_DATA_SOURCE to a folder that holds zinc/valid.txt and zinc/test.txt")
    return [line for file in files for line in file.read_text().split()]


def smiles2graph(smiles: str) -> dict:
    """OGB's; importing it would ask the network for its newest version."""
    sys.modules.setdefault("outdated", None)
    from ogb.utils.mol import smiles2graph

    return smiles2graph(smiles)


def row(what: str, ours: Spent, peer: Spent | None = None, said: str = "") -> list[str]:
    if peer is None:
        return [what, str(ours), "", ""]
    return [what, str(ours), f"{said}: {peer.wall:.2f} ({peer.busy:.2f})", f"{peer.busy / ours.busy:.1f} x"]


def as_data(smiles: str) -> Data:
    found = smiles2graph(smiles)
    x, ends, bond = (torch.from_numpy(found[name]) for name in ("node_feat", "edge_index", "edge_feat"))
    return Data(x=x, edge_index=ends, edge_attr=bond)


def reading(records: pa.Table) -> list[list[str]]:
    """The first time by rdkit, the second time from disk."""
    dataset, part = sg.SampleDataset(records), records.column("smiles")[:PART].to_pylist()
    Molecules().read(records[:10])  # what is imported once
    assert len(dataset.fingerprint) == 64  # of the records, once
    first = spent(lambda: dataset.read(Molecules()))
    again = spent(lambda: dataset.read(Molecules()), most=5, enough=9)
    peer = spent(lambda: [smiles2graph(one) for one in part], most=3, enough=9).scaled(len(records) / PART)
    count = f"{len(records):,} molecules"
    return [row(f"{count}, read", first, peer, f"`smiles2graph` on {PART}"), row(f"{count}, opened again", again)]


def collation(smiles: list[str]) -> list[str]:
    """Batches of molecules."""
    listed = [as_data(one) for one in smiles]
    samples = Molecules().read(pa.table({"smiles": smiles}))
    draw = torch.Generator().manual_seed(0)
    chosen = [torch.randint(len(smiles), (BATCH,), generator=draw) for _ in range(BATCHES)]

    def ours() -> list[Batch]:
        return [samples.fetch(node) for node in chosen]

    def pygs() -> list[Batch]:
        return [Batch.from_data_list([listed[i] for i in node.tolist()]) for node in chosen]

    for one, other in zip(ours(), pygs(), strict=True):
        if not all(torch.equal(one[name], other[name]) for name in ("x", "edge_index", "edge_attr", "batch", "ptr")):
            raise SystemExit("our batch is not PyG's")
    mine, theirs = (spent(function, enough=9, most=7) for function in (ours, pygs))
    return row(f"{BATCHES} batches of {BATCH} molecules", mine, theirs, "`Batch.from_data_list`")


def egos() -> list[list[str]]:
    """All nodes of a network of proteins, two hops."""
    graph, rows = sg.open_dataset("node2vec-ppi").graphs["interaction"], []
    nodes = torch.randperm(graph.num_nodes, generator=torch.Generator().manual_seed(0))[:PART].tolist()
    edge_index = graph.edge_index
    peer = spent(lambda: [k_hop_subgraph(i, 2, edge_index, True, graph.num_nodes) for i in nodes], most=2, enough=9)
    peer = peer.scaled(graph.num_nodes / PART)
    for most in (64, 200):
        mine = spent(lambda most=most: ego_networks(graph, 2, most), most=3, enough=20)
        what = f"{graph.num_nodes:,} ego-networks, 2 hops, {most} nodes"
        rows.append(row(what, mine, peer, f"`k_hop_subgraph`, no cap, on {PART}"))
    return rows


def tanimoto(smiles: list[str]) -> list[str]:
    """The graph, fingerprints included; rdkit's similarities alone, nothing chosen among them."""
    one_core()
    dataset = sg.SampleDataset(pa.table({"smiles": smiles}))
    found: list[sg.PretrainGraph] = []
    mine = spent(lambda: found.append(TanimotoGraph(K)(dataset)))
    generator = GetMorganGenerator(radius=2, fpSize=2048)
    fingerprint = [generator.GetFingerprint(Chem.MolFromSmiles(one)) for one in smiles]
    for i in range(PART):
        similar = np.array(DataStructs.BulkTanimotoSimilarity(fingerprint[i], fingerprint))
        similar[i] = -1
        cut = np.sort(similar)[-K]
        if not np.isin(np.flatnonzero(similar > cut), found[0].store.neighbors(i)).all():
            raise SystemExit(f"a molecule that is nearer by rdkit is no neighbour of {i}")
    peer = spent(lambda: [DataStructs.BulkTanimotoSimilarity(one, fingerprint) for one in fingerprint[:PART]])
    peer = peer.scaled(len(smiles) / PART)
    return row(f"{K} nearest of {len(smiles):,} by Tanimoto", mine, peer, f"`BulkTanimotoSimilarity` on {PART}")


def scaffolds(records: pa.Table) -> list[str]:
    dataset = sg.SampleDataset(records)
    found: list[sg.PretrainGraph] = []
    mine = spent(lambda: found.append(ScaffoldGraph()(dataset)))
    return row(f"{len(records):,} molecules by scaffold, {found[0].num_edges // 2:,} edges", mine)


if __name__ == "__main__":
    main()
