"""The study: how accurate packages for mixed models are, block by block, in numbers that one file holds."""
