"""Interfaces between force fields and simulation engines: ASE, LAMMPS and i-PI."""
