"""Tests of appliance.config."""
