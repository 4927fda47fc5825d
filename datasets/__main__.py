"""Download, verify and list a data set: ``python -m datasets mnist``."""

import sys

if __name__ == "__main__":
    try:
        from datasets.streams import errors_told, prepare_streams

        prepare_streams()
        with errors_told():
            from datasets.command import main  # here, because Ctrl-C may come while NumPy is imported

            sys.exit(main())
    except KeyboardInterrupt:
        sys.exit("interrupted")
