"""Which code made a result."""

import subprocess

import pytest

from sigraph.config import ConfigError, provenance
from sigraph.config.provenance import code_of, commit, own_sources
from sigraph.config.trust import trusting


def test_own_sources_are_those_of_neither_sigraph_nor_packages(tmp_path, monkeypatch):
    (tmp_path / "own_parts_a.py").write_text("class A:\n    pass\n")
    (tmp_path / "own_parts_b.py").write_text("from own_parts_a import A\n\n\nclass B:\n    pass\n")
    monkeypatch.syspath_prepend(tmp_path)
    packaged = [{"_target_": "sigraph.encoders.MLPEncoder"}, {"_target_": "torch.optim.AdamW"}]
    assert own_sources(*packaged) is None
    nested = {"encoder": {"_target_": "sigraph.encoders.MLPEncoder", "layers": [{"_target_": "own_parts_b.B"}]}}
    with pytest.raises(ConfigError, match=r"settings\.encoder\.layers: 'own_parts_b\.B' would import"):
        own_sources(nested)
    with trusting(["own_parts_b"]):
        found = own_sources(nested, *packaged)
        assert set(found) == {"own_parts_b"} and len(found["own_parts_b"]) == 12
        assert set(own_sources({"_target_": "own_parts_b.A"})) == {"own_parts_a"}  # where the class is written
        (tmp_path / "own_parts_b.py").write_text("class B:\n    x = 1\n")
        assert own_sources(nested) != found


def test_a_target_that_is_not_there_is_said():
    with pytest.raises(ConfigError, match="no_such_package"):
        own_sources({"_target_": "no_such_package.Thing"})


def test_stages_of_several_commits_are_joined():
    assert code_of({"commit": "a", "sources": None}, {"commit": "a"}) == {"commit": "a", "sources": None}
    assert code_of({"commit": "a", "sources": {"m": "1"}}, {"commit": "b", "sources": {"m": "1", "n": "2"}}) == {
        "commit": "a + b",
        "sources": {"m": "1", "n": "2"},
    }
    assert code_of({"commit": None}, {})["commit"] is None
    assert code_of({}, {"commit": "a"})["commit"] == "unknown + a"  # a stage that an earlier sigraph kept


def test_commit_is_that_of_the_checkout_and_none_without_one(monkeypatch, tmp_path):
    def git(*arguments):
        top = provenance.Path(provenance.__file__).parent
        return subprocess.run(["git", "-C", top, *arguments], capture_output=True, text=True, check=True).stdout.strip()

    try:
        head = git("rev-parse", "HEAD")
    except (OSError, subprocess.SubprocessError):
        pytest.skip("needs git and a checkout")
    assert commit().removesuffix("-dirty") == head
    monkeypatch.setattr(provenance, "__file__", str(tmp_path / "sigraph" / "config" / "provenance.py"))
    assert commit.__wrapped__() is None
