"""What the learned stages share: building blocks, weights, ways to run them."""
