"""Tables in files, whatever their format: read in bounded memory, by DuckDB."""
