"""Tests of kmscourse.views, in Python."""
