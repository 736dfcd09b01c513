//! A closed-loop load generator: each connection sends its next request when its last one has been answered.
//! Every answer is checked to its end; an incomplete or wrong one is an error, never a request served.

mod answer;
mod connection;
mod requests;
#[cfg(test)]
mod tests;
mod traces;

use std::{
    path::PathBuf,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use tokio::{sync::Barrier, task::JoinSet};

use crate::{
    answers::MARK,
    stats::{Report, Stats},
};

#[derive(clap::Args, Clone)]
pub struct Args {
    /// Where to send, for example `http://127.0.0.1:8790/v1/chat/completions`.
    #[arg(long)]
    pub url: String,
    #[arg(long, default_value_t = 1)]
    pub connections: usize,
    /// Length of the measured window in seconds.
    #[arg(long, default_value_t = 5.0, conflicts_with = "requests")]
    pub duration: f64,
    /// Send this many requests in all instead, and measure them all (no warm-up).
    #[arg(long)]
    pub requests: Option<u64>,
    /// Seconds of load before the window; not measured.
    #[arg(long, default_value_t = 1.0)]
    pub warmup: f64,
    /// Seconds that requests under way at the end get to finish before they count as errors.
    #[arg(long, default_value_t = 30.0)]
    pub grace: f64,
    /// Ask for streamed answers.
    #[arg(long)]
    pub stream: bool,
    /// Ask for usage at the end of a stream.
    #[arg(long, requires = "stream")]
    pub include_usage: bool,
    /// Size of a request's body in bytes.
    #[arg(long, default_value_t = 400)]
    pub body_bytes: usize,
    /// A header to send, as name=value; may be repeated.
    #[arg(long = "header", value_parser = header)]
    pub headers: Vec<(String, String)>,
    #[arg(long, default_value = "mock-model")]
    pub model: String,
    /// Text that a whole answer's tail has to hold; empty to accept any.
    #[arg(long, default_value = MARK)]
    pub expect: String,
    /// Send these in turn instead of chat completions: a file of lines `{"method", "path", "body"?}`. Every 2xx whose tail
    /// holds `--expect` counts as right.
    #[arg(long, value_name = "FILE", conflicts_with = "include_usage")]
    pub requests_from: Option<PathBuf>,
    /// Send traces in OTLP's protobuf instead, so many a request of so many calls each. Every 2xx counts as right.
    #[arg(long, value_name = "TRACESxCALLS", value_parser = traces::Shape::parse, conflicts_with_all = ["requests_from", "stream"])]
    pub traces: Option<traces::Shape>,
    /// Spread the traces over so many seconds before now.
    #[arg(long, default_value_t = 0, requires = "traces")]
    pub spread: u64,
    /// Print the result as JSON.
    #[arg(long)]
    pub json: bool,
}

fn header(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("a header is given as name=value")?;
    let clean = |part: &str| !part.is_empty() && !part.contains(['\r', '\n']);
    if clean(name) && clean(value) {
        Ok((name.to_owned(), value.to_owned()))
    } else {
        Err("a header's name and value must not be empty or hold a line break".to_owned())
    }
}

/// Where the requests go, taken from the URL.
#[derive(Clone)]
struct Target {
    authority: String,
    path: String,
}

impl Target {
    fn parse(url: &str) -> Result<Self, String> {
        let rest = url.strip_prefix("http://").ok_or("the url must begin with http://")?;
        let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
        if host.is_empty() {
            return Err("the url has no host".to_owned());
        }
        let authority = if host.contains(':') { host.to_owned() } else { format!("{host}:80") };
        Ok(Self { authority, path: format!("/{path}") })
    }
}

/// Times of a run, seen by all its connections.
struct Run {
    target: Target,
    expect: memchr::memmem::Finder<'static>,
    stream: bool,
    /// Whether answers are to be chat completions.
    completions: bool,
    /// Requests still to send, when they are limited by number.
    left: Option<Mutex<u64>>,
    window: Mutex<Window>,
    stats: Mutex<Stats>,
}

/// Answers that end within are measured; no request begins after it.
#[derive(Clone, Copy)]
struct Window {
    start: Instant,
    end: Option<Instant>,
}

impl Run {
    fn stats(&self) -> MutexGuard<'_, Stats> {
        self.stats.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn window(&self) -> Window {
        *self.window.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether a connection may send another request.
    fn next(&self, window: Window) -> bool {
        match &self.left {
            Some(left) => {
                let mut left = left.lock().unwrap_or_else(PoisonError::into_inner);
                let more = *left > 0;
                *left = left.saturating_sub(1);
                more
            }
            None => window.end.is_none_or(|end| Instant::now() < end),
        }
    }
}

/// Runs the load, prints what was found, and fails when an answer was wrong.
pub fn run(args: Args) -> Result<(), String> {
    let json = args.json;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| error.to_string())?;
    let report = runtime.block_on(drive(args))?;
    if json {
        println!("{}", serde_json::to_string(&report).map_err(|error| error.to_string())?);
    } else {
        print!("{report}");
    }
    match report.failures() {
        0 if report.requests > 0 => Ok(()),
        0 => Err("no request was answered".to_owned()),
        failures => Err(format!("{failures} answers were wrong or missing")),
    }
}

async fn drive(args: Args) -> Result<Report, String> {
    if args.connections == 0 {
        return Err("--connections must be at least 1".to_owned());
    }
    let seconds = |value: f64| Duration::try_from_secs_f64(value).map_err(|error| error.to_string());
    let (warmup, duration, grace) = (seconds(args.warmup)?, seconds(args.duration)?, seconds(args.grace)?);
    let run = Arc::new(Run {
        target: Target::parse(&args.url)?,
        expect: memchr::memmem::Finder::new(if args.traces.is_some() { "" } else { &args.expect })
            .into_owned(),
        stream: args.stream,
        completions: args.requests_from.is_none() && args.traces.is_none(),
        left: args.requests.map(Mutex::new),
        window: Mutex::new(Window { start: Instant::now(), end: None }),
        stats: Mutex::new(Stats::new()),
    });
    // All connections are open before the first request goes out.
    let ready = Arc::new(Barrier::new(args.connections + 1));
    let mut tasks = JoinSet::new();
    for number in 0..args.connections {
        let requests = requests::requests(&args, &run.target, number as u64)?;
        let (run, ready) = (Arc::clone(&run), Arc::clone(&ready));
        tasks.spawn(async move { connection::run(&run, &ready, requests).await });
    }
    {
        // Nobody has passed the barrier yet: it waits for this task too.
        let start = Instant::now() + if args.requests.is_some() { Duration::ZERO } else { warmup };
        let end = args.requests.is_none().then(|| start + duration);
        *run.window.lock().unwrap_or_else(PoisonError::into_inner) = Window { start, end };
    }
    ready.wait().await;
    let begun = Instant::now();
    finish(&mut tasks, &run, run.window().end.map(|end| end + grace)).await;
    let window = if args.requests.is_some() { begun.elapsed() } else { duration };
    drop(tasks);
    let stats = std::mem::replace(&mut *run.stats(), Stats::new());
    Ok(Report::new(stats, args.url, args.stream, args.connections, window))
}

/// Waits for all connections to end; what is still open at `deadline` is cut and counted.
async fn finish(tasks: &mut JoinSet<()>, run: &Run, deadline: Option<Instant>) {
    let all = async { while tasks.join_next().await.is_some() {} };
    match deadline {
        None => all.await,
        Some(deadline) => {
            if tokio::time::timeout_at(deadline.into(), all).await.is_err() {
                let unfinished = tasks.len();
                tasks.shutdown().await;
                for _ in 0..unfinished {
                    run.stats().fail("no answer within the grace period".to_owned());
                }
            }
        }
    }
}
