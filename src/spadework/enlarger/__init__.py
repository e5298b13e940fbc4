"""Pictures at twice their size, by the labels: the network and the file of it."""
