"""The search of settings within a stated space: what is drawn, what a trial is, how the search is kept and goes on."""
