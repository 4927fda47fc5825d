"""How fast nnscratch is: a step taken apart (``steps``), and a race with others (``python -m demos.benchmarks``)."""
