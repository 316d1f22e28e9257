"""The official ACR network (CVPR 2023), for people who hold its weights: own implementation."""
