"""Papers of ogbn-mag with abstracts: OGB's official files, and a table of texts that the user has."""

from sigraph.data.ogb_facts import ogb_facts
from sigraph.recipes.ogb.files import official_folder
from sigraph.recipes.ogb.texts import papers_with_texts

OFFICIAL, TEXTS = "ogbn-mag", "ogbn_mag_text/abstracts.tsv.gz"


def prepare(files, card, root):
    """Records with ``title`` and ``text``, the graph ``cites``, the task ``venue``."""
    facts = ogb_facts(OFFICIAL)
    return papers_with_texts(official_folder(facts, root), facts, files[TEXTS], card.name, "venue")
