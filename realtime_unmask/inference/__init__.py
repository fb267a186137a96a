"""Runs the networks in engines/: `engine.load_engine` picks a backend and says why."""
