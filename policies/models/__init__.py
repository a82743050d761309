"""What an action is worth, and how sure that is: reward models, each learning from feedback."""
