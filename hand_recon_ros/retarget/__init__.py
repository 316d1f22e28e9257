"""What a robot is told of a human hand: joint angles, features, wrist poses, frames. No ROS."""
