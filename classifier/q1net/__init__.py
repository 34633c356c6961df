"""The network: its configurations, patches, fusion, architecture, weights, data and training."""
