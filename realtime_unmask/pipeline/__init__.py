"""Sources, the unmasker and sinks put together."""
