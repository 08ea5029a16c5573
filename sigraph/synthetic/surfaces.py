"""Surfaces of area 1: uniform points, exact geodesics, radius graphs."""

from __future__ import annotations

from abc import ABC, abstractmethod

import numpy as np
import torch
from scipy.spatial import cKDTree
from torch import Tensor

CANDIDATES = 256  # random places tried per centre


class Surface(ABC):
    """A surface of area 1.

    Attributes:
        dim: Coordinates of a point.
        reach: Radii of graphs need to be below it.
    """

    dim: int
    reach: float

    @abstractmethod
    def draw(self, count: int, generator: torch.Generator) -> Tensor:
        """Uniform points. Shape [count, dim] float32."""

    @abstractmethod
    def distance(self, a: Tensor, b: Tensor) -> Tensor:
        """Length of the shortest path on the surface.

        Args:
            a: Points. Shape [*, dim].
            b: Points; broadcasts against ``a``.
        """

    @abstractmethod
    def edges(self, position: Tensor, radius: float) -> Tensor:
        """Pairs of points within ``radius``, each once; by a tree, in memory of the edges. Shape [2, E] int64."""

    def centres(self, count: int, generator: torch.Generator) -> Tensor:
        """Points far from each other: each is the farthest of many random ones from those before it.

        Returns:
            Shape [count, dim].
        """
        centre = self.draw(1, generator)
        for _ in range(count - 1):
            candidate = self.draw(CANDIDATES, generator)
            gap = self.distance(candidate[:, None], centre).amin(dim=1)  # [CANDIDATES]
            centre = torch.cat([centre, candidate[gap.argmax()][None]])
        return centre


class Plane(Surface):
    """The unit square, straight lines."""

    dim, reach = 2, 1.0

    def draw(self, count: int, generator: torch.Generator) -> Tensor:
        return torch.rand(count, 2, generator=generator)

    def distance(self, a: Tensor, b: Tensor) -> Tensor:
        return (a - b).square().sum(dim=-1).sqrt()

    def edges(self, position: Tensor, radius: float) -> Tensor:
        return _tree_pairs(position.double().numpy(), radius)


class Torus(Surface):
    """The flat torus of side 1: both coordinates go around."""

    dim, reach = 2, 0.5

    def draw(self, count: int, generator: torch.Generator) -> Tensor:
        return torch.rand(count, 2, generator=generator)

    def distance(self, a: Tensor, b: Tensor) -> Tensor:
        gap = (a - b).abs()
        return torch.minimum(gap, 1 - gap).square().sum(dim=-1).sqrt()

    def edges(self, position: Tensor, radius: float) -> Tensor:
        return _tree_pairs(position.double().numpy(), radius, boxsize=1.0)


class Moebius(Surface):
    r"""The flat Moebius strip :math:`[0, 2) \times [0, 1/2]`, its ends joined upside down: (x + 2, y) is (x, 1/2 - y).

    Its universal cover is a convex strip of the plane, so that a shortest path is a straight line to the nearest of a
    point's images; going around more than once never is shorter.
    """

    dim, reach = 2, 1.0
    length, width = 2.0, 0.5

    def draw(self, count: int, generator: torch.Generator) -> Tensor:
        return torch.rand(count, 2, generator=generator) * torch.tensor([self.length, self.width])

    def distance(self, a: Tensor, b: Tensor) -> Tensor:
        across = a[..., 0] - b[..., 0]
        straight = across.square() + (a[..., 1] - b[..., 1]).square()
        around = (self.length - across.abs()).square() + (a[..., 1] + b[..., 1] - self.width).square()
        return torch.minimum(straight, around).sqrt()

    def edges(self, position: Tensor, radius: float) -> Tensor:
        place = position.double().numpy()
        near = np.flatnonzero(place[:, 0] <= radius)  # whose images beyond the seam can be reached
        image = np.stack([place[near, 0] + self.length, self.width - place[near, 1]], axis=1)
        owner = torch.from_numpy(np.concatenate([np.arange(len(place)), near]))
        pairs = owner[_tree_pairs(np.concatenate([place, image]), radius)]  # [2, E], some of two images
        low, high = pairs.amin(dim=0), pairs.amax(dim=0)
        return torch.stack([low, high])[:, low < high].unique(dim=1)


class Sphere(Surface):
    """The sphere of area 1 in three dimensions; paths are arcs of great circles."""

    dim = 3
    radius = 0.5 / np.pi**0.5
    reach = np.pi * radius

    def draw(self, count: int, generator: torch.Generator) -> Tensor:
        # The area between two heights goes with their difference (Archimedes): the height is uniform.
        share = torch.rand(count, 2, generator=generator, dtype=torch.float64)
        height, angle = 2 * share[:, 0] - 1, 2 * np.pi * share[:, 1]
        wide = (1 - height.square()).sqrt()
        place = torch.stack([wide * angle.cos(), wide * angle.sin(), height], dim=1)
        return (self.radius * place).float()

    def distance(self, a: Tensor, b: Tensor) -> Tensor:
        a, b = torch.broadcast_tensors(a, b)
        # The arc tangent is exact for near and for opposite points, where the arc cosine of the product is not.
        return self.radius * torch.atan2(torch.linalg.cross(a, b).norm(dim=-1), (a * b).sum(dim=-1))

    def edges(self, position: Tensor, radius: float) -> Tensor:
        chord = 2 * self.radius * np.sin(radius / (2 * self.radius))
        return _tree_pairs(position.double().numpy(), chord)


SURFACES: dict[str, type[Surface]] = {"plane": Plane, "moebius": Moebius, "sphere": Sphere, "torus": Torus}


def _tree_pairs(place: np.ndarray, radius: float, boxsize: float | None = None) -> Tensor:
    """Pairs within ``radius`` of each other. Shape [2, E] int64."""
    pairs = cKDTree(place, boxsize=boxsize).query_pairs(radius, output_type="ndarray")
    return torch.from_numpy(pairs).long().t().contiguous()
