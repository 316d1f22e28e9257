"""Training of the learned stages. Nothing outside imports it but the ``train`` command."""
