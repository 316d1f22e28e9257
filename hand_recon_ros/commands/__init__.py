"""The sub-commands of ``hand_recon``: one module each, with ``add_to``."""
