"""Times and memory as ratios, both sides of one in one run: `make bench` writes reports/bench.md."""
