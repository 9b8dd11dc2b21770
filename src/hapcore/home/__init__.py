"""A home: the controller's side above the single connections."""
