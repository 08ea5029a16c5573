"""``sigraph neighbors RUN_FOLDER --query ID|TEXT -k 10``: nearest samples in the latent space of a run's encoder."""

from __future__ import annotations

import argparse
import warnings
from typing import TYPE_CHECKING

from sigraph.commands.run_samples import RUN_HELP, add_sample_options, open_run, open_samples
from sigraph.config.trust import OPTION_HELP, trusting
from sigraph.files.foreign_text import printable

if TYPE_CHECKING:
    from sigraph.data import SampleDataset
    from sigraph.export.samples import ReadSamples

_WIDEST = 60  # letters of a sample that is shown
_MOST_CLOSE = 10_000  # ids among which one that is alike is looked for
_CALLED = {"cosine": "cosine", "euclidean": "distance", "dot": "dot product"}


def add_neighbors_options(parser: argparse.ArgumentParser) -> None:
    """The options that say whose neighbours are asked for, and among which samples."""
    add = parser.add_argument
    add("folder", metavar="RUN_FOLDER", help=RUN_HELP)
    add(
        "--query",
        metavar="ID|TEXT",
        action="append",
        required=True,
        help="a sample's id, or a text, sequence or SMILES that the run's reader reads; repeat for more",
    )
    add("-k", type=int, default=10, metavar="K", help="neighbours of each (default: 10)")
    add("--metric", default="cosine", choices=("cosine", "euclidean", "dot"), help="what is near (default: cosine)")
    add_sample_options(parser)
    add("--trust", action="append", default=[], metavar="NAME", help=OPTION_HELP)


def neighbors_run(arguments: argparse.Namespace) -> int:
    """Embed the samples, look for the nearest of each query, print them."""
    if arguments.k < 1:
        raise ValueError(f"-k needs to be at least 1 (got {arguments.k})")
    with trusting(arguments.trust):
        return _neighbors(arguments)


def _neighbors(arguments: argparse.Namespace) -> int:
    import torch

    from sigraph.encoders import embed
    from sigraph.export.samples import fitting_encoder
    from sigraph.neighbors.exact import nearest_neighbors

    open_run(arguments)
    samples = open_samples(arguments)
    dataset = samples.dataset
    places = [_place(query, dataset) for query in arguments.query]
    new = [query for query, place in zip(arguments.query, places, strict=True) if place < 0]
    asked = _as_samples(new, arguments.folder, dataset) if new else None
    encoder = fitting_encoder(arguments.folder, dataset, samples.note, arguments.samples)
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always", UserWarning)
        z = embed(encoder, dataset)
        read = iter(z[:0] if asked is None else embed(encoder, asked.dataset))
    query_z = torch.stack([z[place] if place >= 0 else next(read) for place in places])
    notes = {"samples": samples.note, "queries": "" if asked is None else asked.note}
    lines = [f"{what}: {note.strip()}" for what, note in notes.items() if note]
    for line in [*lines, *dict.fromkeys(f"({warning.message})" for warning in said)]:
        print(line)
    lost = _unknown(new, asked)
    index, value = nearest_neighbors(z, arguments.k, query_z, arguments.metric, torch.tensor(places))
    for query, found, close in zip(arguments.query, index.tolist(), value.tolist(), strict=True):
        if query in lost:
            print(f"{_short(query)!r}: no sample's id, and holds nothing that the run knows: nothing is near it")
            continue
        names = [_id(place, dataset) for place in found]
        width = max(map(len, names))
        print(f"{_short(query)}: nearest by {_CALLED[arguments.metric]}")
        for name, place, near in zip(names, found, close, strict=True):
            print(f"  {name:<{width}}  {near:.4f}{_content(place, dataset)}")
    return 0


def _place(query: str, dataset: SampleDataset) -> int:
    """The sample that has an id, or is the row of a number; -1: none."""
    if dataset.ids is None:
        return int(query) if query.isdecimal() and int(query) < len(dataset) else -1
    return dataset.ids.cast("string").index(query).as_py()


def _as_samples(queries: list[str], folder: str, dataset: SampleDataset) -> ReadSamples:
    """Texts, sequences or SMILES as the run's reader reads them."""
    from sigraph.export.load import load_reader
    from sigraph.export.samples import read_samples
    from sigraph.files.suggestions import did_you_mean

    reader = load_reader(folder)
    if reader is None or not reader.written:
        ids = [] if dataset.ids is None else dataset.ids.cast("string")[:_MOST_CLOSE].to_pylist()
        what = "the samples are no texts" if reader is None else f"it reads {', '.join(reader.wanted)}"
        raise ValueError(
            f"--query {queries[0]!r:.80} is no sample's id{did_you_mean(queries[0], ids)}, and the run reads no "
            f"single texts ({what}); to ask for new samples put them into a table: sigraph embed --samples"
        )
    return read_samples(folder, queries)


def _unknown(queries: list[str], asked: ReadSamples | None) -> set[str]:
    """Those of which the run knows no word, letter or atom: their embedding says nothing of them."""
    if asked is None or asked.dataset.reader is None or asked.dataset.records is None:
        return set()
    share = asked.dataset.reader.known(asked.dataset.records)
    return set() if share is None else {query for query, one in zip(queries, share, strict=True) if one == 0}


def _id(place: int, dataset: SampleDataset) -> str:
    return str(place if dataset.ids is None else dataset.ids[place].as_py())


def _content(place: int, dataset: SampleDataset) -> str:
    """The text of a sample, where a reader read one column, or several as one."""
    reader, records = dataset.reader, dataset.records
    if reader is None or records is None:
        return ""
    cells = [records.column(name)[place].as_py() for name in reader.written]
    return f"  {_short(' '.join(str(cell) for cell in cells if cell is not None))}" if cells else ""


def _short(text: str) -> str:
    text = printable(" ".join(text.split()))
    return text if len(text) <= _WIDEST else f"{text[: _WIDEST - 3]}..."
