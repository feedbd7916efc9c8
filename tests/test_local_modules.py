"""What travels to workers by value: functions with a cache, cached properties, and what they use."""

from __future__ import annotations

import functools
import subprocess
import sys

import cloudpickle
import pytest

import coffea_ddp._local_modules  # noqa: F401 (teaches cloudpickle)
from coffea_ddp import load_plan

SOURCE = """
import functools
from coffea_ddp import load_plan

@functools.lru_cache(maxsize=3)
def twice(x):
    return 2 * one(x)

@functools.cache
def one(x):
    return x + LATER

LATER = 0.5

class Cut:
    @functools.cached_property
    def low(self):
        return 6

    @functools.lru_cache
    def high(self, x):
        return self.low + x

inner = functools.lru_cache(lambda x: x - 1)
cut = Cut()

def all_of(x):
    return twice(x), twice.cache_parameters()["maxsize"], cut.low, cut.high(1), inner(x)

plan = load_plan("symmetries")
"""


@pytest.fixture
def module(tmp_path):
    (tmp_path / "cached.py").write_text(SOURCE)
    load_plan(tmp_path / "cached.py")
    (name,) = [name for name in sys.modules if name.startswith("coffea_ddp_plan_cached")]
    yield sys.modules[name]
    del sys.modules[name]


def elsewhere(function, *args):
    """Return what a function gives in a process that does not have its module."""
    code = "import pickle, sys; function, args = pickle.load(sys.stdin.buffer); print(function(*args))"
    content = cloudpickle.dumps((function, args))
    done = subprocess.run([sys.executable, "-c", code], input=content, capture_output=True, check=True)
    return done.stdout.decode().strip()


def test_cached_functions_of_a_plan_file_travel(module):
    assert elsewhere(module.all_of, 3) == str(module.all_of(3)) == "(7.0, 3, 6, 7, 2)"
    assert elsewhere(module.twice, 2) == "5.0"
    assert elsewhere(module.cut.high, 2) == "8"


def test_those_of_installed_packages_go_by_name():
    import fnmatch

    pattern = fnmatch._compile_pattern
    assert cloudpickle.loads(cloudpickle.dumps(pattern)) is pattern
    assert cloudpickle.loads(cloudpickle.dumps(functools.lru_cache(len)))("ab") == 2


def test_a_plan_is_read_anew_with_what_it_reads(tmp_path):
    """A file beside the plan, a network or a list of runs, may have changed since it was loaded."""
    plan, beside = tmp_path / "mine.py", tmp_path / "name.txt"
    plan.write_text(
        "import dataclasses\nfrom pathlib import Path\nfrom coffea_ddp import load_plan\n"
        "name = (Path(__file__).parent / 'name.txt').read_text()\n"
        "plan = dataclasses.replace(load_plan('symmetries'), name=name)\n"
    )
    for name in ("first", "second"):
        beside.write_text(name)
        assert load_plan(plan).name == name
    assert load_plan("symmetries") is load_plan("symmetries")
