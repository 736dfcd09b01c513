//! The rules on small hand-written trees; `corpus_tests` has traces of real programs.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::*;
use crate::trace::{Detail, Function, OperationKind, Span};

const MS: u64 = 1_000_000;

/// Builds a request's calls, one after the other.
#[derive(Default)]
struct TraceBuilder {
    calls: Vec<Span>,
    now: i64,
}

impl TraceBuilder {
    /// A request of `handler` that takes `ms` milliseconds.
    fn of(ms: u64) -> Self {
        let mut builder = Self::default();
        builder.begin("handler", None, OperationKind::Request, ms * MS);
        builder
    }

    fn begin(&mut self, name: &str, parent: Option<&str>, work: OperationKind, duration_ns: u64) -> String {
        let id = format!("c{}", self.calls.len());
        self.calls.push(Span {
            id: id.clone(),
            parent: parent.map(str::to_owned),
            function: Arc::new(Function {
                name: name.to_owned(),
                module: Some("app".to_owned()),
                file_path: Some("/srv/app.py".to_owned()),
                ..Function::default()
            }),
            kind: work,
            start_ns: self.now,
            duration_ns,
            cpu_ns: None,
            memory_delta: None,
            exception: None,
            detail: None,
        });
        id
    }

    /// Adds work under a call, after all previous work.
    fn work(&mut self, parent: &str, work: OperationKind, statement: &str, ms: u64) -> &mut Span {
        self.begin(statement.split(' ').next().unwrap_or_default(), Some(parent), work, ms * MS);
        self.now += i64::try_from(ms * MS).expect("short");
        let detail = Detail { statement: Some(statement.to_owned()), ..Detail::default() };
        let call = self.calls.last_mut().expect("just written");
        call.detail = Some(Arc::new(detail));
        call
    }

    fn diagnose(self) -> Diagnosis {
        let tree = Tree::new(self.calls);
        diagnose(&tree, 0, &Limits::default())
    }

    fn rules_and_functions(self) -> Vec<(Rule, String)> {
        self.diagnose().findings.into_iter().map(|one| (one.rule, one.function)).collect()
    }
}

fn with_detail(change: impl FnOnce(&mut Detail), call: &mut Span) {
    let mut detail = call.detail.as_deref().cloned().unwrap_or_default();
    change(&mut detail);
    call.detail = Some(Arc::new(detail));
}

#[test]
fn a_query_per_row_is_found_in_the_function_with_the_loop() {
    let mut builder = TraceBuilder::of(400);
    let list = builder.begin("list_orders", Some("c0"), OperationKind::Function, 390 * MS);
    builder.work(&list, OperationKind::Database, "SELECT * FROM orders", 5);
    for _ in 0..30 {
        let helper = builder.begin("customer_of", Some(&list), OperationKind::Function, 10 * MS);
        builder.work(&helper, OperationKind::Database, "SELECT * FROM customers WHERE id = ?", 10);
    }
    let diagnosis = builder.diagnose();
    let [finding] = diagnosis.findings.as_slice() else { panic!("{:?}", diagnosis.findings) };
    assert_eq!((finding.rule, finding.function.as_str()), (Rule::NPlusOne, "app.list_orders"));
    assert_eq!((finding.severity, finding.count, finding.calls.len()), (Severity::High, 30, 20));
    assert!((finding.impact - 0.75).abs() < 1e-9, "{}", finding.impact);
    assert_eq!(finding.saving_ns, 280 * MS);
    assert_eq!(diagnosis.score, 75);
}

#[test]
fn the_time_between_repeated_queries_counts_too() {
    let mut builder = TraceBuilder::of(500);
    builder.work("c0", OperationKind::Database, "SELECT * FROM orders", 5);
    for row in 0..40 {
        builder.work("c0", OperationKind::Database, "SELECT * FROM customers WHERE id = ?", 2);
        builder.now += 8 * 1_000_000;
        if row == 20 {
            // another call, and an unusually long pause
            builder.work("c0", OperationKind::ExternalApi, "https://a/rates", 30);
            builder.now += 40 * 1_000_000;
        }
    }
    let mut findings = builder.diagnose().findings.into_iter();
    let finding = findings.find(|finding| finding.rule == Rule::NPlusOne).expect("found");
    assert_eq!(finding.count, 40);
    // 40 queries of 2 ms, 38 pauses of 8 ms, and one that counts as three of them
    let cost_ms = 40 * 2 + 38 * 8 + 24;
    assert!((finding.impact - f64::from(cost_ms) / 500.0).abs() < 1e-9, "{}", finding.impact);
    assert!(finding.description.contains("80 ms in the database"), "{}", finding.description);
}

#[test]
fn the_same_query_from_several_functions_is_no_loop() {
    let mut builder = TraceBuilder::of(100);
    for name in ["login", "cart", "offers", "menu", "footer", "header", "search"] {
        let function = builder.begin(name, Some("c0"), OperationKind::Function, 10 * MS);
        builder.work(&function, OperationKind::Database, "SELECT * FROM users WHERE id = ?", 10);
    }
    assert_eq!(builder.rules_and_functions(), []);
}

#[test]
fn a_slow_query_is_found_in_the_waiting_function() {
    let mut builder = TraceBuilder::of(500);
    let report = builder.begin("report", Some("c0"), OperationKind::Function, 460 * MS);
    builder.work(&report, OperationKind::Database, "SELECT sum(total) FROM orders GROUP BY day", 450);
    assert_eq!(builder.rules_and_functions(), [(Rule::SlowQuery, "app.report".to_owned())]);
}

#[test]
fn a_library_in_between_is_skipped() {
    let mut builder = TraceBuilder::of(500);
    let report = builder.begin("report", Some("c0"), OperationKind::Function, 460 * MS);
    let library = builder.begin("execute", Some(&report), OperationKind::Function, 455 * MS);
    builder.calls[2].function = Arc::new(Function {
        name: "execute".to_owned(),
        file_path: Some("/usr/lib/python3/site-packages/orm/session.py".to_owned()),
        ..Function::default()
    });
    builder.work(&library, OperationKind::Database, "SELECT 1 FROM orders", 450);
    assert_eq!(builder.rules_and_functions(), [(Rule::SlowQuery, "app.report".to_owned())]);
}

#[test]
fn a_hot_function_either_computes_or_waits() {
    let mut builder = TraceBuilder::of(1_000);
    builder.begin("compare_all", Some("c0"), OperationKind::Function, 900 * MS);
    builder.calls[1].cpu_ns = Some(890 * MS);
    let finding = builder.diagnose().findings.remove(0);
    assert_eq!((finding.rule, finding.kind), (Rule::HotFunction, Bottleneck::Computation));
    let mut builder = TraceBuilder::of(1_000);
    builder.begin("nap", Some("c0"), OperationKind::Function, 900 * MS);
    builder.calls[1].cpu_ns = Some(MS);
    let finding = builder.diagnose().findings.remove(0);
    assert_eq!((finding.rule, finding.kind), (Rule::HotFunction, Bottleneck::Io));
}

#[test]
fn sequential_waits_are_found_and_concurrent_waits_are_not() {
    let page = |concurrent: bool| {
        let mut builder = TraceBuilder::of(if concurrent { 110 } else { 310 });
        let page = builder.begin(
            "page",
            Some("c0"),
            OperationKind::Function,
            if concurrent { 105 } else { 305 } * MS,
        );
        for address in ["https://a/user", "https://b/orders", "https://c/offers"] {
            builder.work(&page, OperationKind::ExternalApi, address, 100);
            if concurrent {
                builder.now = 0;
            }
        }
        builder.rules_and_functions()
    };
    assert_eq!(page(false), [(Rule::SequentialAwaits, "app.page".to_owned())]);
    assert_eq!(page(true), []);
}

#[test]
fn writes_and_retries_may_be_sequential() {
    let mut builder = TraceBuilder::of(310);
    for _ in 0..3 {
        let call = builder.work("c0", OperationKind::ExternalApi, "https://a/payments", 100);
        with_detail(|detail| detail.operation = Some("POST".to_owned()), call);
    }
    assert_eq!(builder.rules_and_functions(), []);
    let mut builder = TraceBuilder::of(310);
    for _ in 0..3 {
        let call = builder.work("c0", OperationKind::ExternalApi, "https://a/prices", 100);
        with_detail(|detail| detail.status_code = Some(503), call);
    }
    assert_eq!(builder.rules_and_functions(), []);
}

#[test]
fn only_calls_with_the_same_arguments_are_repeated() {
    let rates = |same: bool| {
        let mut builder = TraceBuilder::of(90);
        for number in 0..8 {
            let call = builder.work("c0", OperationKind::Function, "rate", 10);
            let arguments = if same { "(EUR)".to_owned() } else { format!("({number})") };
            with_detail(
                |detail| detail.attributes = BTreeMap::from([("arguments".to_owned(), arguments)]),
                call,
            );
        }
        builder.rules_and_functions()
    };
    assert_eq!(rates(true), [(Rule::RepeatedCall, "app.handler".to_owned())]);
    assert_eq!(rates(false), []);
}

#[test]
fn cache_misses_are_found_together_with_the_fetches() {
    let lookups = |hit: bool| {
        let mut builder = TraceBuilder::of(if hit { 20 } else { 200 });
        for _ in 0..15 {
            let call = builder.work("c0", OperationKind::Cache, "product:?", 1);
            with_detail(|detail| detail.hit = Some(hit), call);
            if !hit {
                builder.work("c0", OperationKind::Database, "SELECT * FROM products WHERE id = ?", 9);
            }
        }
        builder.diagnose().findings
    };
    let findings = lookups(false);
    let [finding] = findings.as_slice() else { panic!("{findings:?}") };
    assert_eq!((finding.rule, finding.saving_ns), (Rule::CacheMisses, 140 * MS));
    assert!(lookups(true).is_empty());
}

#[test]
fn retained_memory_is_found_in_the_retaining_function() {
    let mut builder = TraceBuilder::of(50);
    builder.calls[0].memory_delta = Some(200 << 20);
    let load = builder.begin("load", Some("c0"), OperationKind::Function, 40 * MS);
    builder.calls[1].memory_delta = Some(199 << 20);
    builder.begin("remember", Some(&load), OperationKind::Function, 30 * MS);
    builder.calls[2].memory_delta = Some(198 << 20);
    let findings = builder.diagnose().findings;
    let [finding] = findings.as_slice() else { panic!("{findings:?}") };
    assert_eq!((finding.rule, finding.function.as_str()), (Rule::MemoryGrowth, "app.remember"));
    assert_eq!(finding.severity, Severity::High);
}

#[test]
fn a_deep_recursion_lists_its_outermost_calls_first() {
    let mut builder = TraceBuilder::of(50);
    let mut parent = "c0".to_owned();
    for _ in 0..80 {
        parent = builder.begin("descend", Some(&parent), OperationKind::Function, 10 * MS);
    }
    let findings = builder.diagnose().findings;
    let [finding] = findings.as_slice() else { panic!("{findings:?}") };
    assert_eq!((finding.rule, finding.count), (Rule::DeepRecursion, 80));
    assert_eq!(finding.calls[..2], ["c1", "c2"]);
}

#[test]
fn exceptions_in_a_loop_are_found_in_the_swallowing_function() {
    let mut builder = TraceBuilder::of(50);
    let sum = builder.begin("sum", Some("c0"), OperationKind::Function, 40 * MS);
    for _ in 0..6 {
        let price = builder.begin("price", Some(&sum), OperationKind::Function, MS);
        builder.begin("look_up", Some(&price), OperationKind::Function, MS);
        for call in builder.calls.iter_mut().rev().take(2) {
            call.exception = Some("builtins.KeyError: 'x'".to_owned());
        }
    }
    let found = builder.rules_and_functions();
    assert_eq!(found, [(Rule::SwallowedExceptions, "app.sum".to_owned())]);
}

#[test]
fn a_slow_first_byte_is_found_once() {
    let mut builder = TraceBuilder::of(900);
    let call = builder.work("c0", OperationKind::ExternalApi, "https://a/report", 850);
    with_detail(|detail| detail.first_byte_ns = Some(800 * MS), call);
    assert_eq!(builder.rules_and_functions(), [(Rule::SlowFirstByte, "app.handler".to_owned())]);
}

#[test]
fn external_time_is_reported_if_nothing_else_explains_it() {
    let mut builder = TraceBuilder::of(900);
    builder.work("c0", OperationKind::ExternalApi, "https://a/report", 850);
    assert_eq!(builder.rules_and_functions(), [(Rule::ExternalTime, "app.handler".to_owned())]);
}

#[test]
fn stored_findings_round_trip() {
    let mut builder = TraceBuilder::of(900);
    builder.work("c0", OperationKind::ExternalApi, "https://a/report", 850);
    let diagnosis = builder.diagnose();
    let packed = diagnosis.packed().expect("one finding");
    assert_eq!(Finding::unpack(Some(&packed)).unwrap(), diagnosis.findings);
    assert_eq!(TraceBuilder::of(1).diagnose().packed(), None);
    assert_eq!(Finding::unpack(None).unwrap(), []);
}

#[test]
fn the_score_falls_with_time_and_with_each_finding() {
    let limits = Limits::default();
    assert_eq!(score(0, &limits, &[]), 100);
    assert_eq!(score(1_000 * MS, &limits, &[]), 100);
    assert_eq!(score(4_000 * MS, &limits, &[]), 50);
    assert_eq!(score(u64::MAX, &limits, &[]), 30);
    let config = serde_json::json!({ "alert_threshold": { "response_time": 0.25 } });
    let strict = Limits::of(&limits, &config);
    assert_eq!(score(1_000 * MS, &strict, &[]), 50);
}

#[test]
fn hostile_trees_are_diagnosed_without_a_panic() {
    let call = |id: usize, parent: usize, start_ns: i64, duration_ns: u64, work: OperationKind| {
        let mut builder = TraceBuilder::default();
        builder.begin("f", Some(&format!("c{parent}")), work, duration_ns);
        let mut call = builder.calls.remove(0);
        (call.id, call.start_ns, call.memory_delta) = (format!("c{id}"), start_ns, Some(i64::MAX));
        call.exception = id.is_multiple_of(2).then(String::new);
        call.detail = Some(Arc::new(Detail { statement: Some("SELECT 1".to_owned()), ..Detail::default() }));
        call
    };
    let deep = Tree::new((0..100_000).map(|n| call(n + 1, n, 0, 1, OperationKind::Function)));
    let found = diagnose(&deep, 0, &Limits::default()).findings;
    assert!(found.iter().any(|one| one.rule == Rule::DeepRecursion), "{found:?}");
    let wide = Tree::new(
        (0..100_000).map(|n| call(n + 1, usize::from(n > 0), i64::MAX, u64::MAX, OperationKind::Database)),
    );
    diagnose(&wide, 0, &Limits::default());
    let circle = Tree::new((0..50).map(|n| call(n, (n + 1) % 50, i64::MIN, u64::MAX, OperationKind::Cache)));
    diagnose(&circle, 0, &Limits::default());
    let loops = Tree::new((0..22_001).map(|n| match n {
        0 => call(0, 0, 0, u64::MAX, OperationKind::Request),
        // a function, and ten queries in it
        n if n % 11 == 1 => call(n, 0, 0, 1_000_000_000, OperationKind::Function),
        n => call(n, n - (n - 1) % 11, i64::try_from(n).expect("small"), 1, OperationKind::Database),
    }));
    assert_eq!(diagnose(&loops, 0, &Limits::default()).findings.len(), MAX_FINDINGS);
    let nothing = Tree::new([Span { memory_delta: None, ..call(0, 0, 0, 0, OperationKind::Request) }]);
    assert_eq!(diagnose(&nothing, 0, &Limits::default()), Diagnosis { score: 100, findings: vec![] });
}
