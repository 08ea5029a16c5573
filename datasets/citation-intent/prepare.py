"""Sentences that cite, from the splits of SciBERT."""

from sigraph.recipes.sentences import labelled_sentences


def prepare(files, card):
    """Records with ``text``, no graph, the task ``intent`` with the given split."""
    return labelled_sentences(files, "scibert/citation_intent", "intent", ["macro_f1", "accuracy"], card.name)
