"""Labelled data sets in their official layouts, fed by the user's own copy."""
