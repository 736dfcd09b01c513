//! Memory and CPU time of a process and its descendants, read from `/proc`.

use std::{collections::BTreeMap, fs, io};

use serde::Serialize;

/// The kernel reports CPU time in this many ticks a second on every architecture that Linux runs on.
const TICKS_PER_SECOND: f64 = 100.0;

#[derive(clap::Args)]
pub struct Args {
    /// Process to look at; its children, and theirs, are added.
    #[arg(long)]
    pid: u32,
    /// Afterwards begin the peaks anew, so that the next call tells the peak since this one.
    #[arg(long)]
    reset: bool,
}

/// Sums over the processes. Pages that they share are counted for each.
#[derive(Debug, Default, PartialEq, Serialize)]
struct Usage {
    processes: usize,
    rss_bytes: u64,
    /// Sum of each process's own peak (`VmHWM`).
    peak_rss_bytes: u64,
    /// User and system time since the start.
    cpu_seconds: f64,
}

/// Prints the usage as JSON.
pub fn run(args: &Args) -> io::Result<()> {
    let tree = tree(args.pid)?;
    println!("{}", serde_json::to_string(&usage(&tree)?)?);
    if args.reset {
        for pid in &tree {
            // 5 resets VmHWM, see proc_pid_clear_refs(5).
            unless_gone(fs::write(format!("/proc/{pid}/clear_refs"), "5"))?;
        }
    }
    Ok(())
}

/// `root` and its descendants that are alive.
fn tree(root: u32) -> io::Result<Vec<u32>> {
    let mut children = BTreeMap::<u32, Vec<u32>>::new();
    for entry in fs::read_dir("/proc")? {
        let Some(pid) = entry?.file_name().to_str().and_then(|name| name.parse().ok()) else {
            continue;
        };
        if let Some(stat) = unless_gone(fs::read_to_string(format!("/proc/{pid}/stat")))?
            && let Some(parent) = fields(&stat).nth(1).and_then(|field| field.parse().ok())
        {
            children.entry(parent).or_default().push(pid);
        }
    }
    if !fs::exists(format!("/proc/{root}"))? {
        return Err(io::Error::new(io::ErrorKind::NotFound, format!("no process {root}")));
    }
    let mut tree = vec![root];
    let mut at = 0;
    while let Some(pid) = tree.get(at) {
        tree.extend(children.remove(pid).unwrap_or_default());
        at += 1;
    }
    Ok(tree)
}

fn usage(tree: &[u32]) -> io::Result<Usage> {
    let mut sum = Usage::default();
    for pid in tree {
        let status = unless_gone(fs::read_to_string(format!("/proc/{pid}/status")))?;
        let stat = unless_gone(fs::read_to_string(format!("/proc/{pid}/stat")))?;
        let (Some(status), Some(stat)) = (status, stat) else {
            continue;
        };
        sum.processes += 1;
        sum.rss_bytes += kilobytes(&status, "VmRSS:") * 1024;
        sum.peak_rss_bytes += kilobytes(&status, "VmHWM:") * 1024;
        // utime and stime are fields 14 and 15 of the file.
        sum.cpu_seconds +=
            fields(&stat).skip(11).take(2).filter_map(|ticks| ticks.parse::<f64>().ok()).sum::<f64>()
                / TICKS_PER_SECOND;
    }
    Ok(sum)
}

/// The fields of `/proc/PID/stat` from the third (the state) on: the second may hold spaces and parentheses.
fn fields(stat: &str) -> impl Iterator<Item = &str> {
    stat.rsplit_once(')').map_or("", |(_, rest)| rest).split_ascii_whitespace()
}

/// A process that has ended and awaits its parent has no memory lines: zero.
fn kilobytes(status: &str, name: &str) -> u64 {
    let line = status.lines().find_map(|line| line.strip_prefix(name));
    line.and_then(|line| line.trim().trim_end_matches(" kB").parse().ok()).unwrap_or(0)
}

/// A process may end while it is looked at.
fn unless_gone<T>(outcome: io::Result<T>) -> io::Result<Option<T>> {
    const ESRCH: i32 = 3;
    match outcome {
        Ok(value) => Ok(Some(value)),
        Err(error) if error.kind() == io::ErrorKind::NotFound || error.raw_os_error() == Some(ESRCH) => {
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_child_is_counted_with_its_parent() {
        let me = std::process::id();
        let alone = tree(me).unwrap();
        let mut child = std::process::Command::new("sleep").arg("30").spawn().unwrap();
        let both = tree(me).unwrap();
        assert!(both.contains(&child.id()) && !alone.contains(&child.id()));
        let (one, sum) = (usage(&[me]).unwrap(), usage(&[me, child.id()]).unwrap());
        child.kill().unwrap();
        child.wait().unwrap();
        assert_eq!((one.processes, sum.processes), (1, 2));
        assert!(one.rss_bytes > 100_000 && one.peak_rss_bytes >= one.rss_bytes);
        assert!(sum.rss_bytes > one.rss_bytes);
    }

    #[test]
    fn no_such_process_is_an_error() {
        assert_eq!(tree(u32::MAX).unwrap_err().kind(), io::ErrorKind::NotFound);
    }
}
