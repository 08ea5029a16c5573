"""RefreshNegatives: keeps a sampler's hard negatives in step with the encoder."""

from __future__ import annotations

from typing import Any

from lightning.pytorch import Callback, LightningModule, Trainer

from sigraph.data import SampleDataset
from sigraph.encoders import embed
from sigraph.samplers import HardNegativeSampler


class RefreshNegatives(Callback):
    """Embeds all samples and refreshes the sampler, before the first epoch and every ``refresh_every`` epochs.

    Logs ``false_negative_rate`` and ``pool_share`` of the pools that an epoch drew from. The pools of the next epoch
    are filled at the end of the one before, while no DataLoader worker draws: batches are the same for any number of
    workers. They are part of the checkpoint; a resumed run goes on with them. List it before callbacks that save
    checkpoints themselves (Lightning's own come last anyway). Each of several processes refreshes for itself.

    Args:
        dataset: All samples of the sampler's graph.
        sampler: The sampler of the loader, the very object.

    Raises:
        ValueError: An argument is of another kind, or they do not fit.
    """

    def __init__(self, dataset: SampleDataset, sampler: HardNegativeSampler) -> None:
        for name, value, kind in (("dataset", dataset, SampleDataset), ("sampler", sampler, HardNegativeSampler)):
            if not isinstance(value, kind):
                got = type(value).__name__
                raise ValueError(f"{name!r} needs to be a sigraph {kind.__name__} in 'RefreshNegatives' (got {got})")
        if len(dataset) != sampler.num_nodes:
            raise ValueError(
                f"'dataset' needs one sample per node, {sampler.num_nodes}, in 'RefreshNegatives' (got {len(dataset)})"
            )
        self.dataset, self.sampler = dataset, sampler
        self.epoch, self.next_epoch = -1, 0  # that the pools were filled for; that comes next
        self.figures: dict[str, float] = {}

    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        # Not at the start of training: by then the first workers are drawing.
        self._refresh(pl_module)

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        pl_module.log_dict(self.figures)
        self.next_epoch = trainer.current_epoch + 1
        if self.next_epoch != trainer.max_epochs:
            self._refresh(pl_module)

    def _refresh(self, pl_module: LightningModule) -> None:
        due = self.next_epoch - self.next_epoch % self.sampler.refresh_every
        if self.sampler.pool is None or self.epoch != due:
            self.figures = self.sampler.refresh(embed(pl_module.encoder, self.dataset))  # type: ignore[arg-type]
            self.epoch = due

    def state_dict(self) -> dict[str, Any]:
        pool = {} if self.sampler.pool is None else {"pool": self.sampler.pool.clone()}
        return {"epoch": self.epoch, "figures": self.figures, **pool}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.epoch, self.figures = state_dict["epoch"], dict(state_dict["figures"])
        if "pool" in state_dict:
            self.sampler.load(state_dict["pool"])

    def on_load_checkpoint(self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]) -> None:
        # Epochs that are over: also right where it was saved in the middle of one.
        self.next_epoch = checkpoint["loops"]["fit_loop"]["epoch_progress"]["current"]["processed"]
