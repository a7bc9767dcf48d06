"""Calls of pulumirpc.LanguageRuntime that the CLI makes for existing projects."""

import base64
import contextlib
import json
import queue
import subprocess
import threading
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from typing import IO, Any, cast

import grpc
from google.protobuf import empty_pb2, json_format
from pulumi.runtime.proto import language_pb2, language_pb2_grpc, plugin_pb2

from tools.toolchain.language_host.environment import Environment, Unusable
from tools.toolchain.language_host.processes import Processes

SHOWN_TO_THE_USER = 32
"""Exit code of pulumi-language-python-exec after it has logged the program's exception to the engine."""
READ_BYTES = 65536


class PythonHost(language_pb2_grpc.LanguageRuntimeServicer):
    """Host for one running CLI. An error that the user can fix becomes FAILED_PRECONDITION with one
    sentence."""

    def __init__(self, executor: Path, engine: str, processes: Processes) -> None:
        """`executor` is pulumi-language-python-exec, `engine` the address of the CLI's engine service."""
        self._executor = executor
        self._engine = engine
        self._processes = processes

    def Handshake(
        self, request: language_pb2.LanguageHandshakeRequest, context: grpc.ServicerContext
    ) -> language_pb2.LanguageHandshakeResponse:
        return language_pb2.LanguageHandshakeResponse()

    def GetPluginInfo(self, request: empty_pb2.Empty, context: grpc.ServicerContext) -> plugin_pb2.PluginInfo:
        return plugin_pb2.PluginInfo(version=metadata.version("pulumi"))

    def Cancel(self, request: empty_pb2.Empty, context: grpc.ServicerContext) -> empty_pb2.Empty:
        self._processes.end_all()
        return empty_pb2.Empty()

    def About(
        self, request: language_pb2.AboutRequest, context: grpc.ServicerContext
    ) -> language_pb2.AboutResponse:
        with _sentences(context):
            environment = _environment(request.info)
            return language_pb2.AboutResponse(
                executable=str(environment.python()),
                version=environment.version(),
                metadata={"toolchain": "pip", "typechecker": environment.typechecker or "none"},
            )

    def GetProgramDependencies(
        self, request: language_pb2.GetProgramDependenciesRequest, context: grpc.ServicerContext
    ) -> language_pb2.GetProgramDependenciesResponse:
        with _sentences(context):
            distributions = _environment(request.info).dependencies(transitive=request.transitiveDependencies)
        return language_pb2.GetProgramDependenciesResponse(
            dependencies=[
                language_pb2.DependencyInfo(name=name, version=version) for name, version in distributions
            ]
        )

    def GetRequiredPackages(
        self, request: language_pb2.GetRequiredPackagesRequest, context: grpc.ServicerContext
    ) -> language_pb2.GetRequiredPackagesResponse:
        with _sentences(context):
            plugins = list(_environment(request.info).plugins())
        return language_pb2.GetRequiredPackagesResponse(packages=[_package(plugin) for plugin in plugins])

    def InstallDependencies(
        self, request: language_pb2.InstallDependenciesRequest, context: grpc.ServicerContext
    ) -> Iterator[language_pb2.InstallDependenciesResponse]:
        with _sentences(context):
            environment = _environment(request.info)
            program = Path(request.info.program_directory)
            for title, command in environment.installation(program):
                yield language_pb2.InstallDependenciesResponse(stdout=f"{title}...\n".encode())
                with self._processes.start(
                    command, cwd=program, env=environment.variables(), capture=True
                ) as child:
                    for stream, data in _output(child):
                        if stream == "stdout":
                            yield language_pb2.InstallDependenciesResponse(stdout=data)
                        else:
                            yield language_pb2.InstallDependenciesResponse(stderr=data)
                    if child.wait() != 0:
                        raise Unusable(
                            f"{title} failed (exit {child.returncode}): the output above says why."
                        )

    def Run(
        self, request: language_pb2.RunRequest, context: grpc.ServicerContext
    ) -> language_pb2.RunResponse:
        with _sentences(context):
            environment = _environment(request.info)
            python = environment.python()
            variables = environment.variables()
            if environment.typechecker:
                checker = [python, "-m", environment.typechecker, request.info.program_directory]
                with self._processes.start(checker, cwd=request.pwd, env=variables) as child:
                    if child.wait() != 0:
                        return language_pb2.RunResponse(
                            error=f"{environment.typechecker} found errors in the program: they are above"
                        )
            variables["PULUMI_CONFIG"] = json.dumps(dict(request.config))
            variables["PULUMI_CONFIG_SECRET_KEYS"] = json.dumps(list(request.configSecretKeys))
            command = [python, "-u", self._executor, *self._arguments(request)]
            with self._processes.start(command, cwd=request.pwd, env=variables) as child:
                code = child.wait()
        if code == 0:
            return language_pb2.RunResponse()
        if code == SHOWN_TO_THE_USER or self._processes.ended:
            return language_pb2.RunResponse(bail=True)
        return language_pb2.RunResponse(error=f"Program exited with non-zero exit code: {code}")

    def RunPlugin(
        self, request: language_pb2.RunPluginRequest, context: grpc.ServicerContext
    ) -> Iterator[language_pb2.RunPluginResponse]:
        with _sentences(context):
            environment = _environment(request.info)
            variables = environment.variables()
            named = dict(variable.split("=", 1) for variable in request.env)
            # The CLI sends its whole environment: the activated PATH has to stay in front of it.
            variables = {
                **named,
                **{key: variables[key] for key in ("PATH", "VIRTUAL_ENV") if key in variables},
            }
            command = [environment.python(), "-u", request.info.program_directory, *request.args]
            with self._processes.start(command, cwd=request.pwd, env=variables, capture=True) as child:
                # The CLI stops a plugin by ending the call.
                context.add_callback(child.terminate)
                for stream, data in _output(child):
                    if stream == "stdout":
                        yield language_pb2.RunPluginResponse(stdout=data)
                    else:
                        yield language_pb2.RunPluginResponse(stderr=data)
                yield language_pb2.RunPluginResponse(exitcode=child.wait())

    def _arguments(self, request: language_pb2.RunRequest) -> list[str]:
        named = {
            "monitor": request.monitor_address,
            "engine": self._engine,
            "project": request.project,
            "root_directory": request.info.root_directory,
            "stack": request.stack,
            "pwd": request.pwd,
            "dry_run": "true" if request.dryRun else "false",
            "parallel": str(request.parallel),
            "organization": request.organization,
        }
        options = [word for name, value in named.items() if value for word in (f"--{name}", value)]
        return [*options, request.info.entry_point or ".", *request.args]


def _environment(info: language_pb2.ProgramInfo) -> Environment:
    return Environment.of(info.root_directory, json_format.MessageToDict(info.options))


def _package(plugin: dict[str, Any]) -> plugin_pb2.PackageDependency:
    """Returns a pulumi-plugin.json in the engine's form. A parameterization's value is base64 in the file."""
    package = plugin_pb2.PackageDependency(
        name=plugin["name"], kind="resource", version=plugin["version"], server=plugin.get("server", "")
    )
    parameterization = plugin.get("parameterization")
    if parameterization:
        package.parameterization.CopyFrom(
            plugin_pb2.PackageParameterization(
                name=parameterization["name"],
                version=parameterization["version"],
                value=base64.b64decode(parameterization["value"]),
            )
        )
    return package


@contextlib.contextmanager
def _sentences(context: grpc.ServicerContext) -> Iterator[None]:
    try:
        yield
    except Unusable as refusal:
        context.abort(grpc.StatusCode.FAILED_PRECONDITION, str(refusal))


def _output(child: subprocess.Popen[bytes]) -> Iterator[tuple[str, bytes]]:
    """Yields what the child writes, as it comes, with the name of the stream; ends when both are closed."""
    pieces: queue.Queue[tuple[str, bytes]] = queue.Queue()

    def pump(name: str, pipe: IO[bytes]) -> None:
        while piece := cast(Any, pipe).read1(READ_BYTES):
            pieces.put((name, piece))
        pieces.put((name, b""))

    for name, pipe in (("stdout", child.stdout), ("stderr", child.stderr)):
        assert pipe is not None
        threading.Thread(target=pump, args=(name, pipe), daemon=True).start()
    still_open = 2
    while still_open:
        name, piece = pieces.get()
        if piece:
            yield name, piece
        else:
            still_open -= 1
