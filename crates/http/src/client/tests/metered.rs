//! What operators can count.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use metrics::{Counter, Gauge, Histogram, Key, KeyName, Metadata, Recorder, SharedString, Unit};

use super::support::{echo_path, get, loopback_client, text};

#[derive(Default)]
struct Counters(Mutex<HashMap<String, Arc<AtomicU64>>>);

impl Counters {
    fn value(&self, name: &str) -> u64 {
        self.0.lock().expect("no panic").get(name).map_or(0, |counter| counter.load(Ordering::SeqCst))
    }
}

impl Recorder for Counters {
    fn describe_counter(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn describe_gauge(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn describe_histogram(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

    fn register_counter(&self, key: &Key, _: &Metadata<'_>) -> Counter {
        Counter::from_arc(self.0.lock().expect("no panic").entry(key.name().to_owned()).or_default().clone())
    }

    fn register_gauge(&self, _: &Key, _: &Metadata<'_>) -> Gauge {
        Gauge::noop()
    }

    fn register_histogram(&self, _: &Key, _: &Metadata<'_>) -> Histogram {
        Histogram::noop()
    }
}

#[test]
fn connections_and_refusals_are_counted() {
    let counters = Counters::default();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    metrics::with_local_recorder(&counters, || {
        runtime.block_on(async {
            let (server, client) = (echo_path(), loopback_client());
            for _ in 0..3 {
                text(get(&client, &server.url("/")).await.expect("an answer")).await;
            }
            for url in ["http://169.254.169.254/", "http://10.0.0.1/"] {
                assert!(get(&client, url).await.is_err());
            }
        });
    });
    assert_eq!(counters.value("loam_outgoing_connections_total"), 1);
    assert_eq!(counters.value("loam_outgoing_refusals_total"), 2);
}
