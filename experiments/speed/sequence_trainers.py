"""Two trainers of one checkpoint on the same pairs of texts: sigraph's and sentence-transformers'."""

from __future__ import annotations

import contextlib
import io
import tempfile
import time
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow as pa
import torch
from lightning.pytorch import Callback
from torch import Tensor
from torch.utils.data import DataLoader

import sigraph as sg
from sigraph.encoders import HuggingFaceEncoder
from sigraph.machines.trainer import fit, quiet_trainer
from sigraph.readers import HuggingFaceTokens

RATE, TEMPERATURE = 5e-5, 0.05
SMALL = {
    "model_type": "bert",
    "hidden_size": 256,
    "num_hidden_layers": 4,
    "num_attention_heads": 4,
    "intermediate_size": 1024,
}


def small_checkpoint(folder: Path) -> str:
    """A BERT with random weights and a tokenizer learned from the abstracts."""
    reader, dataset = HuggingFaceTokens("text", train={"vocab_size": 8000}), sg.open_dataset("cane-cora")
    assert isinstance(dataset.records, pa.Table)
    reader.fit(dataset.records)
    given = {key: dataset.read(reader).sizes[key] for key in ("num_tokens", "pad_token", "mask_token")}
    torch.manual_seed(0)
    return str(sg.save_sentence_transformer(HuggingFaceEncoder(**given, config=SMALL), folder, reader))


def pairs_of(name: str, number: int) -> list[str]:
    """Texts of different samples, the 2i-th and the one behind it joined by an edge, drawn at random."""
    dataset = sg.open_dataset(name)
    assert isinstance(dataset.records, pa.Table)
    index, seen, found = dataset.graph().edge_index, set[int](), list[int]()
    for edge in torch.randperm(index.size(1), generator=torch.Generator().manual_seed(0)).tolist():
        ends = index[:, edge].tolist()
        if not seen.intersection(ends):
            seen.update(ends)
            found += ends
        if len(found) == 2 * number:
            break
    text = dataset.records.column("text").to_pylist()
    return [text[i] for i in found]


class Own:
    """sigraph's trainer.

    Args:
        checkpoint: Its folder.
        texts: The 2i-th and the one behind it are a pair.
        most: Tokens of a text at most.
    """

    def __init__(self, checkpoint: str, texts: list[str], most: int) -> None:
        ends = torch.arange(len(texts)).view(-1, 2).T
        dataset = sg.SampleDataset(pa.table({"text": texts}), {"pairs": sg.PretrainGraph(ends, len(texts))})
        reader = HuggingFaceTokens("text", checkpoint=checkpoint, max_length=most)
        reader.fit(dataset.records)
        self.checkpoint, self.dataset = checkpoint, dataset.read(reader)
        self.sampler = sg.samplers.NeighborPairSampler(self.dataset.graph(), num_negatives=0)

    def encoder(self) -> HuggingFaceEncoder:
        given = {key: self.dataset.sizes[key] for key in ("num_tokens", "pad_token", "mask_token")}
        return HuggingFaceEncoder(**given, checkpoint=self.checkpoint)

    def embeddings(self) -> Tensor:
        return sg.embed(self.encoder(), self.dataset)

    def length(self) -> Tensor:
        return self.dataset.fetch(torch.arange(len(self.dataset))).length

    def seconds(self, size: int) -> float:
        """Of an epoch of ``size`` pairs a step, the first step left out."""
        torch.manual_seed(0)
        clock = OwnClock()
        loss, optimizer = sg.losses.InfoNCELoss(TEMPERATURE), partial(torch.optim.AdamW, lr=RATE)
        module = sg.PretrainModule(self.encoder().train(), loss, sampler=self.sampler, optimizer=optimizer)
        steps: Any = list(torch.arange(0, len(self.dataset), 2).split(size))  # the first of each pair; the other joins
        loader = DataLoader(steps, batch_size=None, collate_fn=sg.StructureCollator(self.dataset, self.sampler))
        trainer = quiet_trainer(max_epochs=1, gradient_clip_val=1.0, accelerator="cpu", callbacks=[clock])
        fit(trainer, module, loader)
        return clock.seconds


class OwnClock(Callback):
    """When each step ended; the first one warms up."""

    def __init__(self) -> None:
        self.times = list[float]()

    def on_train_batch_end(self, *_: Any) -> None:
        self.times.append(time.perf_counter())

    @property
    def seconds(self) -> float:
        return self.times[-1] - self.times[0]


class Peer:
    """sentence-transformers' trainer; arguments as of :class:`Own`."""

    def __init__(self, checkpoint: str, texts: list[str], most: int) -> None:
        self.checkpoint, self.texts, self.most = checkpoint, texts, most

    def model(self) -> Any:
        from sentence_transformers import SentenceTransformer

        model = SentenceTransformer(self.checkpoint, device="cpu", local_files_only=True)
        model.max_seq_length = self.most
        return model

    def embeddings(self) -> Tensor:
        return self.model().encode(self.texts, convert_to_tensor=True, show_progress_bar=False).cpu()

    def length(self) -> Tensor:
        rows = self.model().tokenizer(self.texts, truncation=True, max_length=self.most)["input_ids"]
        return torch.tensor([len(row) for row in rows])

    def seconds(self, size: int) -> float:
        from sentence_transformers import SentenceTransformerTrainer, SentenceTransformerTrainingArguments
        from sentence_transformers.losses import MultipleNegativesRankingLoss
        from transformers import TrainerCallback

        from datasets import Dataset

        times = list[float]()

        class Clock(TrainerCallback):
            def on_step_end(self, *_: Any, **__: Any) -> None:
                times.append(time.perf_counter())

        model = self.model()
        said = io.StringIO()  # what it prints of its progress
        with (
            tempfile.TemporaryDirectory() as folder,
            contextlib.redirect_stdout(said),
            contextlib.redirect_stderr(said),
        ):
            arguments = SentenceTransformerTrainingArguments(
                folder,
                num_train_epochs=1,
                per_device_train_batch_size=size,
                learning_rate=RATE,
                use_cpu=True,
                report_to="none",
                logging_strategy="no",
                save_strategy="no",
                disable_tqdm=True,
                dataloader_pin_memory=False,
                batch_sampler=in_order,
            )
            pairs = Dataset.from_dict({"anchor": self.texts[::2], "positive": self.texts[1::2]})
            loss = MultipleNegativesRankingLoss(model, scale=1 / TEMPERATURE)
            SentenceTransformerTrainer(model, arguments, train_dataset=pairs, loss=loss, callbacks=[Clock()]).train()
        return times[-1] - times[0]


def in_order(dataset: Any, batch_size: int, **_: Any) -> list[list[int]]:
    """The batches of an epoch, as they stand."""
    return [list(range(len(dataset)))[start : start + batch_size] for start in range(0, len(dataset), batch_size)]


def check_alike(peer: Peer, own: Own) -> None:
    if not torch.equal(peer.length(), own.length()):
        raise SystemExit("they do not read the same tokens")
    theirs, ours = (torch.nn.functional.normalize(way.embeddings(), dim=1) for way in (peer, own))
    if not torch.allclose(theirs, ours, atol=1e-4):
        raise SystemExit(f"they do not embed alike: {float((theirs - ours).abs().max())} apart")
