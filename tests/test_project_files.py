"""The files around the package: they parse, agree, and name commands, files and versions that exist."""

from __future__ import annotations

import ast
import re
import tomllib
from collections.abc import Hashable
from pathlib import Path
from typing import Any

import pytest
import yaml

from coffea_ddp.cli import cli

ROOT = Path(__file__).resolve().parents[1]
OF_TOOLS = {".venv", ".git", ".nox", "build", "dist", "demo", "node_modules"}
YAML_FILES = sorted(
    path.relative_to(ROOT).as_posix()
    for pattern in ("*.yml", "*.yaml", "*.cff", ".github/**/*.yml", "recipe/*.yaml")
    for path in ROOT.glob(pattern)
    if not OF_TOOLS & set(path.relative_to(ROOT).parts)
)
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
ON_CONDA_FORGE = {
    "fastjsonschema": "python-fastjsonschema",
    "matplotlib": "matplotlib-base",
    "torch": "pytorch",
}
"""Names that differ from those of PyPI."""
TOLD_NOWHERE = re.compile(r"[\w.+-]+@[\w-]+\.[a-z]{2,}|github\.com/[\w-]+/coffea[_-]ddp", re.IGNORECASE)


class UniqueKeys(yaml.SafeLoader):
    """YAML in which a key that is given twice is an error."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        keys = [self.construct_object(key, deep=deep) for key, _ in node.value]
        twice = {key for key in keys if keys.count(key) > 1}
        assert not twice, f"{node.start_mark}: twice {twice}"
        return super().construct_mapping(node, deep)


def parsed(name: str) -> Any:
    return yaml.load((ROOT / name).read_text("utf-8"), UniqueKeys)


def text(name: str) -> str:
    return (ROOT / name).read_text("utf-8")


def commands() -> list[tuple[str, str]]:
    """Return every command that a workflow runs, with the workflow."""
    return [
        (path, line)
        for path in YAML_FILES
        if path.startswith(".github/workflows/")
        for job in parsed(path)["jobs"].values()
        for step in job["steps"]
        for line in step.get("run", "").splitlines()
    ]


def normalised(requirement: str) -> str:
    """Return `numpy >=2.1` for `numpy>=2.1`, by its name at conda-forge."""
    name, bound = re.fullmatch(r"([\w.-]+)(?:\[[\w,-]+\])?\s*(>=\S+)", requirement).groups()  # type: ignore[union-attr]
    return f"{ON_CONDA_FORGE.get(name, name.lower())} {bound}"


def required(*extras: str) -> set[str]:
    """Return what the package needs, with some of its extras, as conda-forge writes it."""
    project = PROJECT["project"]
    lists = [project["dependencies"], *(project["optional-dependencies"][extra] for extra in extras)]
    return {normalised(requirement) for requirements in lists for requirement in requirements}


def told(requirements: list[Any]) -> set[str]:
    """Return what a list of conda requirements asks for, besides Python and pip."""
    names = {requirement for requirement in requirements if isinstance(requirement, str)}
    return {name for name in names if name.split()[0] not in {"python", "pip"}}


@pytest.mark.parametrize("name", YAML_FILES)
def test_parses(name: str) -> None:
    assert parsed(name)


def test_all_are_found() -> None:
    assert {".pre-commit-config.yaml", ".readthedocs.yaml", "CITATION.cff", "environment.yml"} <= set(YAML_FILES)
    assert {".github/workflows/ci.yml", ".github/dependabot.yml", "recipe/recipe.yaml"} <= set(YAML_FILES)


def test_workflows_run_targets_and_sessions_that_exist() -> None:
    targets = set(re.findall(r"^([a-z]+):", text("Makefile"), re.MULTILINE))
    sessions = set(re.findall(r"^def (\w+)\(session", text("noxfile.py"), re.MULTILINE))
    asked = [
        (path, re.findall(r"\bmake (\w+)", line), re.findall(r"\bnox -s (\w+)", line)) for path, line in commands()
    ]
    assert {name for _, names, _ in asked for name in names} >= {
        "lint",
        "pytest",
        "docs",
        "wheel",
        "slow",
        "coverage",
        "demo",
    }
    assert [(path, name) for path, names, _ in asked for name in names if name not in targets] == []
    assert [(path, name) for path, _, names in asked for name in names if name not in sessions] == []


def test_a_pull_request_passes_what_make_test_runs() -> None:
    parts = re.search(r"^BESIDE := (.+)$", text("Makefile"), re.MULTILINE)
    assert parts
    in_ci = {
        name for path, line in commands() if path.endswith("/ci.yml") for name in re.findall(r"\bmake (\w+)", line)
    }
    assert {"pytest", *parts[1].split()} <= in_ci


def test_pythons_are_the_same_everywhere() -> None:
    classifiers = PROJECT["project"]["classifiers"]
    pythons = [name.split()[-1] for name in classifiers if re.search(r":: 3\.\d+$", name)]
    assert parsed(".github/workflows/ci.yml")["jobs"]["tests"]["strategy"]["matrix"]["python"] == pythons
    assert PROJECT["project"]["requires-python"] == f">={pythons[0]}"
    assert parsed("recipe/variants.yaml")["python_min"] == [pythons[0]]
    session = re.search(r"^PYTHONS = \[OLDEST, (.+)\]$", text("noxfile.py"), re.MULTILINE)
    assert session
    assert re.findall(r"[\d.]+", session[1]) == pythons[1:]


def test_constraints_pin_what_is_asked_for() -> None:
    pins = {line.partition("==")[0].lower().replace("_", "-") for line in text("constraints.txt").splitlines()}
    extras = PROJECT["project"]["optional-dependencies"].values()
    asked = [*PROJECT["project"]["dependencies"], *(name for extra in extras for name in extra)]
    names = {re.match(r"[\w.-]+", requirement)[0].lower().replace("_", "-") for requirement in asked}  # type: ignore[index]
    build = {re.match(r"[\w-]+", requirement)[0] for requirement in PROJECT["build-system"]["requires"]}  # type: ignore[index]
    assert sorted((names | build) - pins - {"coffea-ddp"}) == []
    assert build <= names  # the wheel is built without isolation


def test_hooks_have_the_versions_of_constraints() -> None:
    pins = dict(line.split("==") for line in text("constraints.txt").splitlines() if "==" in line)
    hooks = {repo["repo"].rpartition("/")[2]: repo["rev"] for repo in parsed(".pre-commit-config.yaml")["repos"]}
    assert hooks["ruff-pre-commit"] == f"v{pins['ruff']}"
    assert hooks["mirrors-mypy"] == f"v{pins['mypy']}"


def test_groups_are_the_extras() -> None:
    groups = PROJECT["dependency-groups"]
    assert groups == {name: [f"coffea-ddp[{name}]"] for name in ("test", "docs", "dev", "bench")}
    assert set(groups) < set(PROJECT["project"]["optional-dependencies"])


def test_conda_asks_for_what_the_package_needs() -> None:
    assert told(parsed("environment.yml")["dependencies"]) == required("torch", "classifier")
    recipe = parsed("recipe/recipe.yaml")["requirements"]
    assert told(recipe["run"]) == required()
    assert told(recipe["run_constraints"]) == required("torch", "classifier") - required()
    assert told(recipe["host"]) == {normalised(name) for name in PROJECT["build-system"]["requires"]}


def test_recipe_is_one() -> None:
    """By the parser that builds it: unknown fields, wrong types and templates that do not render are errors."""
    rattler_build = pytest.importorskip("rattler_build", reason="py-rattler-build is not installed")
    recipe = rattler_build.Stage0Recipe.from_yaml(text("recipe/recipe.yaml"))
    (rendered,) = recipe.render(rattler_build.VariantConfig.from_file(ROOT / "recipe" / "variants.yaml"))
    assert "coffea-ddp" in repr(rendered)
    with pytest.raises(rattler_build.RecipeParseError, match="unknown field"):
        rattler_build.Stage0Recipe.from_yaml(text("recipe/recipe.yaml").replace("license_file", "licence_file"))


def stages() -> dict[str, list[tuple[str, str]]]:
    """Return the instructions of every stage of the Containerfile."""
    lines = re.sub(r"\\\n\s*", "", re.sub(r"^#.*\n", "", text("Containerfile"), flags=re.MULTILINE)).splitlines()
    found: dict[str, list[tuple[str, str]]] = {}
    stage = ""
    for line in filter(None, lines):
        instruction, _, rest = line.partition(" ")
        assert instruction in {"ARG", "FROM", "ENV", "WORKDIR", "COPY", "RUN", "USER", "CMD"}, line
        if instruction == "FROM":
            stage = rest.partition(" AS ")[2]
        found.setdefault(stage, []).append((instruction, rest))
    return found


def test_images_are_made_of_what_is_there() -> None:
    made = stages()
    assert list(made) == ["", "build", "worker", "full"]
    sent = {line[2:] for line in text(".dockerignore").splitlines() if line.startswith("!/")}
    assert [name for name in sent if not (ROOT / name).exists()] == []
    assert {"pyproject.toml", "README.md", "LICENSE", "hatch_build.py", "coffea_ddp", "processors"} <= sent
    steps = [step for parts in made.values() for step in parts]
    copied = [rest.split()[0] for instruction, rest in steps if instruction == "COPY" and "--from" not in rest]
    assert set(copied) - {"."} <= sent


def test_workers_get_no_torch() -> None:
    made = stages()
    extras = {name: set(re.findall(r"\$\{wheel\}\[([\w,-]+)\]", str(parts))) for name, parts in made.items()}
    assert extras == {"": set(), "build": set(), "worker": {"dask"}, "full": {"classifier,dask,torch"}}
    named = {extra for names in extras.values() for group in names for extra in group.split(",")}
    assert named <= set(PROJECT["project"]["optional-dependencies"])
    users = {name: [rest for instruction, rest in parts if instruction == "USER"] for name, parts in made.items()}
    assert users["worker"][-1] == users["full"][-1] == "1000"  # not root


def test_no_address_is_invented() -> None:
    files = [*YAML_FILES, "pyproject.toml", "Containerfile", *(str(p) for p in (ROOT / ".github").rglob("*.md"))]
    found = {name: TOLD_NOWHERE.findall((ROOT / name).read_text("utf-8")) for name in files}
    actions = {name: [hit for hit in hits if not hit.startswith("actions/")] for name, hits in found.items()}
    assert {name: hits for name, hits in actions.items() if hits} == {}


def test_version_comes_from_the_tags() -> None:
    assert "version" in PROJECT["project"]["dynamic"]
    assert "version" not in parsed("CITATION.cff")
    assert re.fullmatch(r"\d+\.\d+\.\d+\.dev0", PROJECT["tool"]["hatch"]["version"]["fallback-version"])


def test_architecture_is_two_pages() -> None:
    assert len(text("ARCHITECTURE.md").splitlines()) <= 110


def test_pages_name_files_that_exist() -> None:
    named = re.compile(r"`(?:\w+=\S+ )?(?:python |pytest )?((?:tests|benchmarks|coffea_ddp)/[\w./-]+\.\w+)")
    pages = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]
    found = {(page.name, name) for page in pages for name in named.findall(page.read_text("utf-8"))}
    assert len(found) > 20
    assert sorted((page, name) for page, name in found if not (ROOT / name).exists()) == []


def test_pages_use_the_words_of_the_field() -> None:
    """Trials and global significance, not looks and what they are worth; and plain English."""
    ours = re.compile(
        r"after all (?:\w+ )?looks|\blooks (?:of|at) (?:the|this) (?:report|symmetry)|\d looks\b|worth after"
        r"|\bideal z\b|\bjoined bins|\b(?:is|are) told\b|\bthe road\b|\bso many\b|\bof its own[.,;:)]|\bof ours\b",
        re.IGNORECASE,
    )
    pages = [ROOT / "README.md", ROOT / "CHANGELOG.md", ROOT / "ARCHITECTURE.md", *(ROOT / "docs").rglob("*.md")]
    found = [(page.name, *ours.findall(page.read_text("utf-8"))) for page in pages]
    assert [hits for hits in found if len(hits) > 1] == []


def test_docstrings_and_messages_use_the_words_of_the_field() -> None:
    """Of the rooms that do statistics and show it, and of the command line: trials, tests; reported, not told."""
    ours = re.compile(
        r"\blooks?\b(?! (?:up|like|the same|z up))|\blooked (?:at|for)\b|\bworth\b|\bso many\b|\bthe road\b"
        r"|^Tell |^Told |\b(?:is|are) told\b|\bof (?:its|their) own\b|\btwins\b|\bscreening\b|\bplain\b(?! arrays)"
    )
    modules = [
        path
        for room in ("stats", "plotting", "scanning", "pages", "cli")
        for path in (ROOT / "coffea_ddp" / room).rglob("*.py")
    ]
    assert len(modules) > 100
    texts = [
        (path.name, node.value)
        for path in modules
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and " " in node.value
    ]
    assert [(name, text) for name, text in texts if ours.search(text)] == []


def test_help_uses_the_words_of_the_field() -> None:
    """The help of every command and option, whichever module it comes from."""
    ours = re.compile(
        r"\b(?:tell|tells|told|stands?|worth|so many|looks|of its own|given again|the best rows get)\b", re.IGNORECASE
    )
    helps = [
        (command.name, text)
        for command in (cli, *cli.commands.values())
        for text in (command.help, *(getattr(option, "help", None) for option in command.params))
    ]
    assert len(helps) > 100
    assert [(name, text) for name, text in helps if ours.search(text or "")] == []
