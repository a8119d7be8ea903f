"""Long random runs: `make fuzz MINUTES=n`."""
