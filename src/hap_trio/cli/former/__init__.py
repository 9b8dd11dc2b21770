"""What the tools of homekit_python print, for scripts that read it (`--format homekit_python`)."""
