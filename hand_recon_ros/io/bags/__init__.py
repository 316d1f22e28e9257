"""Recordings of ROS 1 and 2, read without ROS: by rosbags, or piecewise where damaged."""
