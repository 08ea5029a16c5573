"""OGB by name: every ``ogbn-*``, ``ogbg-*`` and ``ogbl-*``, from its raw files; nothing of them is executed."""

from sigraph.recipes.ogb.facts import OGBFacts, ogb_facts, ogb_names

__all__ = ["OGBFacts", "ogb_facts", "ogb_names"]
