"""The shell commands: thin files over the admin room."""
