"""Programs for whoever changes the project; none is installed."""
