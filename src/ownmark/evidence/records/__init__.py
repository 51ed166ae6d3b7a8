"""A verdict in the forms that tools of others keep: CycloneDX, in-toto, SPDX. Each says what the verdict says and no more."""
