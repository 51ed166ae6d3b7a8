"""What the judge computes, as pure functions: p-values, their correction for many, tests that may stop early. No torch."""
