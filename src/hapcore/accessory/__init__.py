"""The accessory's side, whatever the transport: what the application says and hears, and what is kept over restarts."""
