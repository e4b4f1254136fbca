"""What the platform's apps read: the views of the schema `api`. Nothing here can be written to."""
