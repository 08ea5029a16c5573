"""What is written for sentence-transformers is what transformers and sigraph open again."""

import json

import pyarrow as pa
import pytest
import torch
from token_cases import TINY_BERT
from transformers import AutoModel, AutoTokenizer

import sigraph
from sigraph.data import SampleDataset
from sigraph.encoders import HuggingFaceEncoder, TransformerEncoder
from sigraph.readers import HuggingFaceTokens

TEXTS = ["the cell binds a receptor", "stars", "a star moves around the galaxy"]


@pytest.fixture(scope="module")
def reader():
    found = HuggingFaceTokens(train={"vocab_size": 60}, max_length=12)
    found.fit(pa.table({"text": TEXTS}))
    return found


def made(reader, **settings):
    dataset = SampleDataset(reader.read(pa.table({"text": TEXTS})))
    sizes = {name: dataset.sizes[name] for name in ("num_tokens", "pad_token", "mask_token")}
    torch.manual_seed(0)
    return dataset, sizes, HuggingFaceEncoder(**sizes, config=TINY_BERT, **settings).eval()


@pytest.mark.parametrize("normalize", [True, False])
def test_transformers_gives_the_same_embeddings_of_it(reader, normalize, tmp_path):
    dataset, sizes, encoder = made(reader, normalize=normalize)
    folder = sigraph.save_sentence_transformer(encoder, tmp_path / "mine", reader)
    batch = AutoTokenizer.from_pretrained(folder)(TEXTS, padding=True, truncation=True, return_tensors="pt")
    model = AutoModel.from_pretrained(folder).eval()
    state = model(input_ids=batch["input_ids"], attention_mask=batch["attention_mask"]).last_hidden_state
    shown = batch["attention_mask"][..., None]
    mean = (state * shown).sum(dim=1) / shown.sum(dim=1)
    z = sigraph.embed(encoder, dataset)
    torch.testing.assert_close(torch.nn.functional.normalize(mean) if normalize else mean, z, atol=1e-6, rtol=1e-5)
    kinds = [one["type"].rpartition(".")[2] for one in json.loads((folder / "modules.json").read_text())]
    assert kinds == ["Transformer", "Pooling", *["Normalize"] * normalize]
    again = HuggingFaceEncoder(**sizes, checkpoint=str(folder)).eval()
    torch.testing.assert_close(sigraph.embed(again, dataset), z)
    own = HuggingFaceTokens(checkpoint=str(folder), max_length=12)
    own.fit(pa.table({"text": TEXTS}))
    assert own.state()["special"] == reader.state()["special"]


def test_low_rank_updates_are_added(reader, tmp_path):
    dataset, sizes, encoder = made(reader, lora=2, pooling="cls")
    with torch.no_grad():
        for name, parameter in encoder.named_parameters():
            if "lora_B" in name:
                parameter.normal_()
    z = sigraph.embed(encoder, dataset)
    folder = sigraph.save_sentence_transformer(encoder, tmp_path / "mine", reader)
    again = sigraph.embed(HuggingFaceEncoder(**sizes, checkpoint=str(folder)), dataset)
    torch.testing.assert_close(again, z, atol=1e-4, rtol=1e-4)  # W + BA, where it was Wx + BAx
    torch.testing.assert_close(sigraph.embed(encoder, dataset), z)  # nothing of it was merged


def test_of_a_saved_folder_and_what_cannot_be_written(reader, tmp_path):
    _, _, encoder = made(reader)
    sigraph.save_encoder(encoder, tmp_path / "kept", reader=reader)
    assert (sigraph.save_sentence_transformer(tmp_path / "kept", tmp_path / "mine") / "tokenizer.json").is_file()
    with pytest.raises(FileExistsError):
        sigraph.save_sentence_transformer(tmp_path / "kept", tmp_path / "mine")
    with pytest.raises(ValueError, match="'task' needs a run's folder"):
        sigraph.save_sentence_transformer(encoder, tmp_path / "other", reader, task="topic")
    with pytest.raises(ValueError, match="'reader' needs the fitted HuggingFaceTokens"):
        sigraph.save_sentence_transformer(encoder, tmp_path / "other")
    with pytest.raises(ValueError, match="pools by 'attention', which sentence-transformers has no name for"):
        sigraph.save_sentence_transformer(made(reader, pooling="attention")[2], tmp_path / "other", reader)
    sigraph.save_encoder(TransformerEncoder(12, 8, num_heads=2), tmp_path / "small")
    with pytest.raises(ValueError, match=r"'run' needs a HuggingFaceEncoder .*got a sigraph TransformerEncoder"):
        sigraph.save_sentence_transformer(tmp_path / "small", tmp_path / "other")
