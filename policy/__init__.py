"""What must hold of resources whatever wrote them: pure functions, run by the engine and over the offline plan."""
