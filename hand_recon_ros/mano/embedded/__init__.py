"""Generator of the embedded hand: ``python -m hand_recon_ros.mano.embedded.generate``."""
