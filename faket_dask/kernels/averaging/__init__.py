"""Subtomogram averaging: search of poses, average of what each particle has measured, agreement of averages."""
