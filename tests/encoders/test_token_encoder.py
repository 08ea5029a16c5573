"""Every encoder of token sequences: what lies behind an end changes nothing, and what it cannot read is said."""

import pickle
import warnings

import pyarrow as pa
import pytest
import torch
from token_cases import tokens_of

from sigraph.data import SampleDataset
from sigraph.encoders import BagOfWordsEncoder, GRUEncoder, TransformerEncoder, embed
from sigraph.losses import InfoNCELoss
from sigraph.pretrain import PretrainModule
from sigraph.samples import MASK, PAD, Tokens, token_table

ENCODERS = {
    "bag": lambda **more: BagOfWordsEncoder(12, 8, 6, **more),
    "gru": lambda **more: GRUEncoder(12, 5, 6, **more),
    "gru-last": lambda **more: GRUEncoder(12, 5, 6, num_layers=2, pooling="last", **more),
    "transformer": lambda **more: TransformerEncoder(12, 6, num_heads=2, **more),
    "transformer-first": lambda **more: TransformerEncoder(
        12, 6, num_heads=3, pooling="first", positions="sinusoidal", **more
    ),
}
every_encoder = pytest.mark.parametrize("make", ENCODERS.values(), ids=ENCODERS.keys())
padding_encoder = pytest.mark.parametrize("make", list(ENCODERS.values())[1:], ids=list(ENCODERS)[1:])
SEQUENCES = [[2, 3, 4, 5], [6, 7], [11], [3, 2, 3, 2, 9, 9, 9]]


@pytest.fixture
def tokens() -> Tokens:
    return SampleDataset(token_table(SEQUENCES, 12)).fetch(torch.arange(4))


def made(make, **more):
    torch.manual_seed(0)
    return make(**more).eval()


def found(encoder, tokens):
    """z, h and gradients of all parameters, each row of z and h with a weight of its own."""
    z, h, ptr = encoder(tokens)
    loss = (z * torch.arange(1, 7)).sin().sum()
    if h is not None:
        assert torch.equal(ptr, tokens.ptr)
        loss = loss + (h * torch.arange(1, 1 + len(h))[:, None]).sin().sum()
    loss.backward()
    return z, h, [parameter.grad for parameter in encoder.parameters()]


@padding_encoder
@pytest.mark.parametrize("filler", [PAD, 7])
def test_padding_changes_neither_z_nor_h_nor_gradients(make, tokens, filler):
    """More of it, or of anything else behind the ends."""
    encoder, wide = made(make), made(make)
    encode = wide.encode_padded

    def widened(token, is_real):
        token = torch.nn.functional.pad(token.masked_fill(~is_real, filler), (0, 3), value=filler)
        z, state = encode(token, torch.nn.functional.pad(is_real, (0, 3)))
        return z, state[:, :-3]

    wide.encode_padded = widened
    torch.testing.assert_close(found(encoder, tokens), found(wide, tokens))


@padding_encoder
@pytest.mark.parametrize("max_tokens", [1, 5, 14])
@pytest.mark.parametrize("recompute", [False, True])
def test_chunks_change_neither_z_nor_h_nor_gradients(make, tokens, max_tokens, recompute):
    encoder, cut = made(make).double(), made(make, max_tokens=max_tokens, recompute=recompute).double()
    sizes, encode = [], cut.encode_padded
    cut.encode_padded = lambda token, is_real: (sizes.append(token.numel()), encode(token, is_real))[1]
    torch.testing.assert_close(found(encoder, tokens), found(cut, tokens))
    assert len(sizes) > 1 and all(size <= max(max_tokens, 7) for size in sizes)


@padding_encoder
def test_recomputing_draws_the_same_dropout_and_keeps_nothing(make, tokens):
    kept, again = (made(make, dropout=0.4, max_tokens=8, recompute=recompute).train() for recompute in (False, True))
    for encoder in (kept, again):
        torch.manual_seed(3)
        encoder.found = found(encoder, tokens)
    torch.testing.assert_close(kept.found, again.found)


@padding_encoder
def test_a_step_that_recomputes_keeps_what_chunks_give_and_no_more(make):
    tokens, kept = tokens_of([[2 + i % 9] * 30 for i in range(20)]), {}
    for recompute in (False, True):
        encoder, sizes = made(make, max_tokens=120, recompute=recompute), []

        def keep(value, sizes=sizes):
            sizes.append(value.numel())
            return value

        with torch.autograd.graph.saved_tensors_hooks(keep, lambda value: value):
            encoder(tokens)
        kept[recompute] = sum(sizes)
    assert kept[True] < kept[False] / 4


@pytest.mark.slow  # a compiler runs
def test_a_compiled_one_gives_the_same_for_any_lengths_and_cuts_chunks_as_ever(tokens):
    """Compiled once for all lengths of more than one token; one is a case of its own to torch."""
    encoder, cut = (made(ENCODERS["transformer"], max_tokens=8, recompute=True) for _ in range(2))
    graphs = []
    cut.compile(backend=lambda module, _: (graphs.append(module), module.forward)[1])
    torch.testing.assert_close(found(encoder, tokens), found(cut, tokens))
    number = len(graphs)
    assert 0 < number <= 4
    for length in (5, 3, 6):
        other = tokens_of([[2] * length] * 2)
        torch.testing.assert_close(encoder(other).z, cut(other).z)
    assert len(graphs) <= number + 1
    assert torch.equal(pickle.loads(pickle.dumps(cut))(tokens).z, encoder(tokens).z)


def test_a_compiled_wrapper_is_refused_with_the_way_out():
    compiled = torch.compile(made(ENCODERS["gru"]), backend="eager")
    for make in (lambda: PretrainModule(compiled, InfoNCELoss()), lambda: embed(compiled, SampleDataset([[1.0]]))):
        with pytest.raises(ValueError, match=r"got OptimizedModule\); compile it in place: encoder.compile\(\)"):
            make()


@every_encoder
def test_padding_and_unseen_tokens_get_no_gradient(make, tokens):
    encoder = made(make)
    z, h, _ = encoder(tokens)
    (z.sin().sum() + (0 if h is None else h.sin().sum())).backward()
    weight = encoder.weight if isinstance(encoder, BagOfWordsEncoder) else encoder.embedding.weight
    assert set(weight.grad.abs().sum(dim=1).nonzero().view(-1).tolist()) == {t for s in SEQUENCES for t in s}


@every_encoder
def test_embed_gives_what_the_encoder_gives_one_by_one(make):
    encoder = made(make)
    dataset = SampleDataset(token_table(SEQUENCES, 12))
    z = embed(encoder, dataset, batch_size=3)
    alone = torch.cat([encoder(dataset.fetch(torch.tensor([i]))).z for i in range(4)])
    torch.testing.assert_close(z, alone.detach())
    assert embed(encoder, dataset, torch.empty(0, dtype=torch.long)).shape == (0, 6)


@every_encoder
def test_a_pickled_one_embeds_the_same(make, tokens):
    encoder = made(make)
    assert torch.equal(pickle.loads(pickle.dumps(encoder))(tokens).z, encoder(tokens).z)


@every_encoder
def test_dropout_acts_in_training_only(make, tokens):
    encoder = made(make, dropout=0.5)
    assert torch.equal(encoder(tokens).z, encoder(tokens).z)
    encoder.train()
    assert not torch.equal(encoder(tokens).z, encoder(tokens).z)


@every_encoder
def test_samples_that_it_cannot_read_are_said_with_their_data_set(make):
    encoder, name = made(make), type(made(make)).__name__
    encoder.check_samples(SampleDataset(token_table([[2]], 12)))
    encoder.check_samples(SampleDataset(token_table([[2]], 7)))  # a part of the vocabulary
    needed = f"'{name}' needs token sequences over a vocabulary of 12, but the samples of data set 'toy' are"
    for samples, described in (
        (torch.ones(3, 4), "rows of 4 features; make token sequences of them"),
        (pa.table({"text": ["a", "b"]}), "records with the columns 'text'; make token sequences of them"),
        (token_table([[2]], 13), "token sequences over a vocabulary of 13; choose 'num_tokens' so"),
    ):
        with pytest.raises(ValueError, match=f"{needed} {described}"):
            encoder.check_samples(SampleDataset(samples, name="toy"))


@every_encoder
@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        (torch.ones(2, 3), r"'inputs' needs sigraph.data.Tokens in '\w+' \(got Tensor\)"),
        ([{"text": "a"}], r"'inputs' needs sigraph.data.Tokens in '\w+' \(got list\)"),
        (
            Tokens(torch.ones(3).long(), torch.tensor([0, 2])),
            r"all tokens in a row, \[M\], and .* up to M, .*got \[3\] and \[2\]",
        ),
        (Tokens(torch.ones(3, 2).long(), torch.tensor([0, 2])), r"all tokens in a row, .*got \[3, 2\] and \[2\]"),
    ],
)
def test_what_is_no_batch_of_tokens_is_named(make, inputs, message):
    with pytest.raises(ValueError, match=message):
        made(make)(inputs)


@pytest.mark.parametrize("encoder", [BagOfWordsEncoder, GRUEncoder, TransformerEncoder])
@pytest.mark.parametrize("value", [2, None, "hello", 2.5, True])
def test_a_vocabulary_is_needed(encoder, value):
    with pytest.raises(ValueError, match=f"'num_tokens' needs to be an integer >= 3 in '{encoder.__name__}'"):
        encoder(value)


@every_encoder
def test_tokens_beyond_the_vocabulary_are_read_as_hidden_ones_counted_and_said(make):
    """Where samples are embedded alone; what trains on them is refused."""
    encoder = made(make)
    new = SampleDataset(token_table([[2, 3, 12], [4, 5], [40, 6, 41]], 50), name="new")
    hidden = tokens_of([[2, 3, MASK], [4, 5], [MASK, 6, MASK]])
    said = (
        r"3 of 8 tokens, in 2 of 3 samples, are not in the vocabulary of '\w+' \(ids below 12\): read as hidden tokens"
    )
    with pytest.warns(UserWarning, match=said) as warned:
        z = embed(encoder, new)
    assert warned[0].filename == __file__
    torch.testing.assert_close(z, encoder(hidden).z.detach())
    with pytest.raises(ValueError, match="token sequences over a vocabulary of 50; choose 'num_tokens' so"):
        encoder.check_samples(new)


@every_encoder
def test_a_larger_vocabulary_of_known_tokens_needs_no_word(make):
    encoder = made(make)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        z = embed(encoder, SampleDataset(token_table(SEQUENCES, 5000)))
    assert torch.equal(z, embed(encoder, SampleDataset(token_table(SEQUENCES, 12))))


@every_encoder
def test_what_is_new_has_to_be_readable(make):
    with pytest.raises(ValueError, match=r"needs token sequences over a vocabulary of 12, but .* rows of 4 features"):
        embed(made(make), SampleDataset(torch.ones(3, 4)))
