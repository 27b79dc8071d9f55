"""Alerts: what people are told of incidents and deployments, through an outbox, each once."""
