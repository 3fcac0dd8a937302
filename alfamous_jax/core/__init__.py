"""What every other room stands on: the answer of a selector, exact products, sums over devices."""
