"""What OGB says of its sets: our table is that of the installed package, in our words."""

import pytest

from sigraph.data.ogb_facts import _installed, ogb_facts, ogb_names, own_facts
from sigraph.tasks.task import METRIC_NAMES


def test_our_table_is_that_of_ogb():
    pytest.importorskip("pandas")
    installed = _installed()
    if not installed:
        pytest.skip("ogb is not installed")
    assert own_facts() == installed


def test_without_ogb_our_table_serves(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert _installed() == {} and len(own_facts()) == 27


def test_every_task_has_a_type_and_a_metric_of_ours_but_subtokens():
    for name in ogb_names():
        facts = ogb_facts(name)
        if facts.kind == "link":
            assert facts.type == "pair" and facts.our_metric in ("hits@20", "hits@50", "hits@100", "mrr", "rocauc")
        elif name == "ogbg-code2":
            assert facts.type is None
        else:
            assert facts.our_metric in METRIC_NAMES[facts.type], name
        assert facts.url.startswith("https://") and facts.folder == name.replace("-", "_")


def test_an_unknown_name_is_refused_with_the_nearest():
    with pytest.raises(ValueError, match=r"did you mean 'ogbg-molbace'\?"):
        ogb_facts("ogbg-molbase")
