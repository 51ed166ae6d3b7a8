"""The house keeps its shape: imports point one way, the judge needs no torch, and nothing grows beyond the fence."""

import ast
import re
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from graphlib import TopologicalSorter
from importlib import import_module
from pathlib import Path

import pytest

import ownmark
from ownmark import errors
from ownmark.scoring.matches import MATCHES
from ownmark.scoring.null_models import NULLS
from ownmark.tasks import TASKS

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "src" / "ownmark"
FILES = sorted(SOURCE.rglob("*.py"))
ALL_FILES = [*FILES, *sorted((ROOT / "tests").rglob("*.py")), *sorted((ROOT / "benchmarks").rglob("*.py"))]

# Each line may import the lines above it and nothing else; a new scheme, attack, detector or suspect needs no entry.
ORDER = (
    ("errors", "registries"),
    ("canonical", "files", "keys", "metrics", "method_strings", "processes", "statistics"),
    ("executors",),
    ("scoring",),
    ("tasks",),
    ("claims",),
    ("data",),
    ("protocols",),
    ("querying",),
    ("verdicts",),
    ("models", "perturb"),
    ("training",),
    ("suspects", "evidence"),
    ("schemes", "attacks", "detectors"),
    ("finding",),
    ("report",),
    ("workflows",),
    ("bench", "recipes"),
    ("cli",),
    ("__main__",),
)
RANK = {name: rank for rank, names in enumerate(ORDER) for name in names}
SIBLINGS = ("schemes", "attacks", "detectors", "suspects", "tasks")  # packages whose kinds never import each other
REGISTRIES = ("suspects.open",)  # import every kind of their package
SHARED = {  # what the kinds of a package may share
    "attacks": {"_common"},
    "schemes": {"_common", "residual", "saliency"},  # Traces is made of both
    "suspects": {
        *("answers", "aside", "box_files", "http", "local", "onnx_data", "onnx_scales", "opener", "ports", "program", "protobuf"),
    },
    "tasks": {"base", "arcface", "average_precision", "boxes"},
}
JUDGE = (
    "errors",
    "canonical",
    "keys",
    "statistics.p_values",
    "scoring.matches",
    "scoring.null_models",
    "tasks",
    "claims.claim",
    "protocols",
    "querying.decoys",
    "verdicts.calibrate",
    "verdicts.picture",
    "verdicts.verdict",
    "verdicts.verify",
    "evidence.admissibility",
    "evidence.verdict_file",
    "evidence.dispute",
    "evidence.seal",
    "metrics",
    "suspects.answers",
    "suspects.aside",
    "suspects.litert",
    "suspects.onnx",
    "suspects.open",
    "suspects.http.oip",
    "suspects.http.http_json",
    "suspects.http.probing",
    "report.page",
    "cli",
)
HEAVY = {
    "onnxruntime": "suspects/onnx.py",
    "ai_edge_litert": "suspects/litert.py",
    "openvino": "suspects/openvino.py",
    "executorch": "suspects/executorch.py",
    "ncnn": "suspects/ncnn.py",
    "MNN": "suspects/mnn.py",
    "grpc": "suspects/http/grpc_calls.py",
    "httpcore2": "suspects/http/deadline.py",
    "httpx2": "suspects/http/transport.py",
    "stamina": "suspects/http/transport.py",
    "rfc3161_client": "evidence/timestamp.py",
    "rfc8785": "canonical.py",
    "timm": "models/sources/timm.py",
    "transformers": "models/sources/hugging_face.py",
    "ray": "executors/ray_cluster.py",
    "torch_pruning": "attacks/prune_filters.py",
    "cv2": "detectors/feature_squeezing.py",
    "captum": None,
    "torchmetrics": "tasks/average_precision.py",
}
BLOCKS = (ast.If, ast.For, ast.While, ast.With, ast.Try, ast.Match)


def module_of(file: Path) -> str:
    parts = file.relative_to(SOURCE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


@cache
def tree_of(file: Path) -> ast.Module:
    return ast.parse(file.read_text(encoding="utf-8"))


def statements(node: ast.AST) -> Iterator[ast.AST]:
    """Every node below, but for what is only there for the type checker."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test):
            continue
        yield child
        yield from statements(child)


MODULES = {module_of(file) for file in FILES}


@cache
def imported(file: Path) -> frozenset[str]:
    """Full names of the modules that a file imports, anywhere in it."""
    found: set[str] = set()
    for node in statements(tree_of(file)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file} imports relatively"
            inner = {f"{node.module}.{alias.name}" for alias in node.names} & MODULES
            found |= inner or {str(node.module)}
    return frozenset(found)


def ours(file: Path) -> set[str]:
    return {name for name in imported(file) if name.split(".")[0] == "ownmark" and name != "ownmark"}


def each_of(files: Sequence[Path]) -> Callable[[Callable[[Path], None]], Callable[[], None]]:
    """One test about all of the files, which names each that fails: a test per file costs more than what it looks at."""

    def of(check: Callable[[Path], None]) -> Callable[[], None]:
        def whole() -> None:
            failed = []
            for file in files:
                try:
                    check(file)
                except AssertionError as error:
                    failed.append(f"{file.relative_to(ROOT)}: {error}")
            assert not failed, "\n".join(failed)

        whole.__name__, whole.__doc__ = check.__name__, check.__doc__
        return whole

    return of


EVERY_FILE = each_of([file for file in FILES if file != SOURCE / "__init__.py"])


@EVERY_FILE
def test_imports_point_one_way(file: Path) -> None:
    place = module_of(file).split(".")[1]
    assert place in RANK, f"give {place} a place in ORDER"
    for name in ours(file):
        other = name.split(".")[1]
        assert other == place or RANK[other] < RANK[place], f"{module_of(file)} must not import {name}"


@EVERY_FILE
def test_siblings_never_import_each_other(file: Path) -> None:
    _, package, *kind = module_of(file).split(".")
    if package in SIBLINGS and kind and f"{package}.{kind[0]}" not in REGISTRIES:
        near = {name.split(".")[2] for name in ours(file) if name.startswith(f"ownmark.{package}.")}
        assert near <= {kind[0]} | SHARED.get(package, set())


def test_there_is_no_circle_of_imports() -> None:
    graph = {module_of(file): ours(file) for file in FILES if file != SOURCE / "__init__.py"}
    order = list(TopologicalSorter(graph).static_order())
    assert set(graph) <= set(order)


ONE_BY_ONE = f"""
import sys
from importlib import import_module
for name in {JUDGE}:
    import_module(f"ownmark.{{name}}")
    if {{"torch", "torchvision", "sklearn", "captum"}} & set(sys.modules):
        print(name)
        break
"""


def test_the_judges_tools_import_no_torch() -> None:
    """One process imports them all, one after the other, and names the first that brings any."""
    ran = subprocess.run([sys.executable, "-W", "error", "-c", ONE_BY_ONE], capture_output=True, text=True, check=False)
    assert (ran.stdout, ran.stderr) == ("", "")


@pytest.mark.parametrize("library", HEAVY)
def test_a_heavy_library_is_imported_by_one_file(library: str) -> None:
    users = [str(file.relative_to(SOURCE)) for file in FILES if library in {name.split(".")[0] for name in imported(file)}]
    assert users in ([], [HEAVY[library]])


def own_libraries(packages: set[str]) -> set[str]:
    """What files of these packages import, at any place in them, and no other file of the house."""
    named: dict[bool, set[str]] = {True: set(), False: {"ownmark", *sys.stdlib_module_names}}
    for file in FILES:
        named[file.relative_to(SOURCE).parts[0] in packages] |= {name.split(".")[0] for name in imported(file)}
    return named[True] - named[False]


def test_importing_one_method_loads_no_other_methods_library() -> None:
    """Nor does a ResNet-18 load torchvision, with which torch's compiler comes: a second for every command."""
    packages = {"attacks", "detectors", "schemes"}
    libraries = own_libraries(packages)
    assert libraries >= {"torch_pruning", "cv2"}
    rooms = ", ".join(f"ownmark.{one}" for one in (*packages, "models.resnet"))
    code = f"import sys, {rooms}; print(sorted({libraries | {'torchvision'}} & set(sys.modules)))"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (ran.stdout, ran.stderr) == ("[]\n", "")


def test_importing_the_package_takes_at_most_a_quarter_of_a_second() -> None:
    """Seconds of the processor, which other processes do not lengthen; the least of three."""
    code = "import time; start = time.process_time(); import ownmark; print(time.process_time() - start)"
    runs = [subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True) for _ in range(3)]
    assert min(float(ran.stdout) for ran in runs) <= 0.25


def test_the_public_names_are_all_there_and_typed() -> None:
    lines = [node for node in tree_of(SOURCE / "__init__.pyi").body if isinstance(node, ast.ImportFrom)]
    typed = {alias.name: f"ownmark.{node.module}" for node in lines for alias in node.names if alias.asname == alias.name}
    assert set(typed) == set(ownmark.__all__) == set(dir(ownmark))
    for name, home in typed.items():
        assert getattr(ownmark, name) is getattr(import_module(home), name)
    with pytest.raises(AttributeError, match="nonsense"):
        ownmark.nonsense  # type: ignore[attr-defined]  # noqa: B018 - it is the access that raises


def test_the_tree_of_errors_is_the_one_that_is_drawn() -> None:
    """Each line of the drawing gives a class and, by its depth, its parent."""
    above: list[type] = [Exception]
    drawn = set()
    for line in str(errors.__doc__).splitlines():
        found = re.match(r"([│├└─ ]*)(\w+Error)\b", line)
        if found:
            kind = getattr(errors, found[2])
            depth = len(found[1]) // 4 + 1
            assert kind.__bases__ == (above[depth - 1],), f"{kind.__name__} is drawn at another place than it stands"
            above[depth:] = [kind]
            drawn.add(kind)
    assert drawn == {one for one in vars(errors).values() if isinstance(one, type)}
    assert {one.exit_code for one in drawn} == {2, 4, 5}


def functions(file: Path) -> list[ast.FunctionDef | ast.AsyncFunctionDef]:
    return [node for node in ast.walk(tree_of(file)) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]


def length(node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    return int(node.end_lineno or 0) - node.lineno + 1


def depth(node: ast.AST) -> int:
    """How many blocks stand in each other; an elif stands beside its if."""
    deepest = 0
    for child in ast.iter_child_nodes(node):
        beside = isinstance(node, ast.If) and isinstance(child, ast.If) and node.orelse == [child]
        deepest = max(deepest, depth(child) + (isinstance(child, BLOCKS) and not beside))
    return deepest


def parameters(node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    given = node.args.posonlyargs + node.args.args + node.args.kwonlyargs
    return len([one for one in given if one.arg not in {"self", "cls"}])


@each_of(ALL_FILES)
def test_nothing_grows_beyond_the_fence(file: Path) -> None:
    text = file.read_text(encoding="utf-8")
    assert len(text.splitlines()) <= 400
    for function in functions(file):
        assert length(function) <= 40, f"{function.name} is too long"
        assert depth(function) < 4, f"{function.name} is nested too deeply"
        assert parameters(function) <= 8, f"{function.name} has too many parameters"
    assert not [node for node in ast.walk(tree_of(file)) if isinstance(node, ast.Global)]
    assert not re.search(r"\b(TOD[O]|FIXM[E]|XX[X])\b", text)


@EVERY_FILE
def test_the_library_is_silent_and_checks_its_input_by_errors(file: Path) -> None:
    called = {ast.unparse(node.func) for node in ast.walk(tree_of(file)) if isinstance(node, ast.Call)}
    speaks = called & {"print", "warnings.warn", "input", "exit", "sys.exit"}
    assert not speaks or (SOURCE / "cli") in file.parents, f"{speaks} outside the command line"
    assert not [node for node in ast.walk(tree_of(file)) if isinstance(node, ast.Assert)]
    assert "pickle" not in {name.split(".")[0] for name in imported(file)}
    assert not called & {"eval", "exec", "np.random.seed", "random.seed"}


def kinds_told_apart(file: Path) -> set[str]:
    """Names of classes that a file compares types with: `isinstance(one, Kind)`, `type(one) is Kind`, `type(one) in {Kind}`."""
    named: set[str] = set()
    for node in ast.walk(tree_of(file)):
        compared: list[ast.expr] = []
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "isinstance":
            compared = node.args[1:]
        elif isinstance(node, ast.Compare) and ast.unparse(node.left).startswith("type("):
            compared = node.comparators
        named |= {part.id for one in compared for part in ast.walk(one) if isinstance(part, ast.Name)}
    return named


OWN_KINDS = {"scoring": {kind.__name__ for kind in (*MATCHES, *NULLS)}, "tasks": {kind.__name__ for kind in TASKS}}


@EVERY_FILE
def test_no_kind_of_null_match_or_task_is_told_apart_outside_its_package(file: Path) -> None:
    """Whoever needs to know asks a member of the protocol, so that a newcomer is edited in nowhere."""
    package = file.relative_to(SOURCE).parts[0]
    foreign = set().union(*(names for home, names in OWN_KINDS.items() if home != package))
    assert not kinds_told_apart(file) & foreign


def test_half_of_the_functions_are_short() -> None:
    lengths = sorted(length(function) for file in FILES for function in functions(file))
    assert lengths[len(lengths) // 2] <= 7
