"""Program to program, one idea a file. Every pass is near-linear in the number of equations."""
