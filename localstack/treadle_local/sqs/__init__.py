"""Amazon SQS of the emulator: queues that lose nothing, cost the same at any depth, and read the emulator's clock."""
