"""The files beside the code are valid and fit the code: workflows, citation, changelog, metadata."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml

from photseries import __version__

TOP = Path(__file__).parent.parent
GITHUB = TOP / ".github"
WORKFLOWS = sorted((GITHUB / "workflows").glob("*.yaml"))
PROJECT = tomllib.loads((TOP / "pyproject.toml").read_text("utf-8"))


def loaded(path):
    return yaml.safe_load(path.read_text("utf-8"))


def commands(workflow):
    return [step["run"] for job in loaded(workflow)["jobs"].values() for step in job["steps"] if "run" in step]


def verbs():
    return set(re.findall(r"^([a-z-]+):", (TOP / "Makefile").read_text("utf-8"), re.MULTILINE))


def test_workflow_files_exist():
    assert [path.stem for path in WORKFLOWS] == ["nightly", "test", "wheels"]


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda path: path.stem)
def test_a_workflow_calls_make_verbs_that_exist(workflow):
    document = loaded(workflow)
    assert document["name"] == workflow.stem
    assert document["permissions"] == {"contents": "read"}
    assert document[True], "YAML reads the key 'on' as true"
    assert all(job["timeout-minutes"] > 0 for job in document["jobs"].values())
    assert commands(workflow)
    for command in commands(workflow):
        make, verb, *settings = command.split()
        assert make == "make"
        assert verb in verbs()
        assert all(re.fullmatch(r"(PYTHON|ARGS)=[a-z-]+", setting) for setting in settings), command


def test_the_supported_pythons_are_tested():
    tested = loaded(GITHUB / "workflows/test.yaml")["jobs"]["test"]["strategy"]["matrix"]["python"]
    stated = [text.rsplit(" ", 1)[1] for text in PROJECT["project"]["classifiers"] if "Python :: 3." in text]
    assert tested == stated
    assert PROJECT["project"]["requires-python"] == f">={tested[0]}"


@pytest.mark.parametrize("form", sorted((GITHUB / "ISSUE_TEMPLATE").glob("*.yaml")), ids=lambda path: path.stem)
def test_an_issue_form_is_complete(form):
    document = loaded(form)
    assert {"name", "description", "body"} <= set(document)
    identities = [field["id"] for field in document["body"]]
    assert len(set(identities)) == len(identities) > 0
    assert all(field["type"] in {"input", "textarea"} and field["attributes"]["label"] for field in document["body"])


def test_dependabot_watches_the_files_that_exist():
    document = loaded(GITHUB / "dependabot.yml")
    assert document["version"] == 2
    assert {update["package-ecosystem"] for update in document["updates"]} == {"github-actions", "pip"}
    assert all(update["schedule"]["interval"] for update in document["updates"])


def test_the_hooks_call_tools_of_the_environment():
    for repository in loaded(TOP / ".pre-commit-config.yaml")["repos"]:
        assert repository["repo"] == "local"
        for hook in repository["hooks"]:
            program = hook["entry"].split()[0].removeprefix(".venv/bin/")
            assert (Path(sys.executable).parent / program).exists(), hook["id"]


def test_the_citation_fits_the_project():
    citation, project = loaded(TOP / "CITATION.cff"), PROJECT["project"]
    assert {"cff-version", "message", "title", "authors"} <= set(citation), "what the format requires"
    assert citation["cff-version"] == "1.2.0"
    assert citation["version"] == project["version"] == __version__
    assert citation["license"] == project["license"]
    assert citation["authors"] == project["authors"]
    assert citation["repository-code"] == project["urls"]["Repository"]
    assert re.fullmatch(r"\d{4}-\d\d-\d\d", citation["date-released"])
    changelog = (TOP / "CHANGELOG.md").read_text("utf-8")
    assert f"\n## {__version__} ({citation['date-released']})\n" in changelog


def test_the_licence_names_its_holder():
    (holder,) = PROJECT["project"]["authors"]
    (name,) = PROJECT["project"]["license-files"]
    assert holder["name"] in (TOP / name).read_text("utf-8")


def test_the_changelog_can_be_made_of_its_fragments():
    types = {kind["directory"] for kind in PROJECT["tool"]["towncrier"]["type"]}
    fragments = [path for path in (TOP / "changelog.d").iterdir() if path.name not in ("README.md", ".gitignore")]
    for fragment in fragments:
        assert re.fullmatch(rf"(\d+|\+[a-z0-9-]+)\.({'|'.join(sorted(types))})(\.\d+)?\.md", fragment.name), fragment
    command = [f"{Path(sys.executable).parent}/towncrier", "build", "--draft", "--version", "next"]
    outcome = subprocess.run(command, cwd=TOP, capture_output=True, text=True)
    assert outcome.returncode == 0, outcome.stderr
    for fragment in fragments:
        assert " ".join(fragment.read_text("utf-8").split()) in " ".join(outcome.stdout.split()), fragment
