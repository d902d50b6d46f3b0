"""Every result as text, JSON, JUnit, SARIF or GitHub annotations."""
