"""Training: one fold, all folds, and what is kept of them."""
