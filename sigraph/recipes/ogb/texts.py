"""Papers of ogbn-mag with their texts, from OGB's official files and a table that the user has."""

from __future__ import annotations

import logging
import tempfile
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import torch

from sigraph.data.dataset import SampleDataset
from sigraph.data.ogb_facts import OGBFacts
from sigraph.files.columns import is_number_text
from sigraph.recipes.ogb.raw import read_labels, read_types
from sigraph.recipes.ogb.sets import official_task
from sigraph.recipes.ogb.splits import read_split
from sigraph.recipes.raw_text import numbered_graph, read_columns
from sigraph.tables.table_file import TableFile, read_table

KIND, RELATION = "paper", ("paper", "cites", "paper")
MAPPING = "mapping/paper_entidx2name.csv.gz"
NODE, NAME = "ent idx", "ent name"  # its columns: number of the node, id in the Microsoft Academic Graph
IDS = ("mag_id", "paper_id", "paperid", "paper id", "id")  # what the table's column of ids may be called
TITLE, ABSTRACT = "title", "abstract"

logger = logging.getLogger(__name__)


def papers_with_texts(folder: Path, facts: OGBFacts, table: Path, name: str, task: str) -> SampleDataset:
    """Records with ``title`` and ``text``, the graph ``cites`` and the task of venues; ids are the Graph's own.

    ``text`` is the abstract, of a paper without one its title. Papers of which the table holds neither are left out,
    with their citations, and of the split. All of it is counted in the log.

    Args:
        folder: Official files of ogbn-mag.
        facts: What OGB says of it.
        table: Ids, titles and abstracts: see :func:`read_texts`.
        name: Of the data set.
        task: Its name.

    Raises:
        ValueError: A file is of another form, or none of the papers has a text.
    """
    paper = _paper_ids(folder / MAPPING)
    title, text, kept = _matched(paper, *read_texts(table), table)
    place = np.full(len(paper), -1)
    place[kept] = np.arange(len(kept))
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as own:
        scratch = Path(own)
        types, (y, kind) = read_types(folder / "raw", facts, scratch), read_labels(folder / "raw", facts, scratch)
        if (
            kind != KIND
            or types.num_nodes.get(KIND) != len(paper)
            or len(y) != len(paper)
            or RELATION not in types.edge
        ):
            raise ValueError(
                f"{folder} needs labels and citations of the {len(paper):,} papers of {MAPPING} (got labels of "
                f"{len(y):,}, nodes {types.num_nodes}, relations {', '.join('-'.join(one) for one in types.edge)})"
            )
        ends = types.edge[RELATION]
        if len(ends) and not 0 <= int(ends.min()) <= int(ends.max()) < len(paper):
            raise ValueError(f"{folder} holds a citation of no paper; get the official files again")
        edge = place[ends].T  # [2, E]
        known = (edge >= 0).all(axis=0)
        graph = numbered_graph(torch.from_numpy(edge[:, known]), len(kept), int((~known).sum()))
        y = y[kept]
    split = {}
    for part, ids in read_split(folder / "split" / facts.split, KIND).items():
        split[part] = place[ids][place[ids] >= 0]
        if lost := len(ids) - len(split[part]):
            logger.warning("%s: %d of %d papers of %r have no text: no longer OGB's split", name, lost, len(ids), part)
    made = official_task(facts, y, split, task)
    made.about += " Without papers that have no text."
    return SampleDataset(
        pa.table({"title": title, "text": text}), {"cites": graph}, {task: made}, name=name, ids=pa.array(paper[kept])
    )


def read_texts(path: Path) -> tuple[np.ndarray, pa.Array, pa.Array]:
    """Ids, titles and abstracts of a table, as they stand there but for blanks at their ends.

    Args:
        path: CSV or TSV, perhaps packed (``.gz``). With a header: a column of ids, called one of :data:`IDS` or the
            first of all, ``title`` and ``abstract``; others are not read. Without: these three, in this order.

    Returns:
        Of each paper once: id [M] int64, ascending; title and abstract, empty where there is none.

    Raises:
        ValueError: A column is missing, an id is no integer, or one stands there with different texts.
    """
    file = read_table(path)
    if is_number_text(file.table.column_names[0]):  # the first paper
        file = read_table(path, header=False)
        if len(file.table.column_names) != 3:
            raise ValueError(
                f"{path} needs three columns, id, title and abstract, or a header that names them (got "
                f"{len(file.table.column_names)})"
            )
        columns = file.table.column_names
    else:
        named = file.first_of(*IDS)
        columns = [file.table.column_names[0] if named is None else named, file.find(TITLE), file.find(ABSTRACT)]
    title, abstract = (
        pc.utf8_trim_whitespace(file.table.column(name).cast(pa.large_string()).combine_chunks())
        for name in columns[1:]
    )
    ids = _integers(file, columns[0])
    order = np.argsort(ids, kind="stable")
    ids, title, abstract = ids[order], title.take(pa.array(order)), abstract.take(pa.array(order))
    again = np.flatnonzero(ids[1:] == ids[:-1]) + 1
    for cells in (title, abstract):
        differs = ~pc.equal(cells.take(pa.array(again)), cells.take(pa.array(again - 1))).to_numpy(zero_copy_only=False)
        if differs.any():
            raise ValueError(f"{path} holds paper {ids[again[differs][0]]} with different texts; leave one of them")
    first = np.setdiff1d(np.arange(len(ids)), again)
    return ids[first], title.take(pa.array(first)), abstract.take(pa.array(first))


def _integers(file: TableFile, column: str) -> np.ndarray:
    cells = file.values(column)
    if not pa.types.is_integer(cells.type) or cells.null_count:
        raise ValueError(
            f"{file.name}, column {column!r} needs the id of a paper in the Microsoft Academic Graph in every row (got "
            f"{cells.type}{', with empty cells' if cells.null_count else ''})"
        )
    return cells.to_numpy().astype(np.int64)


def _paper_ids(path: Path) -> np.ndarray:
    """The Graph's id of each node. [N]"""
    if not path.is_file():
        raise FileNotFoundError(f"{path} is not there, which OGB's release holds; get the official files again")
    table = read_columns(path, {NODE: pa.int64(), NAME: pa.int64()})
    node, name = (table[column].to_numpy() for column in (NODE, NAME))
    if not np.array_equal(np.sort(node), np.arange(len(node))) or len(np.unique(name)) < len(name):
        raise ValueError(f"{path} needs every node from 0 on once, with an id of its own; get the official files again")
    out = np.empty(len(node), np.int64)
    out[node] = name
    return out


def _matched(
    paper: np.ndarray, ids: np.ndarray, title: pa.Array, abstract: pa.Array, table: Path
) -> tuple[pa.Array, pa.Array, np.ndarray]:
    """Title and text of the papers that have one, and which these are. [M] each"""
    at = np.minimum(np.searchsorted(ids, paper), max(len(ids) - 1, 0))
    row = pa.array(at, mask=ids[at] != paper) if len(ids) else pa.nulls(len(paper), pa.int64())
    title, abstract = (pc.fill_null(cells.take(row), "") for cells in (title, abstract))
    with_abstract = pc.not_equal(abstract, "").to_numpy(zero_copy_only=False)
    text = pc.if_else(pa.array(with_abstract), abstract, title)
    kept = np.flatnonzero(pc.not_equal(text, "").to_numpy(zero_copy_only=False))
    if not len(kept):
        raise ValueError(
            f"{table} needs texts of the {len(paper):,} papers of ogbn-mag, by their ids in the Microsoft Academic "
            f"Graph such as {paper[0]} (got {len(ids):,} others{f', such as {ids[0]}' if len(ids) else ''})"
        )
    logger.info(
        "%s papers: %s with an abstract, %s with a title alone, which is their text, %s of which the table says "
        "nothing, left out; %s papers of the table are none of ogbn-mag",
        f"{len(paper):,}",
        f"{int(with_abstract.sum()):,}",
        f"{len(kept) - int(with_abstract.sum()):,}",
        f"{len(paper) - len(kept):,}",
        f"{len(ids) - int(np.isin(ids, paper).sum()):,}",
    )
    return title.take(pa.array(kept)), text.take(pa.array(kept)), kept
