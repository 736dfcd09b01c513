//! Seeded lives of a journal on a disk that forgets, tears, fails and fills up. `LOAM_JOURNAL_SEEDS` sets how many;
//! `LOAM_JOURNAL_SEED` runs one alone.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};

use loam_journal::sim::Step;
use support::World;

const SEEDS: u64 = 8_000;

/// How a session ends.
fn end(world: &mut World, mut journal: loam_journal::sim::Stepped) -> bool {
    match world.rng.below(10) {
        // The process dies; what the kernel has in its memory stays.
        0 | 1 => false,
        2 if !world.sim.is_cut() => {
            world.check_nothing_dropped(&mut journal);
            journal.shut();
            while journal.step_writer(true) != Step::Finished {}
            false
        }
        3 if !world.sim.is_cut() => {
            world.check_nothing_dropped(&mut journal);
            true
        }
        _ => true,
    }
}

fn live(seed: u64) -> World {
    let mut world = World::new(seed);
    // Many short lives, or fewer long ones.
    let (lives, acts, power) = if world.rng.chance(50) { (10, 40, 15) } else { (5, 150, 80) };
    for _ in 0..2 + world.rng.below(lives) {
        let mut journal = world.open();
        if world.rng.chance(60) {
            world.sim.cut_power(1 + world.rng.below(power));
        }
        for _ in 0..world.rng.below(acts) {
            world.act(&mut journal);
            if world.sim.is_cut() {
                // Nobody is told yet: the process may go on for a moment.
                (0..world.rng.below(5)).for_each(|_| world.act(&mut journal));
                break;
            }
        }
        let power_fails = end(&mut world, journal) || world.sim.is_cut();
        if power_fails {
            world.sim.crash();
        }
    }
    world.calm();
    let mut journal = world.open();
    world.append(&journal);
    world.check_nothing_dropped(&mut journal);
    world.check_overwritten(journal);
    world
}

#[test]
fn what_was_acknowledged_survives_every_crash_once_and_in_order() {
    #[expect(clippy::disallowed_methods, reason = "tests have no configuration but this")]
    let number = |name: &str| std::env::var(name).ok().map(|text| text.parse::<u64>().expect("a number"));
    if let Some(seed) = number("LOAM_JOURNAL_SEED") {
        live(seed);
        return;
    }
    let seeds = number("LOAM_JOURNAL_SEEDS").unwrap_or(SEEDS);
    let next = AtomicU64::new(0);
    let totals = [const { AtomicU64::new(0) }; 3];
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= seeds {
                        return;
                    }
                    match catch_unwind(AssertUnwindSafe(|| live(seed))) {
                        Ok(world) => {
                            let counts = [world.acknowledged, world.refused, world.sim.operations()];
                            totals.iter().zip(counts).for_each(|(total, count)| {
                                total.fetch_add(count, Ordering::Relaxed);
                            });
                        }
                        Err(_) => panic!("seed {seed} fails: run with LOAM_JOURNAL_SEED={seed}"),
                    }
                }
            });
        }
    });
    let [acknowledged, refused, operations] = totals.map(AtomicU64::into_inner);
    println!("{seeds} seeds, {acknowledged} acknowledgements, {refused} refusals, {operations} operations");
    // A world in which nothing happens would prove nothing.
    assert!(acknowledged > seeds && refused > seeds && operations > 50 * seeds);
}
