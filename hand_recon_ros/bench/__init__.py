"""The figures of the README: accuracy and speed, each against its bar."""
