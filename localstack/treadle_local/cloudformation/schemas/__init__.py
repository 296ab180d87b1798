"""What AWS publishes of its resource types, and the shapes that the engine holds templates against."""
