"""Downloads of the Sequences view: responses and clusters as CSV and npz."""
