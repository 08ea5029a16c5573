"""HuggingFaceEncoder: transformers' own states, poolings, what learns, and checkpoints that are refused."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pytest
import torch
from safetensors.torch import load_file, save_file
from token_cases import TINY_BERT, tokens_of
from transformers import AutoConfig, AutoModel, BertConfig, BertForMaskedLM, BertModel

import sigraph
from sigraph.data import SampleDataset
from sigraph.encoders import HuggingFaceEncoder
from sigraph.encoders.base import run_encoder
from sigraph.encoders.checkpoint_folder import with_dropout
from sigraph.machines.layer_rates import by_layer
from sigraph.machines.layers import layers_of
from sigraph.readers import HuggingFaceTokens

SEQUENCES = [[2, 3, 4, 5], [6, 7], [11], [3, 2, 3, 2, 9, 9, 9]]
SETTINGS = {key: value for key, value in TINY_BERT.items() if key != "model_type"}


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp("bert")
    BertForMaskedLM(BertConfig(vocab_size=12, pad_token_id=0, **SETTINGS)).save_pretrained(folder)
    return folder


def copied(checkpoint: Path, to: Path, **config) -> Path:
    to.mkdir()
    for file in checkpoint.iterdir():
        (to / file.name).write_bytes(file.read_bytes())
    said = json.loads((to / "config.json").read_text())
    (to / "config.json").write_text(json.dumps({**said, **config}))
    return to


def from_checkpoint(checkpoint):
    return HuggingFaceEncoder(12, str(checkpoint)).eval()(tokens_of(SEQUENCES)).z


def as_sentence_transformer(checkpoint: Path, to: Path, mode="cls", normalize=True, more=()):
    folder = copied(checkpoint, to)
    kinds = ["Transformer", "Pooling", *(["Normalize"] if normalize else []), *more]
    places = {"Transformer": "", "Pooling": "1_Pooling"}
    modules = [
        {"idx": i, "path": places.get(kind, f"{i}_{kind}"), "type": f"sentence_transformers.models.{kind}"}
        for i, kind in enumerate(kinds)
    ]
    (folder / "modules.json").write_text(json.dumps(modules))
    (folder / "1_Pooling").mkdir()
    on = {"mean": "mean_tokens", "cls": "cls_token", "sqrt": "mean_sqrt_len_tokens"}[mode]
    modes = {
        f"pooling_mode_{one}": one == on for one in ("cls_token", "mean_tokens", "max_tokens", "mean_sqrt_len_tokens")
    }
    (folder / "1_Pooling" / "config.json").write_text(json.dumps(modes))
    return folder


@pytest.mark.parametrize("pooling", ["mean", "max", "cls", "attention"])
def test_states_are_those_of_transformers_and_padding_plays_no_part(checkpoint, pooling):
    encoder = HuggingFaceEncoder(12, str(checkpoint), pooling=pooling).eval()
    model = BertModel.from_pretrained(checkpoint, add_pooling_layer=False).eval()
    z, h, ptr = encoder(tokens_of(SEQUENCES))
    assert not any("pooler" in name for name, _ in encoder.named_parameters())
    for i, sequence in enumerate(SEQUENCES):
        state = model(torch.tensor([sequence])).last_hidden_state[0]
        torch.testing.assert_close(h[ptr[i] : ptr[i + 1]], state, atol=1e-5, rtol=1e-5)
        weight = None if encoder.pooling.gate is None else encoder.pooling.gate(state).softmax(dim=0)
        expected = {"mean": state.mean(0), "max": state.max(0).values, "cls": state[0]}.get(pooling)
        expected = (weight * state).sum(0) if expected is None else expected
        torch.testing.assert_close(z[i], expected, atol=1e-5, rtol=1e-5)


def test_sentence_transformers_folders_bring_their_pooling(checkpoint, tmp_path):
    folder = as_sentence_transformer(checkpoint, tmp_path / "st")
    encoder, plain = (
        HuggingFaceEncoder(12, str(folder)).eval(),
        HuggingFaceEncoder(12, str(checkpoint), pooling="cls").eval(),
    )
    z = encoder(tokens_of(SEQUENCES)).z
    torch.testing.assert_close(z, torch.nn.functional.normalize(plain(tokens_of(SEQUENCES)).z))
    assert HuggingFaceEncoder(12, str(folder), pooling="max", normalize=False).pooling.kind == "max"
    with pytest.raises(ValueError, match=r"pools by .*mean_sqrt_len.*; one of mean, max, cls can be read"):
        HuggingFaceEncoder(12, str(as_sentence_transformer(checkpoint, tmp_path / "sqrt", "sqrt")))
    with pytest.raises(ValueError, match="a module of kind 'Dense' behind its transformer, which is not read"):
        HuggingFaceEncoder(12, str(as_sentence_transformer(checkpoint, tmp_path / "dense", more=["Dense"])))


def test_what_is_frozen_stays_so_when_everything_is_to_learn(checkpoint):
    encoder = HuggingFaceEncoder(12, str(checkpoint), freeze_layers=2)
    assert len(layers_of(encoder.model)) == 3  # embeddings and two layers
    learns = {name for name, parameter in encoder.requires_grad_(True).named_parameters() if parameter.requires_grad}
    assert learns and all("layer.1." in name for name in learns)
    assert not any(parameter.requires_grad for parameter in encoder.requires_grad_(False).parameters())
    with pytest.raises(ValueError, match=r"'freeze_layers' needs to be <= 3, the layers there are, .*got 4"):
        HuggingFaceEncoder(12, str(checkpoint), freeze_layers=4)


@pytest.mark.parametrize("lora", [2, {"r": 3, "dropout": 0.1}])
def test_low_rank_updates_begin_as_nothing_and_learn_alone(checkpoint, lora):
    encoder, plain = (
        HuggingFaceEncoder(12, str(checkpoint), lora=lora).eval(),
        HuggingFaceEncoder(12, str(checkpoint)).eval(),
    )
    torch.testing.assert_close(encoder(tokens_of(SEQUENCES)).z, plain(tokens_of(SEQUENCES)).z)
    learns = {name for name, parameter in encoder.requires_grad_(True).named_parameters() if parameter.requires_grad}
    assert learns and all("lora_" in name for name in learns)
    with pytest.raises(ValueError, match="'lora' needs a rank, or a mapping of r, alpha, dropout, target_modules"):
        HuggingFaceEncoder(12, str(checkpoint), lora={"rank": 3})


@pytest.mark.parametrize("dropout", [None, 0.0])
@pytest.mark.parametrize("precision", [None, torch.bfloat16])
def test_gradient_checkpointing_gives_the_same_gradients(checkpoint, dropout, precision):
    found = []
    for again in (False, True):
        torch.manual_seed(1)
        encoder = HuggingFaceEncoder(12, str(checkpoint), gradient_checkpointing=again, dropout=dropout).train()
        encoder.autocast_dtype = precision
        run_encoder(encoder, tokens_of(SEQUENCES)).z.square().sum().backward()
        found.append([parameter.grad for parameter in encoder.parameters()])
    for one, other in zip(*found, strict=True):
        torch.testing.assert_close(one, other, **({} if precision is None else {"rtol": 0.1, "atol": 0.02}))


def test_dropout_is_that_of_the_argument(checkpoint):
    def drawn(dropout):
        torch.manual_seed(1)
        encoder = HuggingFaceEncoder(12, str(checkpoint), dropout=dropout).train()
        return encoder, encoder(tokens_of(SEQUENCES)).z

    torch.testing.assert_close(drawn(0.0)[1], from_checkpoint(checkpoint))
    assert not torch.allclose(drawn(None)[1], from_checkpoint(checkpoint), atol=1e-3)
    encoder, _ = drawn(0.4)
    rates = [module.p for module in encoder.modules() if isinstance(module, torch.nn.Dropout)]
    assert len(rates) > 2 and set(rates) == {0.4}
    assert encoder.model.config.attention_probs_dropout_prob == 0.4
    with pytest.raises(ValueError, match=r"'dropout' needs to be in \[0, 1\)"):
        HuggingFaceEncoder(12, str(checkpoint), dropout=1.0)
    gpt = HuggingFaceEncoder(12, config={"model_type": "gpt2", "n_embd": 8, "n_layer": 1, "n_head": 2}, dropout=0.4)
    assert {module.p for module in gpt.modules() if isinstance(module, torch.nn.Dropout)} == {0.4}
    assert with_dropout({"model_type": "rwkv"}, 0.0, "it") == {"model_type": "rwkv"}
    with pytest.raises(ValueError, match="'rwkv', which drops none"):
        with_dropout({"model_type": "rwkv"}, 0.1, "it")


def test_a_saved_encoder_stands_alone(checkpoint, tmp_path):
    """Whatever its folder says that transformers does not know, as those of older versions do."""
    old = {"gradient_checkpointing": False, "position_embedding_type": "absolute", "of_another_version": 1}
    home = copied(checkpoint, tmp_path / "home", **old)
    encoder = HuggingFaceEncoder(12, str(home), pooling="max", lora=2).eval()
    z = encoder(tokens_of(SEQUENCES)).z
    sigraph.save_encoder(encoder, tmp_path / "saved")
    for file in home.iterdir():
        file.unlink()
    again = sigraph.load_encoder(tmp_path / "saved")
    torch.testing.assert_close(again(tokens_of(SEQUENCES)).z, z)


@pytest.mark.parametrize(
    "config",
    [
        {"model_type": "roberta", "pad_token_id": 0, **SETTINGS},
        {"model_type": "distilbert", "dim": 8, "n_layers": 1, "n_heads": 2, "hidden_dim": 8},
        {"model_type": "esm", "position_embedding_type": "rotary", "pad_token_id": 0, "mask_token_id": 1, **SETTINGS},
        {"model_type": "deberta-v2", "pad_token_id": 0, **SETTINGS},
    ],
    ids=lambda config: config["model_type"],
)
def test_families_of_models_are_opened_saved_and_loaded(config, tmp_path):
    kind = config["model_type"]
    own = AutoConfig.for_model(
        kind, vocab_size=12, **{key: value for key, value in config.items() if key != "model_type"}
    )
    AutoModel.from_config(own).save_pretrained(tmp_path / "home")
    encoder = HuggingFaceEncoder(12, str(copied(tmp_path / "home", tmp_path / "more", summary_type="first"))).eval()
    sigraph.save_encoder(encoder, tmp_path / "saved")
    again = sigraph.load_encoder(tmp_path / "saved")
    torch.testing.assert_close(again(tokens_of(SEQUENCES)).z, encoder(tokens_of(SEQUENCES)).z)


def test_checkpoints_that_cannot_be_read_are_refused(checkpoint, tmp_path):
    def refused(folder, message, **more):
        with pytest.raises(ValueError, match=message):
            HuggingFaceEncoder(**{"num_tokens": 12, "checkpoint": str(folder), **more})

    refused("bert-base", r"needs a folder .*nothing is downloaded: .*hf download bert-base")
    refused("/no/such/one", r"needs a folder .*hf download NAME --local-dir")
    refused(
        copied(checkpoint, tmp_path / "far", position_embedding_type="relative_key"),
        "counts places as this transformers no longer does",
    )
    refused(tmp_path, "holds no config.json")
    refused(copied(checkpoint, tmp_path / "code", auto_map={"AutoModel": "m.M"}), "asks for code of its own")
    refused(copied(checkpoint, tmp_path / "kind", model_type="brt"), "'brt' .* is none that transformers knows.*bert")
    refused(copied(checkpoint, tmp_path / "deep", num_hidden_layers=3), r"lacks 16 weights .*encoder.layer.2")
    refused(copied(checkpoint, tmp_path / "wide", intermediate_size=9), "has .* weights of another shape")
    refused(checkpoint, r"'num_tokens' needs to be <= 12, the vocabulary .*got 13.*by its own tokenizer", num_tokens=13)
    refused(checkpoint, r"'pad_token' needs to be 0, as checkpoint", pad_token=3)
    refused(
        checkpoint, r"'max_length' needs to be <= 16, the places .*HuggingFaceTokens\(max_length=16\)", max_length=17
    )
    cut = copied(checkpoint, tmp_path / "cut")
    (cut / "model.safetensors").write_bytes((cut / "model.safetensors").read_bytes()[:-9])
    refused(cut, "model.safetensors' of 'HuggingFaceEncoder' cannot be read")
    refused(copied(checkpoint, tmp_path / "flat", num_hidden_layers=1), "has 16 weights of more layers .*layer.1")


def test_a_pickle_is_refused_with_a_way_that_works_for_tied_weights(checkpoint, tmp_path, monkeypatch):
    folder = copied(checkpoint, tmp_path / "pickled")
    tied = BertForMaskedLM.from_pretrained(folder).state_dict()
    assert (
        tied["cls.predictions.decoder.weight"].data_ptr() == tied["bert.embeddings.word_embeddings.weight"].data_ptr()
    )
    torch.save(tied, folder / "pytorch_model.bin")
    (folder / "model.safetensors").unlink()
    with pytest.raises(ValueError, match=r"holds a pickle, pytorch_model.bin\); convert it there: ") as refusal:
        HuggingFaceEncoder(12, str(folder))
    monkeypatch.chdir(folder)
    exec("import torch, safetensors.torch\n" + str(refusal.value).partition("convert it there: ")[2])
    torch.testing.assert_close(from_checkpoint(folder), from_checkpoint(checkpoint))


def test_weights_by_the_names_of_older_versions_are_read(checkpoint, tmp_path, capfd):
    folder = copied(checkpoint, tmp_path / "older")
    named = load_file(folder / "model.safetensors")
    older = {"LayerNorm.weight": "LayerNorm.gamma", "LayerNorm.bias": "LayerNorm.beta"}  # those of bert-base-uncased
    for new, old in older.items():
        named = {name.replace(new, old): value for name, value in named.items()}
    save_file({**named, "bert.embeddings.position_ids": torch.arange(16)[None]}, folder / "model.safetensors")
    found = from_checkpoint(folder)
    assert capfd.readouterr() == ("", "")
    torch.testing.assert_close(found, from_checkpoint(checkpoint))


SMALL = {"hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 8}


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ({"model_type": "bart", "d_model": 16}, "an encoder alone .*'bart', which has a decoder too"),
        ({"model_type": "t5", "d_model": 8}, "an encoder alone .*'t5', which has a decoder too"),
        ({"model_type": "vit", **SMALL}, "an encoder of tokens .*'vit'"),
        ({"model_type": "clip"}, "an encoder of tokens .*'clip'"),
    ],
)
def test_models_that_are_no_encoders_of_tokens_are_refused(config, said):
    with pytest.raises(ValueError, match=f"'model_type' needs to be {said}.*; choose another, such as bert"):
        HuggingFaceEncoder(12, config=config)


@pytest.mark.parametrize(
    ("config", "places"),
    [
        ({"model_type": "roberta", "max_position_embeddings": 9, **SMALL}, 8),
        ({"model_type": "gpt2", "n_embd": 8, "n_layer": 1, "n_head": 2, "n_positions": 9}, 9),
        ({"model_type": "modernbert", **SMALL}, None),
    ],
)
def test_longer_sequences_than_a_model_has_places_for_are_known(config, places):
    encoder = HuggingFaceEncoder(12, config=config).eval()
    assert encoder.max_length == places
    longest = encoder(tokens_of([[2] * (places or 40)])).h
    assert torch.isfinite(longest).all()


@pytest.mark.parametrize(
    ("lora", "said"),
    [
        ({"dropout": "x"}, r"'lora.dropout' needs to be in \[0, 1\)"),
        ({"target_modules": 3}, "'lora.target_modules' needs all-linear, a pattern, or a list of names"),
        ({"target_modules": ["nope"]}, "names no layers .*'nope'.*there are dense, key, query, value"),
    ],
)
def test_settings_of_low_rank_updates_that_make_no_sense_are_refused(checkpoint, lora, said):
    with pytest.raises(ValueError, match=said):
        HuggingFaceEncoder(12, str(checkpoint), lora=lora)


def test_the_highest_layer_learns_fastest_with_low_rank_updates_and_without(checkpoint):
    for lora in (None, 2):
        encoder = HuggingFaceEncoder(12, str(checkpoint), pooling="attention", lora=lora)
        learns = [parameter for parameter in encoder.parameters() if parameter.requires_grad]
        groups = by_layer(lambda some: torch.optim.SGD(some, lr=1.0), encoder, 0.5, 0.1)(learns).param_groups
        rate = {id(parameter): group["lr"] for group in groups for parameter in group["params"]}
        named = {name: rate[id(parameter)] for name, parameter in encoder.named_parameters() if parameter.requires_grad}
        for name, found in named.items():
            below = 2 if "embeddings" in name else 1 if "layer.0." in name else 0
            assert found == pytest.approx(0.5 * 0.1**below), name
        assert named["pooling.gate.weight"] == 0.5


def test_both_or_none_of_checkpoint_and_config_and_unknown_settings(checkpoint):
    for given in ({}, {"checkpoint": str(checkpoint), "config": TINY_BERT}):
        with pytest.raises(ValueError, match="'checkpoint' or 'config' is needed in 'HuggingFaceEncoder', one of them"):
            HuggingFaceEncoder(12, **given)
    with pytest.raises(ValueError, match=r"'config.hiden_size' .* is no setting of 'bert'.*hidden_size"):
        HuggingFaceEncoder(12, config={**TINY_BERT, "hiden_size": 4})
    old = {"gradient_checkpointing": False, "position_embedding_type": "absolute"}  # as records of runs have held it
    HuggingFaceEncoder(12, config={**TINY_BERT, **old})
    with pytest.raises(ValueError, match=r"'config.gradient_checkpointing' .* is no setting of 'bert'"):
        HuggingFaceEncoder(12, config={**TINY_BERT, "gradient_checkpointing": True})
    with pytest.raises(ValueError, match="makes no 'bert'"):
        HuggingFaceEncoder(12, config={**TINY_BERT, "num_attention_heads": 3})


def test_shards_are_read_together(checkpoint, tmp_path):
    folder = copied(checkpoint, tmp_path / "shards")
    weights = load_file(folder / "model.safetensors")
    names = sorted(weights)
    parts = {"a.safetensors": names[::2], "b.safetensors": names[1::2]}
    for file, some in parts.items():
        save_file({name: weights[name] for name in some}, folder / file)
    where = {name: file for file, some in parts.items() for name in some}
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": where}))
    (folder / "model.safetensors").unlink()
    one, whole = (HuggingFaceEncoder(12, str(path)).eval()(tokens_of(SEQUENCES)).z for path in (folder, checkpoint))
    assert torch.equal(one, whole)


def test_a_real_checkpoint_of_proteins_gives_the_states_of_transformers():
    source = os.environ.get("SIGRAPH_DATA_SOURCE")
    folder = Path(source or "") / "sapiens_vh_hf"
    if not source or not folder.is_dir():
        pytest.skip("needs sapiens_vh_hf below SIGRAPH_DATA_SOURCE")
    from transformers import RobertaModel

    records = pa.table({"sequence": ["EVQLVESGGG", "qvql-vq", "EVZ"]})
    reader = HuggingFaceTokens("sequence", str(folder))
    reader.fit(records)
    dataset = SampleDataset(reader.read(records))
    sizes = {name: dataset.sizes[name] for name in ("num_tokens", "pad_token", "mask_token")}
    encoder = HuggingFaceEncoder(**sizes, checkpoint=str(folder)).eval()
    assert encoder.max_length == 144 and sizes == {"num_tokens": 25, "pad_token": 1, "mask_token": 24}
    batch = dataset.fetch(torch.arange(3))
    token, is_real = batch.padded()
    assert token[1, : batch.length[1]].tolist() == [0, 17, 21, 17, 13, 21, 17, 2] and reader.note(records).startswith(
        "1 of"
    )
    with torch.no_grad():
        state = RobertaModel.from_pretrained(folder, add_pooling_layer=False)(token, is_real.long()).last_hidden_state
    torch.testing.assert_close(encoder(batch).h, state[is_real], atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize(("lacking", "lora"), [("transformers", None), ("peft", 2)])
def test_without_the_extra_it_is_named(checkpoint, lacking, lora, monkeypatch):
    monkeypatch.setitem(sys.modules, lacking, None)
    with pytest.raises(ImportError, match=rf"'HuggingFaceEncoder' needs {lacking}: pip install 'sigraph\[sequence\]'"):
        HuggingFaceEncoder(12, str(checkpoint), lora=lora)


def test_encoders_are_imported_without_lightning_and_peft():
    code = "import sys, sigraph.encoders; assert not {'lightning', 'peft'} & set(sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_half_precision_on_disk_is_full_precision_here(checkpoint, tmp_path):
    folder = copied(checkpoint, tmp_path / "half", dtype="float16")
    weights = load_file(folder / "model.safetensors")
    halves = {name: value.half() for name, value in weights.items()}
    save_file(halves, folder / "model.safetensors")
    encoder = HuggingFaceEncoder(12, str(folder))
    assert {parameter.dtype for parameter in encoder.parameters()} == {torch.float32}
    torch.testing.assert_close(
        encoder.token_embedding.weight, halves["bert.embeddings.word_embeddings.weight"].float(), atol=0, rtol=0
    )


def test_a_loaded_checkpoint_trains_with_its_dropout(checkpoint):
    """As one with new weights does; transformers hands it out in evaluation mode."""
    for given in ({"checkpoint": str(checkpoint)}, {"config": TINY_BERT}):
        encoder = HuggingFaceEncoder(12, **given)
        assert all(module.training for module in encoder.modules())
        torch.manual_seed(0)
        assert not torch.equal(encoder(tokens_of(SEQUENCES)).z, encoder(tokens_of(SEQUENCES)).z)
