"""z of all samples of a run: computed once, whoever asks."""

import pytest
import torch

from sigraph.config import config_from_dict
from sigraph.encoders import embed
from sigraph.running import embeddings as module
from sigraph.running.parts import build_parts
from sigraph.tasks import Task


@pytest.fixture
def asked(monkeypatch):
    """How many samples were embedded, at each pass."""
    seen = []

    def spy(encoder, dataset, node=None):
        seen.append(len(dataset) if node is None else len(node))
        return embed(encoder, dataset, node)

    monkeypatch.setattr(module, "embed", spy)
    return seen


@pytest.mark.parametrize(("inductive", "passes"), [(False, [40]), ("edges", [40]), (True, [11, 29])])
def test_each_sample_is_embedded_once(toy, asked, inductive, passes):
    toy["pretrain"]["inductive"] = inductive
    parts = build_parts(config_from_dict(toy).arm("sipt").pretrain, 0)
    seen, every = parts.embeddings.seen, parts.embeddings.of(parts.whole)
    assert parts.embeddings.of(parts.whole) is every and parts.embeddings.seen is seen and asked == passes
    wanted = embed(parts.module.encoder, parts.whole)
    assert torch.allclose(every, wanted, atol=1e-6, rtol=0)
    assert torch.equal(seen, embed(parts.module.encoder, parts.dataset))
    if not inductive:
        assert torch.equal(every, wanted)


def test_of_another_data_set_what_a_task_asks_about(toy, asked):
    """The others are NaN; another task, and whoever names none, gets its own."""
    parts = build_parts(config_from_dict(toy).arm("sipt").pretrain, 0)
    ids = torch.arange(40)
    some = Task("some", ids % 2, {"train": ids[:4], "valid": ids[4:6], "test": ids[6:9]})
    more = Task("more", ids % 2, {"train": ids[:4], "valid": ids[4:6], "test": ids[6:12]})
    other = parts.whole.replace(tasks={"some": some, "more": more})
    z = parts.embeddings.of(other, some)
    assert parts.embeddings.of(other, some) is z and asked == [9]
    assert torch.equal(z[:9], embed(parts.module.encoder, other, ids[:9])) and bool(z[9:].isnan().all())
    assert not parts.embeddings.of(other, more)[:12].isnan().any() and not parts.embeddings.of(other).isnan().any()
    assert asked == [9, 12, 40]
    assert not parts.embeddings.of(parts.whole, some).isnan().any()
