//! Converts a server span to the data of a performance record.

use loam_kernel::{hex, truncate_bytes};
use serde_json::{Map, Value};

use super::context::{MAX_NAME, SpanWithResource};
use super::endpoint::{METHOD, endpoint, path, query};
use super::measured::measurements;
use crate::otlp::attributes::{Attributes, storable, value_text};
use crate::redact;
use crate::trace::{Environment, RequestInfo, ResponseInfo, ServerSpan, VersionInfo};

/// Maximum number of stored parameters, and of headers.
const MAX_FIELDS: usize = 64;
/// Maximum length of each, in bytes.
const MAX_FIELD: usize = 1024;
/// Maximum number of bytes of a query that are parsed.
const MAX_QUERY: usize = 16 << 10;
/// Status codes from here on are server errors.
const SERVER_ERROR: u16 = 500;

pub(super) fn server_span(context: &SpanWithResource<'_>) -> ServerSpan {
    let status = status(context.attributes);
    ServerSpan {
        call_id: hex(&context.span.span_id),
        endpoint: endpoint(context),
        service: context.resource.text(&["service.name"]).map(|name| storable(name, MAX_NAME)),
        is_error: context.span.failed() || status.is_some_and(|status| status >= SERVER_ERROR),
        request: request(context),
        response: response(context.attributes, status),
        measured: measurements(context),
        version: version(context.resource),
        environment: environment(context),
    }
}

/// The HTTP status code of the response.
pub(super) fn status(attributes: Attributes<'_>) -> Option<u16> {
    let status = attributes.unsigned(&["http.response.status_code", "http.status_code"]);
    status.and_then(|status| u16::try_from(status).ok()).filter(|status| (100..1000).contains(status))
}

fn request(context: &SpanWithResource<'_>) -> RequestInfo {
    let attributes = context.attributes;
    let address =
        ["client.address", "http.client_ip", "net.sock.peer.addr", "net.peer.ip", "network.peer.address"];
    let mut query_params = Map::new();
    if let Some(query) = query(context) {
        for (name, value) in
            form_urlencoded::parse(truncate_bytes(query, MAX_QUERY).as_bytes()).take(MAX_FIELDS)
        {
            query_params.insert(storable(&name, MAX_NAME), storable(&value, MAX_FIELD).into());
        }
        redact::params(&mut query_params);
    }
    let mut headers = fields(attributes, "http.request.header.");
    redact::headers(&mut headers);
    RequestInfo {
        method: attributes.text(&METHOD).map(|method| storable(method, 32)),
        path: path(context).map(|path| redact::text(&path).into_owned()),
        query_params,
        headers,
        user_agent: attributes
            .text(&["user_agent.original", "http.user_agent"])
            .map(|agent| storable(agent, MAX_FIELD)),
        remote_ip: attributes.text(&address).map(|address| storable(address, MAX_NAME)),
    }
}

fn response(attributes: Attributes<'_>, status: Option<u16>) -> ResponseInfo {
    let size = ["http.response.body.size", "http.response_content_length", "http.response.size"];
    let header = |name: &str| {
        let (_, value) = attributes
            .with_prefix("http.response.header.")
            .find(|(rest, _)| rest.replace('_', "-") == name)?;
        Some(value_text(value))
    };
    ResponseInfo {
        status_code: status,
        response_size: attributes
            .unsigned(&size)
            .or_else(|| header("content-length").and_then(|length| length.parse().ok())),
        content_type: header("content-type").map(|kind| storable(&kind, MAX_NAME)),
    }
}

fn fields(attributes: Attributes<'_>, prefix: &str) -> Map<String, Value> {
    let all = attributes.0.iter().filter_map(|attribute| {
        let name = attribute.key.strip_prefix(prefix)?;
        let value = attribute.value.as_ref()?.value.as_ref()?;
        Some((storable(&name.replace('_', "-"), MAX_NAME), storable(&value_text(value), MAX_FIELD).into()))
    });
    all.take(MAX_FIELDS).collect()
}

fn version(resource: Attributes<'_>) -> VersionInfo {
    let commit = ["vcs.ref.head.revision", "vcs.repository.ref.revision", "service.commit", "git.commit.sha"];
    VersionInfo {
        app_version: resource.text(&["service.version"]).map(|version| storable(version, 64)),
        git_commit: resource.text(&commit).map(|commit| storable(commit, 64)),
        deploy_time: resource.text(&["service.deploy_time"]).and_then(|time| time.parse().ok()),
    }
}

fn environment(context: &SpanWithResource<'_>) -> Environment {
    let resource = context.resource;
    let join = |names: &[&[&str]], between: &str| {
        let chunks: Vec<&str> = names.iter().filter_map(|names| resource.text(names)).collect();
        (!chunks.is_empty()).then(|| storable(&chunks.join(between), MAX_NAME))
    };
    let is_python = resource.text(&["telemetry.sdk.language"]) == Some("python")
        || resource.text(&["process.runtime.name"]).is_some_and(|name| matches!(name, "cpython" | "pypy"));
    // instrumentation libraries are named after their framework
    let framework = || context.scope.rsplit_once(".instrumentation.").map(|(_, name)| name);
    Environment {
        python_version: resource
            .text(&["process.runtime.version"])
            .filter(|_| is_python)
            .map(|v| storable(v, 64)),
        framework_version: join(&[&["webengine.name"], &["webengine.version"]], " ")
            .or_else(|| framework().map(|name| storable(name, MAX_NAME))),
        server_info: join(
            &[
                &["host.name", "k8s.pod.name", "container.id", "service.instance.id"],
                &["deployment.environment.name", "deployment.environment"],
            ],
            " ",
        ),
    }
}
