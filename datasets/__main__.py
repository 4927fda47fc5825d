"""Download, verify and list a data set: ``python -m datasets mnist``."""

import sys

if __name__ == "__main__":
    if sys.version_info < (3, 11):  # noqa: UP036  # this file runs on those, too
        sys.exit("error: expected Python 3.11 or newer, got " + sys.version.split()[0] + ": start it with a newer one")
    try:
        from datasets.streams import errors_told, prepare_streams

        prepare_streams()
        with errors_told():
            from datasets.command import main  # here, because Ctrl-C may come while NumPy is imported

            sys.exit(main())
    except KeyboardInterrupt:
        sys.exit("interrupted")
