"""The revisions, one file each; the DDL is in ../sql/."""
