"""Hand detection."""
