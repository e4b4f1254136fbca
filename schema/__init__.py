"""Tables, views, roles and migrations; knows no node."""
