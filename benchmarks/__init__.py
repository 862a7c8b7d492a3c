"""What the application costs beside a simpler way to do the same, measured in one run. See README.md."""
