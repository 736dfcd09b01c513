//! Traces in OTLP's protobuf, new ones in every request: one is written once, and its ids and times are replaced in place.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// How many routes the requests are of.
const ROUTES: usize = 20;
/// How many functions, beside the queries.
const FUNCTIONS: usize = 40;
/// Every so many calls one is a query of a database.
const QUERY: usize = 5;
/// Calls that a call makes, where there are enough.
const FANOUT: usize = 4;

/// Requests with traces of some calls each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shape {
    pub traces: usize,
    pub calls: usize,
}

impl Shape {
    /// From `TRACESxCALLS`.
    pub fn parse(text: &str) -> Result<Self, String> {
        let (traces, calls) = text.split_once('x').ok_or("traces are given as TRACESxCALLS")?;
        let number = |text: &str| text.parse::<usize>().ok().filter(|number| (1..=100_000).contains(number));
        match (number(traces), number(calls)) {
            (Some(traces), Some(calls)) => Ok(Self { traces, calls }),
            _ => Err("traces and calls must be numbers from 1 to 100000".to_owned()),
        }
    }
}

/// A request whose traces are new each time.
pub struct Traces {
    bytes: Vec<u8>,
    /// Where the body begins.
    body: usize,
    places: Places,
    /// Nanoseconds that the traces are spread over.
    spread: u64,
    /// Counts traces; begins elsewhere in every connection of every run.
    next: u64,
}

/// Where in the body something is replaced.
#[derive(Default)]
struct Places {
    /// Ids of traces, and which trace of the request it is.
    traces: Vec<(usize, u64)>,
    /// Ids of spans and of parents: which trace, and which span of it.
    spans: Vec<(usize, u64, u64)>,
    /// Times, and nanoseconds since the request began.
    times: Vec<(usize, u64)>,
    /// The traces of the request.
    count: u64,
    /// Nanoseconds that the longest takes.
    longest: u64,
}

impl Traces {
    /// Requests of this shape behind a head that `request` makes for a body.
    pub fn new(shape: Shape, spread: u64, number: u64, request: impl Fn(&[u8]) -> Vec<u8>) -> Self {
        let (body, places) = write(shape);
        let bytes = request(&body);
        let start = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let next = (start.as_micros() as u64) << 20 | number << 14;
        let spread = spread.saturating_mul(1_000_000_000);
        Self {
            body: bytes.len() - body.len(),
            bytes,
            places,
            spread,
            next: next.wrapping_mul(0x9e37_79b9_7f4a_7c15),
        }
    }

    /// The next request.
    pub fn next(&mut self) -> &[u8] {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let begin = now.saturating_sub(Duration::from_nanos(self.places.longest));
        let begin = u64::try_from(begin.as_nanos()).unwrap_or_default();
        // a whole request lies in one moment: that is how much a client has to say at once
        let back = self.next.wrapping_mul(0xff51_afd7_ed55_8ccd).checked_rem(self.spread).unwrap_or(0);
        let begin = begin.saturating_sub(back);
        let body = &mut self.bytes[self.body..];
        for &(at, trace) in &self.places.traces {
            body[at..at + 8].copy_from_slice(&(self.next.wrapping_add(trace)).to_be_bytes());
            body[at + 8..at + 16].copy_from_slice(&(!trace).to_be_bytes());
        }
        for &(at, trace, span) in &self.places.spans {
            let id = self.next.wrapping_add(trace).wrapping_mul(0xd134_2543_de82_ef95).wrapping_add(span + 1);
            body[at..at + 8].copy_from_slice(&id.to_be_bytes());
        }
        for &(at, offset) in &self.places.times {
            body[at..at + 8].copy_from_slice(&(begin + offset).to_le_bytes());
        }
        self.next = self.next.wrapping_add(self.places.count);
        &self.bytes
    }
}

/// A message of protobuf in the making, with what is to be replaced in it.
#[derive(Default)]
struct Message {
    bytes: Vec<u8>,
    places: Places,
}

impl Message {
    fn varint(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.bytes.push(value as u8 | 0x80);
            value >>= 7;
        }
        self.bytes.push(value as u8);
    }

    fn field(&mut self, field: u64, bytes: &[u8]) -> usize {
        self.varint(field << 3 | 2);
        self.varint(bytes.len() as u64);
        self.bytes.extend_from_slice(bytes);
        self.bytes.len() - bytes.len()
    }

    fn number(&mut self, field: u64, value: u64) {
        self.varint(field << 3);
        self.varint(value);
    }

    fn time(&mut self, field: u64, offset: u64) {
        self.varint(field << 3 | 1);
        self.places.times.push((self.bytes.len(), offset));
        self.bytes.extend_from_slice(&[0; 8]);
    }

    fn text(&mut self, field: u64, key: &str, value: &str) {
        let mut inner = Self::default();
        inner.field(1, value.as_bytes());
        self.attribute(field, key, &inner.bytes);
    }

    fn whole(&mut self, field: u64, key: &str, value: u64) {
        let mut inner = Self::default();
        inner.number(3, value);
        self.attribute(field, key, &inner.bytes);
    }

    fn attribute(&mut self, field: u64, key: &str, value: &[u8]) {
        let mut pair = Self::default();
        pair.field(1, key.as_bytes());
        pair.field(2, value);
        self.field(field, &pair.bytes);
    }

    /// Puts a message in, and moves its places to where it is now.
    fn message(&mut self, field: u64, inner: Self) {
        let at = self.field(field, &inner.bytes);
        let Places { traces, spans, times, .. } = inner.places;
        self.places.traces.extend(traces.into_iter().map(|(place, trace)| (place + at, trace)));
        self.places.spans.extend(spans.into_iter().map(|(place, trace, span)| (place + at, trace, span)));
        self.places.times.extend(times.into_iter().map(|(place, offset)| (place + at, offset)));
    }
}

/// An `ExportTraceServiceRequest`.
fn write(shape: Shape) -> (Vec<u8>, Places) {
    let mut resource = Message::default();
    for (key, value) in [
        ("service.name", "shop"),
        ("service.version", "1.4.2"),
        ("process.runtime.name", "cpython"),
        ("process.runtime.version", "3.12.4"),
        ("telemetry.sdk.language", "python"),
        ("host.name", "web-1"),
    ] {
        resource.text(1, key, value);
    }
    let mut scope = Message::default();
    scope.field(1, b"opentelemetry.instrumentation.fastapi");
    scope.field(2, b"0.60b0");
    let mut scoped = Message::default();
    scoped.message(1, scope);
    let mut longest = 0;
    for trace in 0..shape.traces {
        longest = longest.max(write_trace(&mut scoped, trace, shape.calls));
    }
    let mut resourced = Message::default();
    resourced.message(1, resource);
    resourced.message(2, scoped);
    let mut request = Message::default();
    request.message(1, resourced);
    request.places.count = shape.traces as u64;
    request.places.longest = longest;
    (request.bytes, request.places)
}

/// The spans of a trace, those that end first first, as exporters send them; says how long it takes.
fn write_trace(scoped: &mut Message, trace: usize, calls: usize) -> u64 {
    // a call lasts as long as those below it and a little of its own; two siblings never overlap
    let own = |call: usize| 20_000 + (call as u64 * 7_919 + trace as u64 * 104_729) % 400_000;
    let children =
        |call: usize| (call * FANOUT + 1..=call * FANOUT + FANOUT).take_while(|child| *child < calls);
    let mut lasts = vec![0; calls];
    for call in (0..calls).rev() {
        lasts[call] = own(call) + children(call).map(|child| lasts[child]).sum::<u64>();
    }
    let mut begins = vec![0; calls];
    for call in 0..calls {
        let mut at = begins[call] + own(call) / 2;
        for child in children(call) {
            begins[child] = at;
            at += lasts[child];
        }
    }
    for call in (0..calls).rev() {
        let mut span = Message::default();
        let at = span.field(1, &[0; 16]);
        span.places.traces.push((at, trace as u64));
        let at = span.field(2, &[0; 8]);
        span.places.spans.push((at, trace as u64, call as u64));
        if call > 0 {
            let at = span.field(4, &[0; 8]);
            span.places.spans.push((at, trace as u64, (call as u64 - 1) / FANOUT as u64));
        }
        describe(&mut span, trace, call);
        span.time(7, begins[call]);
        span.time(8, begins[call] + lasts[call]);
        scoped.message(2, span);
    }
    lasts[0]
}

fn describe(span: &mut Message, trace: usize, call: usize) {
    let (server, internal, client) = (2, 1, 3);
    if call == 0 {
        let route = format!("/api/shops/{{shop}}/things{}", trace % ROUTES);
        span.field(5, format!("GET {route}").as_bytes());
        span.number(6, server);
        span.text(9, "http.request.method", "GET");
        span.text(9, "http.route", &route);
        span.text(9, "url.path", &route.replace("{shop}", &(trace * 31 % 977).to_string()));
        span.text(9, "user_agent.original", "Mozilla/5.0 (X11; Linux x86_64)");
        span.text(9, "client.address", "203.0.113.7");
        span.whole(9, "http.response.status_code", 200);
    } else if call.is_multiple_of(QUERY) {
        span.field(5, b"SELECT things");
        span.number(6, client);
        span.text(9, "db.system.name", "postgresql");
        span.text(9, "db.namespace", "shop");
        let table = call % 7;
        span.text(
            9,
            "db.query.text",
            &format!("SELECT id, name, price FROM things_{table} WHERE shop_id = $1"),
        );
    } else {
        let number = call % FUNCTIONS;
        span.field(5, format!("step_{number}").as_bytes());
        span.number(6, internal);
        span.text(9, "code.function.name", &format!("shop.services.orders.step_{number}"));
        span.text(9, "code.file.path", "/srv/shop/services/orders.py");
        span.whole(9, "code.line.number", 10 + 12 * number as u64);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(shape: Shape) -> Traces {
        Traces::new(shape, 0, 3, |body| [b"head", body].concat())
    }

    #[test]
    fn each_request_tells_of_new_traces() {
        let mut traces = request(Shape { traces: 2, calls: 6 });
        let (first, second) = (traces.next().to_vec(), traces.next().to_vec());
        assert_eq!(first.len(), second.len());
        let ids = |bytes: &[u8]| -> Vec<[u8; 16]> {
            let body = &bytes[4..];
            let mut ids: Vec<[u8; 16]> = traces
                .places
                .traces
                .iter()
                .map(|(at, _)| body[*at..at + 16].try_into().expect("sixteen bytes"))
                .collect();
            ids.sort_unstable();
            ids.dedup();
            ids
        };
        let (a, b) = (ids(&first), ids(&second));
        assert_eq!((a.len(), b.len()), (2, 2));
        assert!(a.iter().all(|id| !b.contains(id)));
    }

    #[test]
    fn spans_have_parents_that_are_there_and_last_longer() {
        let shape = Shape { traces: 1, calls: 50 };
        let mut traces = request(shape);
        let bytes = traces.next().to_vec();
        let body = &bytes[4..];
        let id = |at: usize| u64::from_be_bytes(body[at..at + 8].try_into().expect("eight bytes"));
        let all: Vec<u64> = traces.places.spans.iter().map(|(at, ..)| id(*at)).collect();
        let mut own: Vec<u64> = all.clone();
        own.sort_unstable();
        own.dedup();
        assert_eq!(own.len(), shape.calls);
        assert_eq!(traces.places.spans.len(), 2 * shape.calls - 1);
        assert_eq!(traces.places.times.len(), 2 * shape.calls);
    }

    #[test]
    fn a_shape_is_two_numbers() {
        assert_eq!(Shape::parse("10x50"), Ok(Shape { traces: 10, calls: 50 }));
        for wrong in ["", "10", "0x5", "5x0", "ax1", "1x1000000"] {
            assert!(Shape::parse(wrong).is_err(), "{wrong}");
        }
    }
}
