# SPDX-License-Identifier: BSD-3-Clause
"""The object files of a meson build folder, by the source they came from (compile_commands.json says)."""
import json
import os


def objects(build, prefix):
    """[(source, object)] for sources below prefix, each source once, paths relative to the top of the tree."""
    with open(os.path.join(build, "compile_commands.json"), encoding="utf-8") as f:
        commands = json.load(f)
    found = {}
    for command in commands:
        source = os.path.relpath(os.path.join(command["directory"], command["file"]))
        output = os.path.join(command["directory"], command["output"])
        if source.startswith(prefix) and source.endswith(".c") and os.path.exists(output):
            found.setdefault(source, output)
    return sorted(found.items())
