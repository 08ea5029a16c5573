"""TopicModel: Dirichlet topics over a Zipf vocabulary, sentences of them."""

import pytest
import torch

from sigraph.samples.tokens import FIRST_TOKEN, TokenColumn
from sigraph.synthetic import TopicModel


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def test_topics_are_dirichlet_draws_around_zipf_law():
    """Mean pi_v and variance pi_v (1 - pi_v) / (c + 1) of a Dirichlet."""
    model = TopicModel(20_000, vocabulary=5, concentration=3.0, exponent=1.0)
    topic = model.topics(generator())
    torch.testing.assert_close(topic.sum(dim=1), torch.ones(20_000).double())
    base = torch.tensor([1, 1 / 2, 1 / 3, 1 / 4, 1 / 5]).double()
    base /= base.sum()
    torch.testing.assert_close(topic.mean(dim=0), base, rtol=0.02, atol=0)
    torch.testing.assert_close(topic.var(dim=0), base * (1 - base) / 4, rtol=0.04, atol=0)


def test_words_have_the_frequencies_of_the_mixture():
    model = TopicModel(3, vocabulary=12, concentration=5.0, min_length=10, max_length=10)
    topic = model.topics(generator())
    mixture = torch.tensor([0.5, 0.5, 0.0]).expand(20_000, 3)
    token = model.sentences(mixture, topic, generator(1), generator(2))
    share = torch.bincount(token.view(-1) - FIRST_TOKEN, minlength=12) / token.numel()
    torch.testing.assert_close(share.double(), topic[:2].mean(dim=0), rtol=0, atol=0.004)


def test_lengths_are_uniform_between_their_ends():
    model = TopicModel(2, vocabulary=6, min_length=3, max_length=6)
    column = TokenColumn(model.write(torch.full((8000, 2), 0.5), 0, 8000))
    count = torch.bincount(torch.from_numpy(column.offset).diff())
    assert count[:3].sum() == 0 and len(count) == 7
    assert count[3:].min() > 1850
    assert column.num_tokens == 6 + FIRST_TOKEN


def test_further_sentences_change_none_before_them():
    model = TopicModel(3, vocabulary=20)
    mixture = torch.softmax(torch.randn(50, 3, generator=generator()), dim=1)
    alone, more = model.write(mixture[:30], 7, 30), model.write(mixture, 7, 30)
    assert more.slice(0, 30).equals(alone) and more.num_rows == 50


def test_chunks_change_nothing(monkeypatch):
    model = TopicModel(3, vocabulary=20)
    mixture = torch.full((100, 3), 1 / 3)
    whole = model.write(mixture, 0, 100)
    monkeypatch.setattr("sigraph.synthetic.topics.CHUNK", 20 * 7)
    assert model.write(mixture, 0, 100).equals(whole)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"num_topics": 1}, "'num_topics' needs to be an integer >= 2"),
        ({"vocabulary": 1}, "'vocabulary' needs"),
        ({"concentration": 0.0}, "'concentration' needs to be > 0 in 'TopicModel' .got 0.0"),
        ({"concentration": "much"}, "'concentration'"),
        ({"exponent": -1.0}, "'exponent' needs to be >= 0"),
        ({"min_length": 0}, "'min_length' needs"),
        ({"min_length": 9, "max_length": 8}, "'max_length' needs to be an integer >= 9"),
    ],
)
def test_wrong_settings_are_refused(change, message):
    with pytest.raises(ValueError, match=message):
        TopicModel(**{"num_topics": 3, **change})
