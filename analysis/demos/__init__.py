"""Networks that are trained on first use, on real data, and recorded while they learn. One file per demo."""
