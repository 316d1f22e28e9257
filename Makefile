# `make help` lists the targets. They set up what they need (.ci/build_environment.py) and work in
# the environment of env.sh.
SHELL := /bin/sh
.DEFAULT_GOAL := help
.PHONY: help setup demo demo-teleop test lint bench clean distclean

# The first interpreter that runs, that the pinned wheels support and, where ROS 2 is sourced, that
# is the one of ROS.
PROBE := import importlib.util as u, os, sys; \
	ros = bool(os.environ.get("ROS_DISTRO")); \
	sys.exit(not (3, 11) <= sys.version_info < (3, 13) or ros and not u.find_spec("rclpy"))
ifndef PYTHON
PYTHON := $(shell for p in python3 /usr/bin/python3 python3.12 python3.11; do \
	"$$p" -c '$(PROBE)' 2>/dev/null && echo "$$p" && break; done)
endif
ENTER := . ./env.sh &&

help:  ## show this list
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' Makefile

setup:  ## build: .venv, messages, overlay
	@test -n "$(PYTHON)" || { echo "setup: no usable Python: install python3.12 or python3.11" \
	"(where ROS 2 is sourced: the one that ROS uses), or name it: make PYTHON=..." >&2; exit 1; }
	@"$(PYTHON)" .ci/build_environment.py

demo: setup  ## run the main job into out/demo (VIDEO=file or VIDEO=0 for a webcam)
	@$(ENTER) python -m hand_recon_ros.nodes.demo --out out/demo $(if $(VIDEO),--video "$(VIDEO)")

demo-teleop: setup  ## robot hands that follow the hands of a video, into out/demo_teleop (VIDEO=...)
	@$(ENTER) python -m hand_recon_ros.nodes.teleop_demo --out out/demo_teleop \
	$(if $(VIDEO),--video "$(VIDEO)")

test: setup  ## run the tests
	@$(ENTER) pytest

lint: setup  ## check style and types
	@$(ENTER) ruff check . && ruff format --check . && mypy

bench: setup  ## measure accuracy and speed: the figures of the README
	@$(ENTER) python -m hand_recon_ros.bench && \
	python -m hand_recon_ros.nodes.bench_dds --seconds 60

clean:  ## remove what was built and written, except .venv
	rm -rf build install log out *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find hand_recon_ros test launch .ci -name __pycache__ -type d -prune -exec rm -rf {} +

distclean: clean  ## the same and .venv
	rm -rf .venv
