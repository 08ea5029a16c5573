"""LSA: a linear model on a few principal channels of the samples' own rows; no graph at all."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from sklearn.decomposition import TruncatedSVD
from torch import Tensor

from sigraph.arms.base import Given
from sigraph.arms.linear import PENALTIES, check_penalties
from sigraph.arms.mapped import Mapped, MappedRows
from sigraph.files.arguments import check_integers
from sigraph.samples.vectors import Vectors


class LSA(MappedRows):
    """Truncated singular value decomposition of all visible samples' rows (tf-idf of counts), then a linear model.

    What unlabelled samples give without their edges.

    Args:
        num_channels: Singular vectors kept, >= 1; fewer where there are fewer samples or features.
        penalties: Penalties of the linear model to choose from by validation, each > 0.

    Source: Deerwester et al., "Indexing by latent semantic analysis", JASIS 1990; scikit-learn's ``TruncatedSVD``.
    """

    def __init__(self, num_channels: int = 256, penalties: Sequence[float] = PENALTIES) -> None:
        check_integers("LSA", 1, num_channels=num_channels)
        self.num_channels, self.penalties = num_channels, check_penalties("LSA", "penalties", penalties)

    def maps(self, given: Given, nodes: Mapping[str, Tensor]) -> Iterator[Mapped]:
        vectors = Vectors(given.visible.store, idf_power=1.0)
        own = vectors(given.visible.store)
        reduced = TruncatedSVD(min(self.num_channels, *own.shape), random_state=0).fit(own)
        rows = {part: reduced.transform(vectors(given.dataset.store, node)) for part, node in nodes.items()}
        yield Mapped(rows, reduced.components_.size)
