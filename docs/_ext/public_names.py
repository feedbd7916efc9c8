"""Cross-references in docstrings name the module that defines a thing; pages show it under its public name."""

from typing import Any

import coffea_ddp
from coffea_ddp import plotting, stats

PACKAGES = ((coffea_ddp, "coffea_ddp"), (stats, "coffea_ddp.stats"), (plotting, "coffea_ddp.plotting"))


def public(target: str) -> str | None:
    """Return the public name of what a module of the package defines, for example of coffea_ddp.running.driver.run."""
    module, _, name = target.rpartition(".")
    for package, where in PACKAGES:
        if name in package.__all__ and getattr(getattr(package, name), "__module__", None) == module:
            return f"{where}.{name}"
    return None


def resolve(app: Any, env: Any, node: Any, contnode: Any) -> Any:
    """Resolve a reference that Python's domain did not find."""
    target = public(node.get("reftarget", "")) if node.get("refdomain") == "py" else None
    if target is None:
        return None
    domain = env.get_domain("py")
    return domain.resolve_xref(env, node["refdoc"], app.builder, node["reftype"], target, node, contnode)


def setup(app: Any) -> dict[str, Any]:
    """Listen for references that lead nowhere."""
    app.connect("missing-reference", resolve)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
