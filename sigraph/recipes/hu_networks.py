"""The protein networks of Hu et al. 2020, from the file that they published, as a data set."""

from __future__ import annotations

import random
from pathlib import Path

import torch
from torch import Tensor

from sigraph.data.dataset import SampleDataset
from sigraph.recipes.collated import read_collated
from sigraph.samples import Graphs
from sigraph.tasks import Task

HUMAN = 9606  # NCBI's number of the species that is tested on
_EVIDENCE = 7  # columns of edges that say by which evidence proteins interact; two more mark loops and hidden edges
_NEEDED = ("species_id", "center_node_idx", "go_target_downstream", "go_target_pretrain")


def hu_networks(path: str | Path, published: bool = False) -> SampleDataset:
    """88,000 proteins of eight species as the networks around them, with 5,000 and 40 Gene Ontology terms.

    Of ``bio_dataset.zip`` (https://snap.stanford.edu/gnn-pretrain) the file
    ``dataset/supervised/processed/geometric_data_processed.pt``; there is no rawer form. Nothing in it is executed.

    Args:
        path: The file.
        published: Samples as the encoders that Hu et al. published read them
            (:func:`~sigraph.encoders.pretrained_gnns.from_pretrained_gnns`): nodes without attributes, nine of edges.

    Returns:
        Graphs whose nodes have one attribute, 1 for the centre, else 0, kinds of [2]; edges seven, the kinds of
        evidence, each of [2]. No pre-training graph, for proteins of the file have no names;
        :class:`~sigraph.graphs.LabelAgreement` makes one of the labels of ``go-pretrain``. Two tasks with the split by
        species: ``go``, 40 terms, has 85 % of the proteins of seven species in train, 15 % in valid, and half of the
        human ones in test; ``go-pretrain``, 5,000 terms, has the other half in train besides. Both halves are those of
        Hu et al. (seed 42), who put valid into supervised pre-training too.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: It holds other graphs.

    Memory is about four times the size of the file.

    Source: Hu et al., "Strategies for Pre-training Graph Neural Networks", ICLR 2020, section 5.1 and appendix D.
    """
    samples, others = read_collated(path)
    lacking = [name for name in _NEEDED if name not in others]
    edge_attr = None if samples.edge_attr is None else samples.edge_attr.whole()
    if lacking or edge_attr is None or edge_attr.size(1) < _EVIDENCE:
        got = f"lacks {', '.join(lacking)}" if lacking else "edges have fewer than seven attributes"
        raise ValueError(f"{path} needs the supervised protein networks of Hu et al. 2020 ({got})")
    species, center = others["species_id"].view(-1), others["center_node_idx"].view(-1)
    node_ptr, edge_ptr, ends = (part.whole() for part in (samples.node_ptr, samples.edge_ptr, samples.edge_index))
    if bool((center < 0).any() or (center >= node_ptr.diff()).any()):
        raise ValueError(f"{path} needs center_node_idx to be a node of each graph")
    mark = torch.zeros(int(node_ptr[-1]), 1, dtype=torch.uint8)
    if published:
        edge_attr = edge_attr.float()
    else:
        mark[node_ptr[:-1] + center] = 1
        edge_attr = edge_attr[:, :_EVIDENCE].to(torch.uint8)
    graphs = Graphs(mark, ends, node_ptr, edge_ptr, edge_attr)
    split, broad = _split(species, path)
    about = "Split by species, as in pretrain-gnns, seed 42."
    more = {**split, "train": torch.cat([split["train"], broad]).sort().values}
    go = Task("go", others["go_target_downstream"].to(torch.int8), split, about=about)
    pretrain = Task("go-pretrain", others["go_target_pretrain"].to(torch.int8), more, about=about)
    return SampleDataset(graphs, tasks={"go": go, "go-pretrain": pretrain}, name="hu-networks")


def _split(species: Tensor, path: str | Path) -> tuple[dict[str, Tensor], Tensor]:
    """The parts of ``go``, and the human proteins that are in none of them."""
    human, rest = (species == HUMAN).nonzero().view(-1), (species != HUMAN).nonzero().view(-1)
    if len(human) < 2 or len(rest) < 2:
        raise ValueError(f"{path} needs proteins of man and of other species (got {len(human)} and {len(rest)})")
    order, first = _shuffled(len(rest)), int(0.85 * len(rest))
    halves, half = _shuffled(len(human)), int(0.5 * len(human))
    last = first + int(0.15 * len(rest))  # one more or less than all, as theirs
    parts = {"train": rest[order[:first]], "valid": rest[order[first:last]], "test": human[halves[half : 2 * half]]}
    return {name: ids.sort().values for name, ids in parts.items()}, human[halves[:half]]


def _shuffled(count: int) -> Tensor:
    """0 to count - 1 as Python's generator with seed 42 shuffles them, so that the parts are those of Hu et al."""
    order = list(range(count))
    random.Random(42).shuffle(order)
    return torch.tensor(order)
