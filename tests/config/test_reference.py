"""docs/experiment-file.md says what the code says."""

import dataclasses
import importlib
import re
import shlex
from pathlib import Path

import pytest
import torch
import yaml
from contracts import concrete_subclasses

import sigraph.running.ground
import sigraph.running.parts
from sigraph import losses
from sigraph.config import config_from_dict, reference
from sigraph.config.build import NESTED_BASES
from sigraph.config.overlay import key
from sigraph.config.reference import LATE, PAGES, PARTS, fill
from sigraph.config.schema import PretrainConfig
from sigraph.encoders import Encoder
from sigraph.experiment import run
from sigraph.leaderboard import tables

FILE = Path(__file__).parents[2] / "docs" / "experiment-file.md"
PAGE = FILE.read_text(encoding="utf-8")


def section(title):
    return re.search(rf"^## {re.escape(title)}\n(.*?)(?=^## |\Z)", PAGE, re.DOTALL | re.MULTILINE)[1]


def first_cells(text):
    """The code spans in the first column of a table."""
    return [name for row in re.findall(r"^\| (.*?) \| ", text, re.MULTILINE) for name in re.findall(r"`([^`]+)`", row)]


@pytest.mark.parametrize("name", ["experiment-file", "losses", "samples"])
def test_a_page_is_up_to_date(name):
    page = (FILE.parent / f"{name}.md").read_text(encoding="utf-8")
    assert fill(page) == page, f"run: python -m sigraph.config.reference docs/{name}.md"


def test_what_a_table_says_of_a_class_is_in_its_docstring(monkeypatch):
    table = PAGES[1]["losses_in_use"]
    assert "| `NPairLoss` | `{normalize: true, temperature: 0.1}`, or `{l2_weight: 0.005}` | engine |" in table()
    changed = losses.NPairLoss.__doc__.replace("costs: engine", "costs: next to nothing,\n            or ``less``")
    monkeypatch.setattr(losses.NPairLoss, "__doc__", changed)
    assert "0.005}` | next to nothing, or `less` | out, but for its norm |" in table()
    monkeypatch.setattr(losses.NPairLoss, "__doc__", changed.replace("costs:", "cost:"))
    with pytest.raises(ValueError, match="the docstring of 'NPairLoss' needs a line 'costs' in its section 'Guide'"):
        table()


def test_the_command_restores_what_was_changed_and_nothing_else(tmp_path, capsys):
    page = tmp_path / "page.md"
    page.write_text(PAGE.replace("| `1024` |", "| `7` |").replace("# The experiment file", "# Mine"), encoding="utf-8")
    assert reference._main([str(page)]) == 0
    expected = fill(PAGE).replace("# The experiment file", "# Mine")
    assert page.read_text(encoding="utf-8") == expected and "| `1024` |" in expected
    assert reference._main([]) == 2 and "python -m sigraph.config.reference" in capsys.readouterr().err


@pytest.mark.parametrize("change", [("generated: trainer", "generated: trainr"), ("<!-- generated: top -->", "")])
def test_a_page_without_all_parts_is_refused(change):
    with pytest.raises(
        ValueError, match="needs the generated parts top, pretrain, trainer, finetune, search, components"
    ):
        fill(PAGE.replace(*change))


def test_every_key_stands_with_its_range_and_default():
    rows = {row.split("`")[1]: row for row in PARTS["pretrain"]().splitlines()[2:]}
    assert list(rows) == [field.name for field in dataclasses.fields(PretrainConfig)]
    assert "| number in [0, 1] or null | `null` |" in rows["structure_weight"]
    assert "| integer in [1, 2147483647] | `1024` | Seed samples a step. |" in rows["batch_size"]
    assert "| number in [0, 1) | `0.05` |" in rows["valid_edge_rate"]
    assert (
        "| text or component of `sigraph.synthetic` | required |" in rows["dataset"]
        and "| section | its defaults |" in rows["trainer"]
    )
    assert "| component of `sigraph.losses` |" in rows["structure_loss"]
    assert "`{_target_: torch.optim.AdamW, lr: 0.001}`" in rows["optimizer"]
    assert "| `linear`, `full` or `knn` | required |" in PARTS["finetune"]()


def test_a_key_without_a_word_is_refused():
    @dataclasses.dataclass
    class Section:
        """Keys.

        Args:
            a: Said.
        """

        a: int = key(1)
        b: int = key(2)

    with pytest.raises(ValueError, match="docstring of 'Section' needs to describe its fields"):
        reference.keys_table(Section)


def test_all_that_is_shipped_is_described():
    rows = [row.split(" | ") for row in PARTS["components"]().splitlines() if row.startswith("| `")]
    assert not [row for row in rows if row[-1].strip(" |") == ""]
    for home, base in NESTED_BASES.items():
        package = importlib.import_module(home)
        assert f"subclasses of `{home}.{base}`" in PAGE
        for found in concrete_subclasses(getattr(package, base), package):
            if found.__name__ in package.__all__ and found.__name__ != base:
                assert f"**`{found.__name__}`** – " in PAGE


def test_arguments_said_to_be_filled_in_are(toy, monkeypatch):
    seen, build = {}, sigraph.running.parts.build

    def spy(component, expected, where, **available):
        seen[where.removeprefix("pretrain.")] = (expected, set(available))
        return build(component, expected, where, **available)

    monkeypatch.setattr(sigraph.running.parts, "build", spy)
    monkeypatch.setattr(sigraph.running.ground, "build", spy)
    sigraph.running.parts.build_parts(config_from_dict(toy).arm("sipt").pretrain, 0)
    homes = {field.name: field.metadata.get("home") for field in dataclasses.fields(PretrainConfig)}
    assert {*seen, "dataset", "reader"} == {*LATE} and not LATE["dataset"]  # a world has no data yet
    assert not LATE["reader"]  # nor does a reader
    for slot, (expected, available) in seen.items():
        assert available <= set(LATE[slot]) and expected.__name__ == NESTED_BASES[homes[slot]]


class Odd(Encoder):
    """Has an argument that no YAML could spell.

    Args:
        in_channels, width: Said
            of both, see :class:`~sigraph.encoders.Encoder` and :math:`|x|`; None: as is, >= 0.
        act: A part.
        make: Not plain.
    """

    def __init__(
        self,
        in_channels: int,
        width: "list[int] | float | None" = None,
        act: torch.nn.Module | None = None,
        make=torch.nn.ReLU,
        **more: int,
    ) -> None:
        super().__init__()

    def forward(self, inputs): ...


def test_odd_constructors_have_a_table_too():
    lines = reference._class_reference(Odd, ("in_channels",)).splitlines()
    assert lines[0] == "**`Odd`** – Has an argument that no YAML could spell."
    said = r"Said of both, see `Encoder` and $\|x\|$; null: as is, ≥ 0."
    assert lines[4:] == [
        f"| `in_channels` | integer | filled in | {said} |",
        f"| `width` | list of: integer or number or null | `null` | {said} |",
        "| `act` | component or null | `null` | A part. |",
        "| `make` | anything | its own | Not plain. |",
    ]


class Later(Odd):
    """Is checked by other tools.

    Args:
        when: Some time.
    """

    def __init__(self, when: "Elsewhere | None" = None) -> None:  # noqa: F821
        super().__init__(1)


def test_types_that_cannot_be_looked_up_stand_as_written():
    assert r"| `when` | `Elsewhere \| None` | `null` | Some time. |" in reference._class_reference(Later, ())


@pytest.mark.parametrize("block", re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL), ids=lambda block: block[:9])
def test_yaml_works_as_it_stands(block, toy):
    part = yaml.safe_load(block)
    if "structure_loss" in part:
        part = {"pretrain": {**toy["pretrain"], **part}}
    if "grid" in part:
        toy["pretrain"]["structure_loss"] = "InfoNCELoss"
    config = config_from_dict({**toy, "baseline": None, **part})
    for name in config.arm_names:
        config.arm(name)


@pytest.mark.parametrize("line", re.findall(r"^sigraph run mine\.yaml (.*)$", PAGE, re.MULTILINE))
def test_overrides_work_as_they_stand(line, toy):
    config = config_from_dict(toy, shlex.split(line))
    sigraph.running.parts.build_parts(config.arm("sipt").pretrain, 0)


def test_every_field_of_a_record_is_described_and_there(toy, toy_dataset, tmp_path):
    toy_dataset.samples[20] = toy_dataset.samples[0]  # a test sample that training knows
    toy_dataset.save(tmp_path / "toy", overwrite=True)
    toy["grid"] = {"pretrain.structure_weight": [0.2, 0.5]}
    records = run(config_from_dict(toy)).records
    toy |= {"name": "fails", "grid": {}}
    toy["pretrain"]["optimizer"] = {"_target_": "torch.optim.SGD", "lr": 1e7}
    failed = run(config_from_dict(toy)).failed
    there = set()
    for record in [*records, *failed]:
        there |= set(record) - {"found"}
        there |= {f"pretrain.{name}" for name in record.get("pretrain", {})}
        there |= {f"tasks.{name}" for task in record["tasks"] for name in task}
    text = section("`results.json`")
    said = set(first_cells(text)) | {"pretrain", "tasks.data"}
    stages = {
        f"{stage}.{name}"
        for stage in ("pretrain", "tasks")
        for name in ("data", "commit", "sources", "version", "format")
    }
    sometimes = {"search", "pretrain.reader", "pretrain.reader_sha256", "tasks.test_hidden", "tasks.test_seen"}
    sometimes |= {
        "tasks.model",
        "tasks.repeats",
        "pretrain.encoder_from",
        "baseline_arm",
        "baseline_of",
    }  # where arms do not see the same
    assert there - stages == said - stages - sometimes and stages <= there
    for name in records[0]["grid"]:
        assert f"`{name}`" in text


def test_every_column_is_described():
    row = dict.fromkeys(tables.FIELDS) | {"num_failed": 0, "n": 2, "status": "ok", "hash": "a", "experiment": "a"}
    compared = {"difference": 0.1, "num_pairs": 2, "p_value": 0.1, "p_holm": 0.2, "baseline": "b", "dataset": "a"}
    other = {"hash": "b", "status": "1 failed", "visible": "inductive", **compared}
    again = {"experiment": "b", "dataset": "b"}
    titles, _ = tables._columns([row, row | other, row | again])
    text = section("Reading the table")
    assert {"settings", "p (Holm)", "status", "dataset"} <= set(titles)
    assert {title if not title.startswith("against") else "against ..." for title in titles} == set(first_cells(text))


def test_every_file_of_a_run_is_described(toy, tmp_path):
    toy["grid"] = {"pretrain.structure_weight": [0.2, 0.5]}
    run(config_from_dict(toy))
    text = section("What a run leaves, and how it resumes")
    top = tmp_path / "runs" / "toy-experiment"
    names = {path.relative_to(top).as_posix() for path in top.rglob("*") if path.is_file()}
    assert any(name.startswith("_grid/") for name in names)
    for name in names:
        shape = re.sub(r"\b[0-9a-f]{12}\b", "<hash>", name.rpartition("/")[2]).replace("block-linear", "<task>-<head>")
        assert re.sub(r"^sipt-(?=<hash>)|^objective-only-(?=<hash>)", "<arm>-", shape) in text or shape.endswith(
            ".lock"
        )


def test_links_lead_somewhere():
    anchors = {
        re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in re.findall(r"^#+ (.*)$", PAGE, re.M)
    }
    for target in re.findall(r"\]\(([^)]+)\)", PAGE):
        assert target[1:] in anchors if target.startswith("#") else (FILE.parent / target).is_file(), target
    assert "docs/experiment-file.md" in (FILE.parent.parent / "README.md").read_text(encoding="utf-8")
