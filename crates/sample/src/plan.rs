//! Plans conversations: number of turns, and how each turn ends.

use fastrand::Rng;

use crate::{Options, Size};

/// Maximum number of turns of a conversation.
const MAX_TURNS: usize = 60;

/// The course of a turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Turn {
    /// A question and an answer.
    Plain,
    /// The model calls a tool before it answers.
    Tool,
    /// The user stopped the answer.
    Stopped,
    /// The server crashed during the answer.
    Interrupted,
    /// The provider failed before any output.
    Failed,
}

impl Turn {
    /// Number of messages of the turn.
    pub(crate) fn messages(self) -> u64 {
        match self {
            Self::Plain | Self::Stopped | Self::Interrupted => 2,
            Self::Tool => 4,
            Self::Failed => 1,
        }
    }

    fn random(rng: &mut Rng) -> Self {
        match rng.u16(..1000) {
            0..75 => Self::Tool,
            75..87 => Self::Failed,
            87..97 => Self::Stopped,
            97..100 => Self::Interrupted,
            _ => Self::Plain,
        }
    }
}

/// The random generator of one conversation, independent of the other conversations.
pub(crate) fn rng_of(seed: u64, number: u64) -> Rng {
    // splitmix64, so that adjacent numbers give unrelated seeds
    let mut mixed = seed.wrapping_add(number.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15));
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    Rng::with_seed(mixed ^ (mixed >> 31))
}

/// The turns of a conversation: mostly a handful, sometimes dozens.
pub(crate) fn turns(rng: &mut Rng) -> Vec<Turn> {
    let continue_probability = if rng.f64() < 0.06 { 0.95 } else { 0.74 };
    let mut turns = vec![Turn::random(rng)];
    while turns.len() < MAX_TURNS && rng.f64() < continue_probability {
        turns.push(Turn::random(rng));
    }
    turns
}

/// Plan of the data set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Plan {
    pub(crate) sessions: u64,
    pub(crate) messages: u64,
    seed: u64,
    /// Number of messages of the last conversation, which may have to be shortened.
    last: u64,
}

impl Plan {
    pub(crate) fn new(options: &Options) -> Self {
        let (mut sessions, mut messages, mut last) = (0, 0, 0);
        let enough = |sessions, messages| match options.size {
            Size::Sessions(requested) => sessions >= requested,
            Size::Messages(requested) => messages >= requested,
        };
        while !enough(sessions, messages) {
            last = count(&turns(&mut rng_of(options.seed, sessions)));
            sessions += 1;
            messages += last;
        }
        if let Size::Messages(requested) = options.size {
            last -= messages - requested;
            messages = requested;
        }
        Self { sessions, messages, seed: options.seed, last }
    }

    /// The turns of a conversation, and its random generator.
    pub(crate) fn turns(&self, number: u64) -> (Vec<Turn>, Rng) {
        let mut rng = rng_of(self.seed, number);
        let mut turns = turns(&mut rng);
        if number + 1 == self.sessions {
            shorten(&mut turns, self.last);
        }
        (turns, rng)
    }
}

fn count(turns: &[Turn]) -> u64 {
    turns.iter().map(|turn| turn.messages()).sum()
}

/// Shortens to turns with exactly `messages` messages.
fn shorten(turns: &mut Vec<Turn>, messages: u64) {
    while count(turns) > messages {
        turns.pop();
    }
    for turn in [Turn::Plain, Turn::Failed] {
        if messages - count(turns) >= turn.messages() {
            turns.push(turn);
        }
    }
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;

    use super::*;

    fn plan(size: Size, seed: u64) -> Plan {
        Plan::new(&Options { size, months: 1, until: DateTime::UNIX_EPOCH, seed })
    }

    #[test]
    fn the_requested_size_is_exact() {
        for seed in 0..20 {
            for requested in [1, 2, 3, 7, 100, 101, 1234] {
                let plan = plan(Size::Messages(requested), seed);
                let total: u64 = (0..plan.sessions).map(|number| count(&plan.turns(number).0)).sum();
                assert_eq!((total, plan.messages), (requested, requested));
            }
            let plan = plan(Size::Sessions(50), seed);
            let total: u64 = (0..50).map(|number| count(&plan.turns(number).0)).sum();
            assert_eq!((plan.sessions, plan.messages), (50, total));
        }
    }

    #[test]
    fn conversations_vary_in_length() {
        let plan = plan(Size::Sessions(5_000), 3);
        let lengths: Vec<usize> = (0..5_000).map(|number| plan.turns(number).0.len()).collect();
        let mean = lengths.iter().sum::<usize>() / lengths.len();
        assert!((3..=6).contains(&mean), "{mean}");
        assert!(lengths.contains(&1) && lengths.iter().any(|length| *length > 25));
    }
}
