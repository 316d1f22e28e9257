"""Generator of the embedded hand model (run ``python -m hand_recon_ros.mano.embedded.generate``)."""
