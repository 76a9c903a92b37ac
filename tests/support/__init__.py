"""What tests in several directories need: processes, gates for tasks, and scripts."""
