"""Say what to do when make found a Python that is too old; every Python can read this file."""

import sys

if sys.version_info < (3, 10):
    sys.exit(
        "snaplink needs Python 3.10 or newer; this is {} ({}).\n"
        "Say which one to use: make PYTHON=python3.12 ...".format(
            sys.version.split()[0], sys.executable
        )
    )
