"""All rectangles of a matrix of counts, and the best of them."""
