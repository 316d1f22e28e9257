"""3D hands from one RGB camera: detection, key points, MANO fit, filter; a ROS-free core."""

from pkgutil import extend_path

# The generated hand_recon_ros.msg may lie in another folder of sys.path (the colcon overlay of a
# source tree): one package, two places.
__path__ = extend_path(__path__, __name__)
