"""What a training script imports: the recorder and the statistics it streams (needs torch)."""
