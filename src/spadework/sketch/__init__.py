"""Label maps: their classes, their files in every form people have them, and what repairs them. No torch."""
