//! The registry of open connections, which chooses the one to close.

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

/// Unauthenticated connections may be one in this many of all connections.
const ANONYMOUS_DIVISOR: usize = 8;
/// Minimum of the limit of unauthenticated connections.
const MIN_ANONYMOUS: usize = 16;
/// Maximum number of connections that are examined for one that can be closed.
const MAX_EXAMINED: usize = 256;

/// How many connections may be closing before the next one is accepted: a flood of new ones must not outrun the threads
/// that close the old ones.
const MAX_CLOSING: usize = 64;

/// Idle: the head of the next request has not arrived.
const IDLE: u8 = 0;
/// Waiting for the rest of a request body.
const READING: u8 = 1;
/// Processing a request.
const WORKING: u8 = 2;
/// Sending a response.
const RESPONDING: u8 = 3;

/// The connections of all threads. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Registry(Arc<Inner>);

struct Inner {
    budget: Arc<Budget>,
    most: usize,
    permits: Arc<Semaphore>,
    most_anonymous: usize,
    most_of_an_address: usize,
    trusted_proxies: Vec<Network>,
    open: Mutex<Open>,
}

#[derive(Default)]
struct Open {
    next: u64,
    /// By order of arrival.
    anonymous: BTreeMap<u64, Arc<Connection>>,
    authenticated: BTreeMap<u64, Arc<Connection>>,
    addresses: HashMap<IpAddr, usize>,
}

/// A connection as requests see it.
pub(crate) struct Connection {
    number: u64,
    registry: Registry,
    state: AtomicU8,
    authenticated: AtomicBool,
    cut: AtomicBool,
    close: Notify,
    /// The budget that is charged for the current request's body, the share, and the number of the request.
    held: AtomicUsize,
    share: AtomicUsize,
    request: AtomicU32,
}

/// The share and request that a body is charged to.
#[derive(Clone, Copy)]
pub(super) struct Charge {
    share: Share,
    request: u32,
}

/// The registration of an open connection.
pub(crate) struct ConnectionGuard {
    pub(crate) connection: Arc<Connection>,
    address: Option<IpAddr>,
    _permit: OwnedSemaphorePermit,
}

impl Registry {
    /// For `most` connections.
    pub(crate) fn new(config: &ServerConfig, most: usize, budget: Arc<Budget>) -> Self {
        Self(Arc::new(Inner {
            budget,
            most,
            permits: Arc::new(Semaphore::new(most)),
            most_anonymous: (most / ANONYMOUS_DIVISOR).max(MIN_ANONYMOUS),
            most_of_an_address: config.max_connections_per_address.unwrap_or(most / 2).max(1),
            trusted_proxies: config.trusted_proxies.clone(),
            open: Mutex::default(),
        }))
    }

    fn open(&self) -> MutexGuard<'_, Open> {
        self.0.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reserves a permit for one more connection. If there is none, the oldest idle connection is closed.
    pub(crate) async fn reserve(&self) -> Option<OwnedSemaphorePermit> {
        /// How long to wait for a closing connection, or for one that becomes idle.
        const PAUSE: Duration = Duration::from_millis(50);
        let deadline = Instant::now() + PAUSE;
        while self.closing() > MAX_CLOSING && Instant::now() < deadline {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        loop {
            if self.0.permits.available_permits() == 0 {
                self.close_idle();
            }
            if let Ok(permit) = tokio::time::timeout(PAUSE, self.0.permits.clone().acquire_owned()).await {
                return permit.ok();
            }
        }
    }

    /// Connections that were asked to close but still hold their memory.
    fn closing(&self) -> usize {
        let held = self.0.most.saturating_sub(self.0.permits.available_permits());
        let (open, _) = self.counts();
        held.saturating_sub(open)
    }

    /// Admits a connection from `peer`, or refuses it.
    pub(crate) fn admit(&self, peer: IpAddr, permit: OwnedSemaphorePermit) -> Option<ConnectionGuard> {
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
            authenticated: AtomicBool::new(false),
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
        Some(ConnectionGuard { connection, address, _permit: permit })
    }

    /// Closes the oldest idle connection, unauthenticated ones first.
    pub(crate) fn close_idle(&self) -> bool {
        let mut open = self.open();
        open.close_anonymous() || open.close_authenticated()
    }

    /// The key under which a peer's connections are counted: its address, or its IPv6 network. Those of this machine and of
    /// proxies, which stand for many clients, are not counted.
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

    /// Open connections: all, and unauthenticated ones.
    pub(crate) fn counts(&self) -> (usize, usize) {
        let open = self.open();
        (open.anonymous.len() + open.authenticated.len(), open.anonymous.len())
    }
}

impl Open {
    fn close_anonymous(&mut self) -> bool {
        let is_working = |connection: &Connection| connection.state.load(Ordering::Relaxed) == WORKING;
        let found = self.anonymous.values().take(MAX_EXAMINED).find(|connection| !is_working(connection));
        let Some(number) = found.map(|connection| connection.number) else { return false };
        let connection = self.anonymous.remove(&number);
        if let Some(connection) = &connection {
            connection.cut();
        }
        close(connection, "anonymous")
    }

    fn close_authenticated(&mut self) -> bool {
        let is_idle = |connection: &Connection| connection.state.load(Ordering::Relaxed) == IDLE;
        let found = self.authenticated.values().take(MAX_EXAMINED).find(|connection| is_idle(connection));
        let Some(number) = found.map(|connection| connection.number) else { return false };
        close(self.authenticated.remove(&number), "idle")
    }
}

fn close(connection: Option<Arc<Connection>>, reason: &'static str) -> bool {
    let Some(connection) = connection else { return false };
    metrics::counter!("loam_connections_closed_total", "reason" => reason).increment(1);
    connection.close.notify_one();
    true
}

impl Drop for ConnectionGuard {
    fn drop(&mut self) {
        let connection = &self.connection;
        let mut open = connection.registry.open();
        if open.anonymous.remove(&connection.number).is_none() {
            open.authenticated.remove(&connection.number);
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
    /// Completes when the connection must close.
    pub(crate) async fn closed(&self) {
        self.close.notified().await;
    }

    /// Whether a request with a credential was admitted on it.
    pub(crate) fn is_authenticated(&self) -> bool {
        self.authenticated.load(Ordering::Relaxed)
    }

    /// Closes it without waiting for the peer.
    pub(super) fn cut(&self) {
        self.cut.store(true, Ordering::Relaxed);
    }

    pub(super) fn is_cut(&self) -> bool {
        self.cut.load(Ordering::Relaxed)
    }

    /// Whether a request on it is being processed.
    pub(crate) fn is_busy(&self) -> bool {
        matches!(self.state.load(Ordering::Relaxed), WORKING | RESPONDING)
    }

    /// A request has arrived.
    pub(crate) fn begin(&self) {
        self.state.store(WORKING, Ordering::Relaxed);
    }

    /// Its request was admitted with a credential.
    pub(crate) fn mark_authenticated(&self) {
        if self.is_authenticated() || self.authenticated.swap(true, Ordering::Relaxed) {
            return;
        }
        let mut open = self.registry.open();
        if let Some(connection) = open.anonymous.remove(&self.number) {
            open.authenticated.insert(self.number, connection);
        }
    }

    /// Its request gets a response with this body.
    pub(crate) fn respond<B: Body>(self: Arc<Self>, body: B) -> Tracked<B> {
        self.give_back();
        self.state.store(RESPONDING, Ordering::Relaxed);
        Tracked { body, connection: self }
    }

    /// Sets whether its request waits for its body.
    pub(super) fn set_reading(&self, waits: bool) {
        let (from, to) = if waits { (WORKING, READING) } else { (READING, WORKING) };
        _ = self.state.compare_exchange(from, to, Ordering::Relaxed, Ordering::Relaxed);
    }

    pub(super) fn charge(&self, share: Share) -> Charge {
        self.share.store(packed(share), Ordering::Relaxed);
        Charge { share, request: self.request.load(Ordering::Relaxed) }
    }

    /// Charges the budget until the request is answered. Bytes that arrive later are not held in memory.
    pub(super) fn take(&self, charge: &Charge, bytes: usize, anyway: bool) -> Result<(), BodyRefused> {
        if charge.request != self.request.load(Ordering::Relaxed) {
            return Ok(());
        }
        let budget = &self.registry.0.budget;
        if anyway {
            budget.take_unconditionally(charge.share, bytes);
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
        Share::Unauthenticated => 0,
        Share::Events => 1,
        Share::Tenant(slot) => slot + 2,
    }
}

fn unpacked(share: usize) -> Share {
    match share {
        0 => Share::Unauthenticated,
        1 => Share::Events,
        slot => Share::Tenant(slot - 2),
    }
}

/// A response body: while it is being sent its connection is not idle.
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
        _ = state.compare_exchange(RESPONDING, IDLE, Ordering::Relaxed, Ordering::Relaxed);
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

    async fn admit(registry: &Registry, peer: &str) -> Option<ConnectionGuard> {
        let permit = registry.reserve().await.expect("never closed");
        registry.admit(peer.parse().expect("an address"), permit)
    }

    async fn has_to_go(guard: &ConnectionGuard) -> bool {
        let mut closed = std::pin::pin!(guard.connection.closed());
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
        places[0].connection.mark_authenticated();
        places[1].connection.begin();
        places.push(admit(&registry, "127.0.0.1").await.expect("a known one doesn't count"));
        assert_eq!(registry.counts(), (17, 16));
        places.push(admit(&registry, "127.0.0.1").await.expect("one goes for it"));
        assert!(!has_to_go(&places[0]).await, "known");
        assert!(!has_to_go(&places[1]).await, "worked for");
        assert!(has_to_go(&places[2]).await && !has_to_go(&places[3]).await);
        for guard in &places {
            guard.connection.begin();
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
        for guard in [&first, &second] {
            guard.connection.begin();
            guard.connection.mark_authenticated();
        }
        let going_out = first.connection.clone().respond(http_body_util::Empty::<&[u8]>::new());
        drop(second.connection.clone().respond(http_body_util::Empty::<&[u8]>::new()));
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
        let guard = admit(&registry, "127.0.0.1").await.expect("room");
        let budget = registry.0.budget.clone();
        let charge = guard.connection.charge(Share::Tenant(3));
        guard.connection.take(&charge, 500, false).expect("half");
        assert_eq!(guard.connection.take(&charge, 1, false), Err(BodyRefused::TenantFull));
        guard.connection.take(&charge, 1, true).expect("little is taken anyway");
        drop(guard.connection.clone().respond(http_body_util::Empty::<&[u8]>::new()));
        assert_eq!(budget.used(), 0);
        guard.connection.take(&charge, 9000, false).expect("of a request that is answered nothing is kept");
        let charge = guard.connection.charge(Share::Events);
        guard.connection.take(&charge, 100, false).expect("little");
        drop(guard);
        assert_eq!(budget.used(), 0, "a connection that ends gives back too");
    }
}
