"""The embedded default: generated, so there are no raw files."""

from sigraph.synthetic import TorusWorld


def prepare(files, card):
    """The world of :class:`sigraph.synthetic.TorusWorld` with its default settings and seed 0."""
    return TorusWorld().generate(seed=0)
