"""Prove every recipe: python -m demos.layers"""

import doctest

from demos.layers import (
    activations,
    augmentation,
    blocks,
    callbacks,
    images,
    losses,
    normalisation,
    optimizers,
    regularisation,
    sequences,
)

PROVED = (activations, normalisation, regularisation, images, augmentation, blocks, sequences, losses, optimizers)


def main():
    for module in PROVED:
        print(module.__name__)
        for report in module.prove():
            print(f"  {report.subject[:60]:<60} largest error {report.largest_error:.0e}")
    failed, tried = doctest.testmod(callbacks)
    print(f"{callbacks.__name__}\n  {tried - failed} of {tried} lines print what they say")


if __name__ == "__main__":
    main()
