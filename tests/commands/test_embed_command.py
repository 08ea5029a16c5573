"""`sigraph embed RUN_FOLDER --out FILE`."""

import sys

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch

from sigraph.cli import main
from sigraph.config import config_from_dict
from sigraph.data import SampleDataset
from sigraph.encoders import embed
from sigraph.experiment import run
from sigraph.export.load import load_encoder
from sigraph.running.run_one import run_folder
from sigraph.tables import from_tables


@pytest.fixture
def folder(toy):
    config = config_from_dict({**toy, "seeds": [0], "arms": {"sipt": {}}, "baseline": None})
    assert not run(config).failed
    return run_folder(config, config.arm("sipt"), 0)


@pytest.fixture
def x():
    return torch.randn(7, 6, generator=torch.Generator().manual_seed(3))


def table(x, file, first, **more):
    """A CSV of samples with hostile ids."""
    lines = [",".join(["id", *more, *(f"x{i}" for i in range(x.size(1)))])]
    lines += [",".join([f'"p, {first + i}🧪"', *more.values(), *map(repr, row)]) for i, row in enumerate(x.tolist())]
    file.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return str(file)


def test_the_runs_own_samples_as_from_python(folder, toy_dataset, tmp_path, capsys):
    z = embed(load_encoder(folder), toy_dataset)
    assert main(["embed", str(folder), "--out", str(tmp_path / "new" / "z.npy")]) == 0
    assert "40 embeddings of width 4, row i is sample i" in capsys.readouterr().out
    there = np.load(tmp_path / "new" / "z.npy")
    assert there.dtype == np.float32 and np.array_equal(there, z.numpy())
    assert main(["embed", str(folder), "--out", str(tmp_path / "new" / "z.parquet")]) == 0
    columns = pq.read_table(tmp_path / "new" / "z.parquet")
    assert columns.column_names == ["id", "z0", "z1", "z2", "z3"]
    assert columns["id"].to_pylist() == list(range(40))
    assert np.array_equal(np.stack([columns[f"z{i}"] for i in range(4)], axis=1), z.numpy())
    assert sorted(file.name for file in (tmp_path / "new").iterdir()) == ["z.npy", "z.parquet"]


def test_new_samples_of_a_prepared_folder_keep_their_ids(folder, x, tmp_path, capsys):
    ids = [f"new {i}, 🧪" for i in range(7)]
    SampleDataset(x, name="more", ids=pa.array(ids)).save(tmp_path / "more")
    z = embed(load_encoder(folder), SampleDataset(x)).numpy()
    command = ["embed", str(folder), "--dataset", str(tmp_path / "more"), "--out"]
    assert main([*command, str(tmp_path / "z.parquet")]) == 0
    columns = pq.read_table(tmp_path / "z.parquet")
    assert columns["id"].to_pylist() == ids
    assert np.array_equal(np.stack([columns[f"z{i}"] for i in range(4)], axis=1), z)
    assert main([*command, str(tmp_path / "z.npy")]) == 0
    assert f"ids in {tmp_path / 'z.ids.parquet'}" in capsys.readouterr().out
    assert np.array_equal(np.load(tmp_path / "z.npy"), z)
    assert pq.read_table(tmp_path / "z.ids.parquet")["id"].to_pylist() == ids


def test_new_samples_of_a_table_need_no_edges(folder, x, tmp_path):
    out = tmp_path / "z.parquet"
    assert main(["embed", str(folder), "--dataset", table(x, tmp_path / "new.csv", 100), "--out", str(out)]) == 0
    columns = pq.read_table(out)
    assert columns["id"].to_pylist() == [f"p, {100 + i}🧪" for i in range(7)]
    z = embed(load_encoder(folder), SampleDataset(x)).numpy()
    assert np.array_equal(np.stack([columns[f"z{i}"] for i in range(4)], axis=1), z)


def test_a_column_in_the_way_is_named_and_can_be_left_out(folder, x, tmp_path, capsys):
    file = table(x, tmp_path / "new.csv", 0, topic="physics")
    command = ["embed", str(folder), "--dataset", file, "--out", str(tmp_path / "z.npy")]
    assert main(command) == 2
    said = capsys.readouterr().err
    assert "reads 6 features a sample" in said and "holds records" in said and "without 'topic' (--ignore)" in said
    assert not (tmp_path / "z.npy").exists()
    assert main([*command, "--ignore", "topic"]) == 0
    assert np.array_equal(np.load(tmp_path / "z.npy"), embed(load_encoder(folder), SampleDataset(x)).numpy())


def test_own_tables_from_the_first_to_the_last_step(toy, x, tmp_path):
    x = torch.randn(60, 6, generator=torch.Generator().manual_seed(1))
    (tmp_path / "e.csv").write_text("source,target\n" + "".join(f'"p, {i}🧪","p, {i + 1}🧪"\n' for i in range(59)))
    dataset = from_tables(table(x, tmp_path / "s.csv", 0), {"line": tmp_path / "e.csv"})
    dataset.save(tmp_path / "own")
    toy["pretrain"] |= {"dataset": str(tmp_path / "own"), "graph": "line"}
    config = config_from_dict({**toy, "seeds": [4], "finetune": []})
    assert not run(config).failed
    folder = run_folder(config, config.arm("objective-only"), 4)
    assert main(["embed", str(folder), "--out", str(tmp_path / "z.parquet")]) == 0
    columns = pq.read_table(tmp_path / "z.parquet")
    assert columns["id"].to_pylist() == [f"p, {i}🧪" for i in range(60)]
    z = embed(load_encoder(folder), SampleDataset(x))
    assert np.array_equal(np.stack([columns[f"z{i}"] for i in range(4)], axis=1), z.numpy())


def test_features_are_matched_by_name(toy, tmp_path, capsys):
    """Columns in another order would be embedded as if one feature were another, without a word."""
    x = torch.randn(60, 6, generator=torch.Generator().manual_seed(1))
    (tmp_path / "e.csv").write_text("source,target\n" + "".join(f'"p, {i}🧪","p, {i + 1}🧪"\n' for i in range(59)))
    dataset = from_tables(table(x, tmp_path / "s.csv", 0), {"line": tmp_path / "e.csv"})
    assert dataset.feature_names == [f"x{i}" for i in range(6)]
    dataset.save(tmp_path / "own")
    assert SampleDataset.open(tmp_path / "own").feature_names == dataset.feature_names
    toy["pretrain"] |= {"dataset": str(tmp_path / "own"), "graph": "line"}
    config = config_from_dict({**toy, "seeds": [4], "finetune": [], "arms": {"sipt": {}}, "baseline": None})
    assert not run(config).failed
    folder = run_folder(config, config.arm("sipt"), 4)
    z = embed(load_encoder(folder), SampleDataset(x)).numpy()
    lines = ["note,x5,x4,id,x3,x2,x1,x0,year"]
    lines += [
        ",".join(["a", *map(repr, row[:2]), str(i), *map(repr, row[2:]), "9"])
        for i, row in enumerate(x.flip(1).tolist())
    ]
    (tmp_path / "new.csv").write_text("\n".join(lines) + "\n")
    command = ["embed", str(folder), "--dataset", str(tmp_path / "new.csv"), "--out", str(tmp_path / "z.npy")]
    assert main(command) == 0
    assert "left out: 'note', 'year'" in capsys.readouterr().out
    assert np.allclose(np.load(tmp_path / "z.npy"), z, atol=1e-6)
    (tmp_path / "new.csv").write_text("id,X1,x0,X2,x3,x4,x5,X5,year\n1,2,1,3,4,5,6,9,\n2,3,2,4,5,6,7,9,1999\n")
    assert main([*command, "--force"]) == 0  # a gap in a column that the encoder does not read; other cases
    rows = torch.tensor([[1.0, 2, 3, 4, 5, 6], [2, 3, 4, 5, 6, 7]])
    assert np.allclose(np.load(tmp_path / "z.npy"), embed(load_encoder(folder), SampleDataset(rows)), atol=1e-6)
    (tmp_path / "new.csv").write_text("id,x0,x1,x2,x3,x4,x5\n1,1,2,3,4,5,?\n")
    assert main([*command, "--force"]) == 2
    said = capsys.readouterr().err
    assert "records, since 'x5' holds no numbers (row 1: '?')); give" in said and "--ignore" not in said
    (tmp_path / "new.csv").write_text("id,x0,x1,x2,x3,x4,x5\n1,1,2,3,4,5,\n2,1,2,3,4,5,6\n")
    assert main([*command, "--force"]) == 2
    said = capsys.readouterr().err
    assert "column 'x5': 1 cell is missing" in said and "; fill them: the encoder" in said and "--ignore" not in said
    (tmp_path / "new.csv").write_text("id,x0,x1,x2,x3,x4,x6\n1,1,2,3,4,5,6\n")
    assert main([*command, "--force"]) == 2
    assert "lacks 1 of the 6 features of the pre-training: 'x5'" in capsys.readouterr().err
    for text in ("id,a,b\n1,1,2\n", "id,a,b\n1,1,\n2,,1\n"):
        (tmp_path / "new.csv").write_text(text)
        assert main([*command, "--force"]) == 2
        assert "lacks 6 of the 6 features of the pre-training: 'x0'" in capsys.readouterr().err
    (tmp_path / "new.csv").write_text("name,x0,x1,x2,x3,x4,x5,row\nb,1,2,3,4,5,6,0\nb,1,2,3,4,5,6,1\n")
    assert main([*command, "--force"]) == 2 and "(--id-column)" in capsys.readouterr().err
    assert main([*command, "--force", "--id-column", "row"]) == 0  # the way out works
    np.save(tmp_path / "x.npy", rows.numpy())  # without names, in the order of the pre-training
    assert main(["embed", str(folder), "--dataset", str(tmp_path / "x.npy"), "--out", str(tmp_path / "n.npy")]) == 0
    assert np.allclose(np.load(tmp_path / "n.npy"), embed(load_encoder(folder), SampleDataset(rows)), atol=1e-6)


@pytest.mark.parametrize("name", ["z.npy", "z.parquet", "z.ids.parquet"])
def test_what_exists_is_replaced_only_if_asked(folder, name, tmp_path, capsys):
    (tmp_path / name).write_text("mine")
    out = str(tmp_path / ("z.parquet" if name == "z.parquet" else "z.npy"))
    assert main(["embed", str(folder), "--out", out]) == 2
    assert f"{tmp_path / name} exists" in capsys.readouterr().err and (tmp_path / name).read_text() == "mine"
    assert main(["embed", str(folder), "--out", out, "--force"]) == 0
    # ids of whatever was embedded before do not stay beside the new embeddings
    assert not (tmp_path / "z.ids.parquet").exists() and (tmp_path / out).is_file()


def test_nothing_is_left_when_writing_fails(folder, tmp_path, monkeypatch):
    def fail(*arguments, **options):
        raise OSError("no more")

    monkeypatch.setattr(pq, "write_table", fail)
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "z.parquet").write_text("mine")
    assert main(["embed", str(folder), "--out", str(tmp_path / "out" / "z.parquet"), "--force"]) == 2
    assert [file.name for file in (tmp_path / "out").iterdir()] == ["z.parquet"]
    assert (tmp_path / "out" / "z.parquet").read_text() == "mine"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "embeddings are not printed"),
        (["--out", "{tmp}/z.csv"], "needs to end in .npy or .parquet"),
        (["--out", "-"], "needs to end in .npy or .parquet"),
        (["--out", "{tmp}/folder.npy"], "is a folder"),
        (["--out", "{tmp}/z.npy", "--dataset", "{tmp}/wide"], "reads 6 features a sample, {tmp}/wide holds 5 features"),
        (["--out", "{tmp}/z.npy", "--dataset", "{tmp}/words"], "reads 6 features a sample, {tmp}/words holds records"),
        (["--out", "{tmp}/z.npy", "--dataset", "corra"], "did you mean 'cora'"),
        (["--out", "{tmp}/z.npy", "--dataset", "{tmp}/z.doc"], "needs to be a .csv"),
        (["--out", "{tmp}/z.npy", "--ignore", "topic"], "--ignore is for a table of samples"),
    ],
)
def test_requests_that_cannot_be_carried_out(folder, arguments, message, tmp_path, capsys):
    (tmp_path / "folder.npy").mkdir()
    (tmp_path / "z.doc").write_text("1")
    SampleDataset(torch.zeros(3, 5)).save(tmp_path / "wide")
    SampleDataset(pa.table({"text": ["a", "b"]})).save(tmp_path / "words")
    assert main(["embed", str(folder), *(text.format(tmp=tmp_path) for text in arguments)]) == 2
    captured = capsys.readouterr()
    assert captured.err.startswith("sigraph: ") and message.format(tmp=tmp_path) in captured.err
    assert "Traceback" not in captured.err and captured.out == "" and not (tmp_path / "z.npy").exists()


def test_a_folder_above_the_run_stands_for_it_and_says_so(folder, toy_dataset, tmp_path, capsys):
    assert main(["embed", str(folder.parent), "--out", str(tmp_path / "z.npy")]) == 0
    assert f"run {folder}: arm sipt, seed 0\n" in capsys.readouterr().out
    assert np.array_equal(np.load(tmp_path / "z.npy"), embed(load_encoder(folder), toy_dataset).numpy())


def test_the_runs_data_set_needs_to_be_what_it_was(folder, toy, toy_dataset, tmp_path, capsys):
    command = ["embed", str(folder), "--out", str(tmp_path / "z.npy")]
    home = toy["pretrain"]["dataset"]
    other = SampleDataset(toy_dataset.samples + 1, toy_dataset.graphs, toy_dataset.tasks)
    other.save(home, overwrite=True)
    assert main(command) == 2
    assert "has changed since the run" in capsys.readouterr().err
    assert main([*command, "--dataset", home]) == 0
    assert np.array_equal(np.load(tmp_path / "z.npy"), embed(load_encoder(folder), other).numpy())
    (tmp_path / "toy").rename(tmp_path / "moved")
    assert main([*command, "--force"]) == 2
    said = capsys.readouterr().err
    assert "cannot be opened" in said and "say where it is: --dataset" in said


def test_ones_own_encoder_needs_ones_word_and_is_found_where_one_stands(folder, toy, tmp_path, monkeypatch, capsys):
    (tmp_path / "stands.py").write_text(
        "from sigraph.encoders import MLPEncoder\n\n\nclass Doubled(MLPEncoder):\n"
        "    def forward(self, inputs):\n        return super().forward(2 * inputs)\n"
    )
    monkeypatch.setattr(sys, "path", [*sys.path])
    with monkeypatch.context() as patch:
        patch.syspath_prepend(tmp_path)
        toy["pretrain"]["encoder"]["_target_"] = "stands.Doubled"
        config = config_from_dict({**toy, "seeds": [0], "arms": {"sipt": {}}, "baseline": None})
        assert not run(config, trust=["stands"]).failed
        own = run_folder(config, config.arm("sipt"), 0)
        z = embed(load_encoder(own, trust=["stands"]), SampleDataset.open(toy["pretrain"]["dataset"]))
    monkeypatch.delitem(sys.modules, "stands")
    command = ["embed", str(own), "--out", str(tmp_path / "z.npy")]
    assert main([*command, "--trust", "stands"]) == 2  # trusted, but nowhere
    assert "PYTHONPATH=FOLDER" in capsys.readouterr().err
    monkeypatch.chdir(tmp_path)
    assert main(command) == 2  # there, but not trusted
    assert "--trust stands" in capsys.readouterr().err and "stands" not in sys.modules
    assert main([*command, "--trust", "stands"]) == 0
    assert np.array_equal(np.load(tmp_path / "z.npy"), z.numpy())
    monkeypatch.delitem(sys.modules, "stands")
