"""Delivery of events to MLflow."""
