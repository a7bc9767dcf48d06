"""Python files as they are shipped: without comments, docstrings and layout.

So an edit of those changes no ConfigMap and no instance template, and restarts no server.
"""

import ast
import functools
from pathlib import Path


@functools.cache
def shipped_text(file: Path) -> str:
    """Returns the program of a Python file, for Python 3.10 and later if the file is."""
    tree = _Shipped().visit(ast.parse(file.read_text("utf-8")))
    return ast.unparse(ast.fix_missing_locations(tree)) + "\n"


class _Shipped(ast.NodeTransformer):
    """Removes strings that are statements, and writes f-strings as calls of `str.format`.

    Python 3.12 unparses `f"{', '.join(names)}"` with one kind of quotes inside and outside, which Python 3.10
    cannot read. A call has no quotes in quotes, and gives the same text.
    """

    def generic_visit(self, node: ast.AST) -> ast.AST:
        """Returns the node with its children changed."""
        super().generic_visit(node)
        body: list[ast.stmt] | ast.expr | None = getattr(node, "body", None)
        if isinstance(body, list):
            kept = [statement for statement in body if not _is_text(statement)]
            body[:] = kept or ([] if isinstance(node, ast.Module) else [ast.Pass()])
        return node

    def visit_JoinedStr(self, node: ast.JoinedStr) -> ast.AST:
        """Returns the call that gives the text of an f-string."""
        arguments: list[ast.expr] = []
        template = self._template(node, arguments)
        if not arguments:
            return ast.Constant(template.format())
        return ast.Call(ast.Attribute(ast.Constant(template), "format", ast.Load()), arguments, [])

    def _template(self, node: ast.JoinedStr, arguments: list[ast.expr]) -> str:
        """Returns the text with fields in place of values, and adds the values to `arguments`."""
        parts: list[str] = []
        for value in node.values:
            match value:
                case ast.FormattedValue():
                    arguments.append(self.visit(value.value))
                    conversion = "" if value.conversion == -1 else f"!{chr(value.conversion)}"
                    spec = value.format_spec
                    form = f":{self._template(spec, arguments)}" if isinstance(spec, ast.JoinedStr) else ""
                    parts.append(f"{{{conversion}{form}}}")
                case ast.Constant():
                    parts.append(str(value.value).replace("{", "{{").replace("}", "}}"))
                case _:
                    raise TypeError(f"an f-string has a part {type(value).__name__}")
        return "".join(parts)


def _is_text(statement: ast.stmt) -> bool:
    """Returns whether a statement is only a string, such as a docstring, and so has no effect."""
    return (
        isinstance(statement, ast.Expr)
        and isinstance(statement.value, ast.Constant)
        and isinstance(statement.value.value, str)
    )
