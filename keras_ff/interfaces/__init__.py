"""Engines that run a force field."""
