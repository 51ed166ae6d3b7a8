"""`python -m ownmark`, where the command is not on the path."""

from ownmark.cli import main

raise SystemExit(main())
