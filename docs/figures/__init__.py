"""The figures of the docs, each beside the script that draws it."""
