"""The controller's side, whatever the transport: what the application asks, and what it hears."""
