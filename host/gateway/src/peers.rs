//! Who is behind a connection: addresses and how many connections each has.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::{Arc, OnceLock};

use parking_lot::Mutex;
use rmqtt::types::Id;

/// Port of the front's connection to the broker -> who is at its other end. Bounded by the front's
/// limit on connections.
#[derive(Default)]
pub(crate) struct Peers {
    ports: Mutex<HashMap<u16, Arc<Peer>>>,
}

/// Who came in at the front.
pub(crate) struct Peer {
    pub(crate) address: SocketAddr,
    /// The session, and whether it speaks MQTT 5; set once the broker has taken the connection.
    pub(crate) signed_in: OnceLock<(Id, bool)>,
}

/// Keeps an entry of [`Peers`] until dropped.
pub(crate) struct Guest {
    peers: Arc<Peers>,
    port: u16,
    pub(crate) peer: Arc<Peer>,
}

impl Peers {
    pub(crate) fn add(self: &Arc<Self>, port: u16, address: SocketAddr) -> Guest {
        let peer = Arc::new(Peer { address, signed_in: OnceLock::new() });
        self.ports.lock().insert(port, peer.clone());
        Guest { peers: self.clone(), port, peer }
    }

    /// The device's address behind the broker's idea of a remote address; `None` when its connection
    /// has ended, or never came through the front.
    pub(crate) fn behind(&self, remote: Option<SocketAddr>) -> Option<SocketAddr> {
        self.peer(remote).map(|peer| peer.address)
    }

    /// The broker has taken the connection.
    pub(crate) fn sign_in(&self, id: &Id, mqtt5: bool) {
        if let Some(peer) = self.peer(id.remote_addr) {
            // One connection, one session.
            let _ = peer.signed_in.set((id.clone(), mqtt5));
        }
    }

    fn peer(&self, remote: Option<SocketAddr>) -> Option<Arc<Peer>> {
        // Exactly this address: 127.0.0.2 with the same port would be somebody else.
        let remote = remote.filter(|remote| remote.ip() == Ipv4Addr::LOCALHOST)?;
        self.ports.lock().get(&remote.port()).cloned()
    }
}

impl Drop for Guest {
    fn drop(&mut self) {
        self.peers.ports.lock().remove(&self.port);
    }
}

/// Connections of each address.
pub(crate) struct Addresses {
    max: usize,
    open: Arc<Mutex<HashMap<IpAddr, usize>>>,
}

/// One connection that counts, until dropped.
pub(crate) struct Place {
    open: Arc<Mutex<HashMap<IpAddr, usize>>>,
    address: IpAddr,
}

impl Addresses {
    pub(crate) fn new(max: usize) -> Self {
        Self { max, open: Arc::default() }
    }

    /// A place for one more connection, unless the address has its share already.
    pub(crate) fn enter(&self, ip: IpAddr) -> Option<Place> {
        let address = neighbour(ip);
        let mut open = self.open.lock();
        let count = open.entry(address).or_default();
        if *count >= self.max {
            return None;
        }
        *count += 1;
        Some(Place { open: self.open.clone(), address })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut open = self.open.lock();
        if let Some(count) = open.get_mut(&self.address) {
            *count -= 1;
            if *count == 0 {
                open.remove(&self.address);
            }
        }
    }
}

/// A machine has a whole /64 of IPv6 to choose from.
fn neighbour(ip: IpAddr) -> IpAddr {
    match ip.to_canonical() {
        IpAddr::V6(v6) => Ipv6Addr::from_bits(v6.to_bits() & !u128::from(u64::MAX)).into(),
        v4 => v4,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn an_address_has_its_share_and_gets_it_back() {
        let addresses = Addresses::new(2);
        let ip = |text: &str| text.parse::<IpAddr>().unwrap();
        let first = addresses.enter(ip("10.0.0.8")).unwrap();
        let _second = addresses.enter(ip("::ffff:10.0.0.8")).unwrap();
        assert!(addresses.enter(ip("10.0.0.8")).is_none());
        assert!(addresses.enter(ip("10.0.0.9")).is_some());
        drop(first);
        assert!(addresses.enter(ip("10.0.0.8")).is_some());
        let _v6 = [ip("fd00:1::1"), ip("fd00:1::2")].map(|ip| addresses.enter(ip).unwrap());
        assert!(addresses.enter(ip("fd00:1::3")).is_none());
        drop(_v6);
        assert_eq!(addresses.open.lock().len(), 1);
    }

    #[test]
    fn only_guests_of_the_front_are_known() {
        let peers = Arc::new(Peers::default());
        let device: SocketAddr = "192.168.1.20:40000".parse().unwrap();
        let guest = peers.add(5000, device);
        assert_eq!(peers.behind("127.0.0.1:5000".parse().ok()), Some(device));
        assert_eq!(peers.behind("127.0.0.1:5001".parse().ok()), None);
        assert_eq!(peers.behind("127.0.0.2:5000".parse().ok()), None);
        drop(guest);
        assert_eq!(peers.behind("127.0.0.1:5000".parse().ok()), None);
    }
}
