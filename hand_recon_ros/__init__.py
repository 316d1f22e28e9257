"""3D hands from one RGB camera: detection, key points, MANO fit, filter; a ROS-free core."""
