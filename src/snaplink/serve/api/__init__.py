"""The routes: each file has those of one path."""
