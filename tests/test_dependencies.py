"""What is installed is used: every dependency is imported by the package, those of tests and builds by these."""

import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
# What a distribution is imported as, where that is not its name.
IMPORTED = {"torch-geometric": "torch_geometric", "scikit-learn": "sklearn", "PyYAML": "yaml", "faiss-cpu": "faiss"}
IMPORTED |= {"pytorch-metric-learning": "pytorch_metric_learning", "torch-scatter": "torch_scatter"}
TOOLS = {"pytest-socket", "pytest-xdist", "ruff", "mypy", "types-PyYAML", "build", "hatchling", "pytest"}
PAGES = {"mkdocs-material", "mkdocstrings"}
BEHIND = {"torch-scatter"}  # PyG uses it where it is there


def names(requirements):
    return {re.split(r"[\[<>=~!; ]", text)[0] for text in requirements}


def imports(*folders):
    text = "\n".join(file.read_text(encoding="utf-8") for folder in folders for file in (ROOT / folder).rglob("*.py"))
    spoken = r"^\s*(?:import|from)\s+|import_module\(\"|importorskip\(\"|find_spec\(\""
    return set(re.findall(rf"(?:{spoken})(\w+)", text, re.MULTILINE))


def unused(requirements, found):
    return {name for name in names(requirements) if IMPORTED.get(name, name.replace("-", "_")) not in found}


def test_the_core_is_imported_by_the_package():
    assert unused(PROJECT["dependencies"], imports("sigraph", "datasets")) == set()


def test_extras_are_imported_by_the_package_or_its_tests():
    found = imports("sigraph", "tests", "experiments")
    wanted = {name for extra in PROJECT["optional-dependencies"].values() for name in names(extra)}
    assert unused(wanted, found) - TOOLS - PAGES - BEHIND == set()
