"""What a user hands in: a model's specification, its control and its data."""
