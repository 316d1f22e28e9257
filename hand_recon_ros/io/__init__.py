"""Reading frames and writing results."""
