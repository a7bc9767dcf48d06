"""The stack file, typed, without Pulumi: settings, targets, and which engine a command is about."""
