"""ROS adapters: the only folder that imports rclpy and messages."""
