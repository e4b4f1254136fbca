"""The platform's contracts: sources, compiled artifacts, build and deployment."""
