"""Tests of what ships in the zip: every project runs in a process of its own, as in Lambda."""
