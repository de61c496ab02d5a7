"""The calculator of artifacts is one file."""

import ast

from keras_ff.export.standalone import calculator_source


def test_the_file_defines_each_name_once_and_imports_nothing_of_the_library():
    tree = ast.parse(calculator_source())
    names = [node.name for node in tree.body if isinstance(node, (ast.FunctionDef, ast.ClassDef))]
    names += [target.id for node in tree.body if isinstance(node, ast.Assign) for target in node.targets if hasattr(target, "id")]
    assert len(names) == len(set(names)) and {"ArtifactCalculator", "pairs_within", "check_geometry"} <= set(names)
    imported = [node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
    assert imported and not any(module.startswith("keras") for module in imported)
