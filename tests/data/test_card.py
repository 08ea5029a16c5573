"""A card is parsed strictly, and every complaint names the file and the key."""

import pytest
import yaml

from sigraph.data import card as card_module
from sigraph.data.card import Card, CardFile, card_names, load_card, shipped_folder

FULL = {
    "name": "toy",
    "title": "A toy",
    "licence": "MIT",
    "source": {"url": "https://example.org", "papers": ["A paper"]},
    "files": [{"path": "toy/raw/x", "url": "https://example.org/x", "sha256": None, "bytes": 3}],
    "samples": {"kind": "features", "count": 3, "channels": 2},
    "graphs": {"line": {"num_edges": 2}},
    "tasks": {"topic": {"type": "classification", "num_classes": 2, "train": 1, "valid": 1, "test": 1}},
    "citation": "@article{a,\n  year = {2023}\n}\n",
}


def written(tmp_path, content):
    path = tmp_path / "card.yaml"
    path.write_text(content if isinstance(content, str) else yaml.safe_dump(content))
    return path


def changed(*keys, value):
    """FULL with one nested entry set."""
    content = yaml.safe_load(yaml.safe_dump(FULL))
    inner = content
    for key in keys[:-1]:
        inner = inner[key]
    inner[keys[-1]] = value
    return content


def test_read_gives_typed_fields(tmp_path):
    card = Card.read(written(tmp_path, FULL))
    assert card.files == [CardFile("toy/raw/x", "https://example.org/x", None, 3)]
    assert card.samples.count == 3 and card.graphs["line"].num_edges == 2 and card.tasks["topic"].test == 1
    assert card.measured is None


def test_write_is_read_back(tmp_path):
    card = Card.read(written(tmp_path, FULL))
    card.measured = {"samples": {"count": 3}}
    card.write(tmp_path / "again.yaml")
    assert Card.read(tmp_path / "again.yaml") == card


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (changed("licens", value="MIT"), ["unknown key 'licens'", "did you mean 'licence'?"]),
        (changed("samples", "chanels", value=2), ["unknown key 'samples.chanels'", "did you mean 'channels'?"]),
        (changed("tasks", "topic", "trian", value=1), ["unknown key 'tasks.topic.trian'", "did you mean 'train'?"]),
        (changed("files", 0, "sha", value="x"), ["unknown key 'files.0.sha'", "did you mean 'sha256'?"]),
        (changed("samples", "count", value="3"), ["'samples.count' needs to be an int or null", "'3'"]),
        (changed("samples", "count", value=True), ["'samples.count' needs to be an int", "True"]),
        (changed("samples", "count", value=-1), ["'samples.count' needs to be in [0, inf)", "-1"]),
        (
            changed("samples", "kind", value="pictures"),
            ["'kind'", "in 'samples'", "features, tokens, records", "'pictures'"],
        ),
        (changed("files", value={"a": 1}), ["'files' needs to be a list"]),
        (changed("graphs", value=["line"]), ["'graphs' needs to be a mapping"]),
        (changed("title", value=None), ["'title' needs to be a str"]),
        (changed("files", 0, "path", value="../x"), ["stay inside its folder", "'../x'"]),
        (changed("files", 0, "path", value="/etc/passwd"), ["stay inside its folder"]),
        (changed("files", 0, "sha256", value="ABC"), ["64 lower-case hexadecimal digits", "'ABC'"]),
        ({"title": "no name"}, ["'name' is missing"]),
        ([1, 2], ["needs to be a mapping"]),
        ("a: [1", ["not valid YAML"]),
        ("", ["needs to be a mapping"]),
    ],
)
def test_wrong_cards_are_refused(tmp_path, content, words):
    path = written(tmp_path, content)
    with pytest.raises(ValueError) as error:
        Card.read(path)
    for word in [str(path), *words]:
        assert word in str(error.value)


def test_digest_follows_content_only(tmp_path):
    card = Card.read(written(tmp_path, FULL))
    shuffled = Card.read(written(tmp_path, "# a comment\n" + yaml.safe_dump(dict(reversed(FULL.items())))))
    shuffled.measured = {"samples": {"count": 3}}
    assert shuffled.digest() == card.digest()
    assert Card.read(written(tmp_path, changed("samples", "count", value=4))).digest() != card.digest()


def test_unknown_name_lists_all():
    with pytest.raises(ValueError, match="unknown data set 'cita'") as error:
        load_card("cita")
    assert all(name in str(error.value) for name in card_names())
    with pytest.raises(ValueError, match=r"did you mean 'citeseer'\?"):
        load_card("citeser")


def test_shipped_folder_prefers_package_data(tmp_path, monkeypatch):
    module = tmp_path / "site" / "sigraph" / "data" / "card.py"
    monkeypatch.setattr(card_module, "__file__", str(module))
    assert shipped_folder() == tmp_path / "site" / "datasets"
    installed = tmp_path / "site" / "sigraph" / "_shipped" / "datasets"
    (installed / "toy").mkdir(parents=True)
    (installed / "no-card").mkdir()
    written(installed / "toy", FULL)
    assert shipped_folder() == installed
    assert card_names() == ["toy"] and load_card("toy").title == "A toy"
    (installed / "toy").rename(installed / "other")
    with pytest.raises(ValueError, match="needs to be that of the folder, 'other'"):
        load_card("other")
