"""OGB by name: every ``ogbn-*``, ``ogbg-*`` and ``ogbl-*``, from its raw files; nothing of them is executed."""
