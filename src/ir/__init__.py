"""What a program is, and what can be done to one without running it natively."""
