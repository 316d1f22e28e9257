"""Training of the learned chain: data, losses, loops. Nothing here is needed to run the chain."""
