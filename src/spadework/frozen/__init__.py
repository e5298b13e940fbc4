"""Networks with others' weights, which never learn here: they measure, and judge beside what learns."""
