"""Apache's command line tools, all in one JVM: a start of Java costs more than what most of them do.

    with Tools() as tools:
        shell = Shell(tools, node)
        shell.ask("TopicCommand", "--list")     what it said; it must have succeeded
        shell.run("TopicCommand", ...)          exit code and all it said
"""

from __future__ import annotations

from pathlib import Path
from types import TracebackType
from typing import Final

from support.engines import Node
from support.java import JavaProgram, compile_java

from logctl.engine.apache import ToolResult

SOURCE: Final = Path(__file__).parents[1] / "peers" / "java" / "ApacheTools.java"
PACKAGE: Final = "org.apache.kafka.tools."
CONFIGS: Final = "kafka.admin.ConfigCommand"
CONSUMER_GROUPS: Final = "consumer.group.ConsumerGroupCommand"


class Tools:
    def __init__(self) -> None:
        self._program = JavaProgram("ApacheTools", compile_java([SOURCE]))

    def run(self, name: str, *args: str, stdin: str = "") -> ToolResult:
        main = name if name.startswith("kafka.") else PACKAGE + name
        done = self._program.ask({"main": main, "args": args, "stdin": stdin})
        return ToolResult(done["code"], done["out"], done["err"])

    def close(self) -> None:
        self._program.close()

    def __enter__(self) -> Tools:
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, tb: TracebackType | None) -> None:
        self.close()


class Shell:
    """The tools, each told to ask one node."""

    def __init__(self, tools: Tools, node: Node) -> None:
        self.node = node
        self._tools = tools

    @property
    def address(self) -> str:
        return self.node.address

    def run(self, name: str, *args: str, stdin: str = "") -> ToolResult:
        where = "--bootstrap-server", self.address
        words = (*args, *where) if name == "ClusterTool" else (*where, *args)  # argparse4j minds, where subcommands are
        return self._tools.run(name, *words, stdin=stdin)

    def ask(self, name: str, *args: str, stdin: str = "") -> str:
        done = self.run(name, *args, stdin=stdin)
        assert done.code == 0, done.stdout + done.stderr
        return done.stdout
