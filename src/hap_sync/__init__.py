"""What blocks by nature. The blocking adapter follows; its file store serves the other adapters already."""
