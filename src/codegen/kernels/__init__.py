"""What is no loop nest: calls of libraries on whole arrays."""
