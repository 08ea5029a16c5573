"""Surfaces: geodesics are metrics, know their identifications, and radius graphs are theirs."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from sigraph.synthetic.surfaces import SURFACES, Moebius, Plane, Sphere, Torus

SHARE = st.integers(0, 1000).map(lambda n: n / 1000)  # of a side, ends included


def point(name, a, b):
    if name == "sphere":
        height, angle = 2 * a - 1, 2 * math.pi * b
        wide = math.sqrt(max(0.0, 1 - height**2))
        return Sphere.radius * torch.tensor([wide * math.cos(angle), wide * math.sin(angle), height]).double()
    sides = [Moebius.length, Moebius.width] if name == "moebius" else [1.0, 1.0]
    return torch.tensor([a, b]).double() * torch.tensor(sides).double()


@pytest.mark.parametrize("name", SURFACES)
@settings(max_examples=200, deadline=None)
@given(st.tuples(*[SHARE] * 6))
def test_distance_is_a_metric(name, shares):
    surface = SURFACES[name]()
    a, b, c = (point(name, *shares[i : i + 2]) for i in (0, 2, 4))
    ab, ba, bc, ac = (float(surface.distance(*pair)) for pair in ((a, b), (b, a), (b, c), (a, c)))
    assert ab == pytest.approx(ba, abs=1e-12) and float(surface.distance(a, a)) < 1e-7
    assert ac <= ab + bc + 1e-9
    flat = name != "sphere"
    assert ab <= float((a - b).norm()) + 1e-9 if flat else ab >= float((a - b).norm()) - 1e-9


@pytest.mark.parametrize("name", SURFACES)
def test_points_are_uniform_on_the_surface(name):
    surface = SURFACES[name]()
    position = surface.draw(200_000, torch.Generator().manual_seed(0))
    assert position.shape == (200_000, surface.dim) and position.dtype == torch.float32
    # A disc around any inner point holds the share of points that its area is of the whole, which is 1.
    inner = {"plane": [0.4, 0.5], "torus": [0.01, 0.99], "moebius": [0.02, 0.25], "sphere": [0.0, 0.0, Sphere.radius]}
    near = surface.distance(position, torch.tensor(inner[name])) < 0.15
    area = math.pi * 0.15**2
    if name == "sphere":
        area = 2 * math.pi * Sphere.radius**2 * (1 - math.cos(0.15 / Sphere.radius))
    assert near.float().mean().item() == pytest.approx(area, rel=0.03)


def test_torus_goes_around_both_ways():
    a, b = torch.tensor([0.95, 0.98]), torch.tensor([0.05, 0.02])
    assert float(Torus().distance(a, b)) == pytest.approx(math.hypot(0.1, 0.04), abs=1e-6)


@settings(max_examples=100, deadline=None)
@given(st.tuples(*[SHARE] * 3), st.integers(-2, 2))
def test_moebius_strip_is_joined_upside_down(shares, turns):
    """(0, y) and (2, 1/2 - y) are one point; no path of more than one turn is shorter."""
    y, x1, y1 = shares
    surface, width, length = Moebius(), Moebius.width, Moebius.length
    left, right = torch.tensor([0.0, y * width]).double(), torch.tensor([length, width - y * width]).double()
    other = torch.tensor([x1 * length, y1 * width]).double()
    assert float(surface.distance(left, right)) < 1e-7
    assert float(surface.distance(left, other)) == pytest.approx(float(surface.distance(right, other)), abs=1e-7)
    image = torch.stack([other[0] + turns * length, width - other[1] if turns % 2 else other[1]])
    assert float(surface.distance(left, other)) <= float((left - image).norm()) + 1e-9


def test_plane_does_not_go_around():
    assert float(Plane().distance(torch.tensor([0.0, 0.0]), torch.tensor([1.0, 1.0]))) == pytest.approx(math.sqrt(2))


def test_great_circles_by_hand():
    surface, r = Sphere(), Sphere.radius
    north, south = torch.tensor([0.0, 0.0, r]), torch.tensor([0.0, 0.0, -r])
    east = torch.tensor([r, 0.0, 0.0])
    diagonal = r * torch.tensor([1.0, 1.0, 1.0]) / math.sqrt(3)
    assert float(surface.distance(north, south)) == pytest.approx(math.pi * r)
    assert float(surface.distance(north, east)) == pytest.approx(math.pi * r / 2)
    assert float(surface.distance(diagonal, east)) == pytest.approx(r * math.acos(1 / math.sqrt(3)))
    assert 4 * math.pi * r**2 == pytest.approx(1.0)
    close = r * torch.tensor([math.sin(1e-4), 0.0, math.cos(1e-4)])  # where the arc cosine has lost its digits
    assert float(surface.distance(north, close)) == pytest.approx(1e-4 * r, rel=1e-3)


@pytest.mark.parametrize("name", SURFACES)
@pytest.mark.parametrize("radius", [0.02, 0.11, 0.3, 0.49])
def test_edges_are_those_of_all_pairs(name, radius):
    surface = SURFACES[name]()
    position = surface.draw(250, torch.Generator().manual_seed(1))
    distance = surface.distance(position[:, None].double(), position.double())  # [N, N]
    expected = (distance <= radius).triu(1).nonzero().t()
    found = surface.edges(position, radius)
    low, high = found.amin(dim=0), found.amax(dim=0)
    key = low * 250 + high
    assert key.unique().numel() == key.numel()
    assert torch.equal(key.sort().values, expected[0] * 250 + expected[1])


@pytest.mark.parametrize("name", SURFACES)
def test_edges_of_many_points_take_memory_of_the_edges(name):
    surface = SURFACES[name]()
    position = surface.draw(100_000, torch.Generator().manual_seed(0))
    edges = surface.edges(position, 0.002)  # N x N floats would be 40 GB
    assert edges.size(1) == pytest.approx(math.pi * 0.002**2 * 1e10 / 2, rel=0.03)


@pytest.mark.parametrize("name", SURFACES)
def test_centres_are_spread(name):
    surface = SURFACES[name]()
    centre = surface.centres(6, torch.Generator().manual_seed(0))
    gap = surface.distance(centre[:, None].double(), centre.double()).fill_diagonal_(9).min()
    random = surface.draw(30, torch.Generator().manual_seed(0)).view(5, 6, -1).double()
    gaps = [surface.distance(part[:, None], part).fill_diagonal_(9).min() for part in random]
    assert gap > 0.2 > sum(gaps) / 5
