"""systemd's side of the daemon: the notification protocol, what is said by it, and the unit's file."""
