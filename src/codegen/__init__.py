"""How a program becomes machine code."""
