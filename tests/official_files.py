"""Small data sets made by their own recipes from files of the official forms: SNAP's, TAPE's, SciBERT's, OGB's."""

import gzip
import io
import json
import tarfile
import zipfile

import numpy as np
from ogb_files import write_texts, write_types

from sigraph.data.card import load_card, shipped_folder
from sigraph.data.ogb_facts import ogb_facts
from sigraph.recipes.ogb.texts import papers_with_texts
from sigraph.recipes.prepare import _load_recipe

LETTERS = "ACDEFGHIKLMNPQRSTVWY"
SIZES = {"train": 12, "valid": 8, "test": 8}
PHRASES = ["cells of proteins", "graph of papers", "pages of words"]


def sequences(count, length=9, seed=0):
    """Different proteins."""
    drawn = np.random.default_rng(seed).integers(len(LETTERS), size=(count, length))
    return ["".join(LETTERS[i] for i in row) for row in drawn]


def tree_of_life():
    """Two species of 30 proteins that interact in a ring, with a second ring of every third."""
    names = [f"{species}.P{i}" for species in (9606, 511145) for i in range(30)]
    fasta = "".join(f">{name}\n{one}\n" for name, one in zip(names, sequences(60), strict=True))
    ring = "".join(f"P{i} P{(i + step) % 30}\n" for i in range(30) for step in (1, 3))
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w") as archive:
        for species in (9606, 511145):
            archive.writestr(f"treeoflife.interactomes/{species}.txt", ring)
    return {
        "tree_of_life/treeoflife.interactomes.zip": held.getvalue(),
        "tree_of_life/protein.sequences.v10.5.fa.gz": gzip.compress(fasta.encode()),
    }


def labelled(stem, label):
    """A table ``seq,label`` for each part."""
    found = {}
    for number, (part, count) in enumerate(SIZES.items()):
        rows = [f"{one},{label(i)}" for i, one in enumerate(sequences(count, seed=number + 1))]
        found[f"{stem}.{part}.csv"] = "\n".join(["seq,label", *rows, ""])
    return found


def fluorescence():
    """Variants of one protein, by their mutations."""
    wild = "SKGEELFTGV"
    valid = [wild, *(wild[:i] + "A" + wild[i + 1 :] for i in range(6))]
    few, many = [f"S{wild[i]}{i}W" for i in range(9)], [f"S{wild[i]}{i}W" for i in range(5)]
    rows = ["wt", *few, *(":".join([*many[:4], f"S{wild[9]}9{letter}"]) for letter in LETTERS[:8])]
    table = "".join(f"{row}\t1\t{i % 5}.25\t\n" for i, row in enumerate(rows))
    return {
        "gfp/fluorescence.valid.csv": "seq,label\n" + "".join(f"{one},{i}.5\n" for i, one in enumerate(valid)),
        "gfp/amino_acid_genotypes_to_brightness.tsv": "aaMutations\tuniqueBarcodes\tmedianBrightness\tstd\n" + table,
    }


def secondary_structure():
    """FLIP's archive to train on, TAPE's tables to validate and test on."""
    chains = {f"c{i}-A": one for i, one in enumerate(sequences(12, seed=5))}
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w") as archive:
        for name, row in (("sequences", None), ("sampled", "HHHEEECCC"), ("mask", "111111110")):
            head = " SET=train VALIDATION=False" if name == "sampled" else ""
            text = "".join(f">{chain}{head}\n{row or one}\n" for chain, one in chains.items())
            archive.writestr(f"splits/{name}.fasta", text)
    own = {
        part: "\n".join(["seq,label", *(f"{one},000111222" for one in sequences(8, seed=seed)), ""])
        for part, seed in (("valid", 6), ("test", 7))
    }
    folder = "secondary_structure"
    tables = {f"{folder}/secondary_structure.{part}.csv": text for part, text in own.items()}
    return {f"{folder}/flip_splits.zip": held.getvalue(), **tables}


def contacts():
    """TAPE's archive of ProteinNet as JSON: random walks of 30 residues."""
    held = io.BytesIO()
    with tarfile.open(fileobj=held, mode="w:gz") as archive:
        for number, part in enumerate(SIZES):
            place = np.random.default_rng(number).normal(size=(6, 30, 3)).cumsum(axis=1) * 3
            rows = [
                {"primary": one, "tertiary": where.tolist(), "valid_mask": [True] * 29 + [False]}
                for one, where in zip(sequences(6, 30, seed=number + 8), place, strict=True)
            ]
            content = json.dumps(rows).encode()
            info = tarfile.TarInfo(f"proteinnet/proteinnet_{part}.json")
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return {"tape/proteinnet.tar.gz": held.getvalue()}


def sentences(folder, classes):
    """A JSON object a line, for each part of the split."""

    def row(part, i):
        text = f"{part} {i} [[ {PHRASES[i % 3]} ]] << a word >>"
        return json.dumps({"text": text, "label": f"c{i % classes}", "metadata": {}}) + "\n"

    sizes = dict(zip(("train", "dev", "test"), SIZES.values(), strict=True))
    return {
        f"scibert/{folder}/{part}.txt": "".join(row(part, i) for i in range(count)) for part, count in sizes.items()
    }


WRITERS = {
    "tree-of-life": tree_of_life,
    "remote-homology": lambda: labelled("protein_tasks/remote_homology", lambda i: i % 4),
    "stability": lambda: labelled("protein_tasks/stability", lambda i: i / 8),
    "fluorescence": fluorescence,
    "secondary-structure": secondary_structure,
    "contact-prediction-tape": contacts,
    "paper-field": lambda: sentences("mag", 4),
    "sci-cite": lambda: sentences("sci-cite", 3),
    "citation-intent": lambda: sentences("citation_intent", 3),
    "sciie-relations": lambda: sentences("sciie-relation-extraction", 3),
}


def official(name, root):
    """The data set that its recipe makes of small files, which are written below ``root``."""
    if name == "ogbn-mag-text":
        root.mkdir(parents=True, exist_ok=True)
        folder, *_ = write_types(root)
        write_texts(root, folder, ".csv")
        return papers_with_texts(folder, ogb_facts("ogbn-mag"), root / "ogbn_mag_text" / "abstracts.csv", name, "venue")
    held = {}
    for path, content in WRITERS[name]().items():
        held[path] = root / path
        held[path].parent.mkdir(parents=True, exist_ok=True)
        held[path].write_bytes(content if isinstance(content, bytes) else content.encode())
    return _load_recipe(shipped_folder() / name / "prepare.py")(held, load_card(name))
