use std::collections::BTreeMap;

use super::*;
use crate::trace::{Detail, RequestInfo, ResponseInfo};

/// A deterministic pseudorandom number generator.
struct Rng(u64);

impl Rng {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % limit
    }
}

/// A request as a middleware with a profiler sends it: services, queries, a cache; nanosecond times, random ids.
fn request(count: usize, rng: &mut Rng) -> (ServerSpan, Vec<Span>) {
    let function = |module: &str, class: Option<&str>, name: &str, line| {
        Arc::new(Function {
            name: name.to_owned(),
            module: Some(module.to_owned()),
            class_name: class.map(str::to_owned),
            file_path: Some(format!("/srv/shop/{}.py", module.replace('.', "/"))),
            line_number: Some(line),
        })
    };
    let functions: Vec<Arc<Function>> = (0..16)
        .map(|i| match i % 4 {
            0 => function(
                "shop.api.orders",
                None,
                ["list_orders", "get_order", "add_order", "pay"][i as usize / 4],
                20 + 31 * i,
            ),
            1 => function(
                "shop.services.order_service",
                Some("OrderService"),
                ["load", "price", "check_stock", "ship"][i as usize / 4],
                14 + 27 * i,
            ),
            2 => function(
                "sqlalchemy.orm.session",
                Some("Session"),
                ["execute", "flush", "refresh", "commit"][i as usize / 4],
                900 + 57 * i,
            ),
            _ => function("shop.cache", None, ["get", "set", "delete", "key_of"][i as usize / 4], 8 + 9 * i),
        })
        .collect();
    let statement = Arc::new(Detail {
        system: Some("postgresql".to_owned()),
        operation: Some("SELECT".to_owned()),
        statement: Some(
            "SELECT id, total, state FROM orders WHERE customer_id = $1 ORDER BY id DESC LIMIT 50".to_owned(),
        ),
        target: Some("db.internal:5432".to_owned()),
        attributes: BTreeMap::from([("db.name".to_owned(), "shop".to_owned())]),
        ..Detail::default()
    });
    let mut id = || format!("{:08x}{:08x}", rng.below(1 << 31), rng.below(1 << 31));
    let ids: Vec<String> = (0..count).map(|_| id()).collect();
    let mut now = 1_795_000_000_000_000_000 + rng.below(1 << 31) as i64;
    let spans = (0..count).map(|i| {
        let duration_ns = if i == 0 { 40_000_000 } else { 20_000 + rng.below(3_000_000) };
        now += rng.below(900_000) as i64;
        let function = functions[if i == 0 { 0 } else { rng.below(16) as usize }].clone();
        let is_query = function.module.as_deref() == Some("sqlalchemy.orm.session");
        Span {
            id: ids[i].clone(),
            parent: (i > 0).then(|| ids[i - 1 - rng.below(i.min(4) as u64) as usize].clone()),
            kind: if i == 0 {
                OperationKind::Request
            } else if is_query {
                OperationKind::Database
            } else {
                OperationKind::Function
            },
            function,
            start_ns: now,
            duration_ns,
            cpu_ns: Some(duration_ns / 3),
            memory_delta: (i % 8 == 0).then(|| rng.below(100_000) as i64 - 20_000),
            exception: None,
            detail: is_query.then(|| statement.clone()),
        }
    });
    let spans: Vec<Span> = spans.collect();
    let server_span = ServerSpan {
        call_id: ids[0].clone(),
        endpoint: "GET /orders/{id}".to_owned(),
        service: Some("shop".to_owned()),
        is_error: false,
        request: RequestInfo {
            method: Some("GET".to_owned()),
            path: Some("/orders/7731".to_owned()),
            query_params: serde_json::Map::from_iter([("page".to_owned(), 2.into())]),
            ..RequestInfo::default()
        },
        response: ResponseInfo { status_code: Some(200), response_size: Some(812), content_type: None },
        measured: Default::default(),
        version: Default::default(),
        environment: Default::default(),
    };
    (server_span, spans)
}

fn packed_request(count: usize, rng: &mut Rng) -> (SpanSet, Vec<u8>) {
    let (server_span, spans) = request(count, rng);
    let packed = pack([(Source::Records, &server_span)], &spans).unwrap();
    (SpanSet { server_spans: vec![(Source::Records, server_span)], spans }, packed)
}

#[test]
fn packed_spans_unpack_unchanged() {
    let mut rng = Rng(1);
    for count in [0, 1, 2, 50, 500] {
        let count = count.max(1);
        let (unpacked, packed) = packed_request(count, &mut rng);
        assert_eq!(unpack(&packed).unwrap(), unpacked);
    }
    assert_eq!(unpack(&pack([], &[]).unwrap()).unwrap(), SpanSet::default());
}

#[test]
fn every_form_of_id_and_parent_round_trips() {
    let span = |id: &str, parent: Option<&str>| Span {
        id: id.to_owned(),
        parent: parent.map(str::to_owned),
        function: Arc::default(),
        kind: OperationKind::Queue,
        start_ns: i64::MIN,
        duration_ns: u64::MAX,
        cpu_ns: None,
        memory_delta: Some(i64::MIN),
        exception: Some("KeyError: 'ü'".to_owned()),
        detail: None,
    };
    let far = |id| Span { start_ns: i64::MAX, cpu_ns: Some(u64::MAX), memory_delta: None, ..span(id, None) };
    for spans in [
        // its own parent, a parent that follows, a parent outside of the chunk
        vec![span("a", Some("a")), span("b", Some("c")), span("c", Some("external")), far("")],
        vec![span("1", None), span("999999999999999", Some("1")), span("0", Some("7"))],
        // not canonical decimal numbers
        vec![span("01", None), span("1", Some("01")), span("-1", None), far("9999999999999999")],
        vec![
            span("00000000000000ff", None),
            far("ffffffffffffffff"),
            span("0000000000000001", Some("00000000000000FF")),
        ],
        // upper case
        vec![span("00000000000000FF", None), span("00000000000000ff", Some("00000000000000FF"))],
    ] {
        let packed = pack([], &spans).unwrap();
        assert_eq!(unpack(&packed).unwrap().spans, spans);
    }
}

#[test]
fn invalid_bytes_are_rejected_without_a_panic() {
    let mut rng = Rng(7);
    let (_, whole) = packed_request(60, &mut rng);
    let bytes = zstd::bulk::decompress(&whole[1..], MAX_UNPACKED_BYTES).unwrap();
    assert!(read(&bytes).is_some());
    for end in 0..bytes.len() {
        assert!(read(&bytes[..end]).is_none(), "cut at {end}");
        assert!(unpack(&whole[..end.min(whole.len() - 1)]).is_err());
    }
    for _ in 0..20_000 {
        let mut wrong = bytes.clone();
        for _ in 0..=rng.below(4) {
            let index = rng.below(wrong.len() as u64) as usize;
            wrong[index] = [0, 1, 0x7f, 0x80, 0xff, rng.below(256) as u8][rng.below(6) as usize];
        }
        // whatever it decodes to is small, and can be packed again
        if let Some(unpacked) = read(&wrong) {
            assert!(unpacked.spans.len() <= wrong.len());
            pack(
                unpacked.server_spans.iter().map(|(source, server_span)| (*source, server_span)),
                &unpacked.spans,
            )
            .unwrap();
        }
        let mut wrong = whole.clone();
        let index = rng.below(wrong.len() as u64) as usize;
        wrong[index] ^= 1 << rng.below(8);
        _ = unpack(&wrong);
    }
    for length in 0..200 {
        let random: Vec<u8> = (0..length).map(|_| rng.below(256) as u8).collect();
        _ = (read(&random), unpack(&random));
    }
}

/// Compared with a table of one row per span, in which nothing is shared.
#[tokio::test]
async fn a_packed_span_takes_a_tenth_of_a_row() {
    let mut rng = Rng(3);
    for (records, count) in [(400, 50), (40, 500)] {
        let database = loam_testkit::Database::empty_sqlite().await;
        let mut raw = database.raw().await;
        raw.run(
            "CREATE TABLE function_calls (tenant_id BLOB, id BLOB, trace_id TEXT, call_id TEXT, parent_call_id TEXT, \
             name TEXT, module TEXT, file_path TEXT, line_number INTEGER, class_name TEXT, start_time TEXT, \
             end_time TEXT, duration REAL, cpu_time REAL, memory_delta INTEGER, depth INTEGER, call_order INTEGER, \
             is_recursive INTEGER, exception_info TEXT, performance_tags TEXT, detail TEXT, created_at TEXT, \
             PRIMARY KEY (tenant_id, id)); \
             CREATE INDEX by_trace ON function_calls (tenant_id, trace_id); \
             CREATE TABLE call_trees (tenant_id BLOB, id BLOB, trace_id TEXT, calls BLOB, \
             PRIMARY KEY (tenant_id, id)); CREATE INDEX by_trace_too ON call_trees (tenant_id, trace_id);",
        )
        .await;
        let tenant = "X'0192aabbccdd7eee8fff001122334455'";
        let (mut bytes, mut number) = (0, 0_u64);
        for _ in 0..records {
            let (unpacked, packed) = packed_request(count, &mut rng);
            bytes += packed.len();
            let trace: String = (0..4).map(|_| format!("{:08x}", rng.below(1 << 31))).collect();
            let rows = unpacked.spans.iter().zip(0..).map(|(span, order)| {
                number += 1;
                let text = |text: Option<&str>| text.map_or("NULL".to_owned(), |text| format!("'{text}'"));
                let at = |ns: i64| chrono::DateTime::from_timestamp_nanos(ns).to_rfc3339();
                let function = &span.function;
                format!(
                    "({tenant}, X'{:032x}', '{trace}', '{}', {}, '{}', {}, {}, {}, {}, '{}', '{}', {}, {}, {}, {order}, \
                     {order}, 0, NULL, {}, {}, '{}')",
                    (0x0192_aabb_ccdd_u128 << 80) + u128::from(number),
                    span.id,
                    text(span.parent.as_deref()),
                    function.name,
                    text(function.module.as_deref()),
                    text(function.file_path.as_deref()),
                    function.line_number.unwrap_or_default(),
                    text(function.class_name.as_deref()),
                    at(span.start_ns),
                    at(span.start_ns + span.duration_ns as i64),
                    span.duration_ns as f64 / 1e9,
                    span.cpu_ns.unwrap_or_default() as f64 / 1e9,
                    span.memory_delta.unwrap_or_default(),
                    text((span.kind == OperationKind::Database).then_some("[\"database\"]")),
                    text(span.detail.as_ref().map(|detail| serde_json::to_string(&**detail).unwrap()).as_deref()),
                    at(span.start_ns),
                )
            });
            let rows: Vec<String> = rows.collect();
            raw.run(format!("INSERT INTO function_calls VALUES {}", rows.join(", "))).await;
            let hex = loam_kernel::hex(&packed);
            raw.run(format!(
                "INSERT INTO call_trees VALUES ({tenant}, X'{number:032x}', '{trace}', X'{hex}')"
            ))
            .await;
        }
        let size = async |raw: &mut loam_testkit::Raw, names: &str| {
            let sql = format!("SELECT CAST(sum(pgsize) AS TEXT) FROM dbstat WHERE name IN ({names})");
            raw.texts(sql).await[0].parse::<f64>().unwrap()
        };
        let rows = size(&mut raw, "'function_calls', 'by_trace', 'sqlite_autoindex_function_calls_1'").await;
        let trees = size(&mut raw, "'call_trees', 'by_trace_too', 'sqlite_autoindex_call_trees_1'").await;
        let spans = (records * count) as f64;
        println!(
            "{count} spans a record: {:.1} bytes a span packed, {:.1} in its table, {:.1} as a row: 1/{:.1}",
            bytes as f64 / spans,
            trees / spans,
            rows / spans,
            rows / trees
        );
        assert!(rows / trees >= 10.0, "{count} spans a record: only {:.1} times smaller", rows / trees);
    }
}
