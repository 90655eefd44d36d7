"""What a developer runs: the dump of every stage, the demo, the benchmark."""
