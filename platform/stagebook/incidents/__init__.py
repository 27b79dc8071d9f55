"""Incidents: from the first failure or breach until health, or a person, ends it. Pure: a fold of events."""
