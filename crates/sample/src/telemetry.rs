//! Requests of the sample's applications: documents of the record format, with call trees, in two versions of each
//! application. The older one queries the items of each order by itself.

use chrono::{DateTime, TimeDelta, Utc};
use fastrand::Rng;
use serde_json::{Value, json};

/// The days before the end of the sample that have requests.
pub(crate) const DAYS: i64 = 14;
/// Share of the requests that fail.
const FAILURES: f64 = 0.015;
/// The version that replaces the first after half of the days.
const VERSIONS: [&str; 2] = ["1.4.0", "1.5.0"];

/// A request at a time.
pub(crate) fn record(started_at: DateTime<Utc>, until: DateTime<Utc>, rng: &mut Rng) -> Value {
    let is_new = until - started_at < TimeDelta::days(DAYS / 2);
    let version = VERSIONS[usize::from(is_new)];
    let mut request = match rng.u8(..100) {
        0..45 => chat(rng),
        45..75 => orders(is_new, rng),
        75..85 => upload(rng),
        _ => profile(rng),
    };
    if rng.f64() < FAILURES {
        request.fail(rng);
    }
    request.document(started_at, version, rng)
}

/// A request whose calls follow each other.
struct Request {
    method: &'static str,
    path: String,
    route: &'static str,
    functions: Vec<Value>,
    calls: Vec<Value>,
    /// Seconds since its start.
    elapsed: f64,
    exception: Option<&'static str>,
    peak_memory_mb: f64,
}

impl Request {
    fn new(method: &'static str, route: &'static str, path: String, rng: &mut Rng) -> Self {
        let peak_memory_mb = 90.0 + 40.0 * rng.f64();
        let (functions, calls) = (Vec::new(), Vec::new());
        Self { method, path, route, functions, calls, elapsed: 0.0005, exception: None, peak_memory_mb }
    }

    /// A call of a function of the application.
    fn call(&mut self, module: &str, name: &str, milliseconds: f64, kind: &str, detail: Value) {
        let function = json!({
            "name": name, "module": module,
            "file_path": format!("/srv/{}.py", module.replace('.', "/")), "line_number": 10 + name.len() * 7,
        });
        let index = self.functions.iter().position(|known| *known == function).unwrap_or_else(|| {
            self.functions.push(function);
            self.functions.len() - 1
        });
        let duration = milliseconds / 1000.0;
        let number = self.calls.len();
        let mut call = json!({
            "call_id": format!("c{number}"), "function": index, "kind": kind, "start_offset": self.elapsed,
            "duration": duration,
        });
        if !detail.is_null() {
            call["detail"] = detail;
        }
        self.calls.push(call);
        self.elapsed += duration + 0.0002;
    }

    fn query(&mut self, module: &str, name: &str, statement: &str, rows: u64, milliseconds: f64) {
        let detail =
            json!({ "system": "postgresql", "operation": "SELECT", "statement": statement, "rows": rows });
        self.call(module, name, milliseconds, "database", detail);
    }

    /// Fails in its last call, after a timeout.
    fn fail(&mut self, rng: &mut Rng) {
        const EXCEPTIONS: [&str; 3] = [
            "TimeoutError: no answer within 5 s\n  File \"/srv/app/client.py\", line 41, in send",
            "IntegrityError: duplicate key value violates unique constraint \"orders_pkey\"\n  File \"/srv/app/store.py\", line 88, in save",
            "KeyError: 'customer_id'\n  File \"/srv/app/views.py\", line 27, in show",
        ];
        let exception = EXCEPTIONS[rng.usize(..EXCEPTIONS.len())];
        if let Some(last) = self.calls.last_mut() {
            last["exception_info"] = json!(exception);
        }
        self.exception = Some(exception);
    }

    fn document(self, started_at: DateTime<Utc>, version: &str, rng: &mut Rng) -> Value {
        let total = self.elapsed + 0.001;
        let queries = self.calls.iter().filter(|call| call["kind"] == "database").count();
        let mut document = json!({
            "trace_id": format!("{:032x}", rng.u128(..)),
            "timestamp": started_at.to_rfc3339(),
            "endpoint": self.route,
            "request_info": {
                "method": self.method, "path": self.path,
                "user_agent": "Mozilla/5.0 (X11; Linux x86_64) sample", "remote_ip": format!("203.0.113.{}", rng.u8(1..255)),
            },
            "response_info": { "status_code": if self.exception.is_some() { 500 } else { 200 } },
            "performance_metrics": {
                "total_duration": total, "cpu_time": total * 0.2,
                "memory_usage": { "peak_memory": self.peak_memory_mb, "memory_delta": 1.5 },
                "database_metrics": { "query_count": queries },
            },
            "version_info": { "app_version": version },
            "environment": { "python_version": "3.13.1" },
            "functions": self.functions,
            "function_calls": self.calls,
        });
        if let Some(exception) = self.exception {
            document["exception_info"] = json!(exception);
        }
        document
    }
}

/// A duration in milliseconds around a mean, with a long tail.
fn around(mean: f64, rng: &mut Rng) -> f64 {
    mean * (0.7 + 0.5 * rng.f64()) * if rng.f64() < 0.04 { 3.0 } else { 1.0 }
}

fn chat(rng: &mut Rng) -> Request {
    let mut request = Request::new("POST", "POST /chat", "/chat".to_owned(), rng);
    request.call("app.auth", "verify_token", around(2.0, rng), "function", Value::Null);
    let hit = json!({ "system": "redis", "operation": "GET", "hit": rng.f64() < 0.8 });
    request.call("app.cache", "get_session", around(0.8, rng), "cache", hit);
    let statement = "SELECT role, content FROM messages WHERE session_id = ? ORDER BY id DESC LIMIT 50";
    request.query("app.history", "load", statement, rng.u64(2..50), around(9.0, rng));
    let search =
        json!({ "system": "http", "operation": "POST", "target": "vectors.internal", "status_code": 200 });
    request.call("app.retrieval", "search", around(38.0, rng), "external_api", search);
    let model = json!({ "system": "openai", "operation": "chat", "target": "gpt-4o-mini" });
    request.call("app.model", "complete", around(820.0, rng), "model", model);
    let statement = "INSERT INTO messages (session_id, role, content) VALUES (?, ?, ?)";
    request.query("app.history", "save", statement, 1, around(4.0, rng));
    request
}

fn orders(is_new: bool, rng: &mut Rng) -> Request {
    let path = format!("/customers/{}/orders", rng.u32(1..5_000));
    let mut request = Request::new("GET", "GET /customers/{id}/orders", path, rng);
    request.call("app.auth", "verify_token", around(2.0, rng), "function", Value::Null);
    let orders = rng.u64(8..40);
    request.query(
        "app.orders",
        "list_orders",
        "SELECT * FROM orders WHERE customer_id = ?",
        orders,
        around(7.0, rng),
    );
    if is_new {
        let statement = "SELECT * FROM order_items WHERE order_id = ANY(?)";
        request.query("app.orders", "load_items", statement, orders * 3, around(13.0, rng));
    } else {
        for _ in 0..orders {
            let statement = "SELECT * FROM order_items WHERE order_id = ?";
            request.query("app.orders", "load_items", statement, 3, around(3.2, rng));
        }
    }
    request.call("app.orders", "render", around(5.0, rng), "function", Value::Null);
    request
}

fn upload(rng: &mut Rng) -> Request {
    let mut request = Request::new("POST", "POST /documents", "/documents".to_owned(), rng);
    request.peak_memory_mb += 250.0 * rng.f64();
    request.call("app.auth", "verify_token", around(2.0, rng), "function", Value::Null);
    request.call("app.documents", "parse_pdf", around(640.0, rng), "function", Value::Null);
    let embed =
        json!({ "system": "http", "operation": "POST", "target": "api.openai.com", "status_code": 200 });
    request.call("app.documents", "embed", around(210.0, rng), "external_api", embed);
    let statement = "INSERT INTO documents (id, title, content) VALUES (?, ?, ?)";
    request.query("app.documents", "save", statement, 1, around(11.0, rng));
    request
}

fn profile(rng: &mut Rng) -> Request {
    let path = format!("/customers/{}", rng.u32(1..5_000));
    let mut request = Request::new("GET", "GET /customers/{id}", path, rng);
    request.call("app.auth", "verify_token", around(2.0, rng), "function", Value::Null);
    let hit = rng.f64() < 0.7;
    let cached = json!({ "system": "redis", "operation": "GET", "hit": hit });
    request.call("app.cache", "get_customer", around(0.7, rng), "cache", cached);
    if !hit {
        request.query("app.customers", "load", "SELECT * FROM customers WHERE id = ?", 1, around(3.0, rng));
    }
    request
}
