"""What is asyncio by nature. The asyncio adapter follows; its mDNS serves the trio adapter already."""
