"""The command line's groups, one module each. Heavy imports stay inside the commands: --help is quick."""
