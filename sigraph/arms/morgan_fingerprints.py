"""MorganFingerprints: a linear model on which substructures a molecule has, as chemists have done it for long."""

from __future__ import annotations

import importlib
from collections.abc import Sequence

from sigraph.arms.base import ArmKind, Given, Prediction
from sigraph.arms.choice import better_of
from sigraph.arms.linear import PENALTIES, check_penalties, linear_candidates
from sigraph.data import SampleDataset
from sigraph.files.arguments import check_choices, check_integers
from sigraph.graphs.molecules import distinct_text, smiles_of
from sigraph.readers.kept import read_once
from sigraph.readers.molecules import KEPT_FROM, UNREADABLE, refuse_unreadable
from sigraph.samples import SparseFeatures
from sigraph.samples.molecules import morgan_fingerprints
from sigraph.samples.vectors import sparse_rows
from sigraph.tasks import Task


class MorganFingerprints(ArmKind):
    """Logistic or ridge regression on the bits of molecules' Morgan fingerprints.

    What every encoder of molecules has to be better than. It reads the column of SMILES in the data set's records,
    whatever the reader makes of them. Classes and label columns, each on its own rows, are learned by logistic
    regression, numbers by ridge regression; one penalty, chosen by validation, serves all columns.

    Args:
        column: Of SMILES, in the data set's records; ``id``: the samples' ids, where graphs have their SMILES as ids.
        radius: Of the fingerprint, in bonds, >= 0; 2 is ECFP4.
        num_bits: Of the folded fingerprint, >= 8.
        unreadable: What becomes of an empty cell and of one that rdkit cannot read, as in
            :class:`~sigraph.readers.Molecules`: ``refuse``, naming the rows; or ``unknown``, a row without any bit.
        penalties: Penalties of the linear model to choose from by validation, each > 0; logistic regression's C is one
            over it.

    Fingerprints of 1,000 molecules or more are kept under ``SIGRAPH_DATA`` and found again. Needs rdkit (extra
    ``molecules``).

    Source: Rogers and Hahn, "Extended-connectivity fingerprints", J. Chem. Inf. Model. 2010; with logistic regression
    a baseline of Wu et al., "MoleculeNet", Chem. Sci. 2018.
    """

    kind = "closed-form"

    def __init__(
        self,
        column: str = "smiles",
        radius: int = 2,
        num_bits: int = 2048,
        unreadable: str = "refuse",
        penalties: Sequence[float] = PENALTIES,
    ) -> None:
        check_integers("MorganFingerprints", 0, radius=radius)
        check_integers("MorganFingerprints", 8, num_bits=num_bits)
        check_choices("MorganFingerprints", UNREADABLE, unreadable=unreadable)
        self.column, self.radius, self.num_bits, self.unreadable = column, radius, num_bits, unreadable
        self.penalties = check_penalties("MorganFingerprints", "penalties", penalties)

    def applies(self, given: Given, task: Task) -> str:
        try:
            smiles_of(given.dataset, self.column, "MorganFingerprints")
        except (ImportError, ValueError) as error:
            return f"has no molecules to read: {error}"
        return ""

    def check(self, given: Given, task: Task) -> None:
        self._bits(given.dataset)

    def predict(self, given: Given, task: Task, seed: int = 0, score_test: bool = True) -> Prediction:
        bits = self._bits(given.dataset)
        rows = {part: sparse_rows(bits.take(node)) for part, node in task.split.items()}
        return better_of(task, linear_candidates(task, rows, self.penalties, logistic_columns=True), score_test)

    def _bits(self, dataset: SampleDataset) -> SparseFeatures:
        """Fingerprints of all samples. Shape [N, num_bits]."""
        text = smiles_of(dataset, self.column, "MorganFingerprints")

        def read() -> tuple[SparseFeatures, dict[str, int]]:
            smiles, number = distinct_text(text)
            return SparseFeatures.of(morgan_fingerprints(smiles, self.radius, self.num_bits)[number]), {}

        how = {
            "arm": "MorganFingerprints",
            "radius": self.radius,
            "num_bits": self.num_bits,
            "versions": {"rdkit": importlib.import_module("rdkit").__version__},
        }
        bits = read()[0] if len(text) < KEPT_FROM else read_once(SparseFeatures, text, how, read)[0]
        unknown = (bits.rowptr.whole().diff() == 0).numpy()
        if self.unreadable == "refuse" and unknown.any():
            refuse_unreadable("MorganFingerprints", self.column, text, unknown, "a row without any bit")
        return bits
