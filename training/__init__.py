"""Training of the networks; `python -m training --help` lists the steps."""
