"""Key points of a hand."""
