"""z of all samples of a run: computed once, whoever asks."""

import pytest
import torch

from sigraph.config import config_from_dict
from sigraph.encoders import embed
from sigraph.running import embeddings as module
from sigraph.running.parts import build_parts


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
