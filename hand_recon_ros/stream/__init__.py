"""A camera's messages as frames, without ROS: the live node and the bag reader share it."""
