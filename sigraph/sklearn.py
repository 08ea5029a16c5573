"""sigraph as scikit-learn has it: ``from sigraph.sklearn import SIPTEncoder``. Imported when it is first used."""

from typing import TYPE_CHECKING

from sigraph.files.lazy_names import lazy_names

if TYPE_CHECKING:
    from sigraph.export.scikit_learn import SIPTEncoder

__all__ = ["SIPTEncoder"]

__getattr__ = lazy_names(__name__, dict.fromkeys(__all__, "sigraph.export.scikit_learn"))
