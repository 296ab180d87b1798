"""`treadle dev`: a project compiled, replayed in the emulator, watched and reloaded."""
