"""What people look at after a run: ``report.html`` and ``report.json``, and runs side by side."""
