use std::sync::Arc;
use std::sync::Mutex;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::sleep;
use uuid::Uuid;

use super::*;

const LONG: Duration = Duration::from_secs(60);
const SHORT: Duration = Duration::from_millis(20);

fn tenant(n: u128) -> TenantId {
    TenantId::from(Uuid::from_u128(n))
}

fn share(units: usize, each: usize, waiting: usize, timeout: Duration) -> FairShare {
    FairShare::new(FairLimits { units, each, waiting, timeout })
}

/// Queues a request of each of these tenants in order; `served` receives them in the order in which they are granted.
async fn queue(share: &FairShare, asked: &[u128], tasks: &mut JoinSet<()>, served: &Arc<Mutex<Vec<u128>>>) {
    for (n, who) in asked.iter().copied().enumerate() {
        let (share, served) = (share.clone(), served.clone());
        let before = share.usage().waiting;
        tasks.spawn({
            let share = share.clone();
            async move {
                let permit = share.acquire(tenant(who)).await.expect("served in the end");
                served.lock().expect("no panic").push(who);
                tokio::task::yield_now().await;
                drop(permit);
            }
        });
        while share.usage().waiting == before {
            assert!(n < asked.len());
            tokio::task::yield_now().await;
        }
    }
}

#[tokio::test]
async fn tenants_are_served_in_turn_whatever_each_has_waiting() {
    let share = share(1, 1, 100, LONG);
    let held = share.acquire(tenant(9)).await.expect("nobody is there");
    let (mut tasks, served) = (JoinSet::new(), Arc::default());
    queue(&share, &[1, 1, 1, 1, 1, 1, 2, 2, 3], &mut tasks, &served).await;
    drop(held);
    while tasks.join_next().await.is_some() {}
    assert_eq!(*served.lock().expect("no panic"), [1, 2, 3, 1, 2, 1, 1, 1, 1]);
    assert_eq!(share.usage(), FairUse::default());
}

#[tokio::test]
async fn a_tenant_never_holds_more_than_its_share() {
    let share = share(8, 3, 100, SHORT);
    let mut held = Vec::new();
    for _ in 0..3 {
        held.push(share.acquire(tenant(1)).await.expect("within the share"));
    }
    assert!(share.try_acquire(tenant(1)).is_none());
    assert_eq!(share.acquire(tenant(1)).await.err(), Some(Busy::TimedOut));
    // five are left to the others, who don't stand behind the one that may hold no more
    for who in [2, 3, 4, 5, 6] {
        held.push(share.acquire(tenant(who)).await.expect("there is room"));
    }
    assert_eq!(share.acquire(tenant(7)).await.err(), Some(Busy::TimedOut));
    assert_eq!(share.usage(), FairUse { used: 8, waiting: 0 });
}

#[tokio::test]
async fn a_free_unit_goes_to_the_tenant_that_holds_the_fewest() {
    let share = share(3, 3, 100, LONG);
    let first = share.acquire(tenant(1)).await.expect("free");
    let second = share.acquire(tenant(1)).await.expect("free");
    let other = share.acquire(tenant(2)).await.expect("free");
    let (mut tasks, served) = (JoinSet::new(), Arc::default());
    // the first tenant waits first, but holds two
    queue(&share, &[1, 3], &mut tasks, &served).await;
    drop(other);
    while served.lock().expect("no panic").is_empty() {
        tokio::task::yield_now().await;
    }
    assert_eq!(served.lock().expect("no panic")[0], 3);
    drop((first, second));
    while tasks.join_next().await.is_some() {}
}

#[tokio::test]
async fn one_tenants_queue_is_bounded_and_leaves_the_others_theirs() {
    let share = share(1, 1, 2, LONG);
    let held = share.acquire(tenant(9)).await.expect("nobody is there");
    let (mut tasks, served) = (JoinSet::new(), Arc::default());
    queue(&share, &[1, 1], &mut tasks, &served).await;
    assert_eq!(share.acquire(tenant(1)).await.err(), Some(Busy::QueueFull));
    queue(&share, &[2, 2], &mut tasks, &served).await;
    drop(held);
    while tasks.join_next().await.is_some() {}
    assert_eq!(*served.lock().expect("no panic"), [1, 2, 1, 2]);
}

#[tokio::test]
async fn who_gives_up_leaves_nothing_behind() {
    let share = share(1, 1, 100, SHORT);
    let held = share.acquire(tenant(1)).await.expect("nobody is there");
    for who in 2..50 {
        assert_eq!(share.acquire(tenant(who)).await.err(), Some(Busy::TimedOut));
        // dropped while it waits
        let mut waiting = Box::pin(share.acquire(tenant(who)));
        assert!(futures_poll(&mut waiting).await.is_none());
    }
    assert_eq!(share.usage(), FairUse { used: 1, waiting: 0 });
    drop(held);
    drop(share.try_acquire(tenant(3)).expect("nobody waits any more"));
    assert_eq!(share.usage(), FairUse::default());
    assert!(share.lock().is_idle(), "tenants that have gone are forgotten");
}

#[tokio::test]
async fn what_comes_in_the_moment_of_giving_up_goes_to_the_next() {
    let share = share(1, 1, 100, LONG);
    let held = share.acquire(tenant(1)).await.expect("nobody is there");
    let mut waiting = Box::pin(share.acquire(tenant(2)));
    assert!(futures_poll(&mut waiting).await.is_none());
    // handed over, but never looked at
    drop(held);
    assert_eq!(share.usage().used, 1);
    drop(waiting);
    assert_eq!(share.usage(), FairUse::default());
}

#[tokio::test]
async fn a_large_request_is_not_overtaken_for_ever() {
    let share = share(4, 4, 100, LONG);
    let held = share.acquire_many(tenant(1), 3).await.expect("free");
    let mut large = Box::pin(share.acquire_many(tenant(2), 4));
    assert!(futures_poll(&mut large).await.is_none());
    // there is one, but somebody waits for it
    assert!(share.try_acquire(tenant(3)).is_none());
    let mut small = Box::pin(share.acquire(tenant(3)));
    assert!(futures_poll(&mut small).await.is_none());
    drop(held);
    let large = futures_poll(&mut large).await.expect("served").expect("with all it wanted");
    assert!(futures_poll(&mut small).await.is_none());
    drop(large);
    assert!(futures_poll(&mut small).await.expect("served").is_ok());
}

#[tokio::test]
async fn who_waits_in_vain_for_too_much_holds_up_nobody() {
    let share = share(4, 3, 100, LONG);
    assert_eq!(share.acquire_many(tenant(1), 4).await.err(), Some(Busy::TooMuch));
    let held = share.acquire_many(tenant(1), 2).await.expect("free");
    let mut large = Box::pin(share.acquire_many(tenant(2), 3));
    assert!(futures_poll(&mut large).await.is_none());
    let mut small = Box::pin(share.acquire(tenant(3)));
    assert!(futures_poll(&mut small).await.is_none());
    drop(large);
    assert!(futures_poll(&mut small).await.expect("served as the one ahead has gone").is_ok());
    drop(held);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn under_a_crowd_nothing_is_lost_and_no_share_exceeded() {
    let share = share(5, 2, 1000, LONG);
    let mut tasks = JoinSet::new();
    for n in 0..600_u64 {
        let share = share.clone();
        tasks.spawn(async move {
            let who = tenant(u128::from(n % 7));
            let units = usize::try_from(n % 2).expect("small") + 1;
            // a third gives up at some point
            let timeout = if n.is_multiple_of(3) { Duration::from_micros(n * 10) } else { LONG };
            if let Ok(permit) = tokio::time::timeout(timeout, share.acquire_many(who, units)).await {
                let permit = permit.expect("nobody is refused");
                assert!(share.usage().used <= 5);
                sleep(Duration::from_micros(n % 50)).await;
                drop(permit);
            }
        });
    }
    while let Some(done) = tasks.join_next().await {
        done.expect("no panic");
    }
    assert_eq!(share.usage(), FairUse::default());
    assert!(share.lock().is_idle());
}

/// Polls once.
async fn futures_poll<F: Future + Unpin>(future: &mut F) -> Option<F::Output> {
    std::future::poll_fn(|context| {
        std::task::Poll::Ready(match std::pin::Pin::new(&mut *future).poll(context) {
            std::task::Poll::Ready(done) => Some(done),
            std::task::Poll::Pending => None,
        })
    })
    .await
}
