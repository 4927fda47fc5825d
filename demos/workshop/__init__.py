"""The workshop: the reader writes the core of the framework, and is told what is wrong. See docs/workshop.md.

``command`` is the command line; ``folder`` what is written into the reader's folder; ``steps`` what is to be written
there, as data, and ``checks`` whether it is right; ``bugs`` the same for the bugs to find; ``training`` trains with
whatever framework it is given; ``child`` runs the reader's code, in a process of its own.
"""
