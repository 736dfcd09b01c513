//! All connections that are open, and which of them has to go.

use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU32, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use http_body::{Body, Frame, SizeHint};
use loam_http::client::Network;
use loam_http::surface::BodyRefused;
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;

use super::{Budget, Share};
use crate::config::ServerConfig;

/// The part of all connections that those without a credential may be.
const ANONYMOUS_PART: usize = 8;
/// However few connections there may be.
const FEWEST_ANONYMOUS: usize = 16;
/// How many are looked at for one that can be closed.
const LOOK_AT: usize = 256;

/// How many connections may be closing before the next one is accepted: a flood of new ones must not outrun the threads
/// that close the old ones.
const MAX_CLOSING: usize = 64;

/// Nothing is asked: the head of the next request has not arrived.
const IDLE: u8 = 0;
/// The rest of a body is waited for.
const READING: u8 = 1;
/// The server is at work.
const WORKING: u8 = 2;
/// The answer is going out.
const ANSWERING: u8 = 3;

/// The connections of all threads. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Registry(Arc<Inner>);

struct Inner {
    budget: Arc<Budget>,
    most: usize,
    room: Arc<Semaphore>,
    most_anonymous: usize,
    most_of_an_address: usize,
    trusted_proxies: Vec<Network>,
    open: Mutex<Open>,
}

#[derive(Default)]
struct Open {
    next: u64,
    /// By the order in which they came.
    anonymous: BTreeMap<u64, Arc<Connection>>,
    known: BTreeMap<u64, Arc<Connection>>,
    addresses: HashMap<IpAddr, usize>,
}

/// A connection as requests see it.
pub(crate) struct Connection {
    number: u64,
    registry: Registry,
    state: AtomicU8,
    known: AtomicBool,
    cut: AtomicBool,
    close: Notify,
    /// What the bodies of the request under way take of the budget, for whom, and which request that is.
    held: AtomicUsize,
    share: AtomicUsize,
    request: AtomicU32,
}

/// What a body counts for.
#[derive(Clone, Copy)]
pub(super) struct Charge {
    share: Share,
    request: u32,
}

/// A connection's place among the others, for as long as it is open.
pub(crate) struct Place {
    pub(crate) connection: Arc<Connection>,
    address: Option<IpAddr>,
    _room: OwnedSemaphorePermit,
}

impl Registry {
    /// For `most` connections.
    pub(crate) fn new(config: &ServerConfig, most: usize, budget: Arc<Budget>) -> Self {
        Self(Arc::new(Inner {
            budget,
            most,
            room: Arc::new(Semaphore::new(most)),
            most_anonymous: (most / ANONYMOUS_PART).max(FEWEST_ANONYMOUS),
            most_of_an_address: config.max_connections_per_address.unwrap_or(most / 2).max(1),
            trusted_proxies: config.trusted_proxies.clone(),
            open: Mutex::default(),
        }))
    }

    fn open(&self) -> MutexGuard<'_, Open> {
        self.0.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Room for one more. When there is none, the oldest that does nothing is asked to go.
    pub(crate) async fn room(&self) -> Option<OwnedSemaphorePermit> {
        /// How long to wait for one that was asked to go, or for one with which nothing is done any more.
        const PAUSE: Duration = Duration::from_millis(50);
        let deadline = Instant::now() + PAUSE;
        while self.closing() > MAX_CLOSING && Instant::now() < deadline {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        loop {
            if self.0.room.available_permits() == 0 {
                self.close_one();
            }
            if let Ok(room) = tokio::time::timeout(PAUSE, self.0.room.clone().acquire_owned()).await {
                return room.ok();
            }
        }
    }

    /// Connections that were asked to close but still hold their memory.
    fn closing(&self) -> usize {
        let held = self.0.most.saturating_sub(self.0.room.available_permits());
        let (open, _) = self.counts();
        held.saturating_sub(open)
    }

    /// Takes in a connection from `peer`, or refuses it.
    pub(crate) fn admit(&self, peer: IpAddr, room: OwnedSemaphorePermit) -> Option<Place> {
        let address = self.counted(peer);
        let mut open = self.open();
        if let Some(address) = address
            && open.addresses.get(&address).is_some_and(|count| *count >= self.0.most_of_an_address)
        {
            metrics::counter!("loam_connections_closed_total", "reason" => "address").increment(1);
            return None;
        }
        if open.anonymous.len() >= self.0.most_anonymous && !open.close_anonymous() {
            metrics::counter!("loam_connections_closed_total", "reason" => "refused").increment(1);
            return None;
        }
        open.next += 1;
        let number = open.next;
        let connection = Arc::new(Connection {
            number,
            registry: self.clone(),
            state: AtomicU8::new(IDLE),
            known: AtomicBool::new(false),
            cut: AtomicBool::new(false),
            close: Notify::new(),
            held: AtomicUsize::new(0),
            share: AtomicUsize::new(0),
            request: AtomicU32::new(0),
        });
        open.anonymous.insert(number, connection.clone());
        if let Some(address) = address {
            *open.addresses.entry(address).or_default() += 1;
        }
        Some(Place { connection, address, _room: room })
    }

    /// Closes the oldest connection with which nothing is done: one without a credential if there is one.
    pub(crate) fn close_one(&self) -> bool {
        let mut open = self.open();
        open.close_anonymous() || open.close_known()
    }

    /// What a peer's connections are counted under: its address, or its network of IPv6. This machine's are not counted,
    /// nor a proxy's, as they stand for many.
    fn counted(&self, peer: IpAddr) -> Option<IpAddr> {
        let peer = peer.to_canonical();
        if peer.is_loopback() || self.0.trusted_proxies.iter().any(|network| network.contains(peer)) {
            return None;
        }
        Some(match peer {
            IpAddr::V4(_) => peer,
            IpAddr::V6(address) => IpAddr::V6((address.to_bits() >> 64 << 64).into()),
        })
    }

    /// Bytes of bodies in memory.
    pub(crate) fn body_bytes(&self) -> usize {
        self.0.budget.used()
    }

    /// Open connections: all, and those without a credential.
    pub(crate) fn counts(&self) -> (usize, usize) {
        let open = self.open();
        (open.anonymous.len() + open.known.len(), open.anonymous.len())
    }
}

impl Open {
    fn close_anonymous(&mut self) -> bool {
        let is_working = |connection: &Connection| connection.state.load(Ordering::Relaxed) == WORKING;
        let found = self.anonymous.values().take(LOOK_AT).find(|connection| !is_working(connection));
        let Some(number) = found.map(|connection| connection.number) else { return false };
        let connection = self.anonymous.remove(&number);
        if let Some(connection) = &connection {
            connection.cut();
        }
        close(connection, "anonymous")
    }

    fn close_known(&mut self) -> bool {
        let is_idle = |connection: &Connection| connection.state.load(Ordering::Relaxed) == IDLE;
        let found = self.known.values().take(LOOK_AT).find(|connection| is_idle(connection));
        let Some(number) = found.map(|connection| connection.number) else { return false };
        close(self.known.remove(&number), "idle")
    }
}

fn close(connection: Option<Arc<Connection>>, reason: &'static str) -> bool {
    let Some(connection) = connection else { return false };
    metrics::counter!("loam_connections_closed_total", "reason" => reason).increment(1);
    connection.close.notify_one();
    true
}

impl Drop for Place {
    fn drop(&mut self) {
        let connection = &self.connection;
        let mut open = connection.registry.open();
        if open.anonymous.remove(&connection.number).is_none() {
            open.known.remove(&connection.number);
        }
        if let Some(address) = self.address
            && let Some(count) = open.addresses.get_mut(&address)
        {
            *count -= 1;
            if *count == 0 {
                open.addresses.remove(&address);
            }
        }
        drop(open);
        connection.give_back();
    }
}

impl Connection {
    /// Ends when the connection has to go.
    pub(crate) async fn closed(&self) {
        self.close.notified().await;
    }

    /// Whether somebody with a credential has used it.
    pub(crate) fn is_known(&self) -> bool {
        self.known.load(Ordering::Relaxed)
    }

    /// Ends it without waiting for its other side.
    pub(super) fn cut(&self) {
        self.cut.store(true, Ordering::Relaxed);
    }

    pub(super) fn is_cut(&self) -> bool {
        self.cut.load(Ordering::Relaxed)
    }

    /// Whether a request on it is being answered.
    pub(crate) fn is_answered(&self) -> bool {
        matches!(self.state.load(Ordering::Relaxed), WORKING | ANSWERING)
    }

    /// A request has arrived.
    pub(crate) fn begin(&self) {
        self.state.store(WORKING, Ordering::Relaxed);
    }

    /// Its request was let in with a credential.
    pub(crate) fn know(&self) {
        if self.is_known() || self.known.swap(true, Ordering::Relaxed) {
            return;
        }
        let mut open = self.registry.open();
        if let Some(connection) = open.anonymous.remove(&self.number) {
            open.known.insert(self.number, connection);
        }
    }

    /// Its request is answered, with this body.
    pub(crate) fn answer<B: Body>(self: Arc<Self>, body: B) -> Tracked<B> {
        self.give_back();
        self.state.store(ANSWERING, Ordering::Relaxed);
        Tracked { body, connection: self }
    }

    /// Whether its request waits for its body.
    pub(super) fn awaits_body(&self, waits: bool) {
        let (from, to) = if waits { (WORKING, READING) } else { (READING, WORKING) };
        _ = self.state.compare_exchange(from, to, Ordering::Relaxed, Ordering::Relaxed);
    }

    pub(super) fn charge(&self, share: Share) -> Charge {
        self.share.store(packed(share), Ordering::Relaxed);
        Charge { share, request: self.request.load(Ordering::Relaxed) }
    }

    /// Takes so much of the budget until the request is answered. What comes later is not kept by anybody.
    pub(super) fn take(&self, charge: &Charge, bytes: usize, anyway: bool) -> Result<(), BodyRefused> {
        if charge.request != self.request.load(Ordering::Relaxed) {
            return Ok(());
        }
        let budget = &self.registry.0.budget;
        if anyway {
            budget.take_anyway(charge.share, bytes);
        } else {
            budget.take(charge.share, bytes)?;
        }
        self.held.fetch_add(bytes, Ordering::Relaxed);
        Ok(())
    }

    fn give_back(&self) {
        self.request.fetch_add(1, Ordering::Relaxed);
        let held = self.held.swap(0, Ordering::Relaxed);
        if held > 0 {
            self.registry.0.budget.give_back(unpacked(self.share.load(Ordering::Relaxed)), held);
        }
    }
}

fn packed(share: Share) -> usize {
    match share {
        Share::Nobody => 0,
        Share::Events => 1,
        Share::Tenant(slot) => slot + 2,
    }
}

fn unpacked(share: usize) -> Share {
    match share {
        0 => Share::Nobody,
        1 => Share::Events,
        slot => Share::Tenant(slot - 2),
    }
}

/// The body of an answer: while it is going out its connection is not idle.
pub(crate) struct Tracked<B> {
    body: B,
    connection: Arc<Connection>,
}

impl<B: Body + Unpin> Body for Tracked<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl<B> Drop for Tracked<B> {
    fn drop(&mut self) {
        let state = &self.connection.state;
        _ = state.compare_exchange(ANSWERING, IDLE, Ordering::Relaxed, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use super::*;

    fn registry(most: usize, of_an_address: Option<usize>) -> Registry {
        let config = ServerConfig {
            max_connections_per_address: of_an_address,
            trusted_proxies: vec!["10.0.0.1".parse().expect("an address")],
            ..ServerConfig::default()
        };
        Registry::new(&config, most, Arc::new(Budget::new(1000)))
    }

    async fn admit(registry: &Registry, peer: &str) -> Option<Place> {
        let room = registry.room().await.expect("never closed");
        registry.admit(peer.parse().expect("an address"), room)
    }

    async fn has_to_go(place: &Place) -> bool {
        let mut closed = std::pin::pin!(place.connection.closed());
        poll_fn(|cx| Poll::Ready(closed.as_mut().poll(cx).is_ready())).await
    }

    #[tokio::test]
    async fn of_those_without_a_credential_the_oldest_goes_for_a_new_one() {
        let registry = registry(64, None);
        let mut places = Vec::new();
        for _ in 0..16 {
            places.push(admit(&registry, "127.0.0.1").await.expect("room"));
        }
        places[0].connection.begin();
        places[0].connection.know();
        places[1].connection.begin();
        places.push(admit(&registry, "127.0.0.1").await.expect("a known one doesn't count"));
        assert_eq!(registry.counts(), (17, 16));
        places.push(admit(&registry, "127.0.0.1").await.expect("one goes for it"));
        assert!(!has_to_go(&places[0]).await, "known");
        assert!(!has_to_go(&places[1]).await, "worked for");
        assert!(has_to_go(&places[2]).await && !has_to_go(&places[3]).await);
        for place in &places {
            place.connection.begin();
        }
        assert!(admit(&registry, "127.0.0.1").await.is_none(), "nobody can go");
        places.clear();
        assert_eq!(registry.counts(), (0, 0));
    }

    #[tokio::test]
    async fn when_there_is_no_room_an_idle_one_goes_and_none_that_is_answered() {
        let registry = registry(2, None);
        let (first, second) =
            (admit(&registry, "::1").await.expect("room"), admit(&registry, "::1").await.expect("room"));
        for place in [&first, &second] {
            place.connection.begin();
            place.connection.know();
        }
        let going_out = first.connection.clone().answer(http_body_util::Empty::<&[u8]>::new());
        drop(second.connection.clone().answer(http_body_util::Empty::<&[u8]>::new()));
        let mut waits = std::pin::pin!(admit(&registry, "::1"));
        assert!(tokio::time::timeout(std::time::Duration::from_millis(1), waits.as_mut()).await.is_err());
        assert!(has_to_go(&second).await && !has_to_go(&first).await);
        drop(second);
        assert!(waits.await.is_some());
        drop(going_out);
    }

    #[tokio::test]
    async fn an_address_has_so_many_and_a_proxy_any_number() {
        let registry = registry(100, Some(1));
        let _one = admit(&registry, "192.0.2.1").await.expect("the first");
        assert!(admit(&registry, "192.0.2.1").await.is_none());
        let _six = admit(&registry, "2001:db8::1").await.expect("another");
        assert!(admit(&registry, "2001:db8::2").await.is_none(), "of the same network");
        for peer in ["10.0.0.1", "10.0.0.1", "127.0.0.1", "::ffff:127.0.0.1"] {
            std::mem::forget(admit(&registry, peer).await.expect("not counted"));
        }
        drop(_one);
        assert!(admit(&registry, "::ffff:192.0.2.1").await.is_some(), "it has ended");
    }

    #[tokio::test]
    async fn what_a_request_holds_is_given_back_with_its_answer() {
        let registry = registry(2, None);
        let place = admit(&registry, "127.0.0.1").await.expect("room");
        let budget = registry.0.budget.clone();
        let charge = place.connection.charge(Share::Tenant(3));
        place.connection.take(&charge, 500, false).expect("half");
        assert_eq!(place.connection.take(&charge, 1, false), Err(BodyRefused::TenantFull));
        place.connection.take(&charge, 1, true).expect("little is taken anyway");
        drop(place.connection.clone().answer(http_body_util::Empty::<&[u8]>::new()));
        assert_eq!(budget.used(), 0);
        place.connection.take(&charge, 9000, false).expect("of a request that is answered nothing is kept");
        let charge = place.connection.charge(Share::Events);
        place.connection.take(&charge, 100, false).expect("little");
        drop(place);
        assert_eq!(budget.used(), 0, "a connection that ends gives back too");
    }
}
