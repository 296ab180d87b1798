"""Amazon SNS of the emulator: topics that deliver to queues and functions at once, to each subscription on its own
terms."""
