"""Tests of kmscourse.sealed. A package, so that tests of the views can use its messages."""
