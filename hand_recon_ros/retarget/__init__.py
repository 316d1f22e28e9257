"""From human hands to robot hands: angles, mapping, limits, safety. No ROS inside."""
