"""Token sequences: made, checked, fetched in batches, kept on disk and sent to workers."""

import pickle

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from token_cases import listed as in_a_row

from sigraph.data import PretrainBatch, PretrainGraph, SampleDataset
from sigraph.data.pairs import Pairs
from sigraph.encoders import GRUEncoder, TransformerEncoder
from sigraph.objectives import MaskedToken
from sigraph.samples import FIRST_TOKEN, MASK, PAD, Records, Tokens, TokenSequences, token_table
from sigraph.tables import TableReport, from_tables

SEQUENCES = [[2, 3, 4], [5], [2, 2], [9, 8, 7, 6, 5]]
sequences = st.lists(st.lists(st.integers(FIRST_TOKEN, 20), min_size=1, max_size=7), min_size=1, max_size=9)


def ids(*node: int) -> torch.Tensor:
    return torch.tensor(node, dtype=torch.long)


def listed(tokens: Tokens) -> list[list[int]]:
    """The sequences of a batch; padded, what lies behind their ends has to be padding."""
    assert tokens.token.dtype == tokens.ptr.dtype == torch.int64
    ids, is_real = tokens.padded()
    assert ids.size(1) == max(tokens.length.tolist(), default=0)
    assert torch.equal(is_real, ids != PAD) and torch.equal(ids[is_real], tokens.token)
    assert torch.equal(tokens.sample, is_real.nonzero()[:, 0])
    backwards = torch.arange(len(ids)).flip(0)
    assert in_a_row(tokens.take(backwards)) == in_a_row(tokens)[::-1]
    return in_a_row(tokens)


@pytest.fixture
def dataset() -> SampleDataset:
    return SampleDataset(token_table(SEQUENCES, 30, text=["a", "b", "c", "d"]))


@given(sequences, st.data())
@settings(max_examples=60, deadline=None)
def test_a_batch_holds_the_sequences_asked_for_in_their_order(given_sequences, data):
    dataset = SampleDataset(token_table(given_sequences, 21))
    node = data.draw(st.lists(st.integers(0, len(given_sequences) - 1), max_size=8))
    assert listed(dataset.fetch(ids(*node))) == [given_sequences[i] for i in node]


def test_ways_to_give_sequences(dataset):
    offset = np.cumsum([0, *map(len, SEQUENCES)])
    token = np.concatenate(SEQUENCES)
    for given_sequences in (
        [torch.tensor(s) for s in SEQUENCES],
        [np.array(s, dtype=np.uint8) for s in SEQUENCES],
        (offset, token),
        (torch.from_numpy(offset), token.tolist()),
    ):
        table = token_table(given_sequences, 30)
        assert table.schema.field("tokens").type == pa.list_(pa.uint16()) and table.column_names == ["tokens"]
        assert listed(SampleDataset(table).fetch(torch.arange(4))) == SEQUENCES
    assert dataset.samples.column("text").to_pylist() == ["a", "b", "c", "d"]


@pytest.mark.parametrize("kind", [pa.list_(pa.int8()), pa.large_list(pa.int64()), pa.list_(pa.int32(), 2)])
def test_any_list_of_integers_will_do(kind):
    column = pa.chunked_array([pa.array([[2, 3]], kind), pa.array([[8, 9], [4, 4], [5, 2]], kind).slice(1, 2)])
    dataset = SampleDataset(pa.table({"tokens": column}))
    assert listed(dataset.fetch(ids(2, 1, 0))) == [[5, 2], [4, 4], [2, 3]]
    assert dataset.num_tokens == 6  # without metadata the largest id + 1, of what is there: 8 and 9 were cut off


def test_what_a_data_set_says_of_them(dataset):
    assert (dataset.num_tokens, dataset.max_length, dataset.in_channels) == (30, 5, None)
    assert "num_tokens=30" in repr(dataset)
    rows = SampleDataset(torch.ones(2, 3))
    assert (rows.num_tokens, rows.max_length) == (None, None)


def test_a_column_of_that_name_which_holds_no_lists_is_a_record():
    dataset = SampleDataset(pa.table({"tokens": [3, 4], "text": ["a", "b"]}))
    assert dataset.num_tokens is None and dataset.fetch(ids(1)) == [{"tokens": 4, "text": "b"}]


@pytest.mark.parametrize("metadata", [True, False])
def test_the_vocabulary_survives_subsets_disk_and_pickling(tmp_path, metadata):
    table = token_table(SEQUENCES, 10)
    dataset = SampleDataset(table if metadata else table.replace_schema_metadata({}), {"g": PretrainGraph([[0], [3]])})
    assert dataset.num_tokens == 10
    part = dataset.subset(ids(1, 0))
    assert part.num_tokens == 10 and listed(part.fetch(ids(0, 1))) == [[5], [2, 3, 4]]
    dataset.save(tmp_path / "saved")
    pq.write_table(dataset.samples, tmp_path / "samples.parquet")
    for other in (
        SampleDataset.open(tmp_path / "saved", verify=True),
        SampleDataset(tmp_path / "samples.parquet"),
        pickle.loads(pickle.dumps(dataset)),
        pickle.loads(pickle.dumps(SampleDataset.open(tmp_path / "saved"))),
        dataset.replace(graphs={}),
    ):
        assert other.num_tokens == 10 and listed(other.fetch(ids(3, 1))) == [SEQUENCES[3], [5]]
    assert len(pickle.dumps(SampleDataset.open(tmp_path / "saved"))) < 10_000


@pytest.mark.parametrize(("num_tokens", "size"), [(65_536, 2), (65_537, 4)])
def test_ids_are_mapped_and_take_two_bytes_where_the_vocabulary_allows(tmp_path, num_tokens, size):
    token = np.arange(2, 60_002)
    table = token_table((np.arange(0, 60_001, 600), token), num_tokens)
    assert table.nbytes < 60_000 * size + 1_000
    SampleDataset(table).save(tmp_path / "saved")
    assert (tmp_path / "saved" / "samples.arrow").stat().st_size < 60_000 * size + 4_000
    before = pa.total_allocated_bytes()
    opened = SampleDataset.open(tmp_path / "saved")
    assert pa.total_allocated_bytes() - before < 1_000
    held = opened.store._column.value
    assert held.dtype.itemsize == size and not held.flags.owndata
    assert opened.fetch(ids(99)).token.tolist() == token[-600:].tolist()


@pytest.mark.parametrize("kind", [pa.list_(pa.int32()), pa.large_list(pa.int64()), pa.list_(pa.int8())])
def test_however_many_bytes_an_id_takes_the_digest_is_one(tmp_path, kind):
    """Also in folders of an earlier version, which hold a Parquet file."""
    dataset = SampleDataset(pa.table({"tokens": pa.array(SEQUENCES, kind)}, metadata={"num_tokens": "30"}))
    made = SampleDataset(token_table(SEQUENCES, 30))
    assert (dataset.store.digest() == made.store.digest()) == (kind == pa.list_(pa.int32()))
    dataset.save(tmp_path / "new")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(TokenSequences, "mark", "samples.parquet")
        patch.setattr(TokenSequences, "save", Records.save)
        dataset.save(tmp_path / "old")
    for name, file in (("new", "samples.arrow"), ("old", "samples.parquet")):
        opened = SampleDataset.open(tmp_path / name, verify=True)
        assert (tmp_path / name / file).is_file() and listed(opened.fetch(torch.arange(4))) == SEQUENCES
        assert opened.store.digest() == dataset.store.digest()
        opened.save(tmp_path / f"{name} again")
        assert SampleDataset.open(tmp_path / f"{name} again").store.digest() == dataset.store.digest()


def test_sequences_are_found_again_under_a_larger_vocabulary():
    small, large = (SampleDataset(token_table([[2, 3], [4, last]], n)).store for n, last in ((9, 5), (70_000, 69_999)))
    assert TokenSequences.alike([small, large], None, None).levels["exact"].tolist() == [0, 1, 0, 2]


def test_the_fingerprint_knows_tokens_and_vocabulary():
    made = [SampleDataset(token_table(s, n)).fingerprint for s, n in (([[2, 3]], 5), ([[2, 3]], 5), ([[2, 4]], 5))]
    assert made[0] == made[1] != made[2]
    assert SampleDataset(token_table([[2, 3]], 6)).fingerprint != made[0]


def test_foreign_metadata_stay():
    table = token_table([[2, 3]], 5)
    table = table.replace_schema_metadata({"author": "me"})
    assert SampleDataset(table).samples.schema.metadata == {b"author": b"me", b"num_tokens": b"4"}


def test_a_step_moves_them(dataset):
    inputs = dataset.fetch(ids(0, 1))
    batch = PretrainBatch(ids(0, 1), 2, inputs, Pairs.square(torch.empty(2, 0, dtype=torch.long), 2), target=inputs)
    moved = batch.to("meta")
    for tokens in (moved.inputs, moved.target):
        assert isinstance(tokens, Tokens) and tokens.token.device.type == tokens.ptr.device.type == "meta"


@pytest.mark.parametrize("method", ["fork", "forkserver"])
def test_workers_fetch_the_same(tmp_path, method, dataset):
    dataset.save(tmp_path / "saved")
    for source in (dataset, SampleDataset.open(tmp_path / "saved")):
        loader = torch.utils.data.DataLoader(
            [ids(3, 0), ids(1)],
            batch_size=None,
            collate_fn=source.fetch,
            num_workers=1,
            multiprocessing_context=method,
        )
        assert [listed(tokens) for tokens in loader] == [[SEQUENCES[3], SEQUENCES[0]], [[5]]]


@pytest.mark.parametrize(
    ("given_sequences", "message"),
    [
        ([[2, MASK]], r"ids in \[2, num_tokens = 8\) \(got \[1, 2\]; first: 1 in sample 0\); 0 and 1 stand for"),
        ([[2], [3, PAD]], r"got \[0, 3\]; first: 0 in sample 1"),
        ([[2, 3], [8]], r"got \[2, 8\]; first: 8 in sample 1"),
        ([[2**33]], r"got \[2, 8589934592\]; first: 8589934592 in sample 0"),
        ([[-1]], "first: -1 in sample 0"),
        ([[2], [], []], r"at least one token a sample \(got none in 2 rows; first: 1, 2\); leave these samples out"),
        ([[2.0]], r"'sequence 0' needs to be 1-D and of integers in 'token_table' \(got float64 \[1\]\)"),
        ([[2], [[3]]], r"'sequence 1' needs to be 1-D and of integers"),
        (["ab"], r"'sequence 0' needs to be 1-D and of integers"),
        ("ab", r"'sequences' needs a list .*\(got a str\)"),
        (3, r"'sequences' needs a list .*\(got a int\)"),
        (([2], [3], [4]), r"a tuple \(offset, token\) .*got a tuple of 3"),
        (([2, 3], [4, 5]), r"'offset' needs to rise from 0 to 2, .*several sequences are a list"),
        (([0, 2, 1, 3], [4, 5, 6]), "'offset' needs to rise"),
        (([0, 2], [4, 5, 6]), "'offset' needs to rise"),
    ],
)
def test_bad_sequences_are_named(given_sequences, message):
    with pytest.raises(ValueError, match=message):
        token_table(given_sequences, 8)


@pytest.mark.parametrize("num_tokens", [2, 0, -5, "many", 7.0, None, True])
def test_a_vocabulary_holds_more_than_the_special_ids(num_tokens):
    with pytest.raises(ValueError, match=r"'num_tokens' needs to be an integer >= 3 in 'token_table'"):
        token_table([[2]], num_tokens)


@pytest.mark.parametrize(
    ("column", "message"),
    [
        (pa.array([[2], None]), r"a whole sequence in every row \(got 1 nulls\)"),
        (pa.array([[2, None], [None]]), r"a whole sequence in every row \(got 2 nulls\)"),
        (pa.array([["a"]]), r"lists of integers \(got list<.*string>\); rename it to keep plain records"),
        (pa.array([[2.5]]), "lists of integers"),
        (pa.array([[2], []]), r"at least one token a sample \(got none in 1 rows; first: 1\)"),
        (pa.array([[3], [0, 4]]), r"first: 0 in sample 1"),
    ],
)
@pytest.mark.parametrize("way", ["memory", "file"])
def test_bad_columns_are_named(tmp_path, column, message, way):
    samples = pa.table({"tokens": column})
    if way == "file":
        pq.write_table(samples, tmp_path / "samples.parquet")
        samples = tmp_path / "samples.parquet"
    with pytest.raises(ValueError, match=f"the column 'tokens' needs .*{message}"):
        SampleDataset(samples)


@pytest.mark.parametrize("text", ["", "many", "-3", "2", "1e3", str(1 << 40)])
def test_bad_metadata_are_named(text):
    table = token_table([[2]], 5).replace_schema_metadata({"num_tokens": text})
    with pytest.raises(ValueError, match=rf"'num_tokens' needs to be an integer in .*\(got '{text}'\)"):
        SampleDataset(table)


def test_ids_beyond_the_stated_vocabulary_are_refused_where_they_are_opened():
    table = token_table([[2], [6, 7]], 8).replace_schema_metadata({"num_tokens": "7"})
    with pytest.raises(ValueError, match=r"num_tokens = 7\) \(got \[2, 7\]; first: 7 in sample 1\)"):
        SampleDataset(table)


def test_a_users_table_of_tokens_becomes_token_sequences(tmp_path):
    """Also where all have one length, as feature rows do; the vocabulary that the file states is kept."""
    tokens = [[2, 3], [4, 5], [6, 7]]
    pq.write_table(token_table(tokens, 12, name=["a", "b", "c"]), tmp_path / "stated.parquet")
    (tmp_path / "plain.jsonl").write_text(
        "".join(f'{{"name": "{n}", "tokens": {t}}}\n' for n, t in zip("abc", tokens, strict=True))
    )
    edges = pa.table({"source": ["a", "b"], "target": ["c", "c"]})
    for file, num_tokens in (("stated.parquet", 12), ("plain.jsonl", 8)):
        report = TableReport()
        dataset = from_tables(tmp_path / file, {"links": edges}, id_column="name", report=report)
        assert dataset.num_tokens == num_tokens and dataset.ids.to_pylist() == ["a", "b", "c"]
        assert listed(dataset.fetch(ids(2, 0))) == [[6, 7], [2, 3]]
        assert report.samples.notes == [f"token sequences over a vocabulary of {num_tokens}"]


def test_a_users_table_of_other_lists_is_named_with_the_ways_out(tmp_path):
    file = tmp_path / "mine.parquet"
    pq.write_table(pa.table({"id": ["a", "b"], "tokens": [[0, 3], [4]], "size": [1.0, 2.0]}), file)
    needed = r"mine.parquet: the column 'tokens' needs ids in .*: add 2 to yours, .* or rename .*--ignore tokens\)"
    with pytest.raises(ValueError, match=needed):
        from_tables(file, {})
    assert from_tables(file, {}, ignore=["tokens"]).in_channels == 1


BERT = {"num_tokens": 110, "pad_token": 0, "mask_token": 103, "special_tokens": [101, 102]}
ESM = {"num_tokens": 33, "pad_token": 1, "mask_token": 32, "special_tokens": [0, 2]}


@pytest.mark.parametrize("vocabulary", [BERT, ESM], ids=["BERT", "ESM"])
def test_a_tokenizers_own_special_ids_are_kept_and_neither_hidden_nor_predicted(tmp_path, vocabulary):
    """BERT's [CLS], [SEP], [MASK] and ESM's <cls>, <eos>, <mask>, as their tokenizers number them."""
    first, last = vocabulary["special_tokens"]
    pad, mask = vocabulary["pad_token"], vocabulary["mask_token"]
    sequences = [[first, *range(5, 5 + size), last] for size in (1, 3, 9)]
    dataset = SampleDataset(token_table(sequences, **vocabulary))
    dataset.save(tmp_path / "saved")
    for one in (dataset, SampleDataset.open(tmp_path / "saved"), dataset.subset(ids(0, 1, 2))):
        batch = one.fetch(ids(0, 1, 2))
        assert one.sizes["pad_token"] == pad and one.sizes["mask_token"] == mask
        padded, is_real = batch.padded()
        assert (padded[0, 3:] == pad).all() and torch.equal(is_real, padded != pad)
        assert batch.is_special.sum() == 6 and batch.is_special[batch.ptr[:-1]].all()
    sizes = {name: one.sizes[name] for name in ("num_tokens", "pad_token", "mask_token")}
    objective = MaskedToken(**sizes, encoder_channels=4, mask_rate=0.9, hide_rate=0.5, random_rate=0.5)
    seen = set()
    for seed in range(30):
        corrupted, target = objective.corrupt(batch, ids(0, 1, 2), 3, torch.Generator().manual_seed(seed))
        assert torch.equal(corrupted.token[batch.is_special], batch.token[batch.is_special])
        assert torch.equal(corrupted.token == pad, batch.token == pad)
        assert not set(target.token.tolist()) & {first, last, pad, mask}
        assert torch.equal(batch.token[target.part], target.token)  # rows of h
        seen |= set(corrupted.token[~batch.is_special].tolist())
    assert mask in seen and pad not in seen
    for encoder in (GRUEncoder(**sizes, out_channels=4), TransformerEncoder(**sizes, out_channels=4)):
        z, h, _ = encoder.eval()(corrupted)
        assert z.isfinite().all() and len(h) == sum(map(len, sequences))
        beyond = batch._replace(token=batch.token.masked_fill(batch.token == 5, vocabulary["num_tokens"] + 7))
        hidden = batch._replace(token=batch.token.masked_fill(batch.token == 5, mask))
        torch.testing.assert_close(encoder(beyond).z, encoder(hidden).z)  # unknown is hidden


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"mask_token": 0}, "'mask_token' needs another id than 'pad_token'"),
        ({"mask_token": 110}, r"'mask_token' needs to be an integer in \[0, 109\]"),
        ({"special_tokens": [103]}, "are those besides"),
        ({"special_tokens": [200]}, "'special_tokens' needs"),
        ({"pad_token": 5, "mask_token": 103}, r"but for 5 and 103 .*first: 5 in sample 0"),
    ],
)
def test_special_ids_that_cannot_be_are_named(change, message):
    with pytest.raises(ValueError, match=message):
        token_table([[101, 5, 102]], **{**BERT, **change})
