use std::collections::BTreeMap;

use super::*;
use crate::trace::{RequestInfo, ResponseInfo};

/// Numbers that look random and are the same in every run.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % sides
    }
}

/// A request as a middleware with a profiler tells it: services, queries, a cache; times to the nanosecond, random ids.
fn request(count: usize, dice: &mut Dice) -> (Entry, Vec<Call>) {
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
    let mut id = || format!("{:08x}{:08x}", dice.roll(1 << 31), dice.roll(1 << 31));
    let ids: Vec<String> = (0..count).map(|_| id()).collect();
    let mut now = 1_795_000_000_000_000_000 + dice.roll(1 << 31) as i64;
    let calls = (0..count).map(|i| {
        let duration_ns = if i == 0 { 40_000_000 } else { 20_000 + dice.roll(3_000_000) };
        now += dice.roll(900_000) as i64;
        let function = functions[if i == 0 { 0 } else { dice.roll(16) as usize }].clone();
        let is_query = function.module.as_deref() == Some("sqlalchemy.orm.session");
        Call {
            id: ids[i].clone(),
            parent: (i > 0).then(|| ids[i - 1 - dice.roll(i.min(4) as u64) as usize].clone()),
            work: if i == 0 {
                Work::Request
            } else if is_query {
                Work::Database
            } else {
                Work::Function
            },
            function,
            start_ns: now,
            duration_ns,
            cpu_ns: Some(duration_ns / 3),
            memory_delta: (i % 8 == 0).then(|| dice.roll(100_000) as i64 - 20_000),
            exception: None,
            detail: is_query.then(|| statement.clone()),
        }
    });
    let calls: Vec<Call> = calls.collect();
    let entry = Entry {
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
    (entry, calls)
}

fn packed_request(count: usize, dice: &mut Dice) -> (Opened, Vec<u8>) {
    let (entry, calls) = request(count, dice);
    let packed = pack([(Source::Records, &entry)], &calls).unwrap();
    (Opened { entries: vec![(Source::Records, entry)], calls }, packed)
}

#[test]
fn what_was_packed_is_opened_as_it_was() {
    let mut dice = Dice(1);
    for count in [0, 1, 2, 50, 500] {
        let count = count.max(1);
        let (opened, packed) = packed_request(count, &mut dice);
        assert_eq!(open(&packed).unwrap(), opened);
    }
    assert_eq!(open(&pack([], &[]).unwrap()).unwrap(), Opened::default());
}

#[test]
fn ids_and_parents_of_every_kind_come_back() {
    let call = |id: &str, parent: Option<&str>| Call {
        id: id.to_owned(),
        parent: parent.map(str::to_owned),
        function: Arc::default(),
        work: Work::Queue,
        start_ns: i64::MIN,
        duration_ns: u64::MAX,
        cpu_ns: None,
        memory_delta: Some(i64::MIN),
        exception: Some("KeyError: 'ü'".to_owned()),
        detail: None,
    };
    let far = |id| Call { start_ns: i64::MAX, cpu_ns: Some(u64::MAX), memory_delta: None, ..call(id, None) };
    for calls in [
        // itself, one behind it, one elsewhere
        vec![call("a", Some("a")), call("b", Some("c")), call("c", Some("elsewhere")), far("")],
        vec![call("1", None), call("999999999999999", Some("1")), call("0", Some("7"))],
        // not as numbers are written
        vec![call("01", None), call("1", Some("01")), call("-1", None), far("9999999999999999")],
        vec![
            call("00000000000000ff", None),
            far("ffffffffffffffff"),
            call("0000000000000001", Some("00000000000000FF")),
        ],
        // in capitals
        vec![call("00000000000000FF", None), call("00000000000000ff", Some("00000000000000FF"))],
    ] {
        let packed = pack([], &calls).unwrap();
        assert_eq!(open(&packed).unwrap().calls, calls);
    }
}

#[test]
fn bytes_of_anybody_are_refused_and_never_a_panic() {
    let mut dice = Dice(7);
    let (_, whole) = packed_request(60, &mut dice);
    let bytes = zstd::bulk::decompress(&whole[1..], MAX_OPEN).unwrap();
    assert!(read(&bytes).is_some());
    for end in 0..bytes.len() {
        assert!(read(&bytes[..end]).is_none(), "cut at {end}");
        assert!(open(&whole[..end.min(whole.len() - 1)]).is_err());
    }
    for _ in 0..20_000 {
        let mut wrong = bytes.clone();
        for _ in 0..=dice.roll(4) {
            let place = dice.roll(wrong.len() as u64) as usize;
            wrong[place] = [0, 1, 0x7f, 0x80, 0xff, dice.roll(256) as u8][dice.roll(6) as usize];
        }
        // whatever it is taken for, it is small, and can be packed again
        if let Some(opened) = read(&wrong) {
            assert!(opened.calls.len() <= wrong.len());
            pack(opened.entries.iter().map(|(source, entry)| (*source, entry)), &opened.calls).unwrap();
        }
        let mut wrong = whole.clone();
        let place = dice.roll(wrong.len() as u64) as usize;
        wrong[place] ^= 1 << dice.roll(8);
        _ = open(&wrong);
    }
    for length in 0..200 {
        let random: Vec<u8> = (0..length).map(|_| dice.roll(256) as u8).collect();
        _ = (read(&random), open(&random));
    }
}

/// Beside a table with a row a call, as the documents of the design are when nothing of them is shared.
#[tokio::test]
async fn a_packed_call_takes_a_tenth_of_a_row() {
    let mut dice = Dice(3);
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
            let (opened, packed) = packed_request(count, &mut dice);
            bytes += packed.len();
            let trace: String = (0..4).map(|_| format!("{:08x}", dice.roll(1 << 31))).collect();
            let rows = opened.calls.iter().zip(0..).map(|(call, order)| {
                number += 1;
                let text = |text: Option<&str>| text.map_or("NULL".to_owned(), |text| format!("'{text}'"));
                let at = |ns: i64| chrono::DateTime::from_timestamp_nanos(ns).to_rfc3339();
                let function = &call.function;
                format!(
                    "({tenant}, X'{:032x}', '{trace}', '{}', {}, '{}', {}, {}, {}, {}, '{}', '{}', {}, {}, {}, {order}, \
                     {order}, 0, NULL, {}, {}, '{}')",
                    (0x0192_aabb_ccdd_u128 << 80) + u128::from(number),
                    call.id,
                    text(call.parent.as_deref()),
                    function.name,
                    text(function.module.as_deref()),
                    text(function.file_path.as_deref()),
                    function.line_number.unwrap_or_default(),
                    text(function.class_name.as_deref()),
                    at(call.start_ns),
                    at(call.start_ns + call.duration_ns as i64),
                    call.duration_ns as f64 / 1e9,
                    call.cpu_ns.unwrap_or_default() as f64 / 1e9,
                    call.memory_delta.unwrap_or_default(),
                    text((call.work == Work::Database).then_some("[\"database\"]")),
                    text(call.detail.as_ref().map(|detail| serde_json::to_string(&**detail).unwrap()).as_deref()),
                    at(call.start_ns),
                )
            });
            let rows: Vec<String> = rows.collect();
            raw.run(format!("INSERT INTO function_calls VALUES {}", rows.join(", "))).await;
            let hex: String = packed.iter().map(|byte| format!("{byte:02x}")).collect();
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
        let calls = (records * count) as f64;
        println!(
            "{count} calls a record: {:.1} bytes a call packed, {:.1} in its table, {:.1} as a row: 1/{:.1}",
            bytes as f64 / calls,
            trees / calls,
            rows / calls,
            rows / trees
        );
        assert!(rows / trees >= 10.0, "{count} calls a record: only {:.1} times smaller", rows / trees);
    }
}
