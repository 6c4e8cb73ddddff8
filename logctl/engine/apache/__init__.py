"""The other engine: real Apache Kafka on a JDK, as processes we prepare, start, watch and stop.

    parts      a JVM, and Apache's jars: from Maven or from an unpacked distribution
    scripts    Apache's command line tools
    reasons    the line of a log that says why a JVM died
    node       one process: its settings, its directory, its start and its end
    layout     the nodes of a data folder, as they were decided and are remembered
    cluster    the nodes of a data folder: started together, watched, and stopped in order

Each is usable without those below it.
"""

from __future__ import annotations

from logctl.engine.apache.node import ApacheNode, Place, new_cluster_id
from logctl.engine.apache.parts import (
    JAVA_AT_LEAST,
    VERSION,
    all_installed,
    artifacts,
    available,
    classpath,
    data_home,
    fetch,
    installed,
    java,
    jdk,
    register,
)
from logctl.engine.apache.reasons import decisive_line
from logctl.engine.apache.scripts import ToolResult, run_tool
from logctl.engine.lifecycle import answers

__all__ = [
    "JAVA_AT_LEAST", "VERSION", "ApacheNode", "Place", "ToolResult", "all_installed", "answers", "artifacts",
    "available", "classpath", "data_home", "decisive_line", "fetch", "installed", "java", "jdk", "new_cluster_id",
    "register", "run_tool",
]  # fmt: skip
