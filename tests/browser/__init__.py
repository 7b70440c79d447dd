"""Tests in a real browser, inside JupyterLab."""
