"""The only place that searches neighbours, exact and approximate."""

from sigraph.neighbors.exact import nearest_neighbors

__all__ = ["nearest_neighbors"]
