"""A million maps: every one painted once, on all cores, whatever ends the process in between."""
