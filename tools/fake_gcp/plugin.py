"""Provider plugin: Pulumi's ResourceProvider protocol over the fake Google Cloud."""

import json
from typing import Any

import grpc
from google.protobuf import empty_pb2
from pulumi.runtime.proto import engine_pb2, engine_pb2_grpc, plugin_pb2, provider_pb2, provider_pb2_grpc

from tools.fake_gcp import wire
from tools.fake_gcp.checks import check, diff, values
from tools.fake_gcp.cloud import gke, lookups, operations, store
from tools.fake_gcp.cloud.errors import GoogleError, Unfinished
from tools.fake_gcp.schema import kind, provider, sdk
from tools.fake_gcp.schema.kind import Kind

KINDS = {
    ("add", False): provider_pb2.PropertyDiff.ADD,
    ("add", True): provider_pb2.PropertyDiff.ADD_REPLACE,
    ("delete", False): provider_pb2.PropertyDiff.DELETE,
    ("delete", True): provider_pb2.PropertyDiff.DELETE_REPLACE,
    ("update", False): provider_pb2.PropertyDiff.UPDATE,
    ("update", True): provider_pb2.PropertyDiff.UPDATE_REPLACE,
}
Found = tuple[str, diff.Change, bool]
"""Changed path, how it changed, and whether that replaces the resource."""
LOUD = (
    "This is the fake Google Cloud of tools/fake_gcp: nothing reaches Google, and everything it "
    "creates is a file in {folder}."
)


def _token(urn: str) -> str:
    return urn.split("::")[2].split("$")[-1]


class Provider(provider_pb2_grpc.ResourceProviderServicer):
    """One provider of the program. `engine` receives the messages to the user."""

    def __init__(self, engine: str) -> None:
        self.engine = engine
        self.config: dict[str, Any] = {}

    # -- the provider itself -------------------------------------------------------------------------

    def Handshake(self, request: Any, context: grpc.ServicerContext) -> Any:
        self.engine = request.engine_address or self.engine
        return provider_pb2.ProviderHandshakeResponse()

    def GetPluginInfo(self, request: Any, context: grpc.ServicerContext) -> Any:
        return plugin_pb2.PluginInfo(version=sdk.version())

    def GetSchema(self, request: Any, context: grpc.ServicerContext) -> Any:
        context.abort(grpc.StatusCode.UNIMPLEMENTED, "the fake cloud has no schema: use the SDK's")

    def Cancel(self, request: Any, context: grpc.ServicerContext) -> Any:
        return empty_pb2.Empty()

    def CheckConfig(self, request: Any, context: grpc.ServicerContext) -> Any:
        found = [
            (name, f"The gcp provider has no setting {name!r}.")
            for name in wire.plain(request.news)
            if name not in sdk.settings() and not name.startswith("__") and name != "version"
        ]
        return provider_pb2.CheckResponse(inputs=request.news, failures=wire.failures(found))

    def DiffConfig(self, request: Any, context: grpc.ServicerContext) -> Any:
        old, new = wire.plain(request.old_inputs), wire.plain(request.news)
        found: list[Found] = [(path, change, False) for path, change in diff.changes(None, old, new)]
        return _difference(found, before=False)

    def Configure(self, request: Any, context: grpc.ServicerContext) -> Any:
        for name, value in wire.plain(request.args).items():
            try:
                self.config[name] = json.loads(value) if isinstance(value, str) else value
            except json.JSONDecodeError:
                self.config[name] = value
            if name in ("project", "region", "zone"):
                self.config[name] = str(value)
        try:
            text = LOUD.format(folder=store.folder())
        except ValueError as error:
            wire.fail(context, str(error))
        self._say(text)
        return provider_pb2.ConfigureResponse(supportsPreview=True)

    def _say(self, text: str) -> None:
        if self.engine:
            with grpc.insecure_channel(self.engine) as channel:
                engine_pb2_grpc.EngineStub(channel).Log(
                    engine_pb2.LogRequest(severity=engine_pb2.WARNING, message=text)
                )

    # -- resources --------------------------------------------------------------------------------

    def Check(self, request: Any, context: grpc.ServicerContext) -> Any:
        token, olds, inputs = _token(request.urn), wire.plain(request.olds), wire.plain(request.news)
        name = request.name or request.urn.split("::")[-1]
        inputs = check.named(token, name, inputs, olds, request.randomSeed)
        found = check.check(token, inputs, self.config)
        return provider_pb2.CheckResponse(inputs=wire.struct(inputs), failures=wire.failures(found))

    def Diff(self, request: Any, context: grpc.ServicerContext) -> Any:
        of = self._kind(request.urn, context)
        old, new = wire.plain(request.old_inputs) or wire.plain(request.olds), wire.plain(request.news)
        skipped = tuple(request.ignoreChanges)
        found: list[Found] = [
            (path, change, diff.replaces(of, path, old, new))
            for path, change in diff.changes(of, old, new)
            if not any(path == each or path.startswith((f"{each}.", f"{each}[")) for each in skipped)
        ]
        found += self._labels(of, old, new, wire.plain(request.olds))
        before = provider.deletes_first(of.token, old, new, new.get(check.AUTONAMED, ()))
        return _difference(found, before=before)

    def Create(self, request: Any, context: grpc.ServicerContext) -> Any:
        of, inputs = self._kind(request.urn, context), wire.plain(request.properties)
        if request.preview:
            outputs = values.computed(
                of,
                inputs,
                self.config,
                id="preview",
                time="",
                defaults=gke.outputs(of, inputs, "preview/p/x/l"),
            )
            return provider_pb2.CreateResponse(
                properties=wire.struct(values.merge(values.planned(of, outputs), inputs))
            )
        inputs = values.physical(inputs)
        try:
            entry = operations.create(of, inputs, self.config, request.timeout)
        except Unfinished as error:
            entry = error.args[1]
            wire.unfinished(context, error.args[0], entry["id"], _outputs(entry), inputs)
        except GoogleError as error:
            wire.fail(context, str(error))
        return provider_pb2.CreateResponse(id=entry["id"], properties=wire.struct(_outputs(entry)))

    def Read(self, request: Any, context: grpc.ServicerContext) -> Any:
        of, old = self._kind(request.urn, context), wire.plain(request.inputs)
        try:
            entry = operations.read(of, request.id, self._project(wire.plain(request.properties)))
        except GoogleError as error:
            wire.fail(context, str(error))
        if entry is None:
            return provider_pb2.ReadResponse()
        inputs = diff.live(of, old, entry["inputs"]) if old else entry["inputs"]
        return provider_pb2.ReadResponse(
            id=request.id, properties=wire.struct(_outputs(entry)), inputs=wire.struct(inputs)
        )

    def Update(self, request: Any, context: grpc.ServicerContext) -> Any:
        of, inputs, olds = (
            self._kind(request.urn, context),
            wire.plain(request.news),
            wire.plain(request.olds),
        )
        if request.preview:
            fresh = values.merge(values.labels(of, inputs, self.config), inputs)
            # Keep what Google had filled in: a cluster keeps its endpoint.
            return provider_pb2.UpdateResponse(properties=wire.struct(values.merge(olds, fresh)))
        try:
            entry = operations.update(of, request.id, inputs, self.config, request.timeout)
        except Unfinished as error:
            wire.unfinished(context, error.args[0], request.id, _outputs(error.args[1]), inputs)
        except GoogleError as error:
            wire.fail(context, str(error))
        return provider_pb2.UpdateResponse(properties=wire.struct(_outputs(entry)))

    def Delete(self, request: Any, context: grpc.ServicerContext) -> Any:
        of = self._kind(request.urn, context)
        try:
            operations.delete(of, request.id, self._project(wire.plain(request.properties)))
        except GoogleError as error:
            wire.fail(context, str(error))
        return empty_pb2.Empty()

    def Invoke(self, request: Any, context: grpc.ServicerContext) -> Any:
        try:
            answer = lookups.answer(request.tok, wire.plain(request.args), self.config)
        except ValueError as error:
            wire.fail(context, str(error))
        response = provider_pb2.InvokeResponse()
        getattr(response, "return").CopyFrom(wire.struct(answer))
        return response

    # -- helpers ----------------------------------------------------------------------------------

    def _labels(
        self, of: Kind, old: dict[str, Any], new: dict[str, Any], outputs: dict[str, Any]
    ) -> list[Found]:
        """Return the change that other default labels of the provider make to a thing."""
        name, now = values.LABELS.get(of.token, "labels"), values.labels(of, new, self.config)
        before = outputs.get("effectiveLabels")
        if old.get(name) != new.get(name) or before is None or before == now.get("effectiveLabels"):
            return []
        return [("effectiveLabels", "update", provider.of(of.token).labels_replace)]

    def _kind(self, urn: str, context: grpc.ServicerContext) -> Kind:
        found = kind.find(_token(urn))
        if found is None:
            wire.fail(context, f"The fake Google Cloud does not know {_token(urn)}.")
        return found

    def _project(self, properties: dict[str, Any]) -> str:
        return str(properties.get("project") or self.config.get("project"))


def _outputs(entry: dict[str, Any]) -> dict[str, Any]:
    return values.merge(entry["outputs"], entry["inputs"])


def _difference(found: list[Found], *, before: bool) -> Any:
    changed = provider_pb2.DiffResponse.DIFF_SOME if found else provider_pb2.DiffResponse.DIFF_NONE
    replaces = sorted({path.split(".")[0].split("[")[0] for path, _, replace in found if replace})
    return provider_pb2.DiffResponse(
        changes=changed,
        diffs=sorted({path.split(".")[0].split("[")[0] for path, _, _ in found}),
        replaces=replaces,
        deleteBeforeReplace=bool(replaces) and before,
        hasDetailedDiff=True,
        detailedDiff={
            path: provider_pb2.PropertyDiff(kind=KINDS[change, replace], inputDiff=True)
            for path, change, replace in found
        },
    )
