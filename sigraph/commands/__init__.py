"""What each command of the command line does; :mod:`sigraph.cli` says which there are."""
