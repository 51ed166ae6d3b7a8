"""`python -m ownmark`, where the command is not on the path."""

import sys

from ownmark.cli import main

sys.exit(main())
