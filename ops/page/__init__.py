"""The status page, what programs ask of it, and certificates' documents: HTTP on this machine, read only."""
