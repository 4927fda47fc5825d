"""Write the core of the framework yourself: python -m demos.workshop FOLDER"""

import os
import sys

try:  # why this comes before other imports: demos/_launcher.py
    sys.path.insert(0, os.path.abspath(f"{__file__}/../../.."))
    from demos._launcher import launch

    sys.exit(launch("demos.workshop.command"))
except KeyboardInterrupt:
    sys.exit("interrupted")
