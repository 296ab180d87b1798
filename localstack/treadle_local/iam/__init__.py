"""AWS IAM in the emulator: roles and policies; users, groups and identity providers are refused by name."""
