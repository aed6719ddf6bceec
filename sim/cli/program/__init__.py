"""How commands run as programs: exit status, what went wrong, what a terminal is shown."""
