"""Simulators: worlds to drive in, behind one small interface."""
