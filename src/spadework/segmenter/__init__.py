"""Photo -> label map: the network, the file of it, and how well it reads."""
