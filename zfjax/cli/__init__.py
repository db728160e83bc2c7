"""The commands: flags, checks, and what they call."""
