"""Recipes of labelled sentences and of TAPE's sequences on small files in the official form, and on broken ones."""

import io
import json
import zipfile

import pytest
import torch

from sigraph.data import load_card
from sigraph.data.card import shipped_folder
from sigraph.recipes.prepare import _load_recipe

FOLDERS = {
    "citation-intent": ("scibert/citation_intent", "intent"),
    "sci-cite": ("scibert/sci-cite", "intent"),
    "sciie-relations": ("scibert/sciie-relation-extraction", "relation"),
    "paper-field": ("scibert/mag", "field"),
}
WILD = "SKGEE"


def prepared(name, files, tmp_path):
    held = {}
    for path, text in files.items():
        held[path] = tmp_path / path
        held[path].parent.mkdir(parents=True, exist_ok=True)
        held[path].write_bytes(text if isinstance(text, bytes) else text.encode())
    return _load_recipe(shipped_folder() / name / "prepare.py")(held, load_card(name))


def sentences(folder, **changes):
    rows = {
        part: [{"text": f"{part} << {i} >> of [[ it ]] é", "label": "ab"[i % 2], "metadata": [0, i]} for i in range(6)]
        for part in ("train", "dev", "test")
    }
    lines = {part: "".join(json.dumps(row) + "\n" for row in listed) for part, listed in rows.items()} | changes
    return {f"{folder}/{part}.txt": text for part, text in lines.items()}


@pytest.mark.parametrize("name", FOLDERS)
def test_sentences_keep_order_split_and_marks(name, tmp_path):
    folder, called = FOLDERS[name]
    dataset = prepared(name, sentences(folder), tmp_path)
    task = dataset.task(called)
    assert task.metrics == ("macro_f1", "accuracy") == tuple(load_card(name).tasks[called].metrics)
    assert (
        dataset.records["text"].to_pylist()[6] == "dev << 0 >> of [[ it ]] é" and dataset.ids.to_pylist()[6] == "dev-0"
    )
    assert task.classes == ["a", "b"] and task.labels.tolist() == [0, 1] * 9 and task.metric == "macro_f1"
    assert {part: ids.tolist() for part, ids in task.split.items()} == {
        "train": [*range(6)],
        "valid": [*range(6, 12)],
        "test": [*range(12, 18)],
    }


@pytest.mark.parametrize(
    "line", ["{", "[]", '{"text": "a"}', '{"text": "", "label": "a"}', '{"text": 3, "label": "a"}', ""]
)
def test_a_line_that_is_no_sentence_is_named(line, tmp_path):
    good = json.dumps({"text": "a", "label": "a"})
    with pytest.raises(ValueError, match=r"dev.txt, line 2: (needs JSON with|'text' and 'label' need)"):
        prepared("sci-cite", sentences("scibert/sci-cite", dev=f"{good}\n{line}\n{good}\n"), tmp_path)


def test_rows_that_repeat_a_text_are_kept_and_counted(tmp_path, caplog):
    caplog.set_level("INFO")
    rows = [("a", "x"), ("a", "y"), ("b", "x"), ("b", "x"), ("c", "y")]
    train = "".join(json.dumps({"text": text, "label": label}) + "\n" for text, label in rows)
    dataset = prepared("sci-cite", sentences("scibert/sci-cite", train=train), tmp_path)
    assert len(dataset) == 17 and dataset.task().labels.tolist()[:5] == [2, 3, 2, 2, 3]
    assert "2 of 17 rows repeat a text; 1 texts carry several labels (first: 'a')" in caplog.text


def homology(**changes):
    lines = {part: f"seq,label\nMKV,0\nMKL,{FOLD}\n" for part, FOLD in (("train", 3), ("valid", 3), ("test", 0))}
    return {f"protein_tasks/remote_homology.{part}.csv": text for part, text in (lines | changes).items()}


def test_folds_are_numbers_whose_names_stay(tmp_path):
    task = prepared("remote-homology", homology(), tmp_path).task("fold")
    assert task.labels.tolist() == [0, 3, 0, 3, 0, 0] and task.classes[3] == "3" and len(task.classes) == 1195


@pytest.mark.parametrize("text", ["seq,label\nMKV,\n", "seq,label\n,3\n", "seq,fold\nMKV,1\n", "seq,label\nMKV,x\n"])
def test_a_file_of_tape_that_lacks_something_is_named(text, tmp_path):
    with pytest.raises(ValueError, match=r"remote_homology.valid.csv needs"):
        prepared("remote-homology", homology(valid=text), tmp_path)
    with pytest.raises(ValueError, match=r"labels need to be in \[0, 1195\)"):
        prepared("remote-homology", homology(train="seq,label\nMKV,1195\n"), tmp_path)


def fluorescence(*rows):
    valid = "seq,label\n" + "".join(f"{one},{i}.5\n" for i, one in enumerate([WILD, "AKGEE", "SKGEA", "SKG"]))
    table = "aaMutations\tuniqueBarcodes\tmedianBrightness\tstd\n" + "".join(
        f"{row}\t1\t{i}.25\t\n" for i, row in enumerate(rows)
    )
    return {"gfp/fluorescence.valid.csv": valid, "gfp/amino_acid_genotypes_to_brightness.tsv": table}


def test_variants_are_the_wild_type_with_their_mutations_and_no_stop(tmp_path):
    rows = ["wt", "SS0A", "SK1D", "SE4*", "SS0A:SK1C:SG2D:SE3F", "SS0T:SK1C:SG2D"]
    dataset = prepared("fluorescence", fluorescence(*rows), tmp_path)
    sequence, task = dataset.records["sequence"].to_pylist(), dataset.task("brightness")
    found = {part: [(sequence[i], float(task.labels[i])) for i in ids.tolist()] for part, ids in task.split.items()}
    assert found == {
        "train": [("SDGEE", 2.25), ("SKGE", 3.25), ("TCDEE", 5.25)],  # wt and AKGEE validate
        "valid": [(WILD, 0.5), ("AKGEE", 1.5), ("SKGEA", 2.5), ("SKG", 3.5)],
        "test": [("ACDFE", 4.25)],
    }


@pytest.mark.parametrize("row", ["SA0T", "SS9T", "S0T", "KS0T", "SSxT"])
def test_a_mutation_that_the_wild_type_does_not_have_is_named(row, tmp_path):
    with pytest.raises(ValueError, match=rf"needs mutations such as SA108D of the wild type \(got '{row}'"):
        prepared("fluorescence", fluorescence("wt", row), tmp_path)


def structure(archive=None, **changes):
    chains = {"1abc-A": ("MKVX", "HHEC", "0111", "train"), "2abc-A": ("MKL", "CCC", "111", "train"),
              "3abc-A": ("AAA", "EEE", "111", "test"), "4abc-B": ("WWWW", "CEEC", "1110", "train")}  # fmt: skip
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w") as file:
        for place, name in enumerate(("sequences", "sampled", "mask")):
            head = " SET={} VALIDATION=False" if name == "sampled" else ""
            rows = {chain: [*columns] for chain, columns in chains.items()} | changes
            text = "".join(f">{chain}{head.format(row[3])}\n{row[place]}\n" for chain, row in rows.items())
            file.writestr(f"splits/{name}.fasta", text)
    folder = "secondary_structure/"
    return {
        f"{folder}flip_splits.zip": held.getvalue() if archive is None else archive,
        f"{folder}secondary_structure.valid.csv": "seq,label\nMKL,012\n",
        f"{folder}secondary_structure.test.csv": "seq,label\nGG,10\nGG,10\n",
    }


def test_states_of_residues_without_the_chains_that_are_tested(tmp_path):
    dataset = prepared("secondary-structure", structure(), tmp_path)
    task = dataset.task("state")
    assert dataset.records["sequence"].to_pylist() == ["MKVX", "WWWW", "MKL", "GG", "GG"]
    assert task.classes == ["H", "E", "C"] and task.ptr.tolist() == [0, 4, 8, 11, 13, 15]
    assert task.labels.tolist() == [-1, 0, 1, 2, 2, 1, 1, -1, 0, 1, 2, 1, 0, 1, 0]
    assert {part: ids.tolist() for part, ids in task.split.items()} == {"train": [0, 1], "valid": [2], "test": [3, 4]}


HEAD = "input, dssp3, dssp8, disorder, cb513_mask"


def lines(*rows):
    joined = (",".join(" ".join(column) for column in row) for row in rows)
    return {"secondary_structure/CB513_HHblits.csv": "\n".join([HEAD, *joined, ""])}


def chain(letters, states, ordered, inside):
    return letters, "C" * len(letters), states, [f"{one}.0" for one in ordered], [f"{one}.0" for one in inside]


def test_eight_states_of_the_domains_of_a_chain_are_joined(tmp_path):
    rows = [chain("MKVL", "GHEC", "1101", "1100"), chain("MKVL", "GHEC", "1101", "0011"), chain("AA", "IT", "11", "00")]
    rows += [
        chain(text, "GHIB"[: len(text)], "1" * len(text), "1" * len(text)) for text in ("AC", "DEF", "GHIK", "LMN")
    ]
    dataset = prepared("secondary-structure-8", lines(*rows), tmp_path)
    eight, three = dataset.task("state-8"), dataset.task("state-3")
    assert dataset.records["sequence"].to_pylist() == ["MKVL", "AC", "DEF", "GHIK", "LMN"]  # AA is of no domain
    first = torch.tensor([0])
    assert eight.target(first).tolist() == [0, 1, -1, 7] and three.target(first).tolist() == [0, 0, -1, 2]
    assert eight.classes == list("GHIBESTC") and three.classes == ["H", "E", "C"] and eight.metric == "accuracy"


@pytest.mark.parametrize(
    ("files", "said"),
    [
        (lines(chain("MK", "GH", "11", "11"), chain("MKV", "GH", "111", "111")), "line 3: needs 5 columns with a cell"),
        (lines(chain("MK", "GX", "11", "11")), "line 2: needs states GHIBESTC and numbers"),
        (lines(chain("MK", "GH", "11", "11"), chain("MK", "GE", "11", "11")), "line 3: its states are not those of"),
        ({"secondary_structure/CB513_HHblits.csv": "input,dssp3\nM,C\n"}, "needs the columns input, dssp3, dssp8"),
    ],
)
def test_what_is_no_file_of_eight_states_is_said(files, said, tmp_path):
    with pytest.raises(ValueError, match=said):
        prepared("secondary-structure-8", files, tmp_path)


@pytest.mark.parametrize(
    ("files", "said"),
    [
        (structure(b"PK no archive"), "needs splits/sequences.fasta, sampled.fasta and mask.fasta"),
        (structure(**{"1abc-A": ("MKV", "HH", "111", "train")}), "chain '1abc-A' needs a state and a mask for each"),
        (
            structure() | {"secondary_structure/secondary_structure.valid.csv": "seq,label\nMKL,013\n"},
            "needs a 0, 1, 2",
        ),
        (structure() | {"secondary_structure/secondary_structure.valid.csv": "seq,label\nMKL,01\n"}, "needs a 0, 1, 2"),
    ],
)
def test_what_is_no_structure_is_said(files, said, tmp_path):
    with pytest.raises(ValueError, match=said):
        prepared("secondary-structure", files, tmp_path)
