"""What setup.cfg cannot say: the folder ``migrations`` is a package of the wheel, so that the command has it too."""

from setuptools import find_packages, setup

setup(
    packages=[*find_packages(include=["wflo_schema", "wflo_schema.*"]), "wflo_schema.migrations"],
    package_dir={"wflo_schema.migrations": "migrations"},
)
