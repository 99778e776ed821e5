"""The referee: do two engines agree, which one is right, by how much, and why they differ."""
