"""SIPTEncoder: structure-inducing pre-training as a transformer of scikit-learn."""

from __future__ import annotations

import copy
import inspect
import warnings
from functools import partial
from typing import Any

import numpy as np
import torch
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils import Tags, check_random_state
from sklearn.utils.validation import check_is_fitted, validate_data
from torch.optim import AdamW

from sigraph import losses
from sigraph.collate import pretrain_loader
from sigraph.data import PretrainGraph, SampleDataset
from sigraph.encoders import MLPEncoder, embed
from sigraph.export.row_edges import graph_of_rows, row_names
from sigraph.files.arguments import check_choices, check_integers, check_numbers, is_one_of, shown
from sigraph.graphs import KNNGraph
from sigraph.losses import StructureLoss
from sigraph.machines.trainer import fit, quiet_trainer
from sigraph.objectives import MaskedFeature
from sigraph.pretrain import PretrainModule
from sigraph.samplers import NeighborPairSampler

GRAPHS = (None, "given", "knn")
OBJECTIVES = (None, "mse", "bce", "words")


class SIPTEncoder(ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator):
    r"""An MLP that is pre-trained so that its embeddings reflect a graph over the rows of X; no graph is needed after.

    .. math:: L = (1 - \lambda)\, L_M + \lambda\, L_{SI}

    Args:
        hidden_channels, out_channels, num_layers, dropout: Of the :class:`~sigraph.encoders.MLPEncoder`; out_channels
            is the number of features that :meth:`transform` gives.
        structure_loss: L_SI, between rows: the name of a class of ``sigraph.losses`` that needs no argument, or a
            :class:`~sigraph.losses.StructureLoss`, which is copied.
        structure_weight: lambda in [0, 1]. 0: the objective alone; 1: the structure loss alone.
        objective: L_M, within a row: hidden features are predicted by squared error (``mse``), as features in [0, 1]
            (``bce``) or as words of a bag (``words``); None: none, ``structure_weight`` then has to be 1.
        mask_rate: Share of a row's features that are hidden, in (0, 1).
        graph: ``given``: ``edges`` of :meth:`fit`; ``knn``: nearest neighbours of X, computed by :meth:`fit`; None: the
            given edges or, where there are none, nearest neighbours, which a warning says.
        n_neighbors: Neighbours of each row in the graph of nearest neighbours, >= 1; of few rows half the others,
            which a warning says.
        metric: ``euclidean`` or ``cosine``, of the graph of nearest neighbours.
        num_epochs: Passes over the rows, >= 0; 0 leaves the encoder as it was drawn.
        batch_size: Rows a step starts from, >= 1; each comes with a neighbour and a row that is none.
        learning_rate, weight_decay: Of AdamW, > 0 and >= 0.
        accelerator: Where it trains, as in Lightning: ``auto``, ``cpu``, ``gpu``. The fitted encoder is on the CPU.
        random_state: Seed, generator or None, as everywhere in scikit-learn. A seed gives the same encoder again.

    Attributes:
        encoder_: The trained :class:`~sigraph.encoders.Encoder`, for :func:`sigraph.embed`.
        graph_: What it was trained on, ``given`` or ``knn``.
        n_edges_: Undirected edges between the rows of X.
        n_neighbors_: Of the graph of nearest neighbours, as used.
        n_features_in_, feature_names_in_: As everywhere in scikit-learn.

    X holds numbers, dense or sparse, [N, F]; scale them as for any network (:class:`~sklearn.preprocessing
    .StandardScaler`). Texts come through a vectoriser. Embeddings are float32, and a row's own: it does not matter what
    else is transformed with it.

    Edges belong to rows, and cross-validation fits on some of the rows. Edges that name rows (by the index of a
    DataFrame, or by ``ids``) are restricted to those that are there; edges that number rows, and matrices, are refused
    unless they are of just these rows.

    All of scikit-learn's checks of estimators that apply pass (``check_estimator``). These do not: those of arrays of
    other libraries (``array_api_support``: X is computed on as numpy has it, then as torch does), of sample weights (a
    step takes rows and their neighbours, none counts more) and of kept precision (embeddings are float32).

    Example:
        >>> model = make_pipeline(SIPTEncoder(graph="knn"), LogisticRegression())
        >>> encoder = SIPTEncoder().fit(frame, edges=[("p7", "p2"), ("p2", "p9")])  # names of rows: frame.index

    Source: McDermott et al., "Structure-inducing pre-training", Nature Machine Intelligence 2023, Eq. 1.
    """

    def __init__(
        self,
        hidden_channels: int = 256,
        out_channels: int = 64,
        num_layers: int = 2,
        dropout: float = 0.0,
        structure_loss: Any = "InfoNCELoss",
        structure_weight: float = 0.5,
        objective: str | None = "mse",
        mask_rate: float = 0.15,
        graph: str | None = None,
        n_neighbors: int = 10,
        metric: str = "euclidean",
        num_epochs: int = 30,
        batch_size: int = 256,
        learning_rate: float = 1e-3,
        weight_decay: float = 0.0,
        accelerator: str = "auto",
        random_state: Any = None,
    ) -> None:
        self.hidden_channels = hidden_channels
        self.out_channels = out_channels
        self.num_layers = num_layers
        self.dropout = dropout
        self.structure_loss = structure_loss
        self.structure_weight = structure_weight
        self.objective = objective
        self.mask_rate = mask_rate
        self.graph = graph
        self.n_neighbors = n_neighbors
        self.metric = metric
        self.num_epochs = num_epochs
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.weight_decay = weight_decay
        self.accelerator = accelerator
        self.random_state = random_state

    def fit(self, X: Any, y: Any = None, edges: Any = None, ids: Any = None) -> SIPTEncoder:
        """Pre-train the encoder; labels are not looked at.

        Args:
            X: Numbers, dense or sparse, without gaps. Shape [N, F], N >= 3.
            y: Ignored, as in every transformer.
            edges: Between rows of X, in any direction. Names of rows (the index of a DataFrame, or ``ids``) or, where
                they have none, row numbers: shape [2, E], [E, 2] unless E is N, a list of tuples, a table of two
                columns and perhaps ``weight``, a networkx graph. Or a matrix [N, N], dense or sparse; or a table of it
                with names as index and columns.
            ids: What edges call the rows: integers or text, each once. Shape [N]; cross-validation takes them with the
                rows. None: the index of a DataFrame.

        Raises:
            ValueError: A parameter or X does not fit; edges are not of these rows, or none is between two of them.
        """
        self._check_parameters()
        rows = validate_data(self, X, accept_sparse="csr", dtype=(np.float32, np.float64), ensure_min_samples=3)
        if edges is None and self.graph == "given":
            raise ValueError("'edges' is needed in 'SIPTEncoder.fit' where graph='given' (got None)")
        if edges is not None and self.graph == "knn":
            raise ValueError(
                "'edges' is not looked at in 'SIPTEncoder.fit' where graph='knn'; graph='given' takes them"
            )
        seed = int(check_random_state(self.random_state).randint(2**31 - 1))
        dataset = SampleDataset(rows if not isinstance(rows, np.ndarray) else torch.from_numpy(np.array(rows)))
        if edges is None:
            graph = self._nearest(dataset, seed)
        else:
            graph = graph_of_rows(edges, len(dataset), row_names(X, ids, len(dataset)))
        if graph.num_edges == len(dataset) * (len(dataset) - 1):
            raise ValueError(
                f"a graph needs rows that are no neighbours in 'SIPTEncoder.fit' (got an edge between any two of "
                f"n_samples={len(dataset)}); give fewer edges, or more rows"
            )
        self.graph_, self.n_edges_ = "knn" if edges is None else "given", graph.num_edges // 2
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.encoder_ = self._trained(dataset, graph, seed)
        return self

    def transform(self, X: Any) -> np.ndarray:
        """Embeddings of rows, seen in :meth:`fit` or new ones. Shape [N, F] -> [N, out_channels], float32."""
        check_is_fitted(self)
        rows = validate_data(self, X, accept_sparse="csr", dtype=(np.float32, np.float64), reset=False)
        dataset = SampleDataset(rows if not isinstance(rows, np.ndarray) else torch.from_numpy(np.array(rows)))
        exact = copy.deepcopy(self.encoder_).double()  # sums of single precision differ with the size of a batch
        return embed(exact, dataset).numpy()

    def _trained(self, dataset: SampleDataset, graph: PretrainGraph, seed: int) -> MLPEncoder:
        width = dataset.sizes["in_channels"]
        encoder = MLPEncoder(width, self.hidden_channels, self.out_channels, self.num_layers, self.dropout)
        objective = None
        if self.objective is not None and self.structure_weight < 1:
            objective = MaskedFeature(width, self.out_channels, self.mask_rate, self.objective)
        loss = self._loss()
        sampler = NeighborPairSampler(graph)
        optimizer = partial(AdamW, lr=self.learning_rate, weight_decay=self.weight_decay)
        module = PretrainModule(encoder, loss, objective, self.structure_weight, sampler, optimizer, seed=seed)
        loader = pretrain_loader(dataset, sampler, objective, self.batch_size, seed)
        if self.num_epochs:
            fit(quiet_trainer(max_epochs=self.num_epochs, accelerator=self.accelerator), module, loader)
        return encoder.cpu().eval()

    def _nearest(self, dataset: SampleDataset, seed: int) -> PretrainGraph:
        if self.graph is None:
            warnings.warn(
                "'SIPTEncoder.fit' was given no edges and trains on the nearest neighbours of X, which say nothing "
                "that X does not; SIPTEncoder(graph='knn') means that, fit(X, edges=...) gives a graph",
                stacklevel=3,
            )
        self.n_neighbors_ = min(self.n_neighbors, (len(dataset) - 1) // 2)
        if self.n_neighbors_ < self.n_neighbors:
            warnings.warn(
                f"'n_neighbors' is {self.n_neighbors_} in 'SIPTEncoder.fit', half of the other rows (got "
                f"{self.n_neighbors} for n_samples={len(dataset)}): others have to be left that are no neighbours",
                stacklevel=3,
            )
        return KNNGraph(self.n_neighbors_, self.metric)(dataset, torch.Generator().manual_seed(seed))

    def _loss(self) -> StructureLoss:
        given = self.structure_loss
        return copy.deepcopy(given) if isinstance(given, StructureLoss) else getattr(losses, given)()

    def _check_parameters(self) -> None:
        owner = "SIPTEncoder"
        check_choices(owner, GRAPHS[1:], graph="knn" if self.graph is None else self.graph)
        check_choices(owner, OBJECTIVES[1:], objective="mse" if self.objective is None else self.objective)
        check_choices(owner, ("euclidean", "cosine"), metric=self.metric)
        check_integers(owner, 1, n_neighbors=self.n_neighbors, batch_size=self.batch_size)
        check_integers(owner, 0, num_epochs=self.num_epochs)
        check_numbers(owner, least=0, most=1, structure_weight=self.structure_weight)
        check_numbers(owner, above=0, learning_rate=self.learning_rate)
        check_numbers(owner, least=0, weight_decay=self.weight_decay)
        names = [name for name in losses.__all__ if _is_made_plainly(getattr(losses, name))]
        if not isinstance(self.structure_loss, StructureLoss) and not is_one_of(self.structure_loss, names):
            raise ValueError(
                f"'structure_loss' needs to be a sigraph StructureLoss or one of {', '.join(names)} in {owner!r} (got "
                f"{shown(self.structure_loss)})"
            )
        if self.objective is None and self.structure_weight < 1:
            raise ValueError(
                f"'structure_weight' needs to be 1 in {owner!r} without an objective (got {self.structure_weight})"
            )

    @property
    def _n_features_out(self) -> int:
        """How many names :meth:`get_feature_names_out` gives."""
        return self.encoder_.out_channels

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        tags.non_deterministic = False
        tags.transformer_tags.preserves_dtype = []  # float32, whatever came
        return tags


def _is_made_plainly(kind: Any) -> bool:
    """Whether it is a loss that needs no argument."""
    if (
        not isinstance(kind, type)
        or not issubclass(kind, StructureLoss)
        or kind in (StructureLoss, losses.PairwiseLoss)
    ):
        return False
    return all(one.default is not one.empty for one in inspect.signature(kind).parameters.values())
