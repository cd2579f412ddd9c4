"""The readable source of the Grafana dashboards. It must not know where the JSON is written; `generate.py` does."""
