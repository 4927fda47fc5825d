"""The course, and what keeps it true: the book, the figures, the notebooks, the site."""
