"""One file per command: its options, one call, one renderer."""
