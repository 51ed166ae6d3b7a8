"""Models as they are found: inside apps, archives and folders, by what is in a file and not by its name. No torch."""
