"""What the systems hold that the stack does not say."""
