"""Test databases in milliseconds: a template for each set of migrations, a clone for each test."""
