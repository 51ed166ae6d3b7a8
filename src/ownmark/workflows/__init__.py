"""What a person sets out to do, as request and result: silent, resumable, with a callback for progress."""
