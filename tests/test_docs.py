"""docs/losses.md shows what works as it stands there, and its tables know every loss; the links of all pages."""

import os
import re
import subprocess
import sys
from contextlib import nullcontext

import pytest
import torch
import yaml
from contracts import concrete_subclasses
from pages import ROOT, anchors, blocks, read

import sigraph.losses
import sigraph.readers
import sigraph.samples
from sigraph.cli import main
from sigraph.config import config_from_dict
from sigraph.config.trust import trusting
from sigraph.data import Pairs
from sigraph.losses import InfoNCELoss, PairwiseLoss, StructureLoss
from sigraph.running.parts import build_parts
from sigraph.samples import Samples

PAGE = read("docs/losses.md")
FILES = {code.split("\n", 1)[0][2:]: code for code in blocks(PAGE, "python") if re.match(r"# \w+\.py\n", code)}
WRAPPERS = ("CrossBatchMemory", "ProjectedLoss")  # of any loss
LOSSES = [kind.__name__ for kind in concrete_subclasses(StructureLoss, sigraph.losses)]


def table(head):
    """Cells of the table whose first line starts so, by the name in the first one."""
    rows = re.search(rf"^\| {head}.*\n\| ---.*\n((?:\|.*\n)+)", PAGE, re.MULTILINE)[1].splitlines()
    return {cells[0].strip("` "): cells[1:] for cells in (re.split(r" \| ", row.strip("| ")) for row in rows)}


def made(name, **settings):
    """A loss of the package with settings, and a loss inside where it needs one."""
    if name == "PMLLoss":
        settings["loss"] = pytest.importorskip("pytorch_metric_learning.losses").ContrastiveLoss()
    elif name in WRAPPERS:
        settings["loss"] = InfoNCELoss()
        settings |= {"encoder_channels": 4} if name == "ProjectedLoss" else {}
    elif name == "JointLoss":
        settings["losses"] = [InfoNCELoss()]
    elif name == "TargetLoss":
        settings["target"] = torch.ones(9, 4)
    return getattr(sigraph.losses, name)(**settings)


@pytest.fixture
def beside(tmp_path, monkeypatch):
    """A folder with the files of the page, where one stands; nothing of it stays imported."""
    for name, code in FILES.items():
        (tmp_path / name).write_text(code)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path, str(tmp_path)])
    with trusting(["mylosses"]):
        yield tmp_path
    sys.modules.pop("mylosses", None)


@pytest.mark.parametrize("head", ["loss | minimises", "loss | start with"])
def test_a_table_names_every_loss(head):
    assert sorted(table(re.escape(head))) == LOSSES


def test_the_settings_to_start_with_and_what_several_processes_do():
    for name, (settings, *_, processes, _) in table(re.escape("loss | start with")).items():
        for span in re.findall(r"`(\{.*?\})`", settings):
            made(name, **yaml.safe_load(span))
        expected = {True: "yes", False: "no"}[made(name).additive]
        assert processes == ("as its loss" if name in WRAPPERS else expected), name


@pytest.mark.parametrize("lacking", ["positive", "negative"])
def test_what_an_anchor_that_lacks_a_kind_of_pair_does(lacking):
    """It is "out" if the loss is the same without it."""
    z, candidates = torch.randn(9, 4, generator=torch.Generator().manual_seed(0)).split([3, 6])
    is_positive = torch.eye(3, 6, dtype=torch.bool)
    is_positive[0] = lacking == "negative"
    for name, (*_, no_positive, no_negative, _, _) in table(re.escape("loss | start with")).items():
        if name not in ("PMLLoss", *WRAPPERS, "JointLoss", "TargetLoss"):
            loss = made(name)
            whole, rest = (loss(z[i:], Pairs(is_positive[i:].nonzero().t(), 3 - i, 6), candidates) for i in (0, 1))
            cell = no_positive if lacking == "positive" else no_negative
            assert torch.isclose(whole, rest) == cell.startswith("out"), name


def test_the_engine_is_named_where_it_is():
    for name, (_, costs, *_) in table(re.escape("loss | start with")).items():
        assert costs.startswith("engine") == issubclass(getattr(sigraph.losses, name), PairwiseLoss), name


def test_python_runs():
    pytest.importorskip("pytorch_metric_learning")
    names = {}
    for code in blocks(PAGE, "python"):
        if code not in FILES.values():
            exec(code, names)
    assert names["memory"].sampler is names["sampler"]
    node = names["anchors"]
    assert names["loss"](torch.randn(3, 4), names["sampler"].pairs(node, node)).isfinite()


def test_every_yaml_builds(beside, toy):
    pytest.importorskip("pytorch_metric_learning")
    built = []
    for text in blocks(PAGE, "yaml"):
        pretrain = {**toy["pretrain"], **yaml.safe_load(text)}
        parts = build_parts(config_from_dict({**toy, "pretrain": pretrain}).arm("sipt").pretrain, seed=0)
        built.append(parts.module.structure_loss)
    head, memory, library, own = built
    assert head.hidden.weight.shape == (256, 4) and head.output.weight.shape == (128, 256)
    assert (memory.size, memory.start_step, memory.loss.temperature) == (8192, 1000, 0.2)
    assert library.miner.epsilon == 0.1 and own.margin == 0.3


def test_your_own_loss_runs_from_a_yaml(beside, toy, capsys):
    toy["pretrain"] |= yaml.safe_load(blocks(PAGE, "yaml")[-1])
    toy["pretrain"]["trainer"]["max_epochs"] = 1
    (beside / "mine.yaml").write_text(yaml.safe_dump(toy))
    assert main(["run", "mine.yaml", "seeds=[0]"]) == 0
    assert "sipt" in capsys.readouterr().out


@pytest.mark.parametrize("change", [None, ("far - near", "far - 0.9 * near"), (".relu()", ".exp()")])
def test_your_own_loss_and_its_test(beside, change):
    code = FILES["mylosses.py"]
    if change is not None:
        assert change[0] in code
        (beside / "mylosses.py").write_text(code.replace(*change))
    names = {}
    exec(FILES["test_mylosses.py"], names)
    (test,) = (value for name, value in names.items() if name.startswith("test_"))
    _, sizes = test.pytestmark[0].args
    for size in sizes:
        with nullcontext() if change is None else pytest.raises(AssertionError):
            test(size)


def test_your_own_loss_says_what_is_wrong(beside):
    names = {}
    exec(FILES["mylosses.py"], names)
    with pytest.raises(ValueError, match=r"'margin' needs to be in .0, 2. in 'MyLoss' .got 3"):
        names["MyLoss"](3)
    alone = Pairs.square(torch.empty(2, 0).long(), 3)
    z = torch.randn(3, 4, requires_grad=True)
    value = names["MyLoss"]()(z, alone)
    value.backward()
    assert value == 0 and (z.grad == 0).all() and names["MyLoss"]().additive


@pytest.mark.slow  # processes of its own, half a minute on two cores
def test_two_processes_train_the_same_encoder(beside):
    ending = "torch.save((trainer.world_size, encoder.state_dict()), f'{trainer.global_rank}.pt')\n"
    (beside / "train_on_two.py").write_text(FILES["train_on_two.py"] + ending)
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "train_on_two.py"]
    found = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300)
    assert found.returncode == 0, found.stderr
    (size, one), (_, two) = (torch.load(f"{rank}.pt") for rank in (0, 1))
    assert size == 2 and one.keys() == two.keys() and all(torch.equal(one[name], two[name]) for name in one)


@pytest.mark.parametrize(
    "name",
    [
        "README.md",
        "SECURITY.md",
        "experiments/README.md",
        *(f"docs/{page.name}" for page in sorted((ROOT / "docs").glob("*.md"))),
    ],
)
def test_links_lead_somewhere(name):
    for target in re.findall(r"\]\(([^)\s]+)\)", read(name)):
        if "://" not in target:
            file, _, anchor = target.partition("#")
            path = (ROOT / name).parent / file if file else ROOT / name
            assert path.exists(), target
            assert not anchor or anchor in anchors(path.read_text(encoding="utf-8")), target


def test_the_page_of_samples_names_what_ships_and_its_python_runs():
    page = read("docs/samples.md")
    kinds = {kind.kind for kind in concrete_subclasses(Samples, sigraph.samples)}
    assert all(name in page for name in {*kinds, *sigraph.readers.__all__})
    for code in blocks(page, "python"):
        exec(code, {})
