"""Views of the product, one folder each, ordered by ``registry``."""
