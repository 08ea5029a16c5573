"""The command line, as a user meets it."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from sigraph.cli import main


def sigraph(*arguments, **options):
    return subprocess.run(
        [sys.executable, "-m", "sigraph", *arguments], capture_output=True, text=True, timeout=300, **options
    )


@pytest.mark.parametrize("command", [[], ["run"], ["demo"], ["datasets"], ["prepare"]])
def test_help_is_fast_and_shows_an_example(command):
    start = time.perf_counter()
    done = sigraph(*command, "--help")
    assert time.perf_counter() - start < 0.5 + 0.3  # half a second, and some for a busy machine
    assert done.returncode == 0 and "sigraph " in done.stdout and (not command or "example:" in done.stdout)


def test_a_shell_is_told_what_could_follow(tmp_path):
    pytest.importorskip("argcomplete")
    line = "sigraph lea"
    shell = {"_ARGCOMPLETE": "1", "COMP_LINE": line, "COMP_POINT": str(len(line)), "_ARGCOMPLETE_SHELL": "bash"}
    out = tmp_path / "told"
    done = sigraph(env={**os.environ, **shell, "_ARGCOMPLETE_STDOUT_FILENAME": str(out)})
    assert done.returncode == 0 and out.read_text().strip() == "leaderboard"


def test_importing_sigraph_imports_no_torch():
    code = "import sys, sigraph, sigraph.cli; assert 'torch' not in sys.modules; sigraph.Pairs; sys.modules['torch']"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


def test_every_public_name_exists():
    import sigraph

    for name in sigraph.__all__:
        assert getattr(sigraph, name) is not None
    with pytest.raises(AttributeError, match="has no attribute 'Nope'"):
        _ = sigraph.Nope


def test_datasets_lists_all(capsys):
    assert main(["datasets"]) == 0
    out = capsys.readouterr().out
    for text in (
        "cora",
        "citeseer",
        "pubmed",
        "manifold-torus",
        "2,708 samples",
        "citation (5,278 edges)",
        "graph none",
    ):
        assert text in out


def test_prepare_writes_a_folder_and_says_where(capsys, data_root):
    assert main(["prepare", "manifold-torus"]) == 0
    folder = capsys.readouterr().out.strip()
    assert folder.startswith(str(data_root)) and folder.endswith("manifold-torus")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["prepare", "corra"], "cora"),
        (["run", "no-such.yaml"], "no-such.yaml: there is no such file"),
        (["run", "{yaml}", "pretrain.batchsize=3"], "batch_size"),
        (["run", "{yaml}", "pretrain.batch_size=many"], "pretrain.batch_size"),
        (["run", "{yaml}", "seeds=[1,1]"], "more than once"),
        (["run", "{yaml}", "foo"], "'foo': needs the form key=value"),
        (["run", "{yaml}", "--jobs", "1", "foo"], "'foo': needs the form key=value"),
        (["run", "{yaml}", "pretrain.structure_loss=os.system"], "os"),
    ],
)
def test_errors_are_one_line_without_traceback(arguments, message, tmp_path, capsys):
    file = tmp_path / "e.yaml"
    file.write_text(
        "name: e\nseeds: [0]\npretrain:\n  dataset: manifold-torus\n  graph: radius\n"
        "  encoder: {_target_: sigraph.encoders.MLPEncoder}\n"
    )
    assert main([a.format(yaml=file) for a in arguments]) == 2
    captured = capsys.readouterr()
    assert captured.err.startswith("sigraph: ") and message in captured.err
    assert "Traceback" not in captured.err and captured.out == ""


@pytest.mark.skipif(not Path("/proc/self").is_dir(), reason="needs a place where nobody can make a folder")
@pytest.mark.parametrize("more", [(), ("--dry-run",)])
def test_a_place_where_no_results_can_be_kept_is_told_first_with_its_key(tmp_path, capsys, more):
    file = tmp_path / "e.yaml"
    file.write_text(
        "name: e\nseeds: [0]\noutput_dir: /proc/x\npretrain:\n  dataset: manifold-torus\n  graph: radius\n"
        "  encoder: {_target_: sigraph.encoders.MLPEncoder}\n"
    )
    assert main(["run", str(file), *more]) == 2
    assert "/proc/x: 'output_dir' cannot be made here" in capsys.readouterr().err


def test_debug_shows_the_traceback():
    with pytest.raises(ValueError, match="no such file"):
        main(["run", "no-such.yaml", "--debug"])


def test_unknown_command_exits_with_2(capsys):
    with pytest.raises(SystemExit) as stop:
        main(["trian"])
    assert stop.value.code == 2 and "see sigraph --help" in capsys.readouterr().err


def test_run_prints_the_table_and_resumes(tmp_path, capsys):
    file = tmp_path / "tiny.yaml"
    file.write_text(
        "name: tiny\nquestion: Does it run?\nseeds: [0, 1]\n"
        "pretrain:\n  dataset: manifold-torus\n  graph: radius\n"
        "  encoder: {_target_: sigraph.encoders.MLPEncoder, hidden_channels: 16, out_channels: 8}\n"
        "  batch_size: 400\n  trainer: {max_epochs: 2, accelerator: cpu}\n"
        "finetune:\n  - {task: topic, head: knn, k: 3}\nreferences: false\n"
    )
    command = ["run", str(file), "--output-dir", str(tmp_path / "it's here")]
    assert main(command) == 0
    first = capsys.readouterr()
    assert "| sipt" in first.out and "±" in first.out and "[2/2] sipt, seed 1" in first.err
    assert main(command) == 0
    again, lines = capsys.readouterr()
    assert lines.count("(already done)") == 2 and "already done" not in first.err
    assert [line for line in again.splitlines() if line.startswith("| sipt")] == [
        line for line in first.out.splitlines() if line.startswith("| sipt")
    ]


def test_failures_of_one_cause_are_said_once_and_debug_shows_the_traceback(tmp_path, capsys, monkeypatch):
    (tmp_path / "broken_parts.py").write_text(
        "from sigraph.losses import StructureLoss\n\n\nclass Broken(StructureLoss):\n"
        "    def forward(self, z, pairs, candidates=None):\n        raise RuntimeError('no luck today')\n"
    )
    file = tmp_path / "e.yaml"
    file.write_text(
        "name: e\nseeds: [0, 1]\npretrain:\n  dataset: manifold-torus\n  graph: radius\n"
        "  encoder: {_target_: sigraph.encoders.MLPEncoder, hidden_channels: 4, out_channels: 4}\n"
        "  structure_loss: broken_parts.Broken\n  trainer: {max_epochs: 1}\n"
        "arms: {sipt: {}, sipt-two: {pretrain.batch_size: 600}}\n"
    )
    monkeypatch.setattr("sys.path", list(sys.path))
    command = ["run", str(file), "--output-dir", str(tmp_path / "runs")]
    assert main(command) == 1
    said = capsys.readouterr().err
    assert said.count("failed: ") == 1 and "Traceback" not in said and "--debug" in said
    assert "failed: sipt, seed 0, 1; sipt-two, seed 0, 1: RuntimeError: no luck today" in said
    assert main([*command, "--debug"]) == 1
    said = capsys.readouterr().err
    assert said.count("Traceback") == 1 and "broken_parts.py" in said


def test_a_folder_that_cannot_be_written_points_to_the_leaderboard(tmp_path, capsys, monkeypatch):
    import sigraph.experiment

    def refuse(*_, **__):
        raise PermissionError(13, "Permission denied", "runs/tiny")

    monkeypatch.setattr(sigraph.experiment, "run", refuse)
    file = tmp_path / "e.yaml"
    file.write_text(
        "name: e\nseeds: [0]\npretrain:\n  dataset: manifold-torus\n  graph: radius\n"
        "  encoder: {_target_: sigraph.encoders.MLPEncoder}\n"
    )
    assert main(["run", str(file)]) == 2
    assert "runs/tiny" in (said := capsys.readouterr().err) and "sigraph leaderboard DIR" in said


@pytest.mark.parametrize("minutes", ["nan", "inf", "-1"])
def test_a_time_that_is_none_is_refused(minutes, capsys):
    assert main(["run", "x.yaml", f"--max-time={minutes}"]) == 2
    assert "'--max-time' needs to be a number of minutes, >= 0" in capsys.readouterr().err


def test_a_value_as_long_as_a_book_is_cut_in_a_message(tmp_path, capsys):
    (tmp_path / "x.yaml").write_text("name: " + 50_000 * "x!")
    assert main(["run", str(tmp_path / "x.yaml"), "--dry-run"]) == 2
    assert len(capsys.readouterr().err) < 2_000


def test_options_are_spelled_out(tmp_path, capsys):
    """`prepare --trust` would else run the recipe of a folder, as --trust-recipe does."""
    with pytest.raises(SystemExit) as error:
        main(["prepare", str(tmp_path), "--trust"])
    assert error.value.code == 2 and "unrecognized arguments: --trust" in capsys.readouterr().err


@pytest.mark.parametrize("command", [["datasets"], ["leaderboard", "."], ["--help"]])
def test_what_only_reads_imports_no_torch(command, tmp_path):
    code = (
        "import sys\nfrom sigraph.cli import main\n"
        f"try:\n    main({command!r})\nexcept SystemExit:\n    pass\n"
        "assert not {'torch', 'torch_geometric', 'lightning', 'sklearn'} & set(sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("audited", [["own"], ["e.csv", "l.csv"]])
def test_one_s_own_tables_are_prepared_and_audited_without_pyg_and_lightning(audited, tmp_path):
    """Each import takes longer than the rest of the command."""
    ids = range(30)
    (tmp_path / "s.csv").write_text("id,a,b\n" + "".join(f"n{i},{i % 7},{0.5 * i}\n" for i in ids))
    (tmp_path / "e.csv").write_text("source,target\n" + "".join(f"n{i},n{(i + 1) % 30}\n" for i in ids))
    (tmp_path / "l.csv").write_text("id,label\n" + "".join(f"n{i},{'xyz'[i // 10]}\n" for i in ids))
    code = (
        "import sys\nfrom sigraph.cli import main\n"
        "main(['prepare', '--samples', 's.csv', '--edges', 'e.csv', '--task', 'l.csv', '--out', 'own'])\n"
        f"assert main(['audit', *{audited!r}]) == 0\n"
        "assert not {'torch_geometric', 'lightning', 'lightning_fabric'} & set(sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "promising" in done.stdout
