"""What the judge computes, as pure functions: p-values, corrections for multiple tests, sequential tests. No torch."""
