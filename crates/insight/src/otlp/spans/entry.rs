//! From the span of a request to what a record is made of.

use serde_json::{Map, Value};

use super::endpoint::{METHOD, endpoint, path, query};
use super::{MAX_NAME, Told, hex};
use crate::otlp::attributes::{Attributes, cut, kept, words};
use crate::redact;
use crate::trace::{Entry, Environment, Measured, RequestInfo, ResponseInfo, VersionInfo};

/// Parameters and headers that are kept.
const MAX_FIELDS: usize = 64;
/// Bytes of each.
const MAX_FIELD: usize = 1024;
/// Bytes of a query that are looked at.
const MAX_QUERY: usize = 16 << 10;
/// From here on it is the server that failed.
const SERVER_ERROR: u16 = 500;

pub(super) fn entry(told: &Told<'_>) -> Entry {
    let status = status(told.attributes);
    Entry {
        call_id: hex(&told.span.span_id),
        endpoint: endpoint(told),
        service: told.resource.text(&["service.name"]).map(|name| kept(name, MAX_NAME)),
        is_error: told.span.failed() || status.is_some_and(|status| status >= SERVER_ERROR),
        request: request(told),
        response: response(told.attributes, status),
        measured: Measured::default(),
        version: version(told.resource),
        environment: environment(told),
    }
}

/// The status of an answer.
pub(super) fn status(attributes: Attributes<'_>) -> Option<u16> {
    let status = attributes.whole(&["http.response.status_code", "http.status_code"]);
    status.and_then(|status| u16::try_from(status).ok()).filter(|status| (100..1000).contains(status))
}

fn request(told: &Told<'_>) -> RequestInfo {
    let attributes = told.attributes;
    let address =
        ["client.address", "http.client_ip", "net.sock.peer.addr", "net.peer.ip", "network.peer.address"];
    let mut query_params = Map::new();
    if let Some(query) = query(told) {
        for (name, value) in form_urlencoded::parse(cut(query, MAX_QUERY).as_bytes()).take(MAX_FIELDS) {
            query_params.insert(kept(&name, MAX_NAME), kept(&value, MAX_FIELD).into());
        }
        redact::params(&mut query_params);
    }
    let mut headers = fields(attributes, "http.request.header.");
    redact::headers(&mut headers);
    RequestInfo {
        method: attributes.text(&METHOD).map(|method| kept(method, 32)),
        path: path(told).map(|path| redact::text(&path).into_owned()),
        query_params,
        headers,
        user_agent: attributes
            .text(&["user_agent.original", "http.user_agent"])
            .map(|agent| kept(agent, MAX_FIELD)),
        remote_ip: attributes.text(&address).map(|address| kept(address, MAX_NAME)),
    }
}

fn response(attributes: Attributes<'_>, status: Option<u16>) -> ResponseInfo {
    let size = ["http.response.body.size", "http.response_content_length", "http.response.size"];
    let header = |name: &str| {
        let (_, value) =
            attributes.below("http.response.header.").find(|(rest, _)| rest.replace('_', "-") == name)?;
        Some(words(value))
    };
    ResponseInfo {
        status_code: status,
        response_size: attributes
            .whole(&size)
            .or_else(|| header("content-length").and_then(|length| length.parse().ok())),
        content_type: header("content-type").map(|kind| kept(&kind, MAX_NAME)),
    }
}

fn fields(attributes: Attributes<'_>, prefix: &str) -> Map<String, Value> {
    let all = attributes.0.iter().filter_map(|attribute| {
        let name = attribute.key.strip_prefix(prefix)?;
        let value = attribute.value.as_ref()?.value.as_ref()?;
        Some((kept(&name.replace('_', "-"), MAX_NAME), kept(&words(value), MAX_FIELD).into()))
    });
    all.take(MAX_FIELDS).collect()
}

fn version(resource: Attributes<'_>) -> VersionInfo {
    let commit = ["vcs.ref.head.revision", "vcs.repository.ref.revision", "service.commit", "git.commit.sha"];
    VersionInfo {
        app_version: resource.text(&["service.version"]).map(|version| kept(version, 64)),
        git_commit: resource.text(&commit).map(|commit| kept(commit, 64)),
        deploy_time: resource.text(&["service.deploy_time"]).and_then(|time| time.parse().ok()),
    }
}

fn environment(told: &Told<'_>) -> Environment {
    let resource = told.resource;
    let joined = |names: &[&[&str]], between: &str| {
        let parts: Vec<&str> = names.iter().filter_map(|names| resource.text(names)).collect();
        (!parts.is_empty()).then(|| kept(&parts.join(between), MAX_NAME))
    };
    let is_python = resource.text(&["telemetry.sdk.language"]) == Some("python")
        || resource.text(&["process.runtime.name"]).is_some_and(|name| matches!(name, "cpython" | "pypy"));
    // the library that told of the request is named after the framework
    let framework = || told.scope.rsplit_once(".instrumentation.").map(|(_, name)| name);
    Environment {
        python_version: resource
            .text(&["process.runtime.version"])
            .filter(|_| is_python)
            .map(|v| kept(v, 64)),
        framework_version: joined(&[&["webengine.name"], &["webengine.version"]], " ")
            .or_else(|| framework().map(|name| kept(name, MAX_NAME))),
        server_info: joined(
            &[
                &["host.name", "k8s.pod.name", "container.id", "service.instance.id"],
                &["deployment.environment.name", "deployment.environment"],
            ],
            " ",
        ),
    }
}
