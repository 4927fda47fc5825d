"""The pictures of the docs. Each module draws one, in ``draw()``, from a real run; ``python -m docs.figures`` draws all."""
