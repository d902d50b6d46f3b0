"""The databases of branches: listed, switched by hand, dropped with their branches."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace

from wflo_schema.dev.checkout import Repository
from wflo_schema.dev.databases import DevDatabase, Project, Workshop
from wflo_schema.dev.rounds import Follower, Round
from wflo_schema.files.folder import read_migrations


def list_branches(project: Project, folders: Sequence[str]) -> tuple[DevDatabase, ...]:
    """Every development database of the project, the current one first.  Writes nothing."""
    with Workshop.open(project) as workshop:
        return workshop.listed(Repository(folders).read())


def switch_branch(project: Project, folders: Sequence[str], branch: str, *, recursive: bool = False) -> Round:
    """Let the database of a branch have the project's name; where there is none, it is made of the nearest.

    The files are not applied: they are those of the branch that git is on.
    """
    began = time.monotonic()
    files = read_migrations(*folders, recursive=recursive)
    with Workshop.open(project) as workshop, workshop.alone():
        checkout = Repository(folders).read()
        branches = checkout.branches | {checkout.branch}
        done = Follower(workshop).switch(files, replace(checkout, branch=branch, branches=branches))
    return replace(done, duration_ms=(time.monotonic() - began) * 1000)


def drop_branch(project: Project, branch: str) -> tuple[str, ...]:
    """Drop a branch's databases; returns their names.  Raise as `Workshop.drop` does."""
    with Workshop.open(project) as workshop, workshop.alone():
        return workshop.drop(branch)


def prune_branches(project: Project, folders: Sequence[str]) -> tuple[str, ...]:
    """Drop the databases whose git branch is gone; never the current one.  Returns their names."""
    with Workshop.open(project) as workshop, workshop.alone():
        gone = [d for d in workshop.listed(Repository(folders).read()) if d.is_gone and not d.is_current]
        for one in gone:
            workshop.session.drop(one.name)
        return tuple(d.name for d in gone)
