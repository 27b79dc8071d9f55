"""What commands show, as text and rich tables. The functions return, and never print."""
