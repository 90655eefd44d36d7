"""Functions to try the tools on."""
