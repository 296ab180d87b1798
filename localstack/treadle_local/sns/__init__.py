"""Amazon SNS of the emulator: topics that deliver to queues at once, to each subscription on its own terms."""
