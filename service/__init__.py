"""Everything that composes the rooms below: jobs, reports and the command line."""
