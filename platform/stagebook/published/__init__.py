"""What an environment shows to its readers: manifests, and the folders of versions that one pointer chooses from."""
