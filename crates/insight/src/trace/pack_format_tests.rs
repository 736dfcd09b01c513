use std::collections::BTreeMap;

use loam_testkit::check_golden;
use serde_json::json;

use super::*;
use crate::trace::{Detail, Environment, Measurements, RequestInfo, ResponseInfo, VersionInfo};

#[test]
fn all_versions_are_read() {
    let texts = |value: serde_json::Value| value.as_object().unwrap().clone();
    let text = |text: &str| Some(text.to_owned());
    let server_span = ServerSpan {
        call_id: "00f067aa0ba902b7".to_owned(),
        endpoint: "GET /users/{id}".to_owned(),
        service: text("shop"),
        is_error: true,
        request: RequestInfo {
            method: text("GET"),
            path: text("/users/7"),
            query_params: texts(json!({"full": "1"})),
            headers: texts(json!({"accept": "*/*"})),
            user_agent: text("curl/8"),
            remote_ip: text("10.0.0.9"),
        },
        response: ResponseInfo {
            status_code: Some(500),
            response_size: Some(812),
            content_type: text("text/html"),
        },
        measured: Measurements {
            cpu_ns: Some(1),
            memory_peak: Some(2),
            memory_delta: Some(-3),
            query_count: Some(4),
            query_ns: Some(5),
            slow_queries: Some(6),
            cache_hits: Some(7),
            cache_misses: Some(8),
            cache_ns: Some(9),
        },
        version: VersionInfo {
            app_version: text("1.4.2"),
            git_commit: text("9fceb02"),
            deploy_time: Some("2026-11-20T08:00:00Z".parse().unwrap()),
        },
        environment: Environment {
            python_version: text("3.12.4"),
            framework_version: text("fastapi 0.115"),
            server_info: text("uvicorn 0.30"),
        },
    };
    let span = |(number, kind): (u64, OperationKind)| Span {
        id: format!("{:016x}", 0x00f0_67aa_0ba9_02b7 + number),
        parent: (number > 0).then(|| format!("{:016x}", 0x00f0_67aa_0ba9_02b6 + number)),
        function: Arc::new(Function {
            name: format!("f{number}"),
            module: text("app.users"),
            class_name: text("Users"),
            file_path: text("/app/users.py"),
            line_number: Some(41),
        }),
        kind,
        start_ns: 1_790_000_000_123_456_789 + number as i64,
        duration_ns: 1_000_000 - number,
        cpu_ns: (number % 2 == 0).then_some(number),
        memory_delta: (number == 1).then_some(-2_048),
        exception: (number == 2).then(|| "ValueError: no".to_owned()),
        detail: (number == 2).then(|| {
            Arc::new(Detail {
                system: text("postgresql"),
                operation: text("SELECT"),
                statement: text("SELECT * FROM users WHERE id = %s"),
                target: text("db:5432"),
                hit: Some(true),
                status_code: Some(200),
                first_byte_ns: Some(77),
                rows: Some(1),
                attributes: BTreeMap::from([("db.name".to_owned(), "shop".to_owned())]),
            })
        }),
    };
    let spans: Vec<Span> = (0..).zip(KINDS).map(span).collect();
    let packed = pack([(Source::Records, &server_span), (Source::Otlp, &server_span)], &spans).unwrap();
    check_golden(TRACE_CHUNK.kind(), TRACE_CHUNK.versions(), &packed, |packed| {
        format!("{:#?}", unpack(packed).unwrap())
    });
}
