"""The durable record of events, and what it adds up to."""
