"""Scripts that read like tutorials, run from the checkout: ``python -m demos.NAME``."""
