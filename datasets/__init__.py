"""Data sets as raw IDX files: downloaded, verified, cached and parsed. One module per data set.

    from datasets import mnist
    (x_train, y_train), (x_test, y_test) = mnist.load_data()

- ``idx``       the file format: bytes to array and back
- ``file``      which bytes are the right ones
- ``download``  getting a file from the first mirror that has it, whole and verified, or not at all
- ``dataset``   a data set is a table of mirrors and files; where its cache lies
- ``mnist``, ``fashion_mnist``, ``kmnist``   the tables
- ``command``   ``python -m datasets NAME`` downloads and verifies one
- ``streams``   standard output and standard error, closed, full or broken
"""
