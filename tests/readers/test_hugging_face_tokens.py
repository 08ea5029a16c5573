"""HuggingFaceTokens: a checkpoint's tokens are its own, training is the same each time, what is cut is said."""

import json
import sys

import pyarrow as pa
import pytest
import torch
from token_cases import listed, saved

from sigraph.readers import HuggingFaceTokens

TEXTS = ["the cell binds a receptor", "Stars", "", None, "the the the the", "a [MASK] x"]


def rows(reader, records):
    samples = reader.read(records)
    return listed(samples.fetch(torch.arange(len(samples))))


def fitted(records, *args, **settings):
    reader = HuggingFaceTokens(*args, **settings)
    reader.fit(records)
    return reader


def test_tokens_of_a_checkpoint_are_its_own_and_what_is_not_known_is_counted(tmp_path):
    records = pa.table({"text": TEXTS})
    reader = fitted(records, checkpoint=saved(tmp_path))
    assert rows(reader, records) == [
        [2, 5, 6, 7, 8, 9, 3],
        [2, 1, 3],
        [2, 3],
        [2, 3],
        [2, 5, 5, 5, 5, 3],
        [2, 8, 1, 1, 3],
    ]
    samples = reader.read(records)
    assert dict(samples.sizes) == {"num_tokens": 10, "pad_token": 0, "mask_token": 4, "max_length": 7}
    assert samples.num_parts().tolist() == [5, 1, 0, 0, 4, 3]  # special tokens are no parts
    assert reader.note(records) == (
        "2 of 13 tokens, in 2 texts, are not in the vocabulary: read as the unknown one; 2 texts are empty (row 3, 4)"
    )
    assert reader.known(records).tolist() == [1, 0, 0, 0, 1, pytest.approx(2 / 3)]


@pytest.mark.parametrize(("side", "kept"), [("right", [2, 5, 6, 3]), ("left", [2, 8, 9, 3])])
def test_longer_texts_are_cut_at_the_end_that_is_named_and_counted(tmp_path, side, kept):
    records = pa.table({"text": TEXTS})
    reader = fitted(records, checkpoint=saved(tmp_path), max_length=4, truncate=side)
    assert rows(reader, records)[0] == kept
    where = "end" if side == "right" else "beginning"
    assert f"3 texts are longer than 4 tokens: cut at the {where}" in reader.note(records)


def in_sentence_transformers_layout(folder, limit, place=""):
    """A folder whose texts are cut at a limit, its tokenizer at the top or in a folder within."""
    saved(folder / place)
    kinds = {"Transformer": place, "Pooling": "1_Pooling"}
    listed = [{"path": path, "type": f"sentence_transformers.models.{kind}"} for kind, path in kinds.items()]
    (folder / "modules.json").write_text(json.dumps(listed))
    (folder / place / "sentence_bert_config.json").write_text(json.dumps({"max_seq_length": limit}))
    return str(folder)


@pytest.mark.parametrize("place", ["", "0_Transformer"])
def test_a_folder_of_sentence_transformers_says_where_texts_are_cut(tmp_path, place):
    records = pa.table({"text": TEXTS})
    folder = in_sentence_transformers_layout(tmp_path / "st", 4, place)
    reader = fitted(records, checkpoint=folder)
    assert reader.limit == 4 and rows(reader, records)[0] == [2, 5, 6, 3] and "than 4 tokens" in reader.note(records)
    again = HuggingFaceTokens(checkpoint="gone")
    again.restore(reader.state())
    assert again.limit == 4 and rows(again, records) == rows(reader, records)
    assert fitted(records, checkpoint=folder, max_length=6).limit == 6
    assert fitted(records, checkpoint=in_sentence_transformers_layout(tmp_path / "open", None)).limit == 512
    with pytest.raises(ValueError, match=r"max_seq_length in .* needs to be an integer >= 3 \(got '128'\)"):
        fitted(records, checkpoint=in_sentence_transformers_layout(tmp_path / "text", "128"))


def test_without_a_limit_it_is_512_also_of_what_was_kept_before(tmp_path):
    records = pa.table({"text": ["the cell " * 400]})
    for given in ({"checkpoint": saved(tmp_path)}, {"train": {"vocab_size": 30}}):
        reader = fitted(records, **given)
        assert reader.limit == 512 == len(rows(reader, records)[0])
        old = {key: value for key, value in reader.state().items() if key != "max_length"}
        again = HuggingFaceTokens(**given)
        again.restore(old)
        assert rows(again, records) == rows(reader, records)


def test_fitting_again_learns_the_same():
    records = pa.table({"title": ["the cell", "a star", None], "text": ["binds it", None, ""]})
    reader = fitted(records, ["title", "text"], train={"vocab_size": 60})
    first = reader.state()
    reader.fit(records)
    assert reader.state() == first


def test_several_columns_are_joined_by_the_separator(tmp_path):
    records = pa.table({"title": ["the cell", "a", None], "abstract": ["binds", None, ""]})
    reader = fitted(records, ["title", "abstract"], checkpoint=saved(tmp_path))
    assert rows(reader, records) == [[2, 5, 6, 3, 7, 3], [2, 8, 3, 3], [2, 3]]


@pytest.mark.parametrize("model", ["wordpiece", "bpe"])
def test_the_same_texts_train_the_same_tokenizer(model):
    records = pa.table({"text": ["graphs and more graphs of stars [[x]]", "the same stars", "Wörter, Wörter"]})
    readers = [fitted(records, train={"vocab_size": 90, "model": model}, marked=["[[", "]]"]) for _ in range(3)]
    assert readers[0].state() == readers[1].state() == readers[2].state()
    reader = HuggingFaceTokens(train={"vocab_size": 90, "model": model}, marked=["[[", "]]"])
    reader.restore(json.loads(json.dumps(readers[0].state())))
    tokenizer = reader._tokenizer
    found = [tokenizer.id_to_token(one) for one in rows(reader, pa.table({"text": ["stars of [[stars]] z"]}))[0]]
    assert found[:2] == ["[CLS]", "stars"] and found[-2:] == ["[UNK]", "[SEP]"]  # no z was ever seen
    assert found.count("[[") == found.count("]]") == 1
    assert reader.read(records).sizes["num_tokens"] <= 90 and reader.max_parts is None


def test_a_vocabulary_of_letters_is_a_token_a_letter(tmp_path):
    names = ["<s>", "<pad>", "</s>", "<unk>", *"ACDEF", "<mask>"]
    (tmp_path / "vocab.json").write_text(json.dumps({name: i for i, name in enumerate(names)}))
    records = pa.table({"sequence": ["AC-df*", "B", ""]})
    reader = fitted(records, "sequence", checkpoint=str(tmp_path))
    assert rows(reader, records) == [[0, 4, 5, 6, 8, 2], [0, 3, 2], [0, 2]]
    assert reader.read(records).sizes["pad_token"] == 1 and reader.note(records).startswith("1 of 5 tokens, in 1 text,")
    cut = fitted(pa.table({"sequence": ["ACDEFA"]}), "sequence", checkpoint=str(tmp_path), max_length=5)
    assert cut.max_parts == 3 and cut.read(pa.table({"sequence": ["ACDEFA", "A"]})).num_parts().tolist() == [3, 1]
    assert fitted(records, "sequence", checkpoint=str(tmp_path), max_length=5, truncate="left").max_parts is None
    (tmp_path / "vocab.json").write_text(json.dumps({"<unk>": 0, "hello": 1}))
    with pytest.raises(ValueError, match=r"a vocabulary of words \('hello'\) but no rules to split by"):
        fitted(records, "sequence", checkpoint=str(tmp_path))


def test_letters_a_line_are_read_as_the_tokenizer_of_their_model_does(tmp_path):
    from transformers import EsmTokenizer

    names = ["<cls>", "<pad>", "<eos>", "<unk>", *"LAGVSERTIDPKQNFYMHWCXBUZO.-", "<null_1>", "<mask>"]
    (tmp_path / "vocab.txt").write_text("\n".join(names))  # as ESM-2 comes
    (tmp_path / "tokenizer_config.json").write_text(json.dumps({"tokenizer_class": "EsmTokenizer"}))
    records = pa.table({"sequence": ["MKVLJ", "WX"]})
    reader = fitted(records, "sequence", checkpoint=str(tmp_path))
    own = EsmTokenizer(str(tmp_path / "vocab.txt"))
    assert rows(reader, records) == [own(one)["input_ids"] for one in records["sequence"].to_pylist()]
    lower = pa.table({"sequence": ["mk-v L*"]})
    assert rows(reader, lower) == [own("MKVL")["input_ids"]]


def test_what_cannot_be_opened_or_trained_is_said(tmp_path):
    records = pa.table({"text": TEXTS})
    with pytest.raises(ValueError, match=r"'checkpoint' or 'train' is needed in 'HuggingFaceTokens', .*got none"):
        HuggingFaceTokens()
    with pytest.raises(ValueError, match=r"nothing is downloaded: fetch it once .*hf download some/bert --local-dir"):
        fitted(records, checkpoint="some/bert")
    with pytest.raises(ValueError, match="holds no tokenizer that can be read"):
        fitted(records, checkpoint=str(tmp_path))
    (tmp_path / "old").mkdir()
    (tmp_path / "old" / "config.json").write_text("{}")
    (tmp_path / "old" / "vocab.txt").write_text("[PAD]\n[UNK]\n[MASK]\nthe")
    with pytest.raises(ValueError, match=r"config\.json names no 'model_type', such as bert: write it there"):
        fitted(records, checkpoint=str(tmp_path / "old"))
    with pytest.raises(ValueError, match="has no mask token, which 'HuggingFaceTokens' needs; add one to it"):
        fitted(records, checkpoint=saved(tmp_path / "maskless", mask=None))
    with pytest.raises(ValueError, match=r"'marked' names '\[\[' .*which is no token of"):
        fitted(records, checkpoint=saved(tmp_path / "plain"), marked=["[["])
    with pytest.raises(ValueError, match=r"'train.model' needs to be one of wordpiece, bpe .*'unigram'"):
        HuggingFaceTokens(train={"model": "unigram"})
    with pytest.raises(ValueError, match=r"'train' needs a mapping of model, vocab_size, lowercase"):
        HuggingFaceTokens(train={"size": 9})
    for name, value in (("max_length", 2), ("truncate", "middle"), ("marked", [3])):
        with pytest.raises(ValueError, match=f"'{name}' needs"):
            HuggingFaceTokens(train={}, **{name: value})


def test_units_are_the_words_of_each_text(tmp_path):
    records = pa.table({"text": ["cells bind", "cell", ""]})
    reader = fitted(records, train={"vocab_size": 21}, units=True)
    samples = reader.read(records)
    found = samples.fetch(torch.arange(3))
    tokens = [reader._tokenizer.id_to_token(one) for one in found.token.tolist()]
    unit = found.unit.tolist()
    assert [one for token, one in zip(tokens, unit, strict=True) if token.startswith("[")] == [-1] * 6
    words = {}
    for token, one, sample in zip(tokens, unit, found.sample.tolist(), strict=True):
        if one >= 0:
            words[sample, one] = words.get((sample, one), "") + token.removeprefix("##")
    assert words == {(0, 0): "cells", (0, 1): "bind", (1, 0): "cell"}
    assert samples.num_parts().tolist() == [2, 1, 0] and found.begins_unit.sum() == 3


@pytest.mark.parametrize("how", ["train", "letters", "restore"])
def test_without_the_extra_it_is_named(how, tmp_path, monkeypatch):
    state = fitted(pa.table({"text": TEXTS}), train={"vocab_size": 60}).state()
    letters = {"<s>": 0, "<pad>": 1, "</s>": 2, "<unk>": 3, "<mask>": 4, "A": 5}
    (tmp_path / "vocab.json").write_text(json.dumps(letters))
    given = {"checkpoint": str(tmp_path)} if how == "letters" else {"train": {"vocab_size": 60}}
    reader = HuggingFaceTokens(**given)
    monkeypatch.setitem(sys.modules, "tokenizers", None)
    with pytest.raises(ImportError, match=r"'HuggingFaceTokens' needs tokenizers: pip install 'sigraph\[sequence\]'"):
        reader.restore(state) if how == "restore" else reader.fit(pa.table({"text": TEXTS}))


def test_marks_in_a_checkpoint_s_vocabulary_are_not_split(tmp_path):
    checkpoint = saved(tmp_path, more=("[", "]", "[[", "]]"))
    text = pa.table({"text": ["the [[cell]] binds"]})
    kept = fitted(text, checkpoint=checkpoint, marked=["[[", "]]"])
    assert rows(kept, text) == [[2, 5, 12, 6, 13, 7, 3]]
    again = HuggingFaceTokens(checkpoint="gone", marked=["[[", "]]"])
    again.restore(kept.state())
    assert rows(again, text) == rows(kept, text)
