"""LSA: a linear model on a few principal channels of the samples' own rows; no graph at all."""

from __future__ import annotations

from collections.abc import Sequence

from sklearn.decomposition import TruncatedSVD

from sigraph.arms.base import ArmKind, Given, Prediction, without_vectors
from sigraph.arms.choice import Candidate, better_of
from sigraph.arms.linear import PENALTIES, check_penalties, linear_candidates
from sigraph.files.arguments import check_integers
from sigraph.samples.vectors import Vectors
from sigraph.tasks import Task


class LSA(ArmKind):
    """Truncated singular value decomposition of all visible samples' rows (tf-idf of counts), then a linear model.

    What unlabelled samples give without their edges.

    Args:
        num_channels: Singular vectors kept, >= 1; fewer where there are fewer samples or features.
        penalties: Penalties of the linear model to choose from by validation, each > 0.

    Source: Deerwester et al., "Indexing by latent semantic analysis", JASIS 1990; scikit-learn's ``TruncatedSVD``.
    """

    kind = "closed-form"

    def __init__(self, num_channels: int = 256, penalties: Sequence[float] = PENALTIES) -> None:
        check_integers("LSA", 1, num_channels=num_channels)
        self.num_channels, self.penalties = num_channels, check_penalties("LSA", "penalties", penalties)

    def applies(self, given: Given, task: Task) -> str:
        return without_vectors(given)

    def predict(self, given: Given, task: Task, seed: int = 0, score_test: bool = True) -> Prediction:
        vectors = Vectors(given.visible.store, idf_power=1.0)
        own = vectors(given.visible.store)
        reduced = TruncatedSVD(min(self.num_channels, *own.shape), random_state=0).fit(own)
        rows = {part: reduced.transform(vectors(given.dataset.store, node)) for part, node in task.split.items()}
        candidates = linear_candidates(task, rows, self.penalties)
        more = reduced.components_.size
        return better_of(task, (Candidate(one.predict, one.num_parameters + more) for one in candidates), score_test)
