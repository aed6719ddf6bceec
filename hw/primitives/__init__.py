"""What components are built with: memories, pipeline registers, shared modules."""
