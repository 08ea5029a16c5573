"""Real tokens a second of a training step on sequences of many lengths, beside padded batches and beside a peer.

    SIGRAPH_DATA_SOURCE=RAW python experiments/speed/sequences.py            # a quarter of an hour
    SIGRAPH_DATA_SOURCE=RAW python experiments/speed/sequences.py --quick    # one step each
    SIGRAPH_DATA_SOURCE=RAW python experiments/speed/sequences.py --only peer --checkpoint MODEL
    python experiments/speed/sequences.py --only bf16 [--checkpoint MODEL]

A step is forward, backward and AdamW on 64 sequences drawn at random, one thread, dropout 0. `padded` fills every batch
up to the longest sequence of the data set, which is what a fixed length gives; `of the batch` up to the longest of the
batch; sigraph's chunks are `max_tokens` wide. All give the same loss, to 1e-4, or the script stops. The least of three
rounds, taken in turn; real tokens are those of the sequences, no padding.

`bf16` is the same step on 2,000 tokens of one length in float32 and under autocast to bfloat16: by torch's fused
attention, and as sigraph chooses, which is plain attention for short sequences on the CPU. Losses agree to 2 %, or the
script stops. With `--checkpoint` also of that, with the dropout that it says and without.

The peer is sentence-transformers (`pip install sentence-transformers datasets accelerate`; where it is missing that
part is left out, and the script says so). Both train the same checkpoint on the same pairs of papers that cite each
other, in the same batches, each with its own trainer, dropout as the checkpoint says, AdamW at 5e-5, gradients
clipped to 1: theirs with MultipleNegativesRankingLoss of scale 20, sigraph with InfoNCELoss of temperature 0.05,
which ranks from both ends. Before, both embed the texts alike, to 1e-4, and count the same tokens, or the script
stops. The peer makes tokens in each step, sigraph once before, which is not timed (seconds for a thousand abstracts);
nor is the first step of a round, which warms up. Without `--checkpoint` it is a BERT of 4 layers of 256 with random
weights, whose 8,000 WordPieces are learned from the abstracts.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import tempfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import measure
import pyarrow as pa
import torch
from sequence_trainers import Own, Peer, check_alike, pairs_of, small_checkpoint
from torch import Tensor

import sigraph as sg
from sigraph.encoders import Encoding, HuggingFaceEncoder, TransformerEncoder, padded_encoder
from sigraph.encoders.padded_encoder import PaddedEncoder
from sigraph.readers import HuggingFaceTokens, Reader, SymbolTokens
from sigraph.samples import Tokens

BATCH, WIDTHS = 64, (1024, 2048, 4096, 8192)
WORDS = 8000
CASES = {
    "cane-cora abstracts, 256 WordPieces, 4 x 256": (
        "cane-cora",
        lambda: HuggingFaceTokens("text", train={"vocab_size": 8000}, max_length=256),
        {"out_channels": 256, "num_layers": 4, "num_heads": 4},
    ),
    "yeast proteins, 512 letters, 2 x 128": (
        "yeast-go",
        lambda: SymbolTokens("sequence", max_length=512),
        {"out_channels": 128, "num_layers": 2, "num_heads": 4},
    ),
}

PEER = "sentence-transformers"
PAIRS = {  # texts that are paired: data set, pairs a step, tokens of a text at most
    "cane-cora abstracts": ("cane-cora", 16, 256),
    "arxiv-2023 titles": ("arxiv-2023", 64, 48),
}
STEPS = 6


class Padded(TransformerEncoder):
    """The same, every batch filled up to a length."""

    fill = 0

    def forward(self, inputs: Tokens) -> Encoding:
        token, is_real = self.check_inputs(inputs).padded(self.pad_token)
        more = max(self.fill - token.size(1), 0)
        token = torch.nn.functional.pad(token, (0, more), value=self.pad_token)
        z, _ = self.encode_padded(token, torch.nn.functional.pad(is_real, (0, more)))
        return Encoding(z)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="one round of one step")
    parser.add_argument("--only", choices=["padding", "bf16", "peer"], help="one of the parts")
    parser.add_argument("--checkpoint", metavar="FOLDER", help="of transformers or sentence-transformers")
    given = parser.parse_args()
    rounds = 1 if given.quick else 3
    print(measure.one_core(), "\n")
    if given.only in ("padding", None):
        for title, (name, reader, sizes) in CASES.items():
            print(f"{title}\n")
            measure.table(
                ["", "tokens with padding", "unpadded share", "real tokens a second", "of padded"],
                rows(name, reader, sizes, rounds),
            )
    if given.only in ("bf16", None):
        in_bf16(given.checkpoint, rounds)
    if given.only in ("peer", None):
        beside_peer(given.checkpoint, rounds, 2 if given.quick else 1 + STEPS)


def in_bf16(checkpoint: str | None, rounds: int) -> None:
    makers: dict[tuple[str, float | None], Callable[..., PaddedEncoder]] = dict.fromkeys(
        [("2 x 128", 0.0), ("2 x 128", 0.1)], partial(TransformerEncoder, WORDS, 128, 2)
    )
    if checkpoint is not None:
        own = int(json.loads((Path(checkpoint) / "config.json").read_text())["vocab_size"])
        keys = [(Path(checkpoint).name, rate) for rate in (None, 0.0)]
        makers |= dict.fromkeys(keys, partial(HuggingFaceEncoder, own, checkpoint=checkpoint))
    cells = []
    for (name, rate), make in makers.items():
        encoder = make(dropout=rate).train()
        for length in (30, 100, 160, 192, 250):
            count = 2000 // length
            token = torch.randint(5, WORDS, (count * length,), generator=torch.Generator().manual_seed(0))
            step = step_of(encoder, Tokens(token, torch.arange(count + 1) * length))
            ways = (False, None), (True, 0), (True, None)  # float32; bf16 by fused attention; as sigraph chooses
            losses = [loss_of(step, *way) for way in ways]  # not timed
            if rate == 0 and max(abs(loss - losses[0]) for loss in losses) > 0.02 * abs(losses[0]):
                raise SystemExit(f"{name}: they do not compute the same: {losses}")
            times = [[measure.timed(partial(loss_of, step, *way)) for way in ways] for _ in range(rounds)]
            least = [min(column) for column in zip(*times, strict=True)]
            rates = [f"{count * length / one:,.0f}" for one in least]
            said = f"{name}, dropout {'as it says' if rate is None else rate}"
            cells.append([said, str(length), *rates, f"{least[1] / least[2]:.2f} x"])
    measure.table(["", "tokens each", "float32, tokens/s", "bf16, fused", "bf16, sigraph", "of fused"], cells)


def loss_of(step: Callable[[], float], in_bf16: bool, fused_from: int | None) -> float:
    with torch.autocast("cpu", torch.bfloat16, enabled=in_bf16), fusing(fused_from):
        return step()


@contextlib.contextmanager
def fusing(length: int | None) -> Iterator[None]:
    """Torch's fused attention for sequences from a length on; None: as sigraph has it."""
    kept = padded_encoder._FUSED_FROM
    padded_encoder._FUSED_FROM = kept if length is None else length
    try:
        yield
    finally:
        padded_encoder._FUSED_FROM = kept


def beside_peer(checkpoint: str | None, rounds: int, num_steps: int) -> None:
    os.environ["TOKENIZERS_PARALLELISM"] = "false"
    try:
        import accelerate
        import sentence_transformers
        from transformers.utils import logging

        from datasets import Dataset  # noqa: F401 -- the folder of this repository has the same name
    except ImportError as error:
        print(f"{PEER} is left out: {error.name} is not installed (pip install {PEER} datasets accelerate)")
        return
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    print(f"{PEER} {sentence_transformers.__version__}, accelerate {accelerate.__version__}\n")
    with tempfile.TemporaryDirectory() as folder:
        path = checkpoint or small_checkpoint(Path(folder) / "small")
        for title, (name, size, most) in PAIRS.items():
            print(f"{title}, {size} pairs a step, {most} tokens at most\n")
            texts = pairs_of(name, size * num_steps)
            ways = {PEER: Peer(path, texts, most), "sigraph": Own(path, texts, most)}
            check_alike(*ways.values())
            times = [[way.seconds(size) for way in ways.values()] for _ in range(rounds)]
            least = [min(column) for column in zip(*times, strict=True)]
            real = int(ways["sigraph"].length()[2 * size :].sum())  # the first step is not counted
            of_rounds = [[f"{real / one:,.0f}" for one in column] for column in zip(*times, strict=True)]
            measure.table(
                ["", "real tokens a second", f"of {PEER}", "rounds"],
                [
                    [label, f"{real / best:,.0f}", f"{least[0] / best:.2f} x", ", ".join(every)]
                    for label, best, every in zip(ways, least, of_rounds, strict=True)
                ],
            )


def rows(name: str, make: Callable[[], Reader], sizes: dict[str, int], rounds: int) -> list[list[str]]:
    dataset, reader = sg.open_dataset(name), make()
    assert isinstance(dataset.records, pa.Table)
    reader.fit(dataset.records)
    dataset = dataset.read(reader)
    node = torch.randperm(len(dataset), generator=torch.Generator().manual_seed(0))[:BATCH]
    inputs, longest = dataset.fetch(node), int(dataset.max_length or 0)
    real = len(inputs.token)
    given = {key: dataset.sizes[key] for key in ("num_tokens", "pad_token", "mask_token")} | {"max_length": longest}
    ways: dict[str, TransformerEncoder] = {}
    for fill, label in ((longest, "padded"), (0, "of the batch")):
        ways[label] = Padded(**given, **sizes, dropout=0.0)
        ways[label].fill = fill
    for width in WIDTHS:
        ways[f"chunks of {width:,}"] = TransformerEncoder(**given, **sizes, dropout=0.0, max_tokens=width)
    for encoder in ways.values():
        encoder.load_state_dict(ways["padded"].state_dict())
    steps = [step_of(encoder, inputs) for encoder in ways.values()]
    losses = [step() for step in steps]
    if max(abs(loss - losses[0]) for loss in losses) > 1e-4 * abs(losses[0]):
        raise SystemExit(f"they do not compute the same: {losses}")
    times = [[measure.timed(step) for step in steps] for _ in range(rounds)]
    least = [min(column) for column in zip(*times, strict=True)]
    length = inputs.length
    padded = {"padded": BATCH * longest, "of the batch": BATCH * int(length.max())}
    found = []
    for (label, encoder), seconds in zip(ways.items(), least, strict=True):
        number = padded.get(label) or encoder.num_padded
        found.append(
            [label, f"{number:,}", f"{real / number:.2f}", f"{real / seconds:,.0f}", f"{least[0] / seconds:.2f} x"]
        )
    return found


def step_of(encoder: TransformerEncoder, inputs: Tokens) -> Callable[[], float]:
    optimizer = torch.optim.AdamW(encoder.parameters(), 1e-9)  # so that all steps see the same weights
    direction: Tensor = torch.linspace(-1, 1, encoder.out_channels)

    def step() -> float:
        optimizer.zero_grad()
        loss = (encoder(inputs).z @ direction).square().mean()
        loss.backward()
        optimizer.step()
        return float(loss.detach())

    return step


if __name__ == "__main__":
    main()
