"""Questions about training: has a layer settled, what looks unhealthy (numpy only)."""
