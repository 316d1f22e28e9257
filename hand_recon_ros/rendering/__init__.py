"""What people look at: overlays and rendered clips."""
