"""How fast this machine is: what `bench` measures, and against what."""
