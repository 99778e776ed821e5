"""The bootstrap, its refits, and power by simulation."""
