"""What a service does besides painting, without HTTP: files that people bring, moods, films, faults."""
