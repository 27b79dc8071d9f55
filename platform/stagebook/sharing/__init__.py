"""A store that several projects share: results by fingerprint and blobs by hash, in a folder or behind a URL of fsspec."""
