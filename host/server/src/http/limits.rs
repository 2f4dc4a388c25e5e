//! Rate limits per visitor: token buckets in a bounded map. And tries that are counted, for numbers that
//! somebody may guess.

use std::collections::HashMap;
use std::hash::Hash;
use std::net::{IpAddr, Ipv6Addr};
use std::time::{Duration, Instant};

use parking_lot::Mutex;

/// Visitors remembered by one limit.
const BUCKETS_MAX: usize = 16_384;

#[derive(Debug, Clone, Copy)]
struct Bucket {
    tokens: f64,
    at: Instant,
}

/// A limit: `burst` at once, `per_s` in the long run.
pub struct RateLimit {
    per_s: f64,
    burst: f64,
    buckets: Mutex<HashMap<IpAddr, Bucket>>,
}

impl RateLimit {
    /// A limit with a burst of at least 1 and a refill above 0 per second.
    pub fn new(per_s: f64, burst: f64) -> Self {
        Self { per_s, burst: burst.max(1.0), buckets: Mutex::default() }
    }

    /// Takes one token, or says how long to wait for one.
    ///
    /// This machine itself is free: a proxy on it that is not named in `http.trusted_proxies` would
    /// put every visitor in one bucket.
    pub fn take(&self, ip: IpAddr, now: Instant) -> Result<(), Duration> {
        if ip.is_loopback() {
            return Ok(());
        }
        let mut buckets = self.buckets.lock();
        if buckets.len() >= BUCKETS_MAX {
            self.make_room(&mut buckets, now);
        }
        let full = Bucket { tokens: self.burst, at: now };
        let bucket = buckets.entry(visitor(ip)).or_insert(full);
        let tokens = self.refilled(bucket, now);
        *bucket = Bucket { tokens, at: now };
        if tokens >= 1.0 {
            bucket.tokens -= 1.0;
            return Ok(());
        }
        Err(Duration::from_secs_f64((1.0 - tokens) / self.per_s))
    }

    /// How long until there is a token again; `None` while there is one. Takes none.
    pub fn spent(&self, ip: IpAddr, now: Instant) -> Option<Duration> {
        if ip.is_loopback() {
            return None;
        }
        let tokens = self.refilled(self.buckets.lock().get(&visitor(ip))?, now);
        (tokens < 1.0).then(|| Duration::from_secs_f64((1.0 - tokens) / self.per_s))
    }

    fn refilled(&self, bucket: &Bucket, now: Instant) -> f64 {
        let passed = now.saturating_duration_since(bucket.at).as_secs_f64();
        (bucket.tokens + passed * self.per_s).min(self.burst)
    }

    /// Forgets who would start with a full bucket anyhow; under a flood of addresses also every
    /// second of the others, which costs them nothing but their memory here.
    fn make_room(&self, buckets: &mut HashMap<IpAddr, Bucket>, now: Instant) {
        buckets.retain(|_, b| self.refilled(b, now) < self.burst);
        if buckets.len() >= BUCKETS_MAX {
            let mut keep = false;
            buckets.retain(|_, _| {
                keep = !keep;
                keep
            });
        }
    }
}

/// Names whose tries one limit remembers.
const NAMES_MAX: usize = 16_384;

/// So many tries in a window that begins with the first, for each name. What turns out to be no try is given
/// back.
pub struct Tries<N> {
    max: u32,
    window: Duration,
    taken: Mutex<HashMap<N, (u32, Instant)>>,
}

impl<N: Eq + Hash> Tries<N> {
    /// At most `max` tries in a window.
    pub fn new(max: u32, window: Duration) -> Self {
        Self { max, window, taken: Mutex::default() }
    }

    /// Takes one try, or says how long to wait for one. While more names than fit are under way, new ones
    /// wait: forgetting any would give its tries anew.
    pub fn take(&self, name: N, now: Instant) -> Result<(), Duration> {
        let passed = |since: Instant| now.saturating_duration_since(since);
        let mut all = self.taken.lock();
        if all.len() >= NAMES_MAX {
            all.retain(|_, (_, since)| passed(*since) < self.window);
        }
        if all.len() >= NAMES_MAX && !all.contains_key(&name) {
            return Err(self.window);
        }
        let (taken, since) = all.entry(name).or_insert((0, now));
        if passed(*since) >= self.window {
            (*taken, *since) = (0, now);
        }
        if *taken >= self.max {
            return Err(self.window.saturating_sub(passed(*since)));
        }
        *taken += 1;
        Ok(())
    }

    /// The last try was none.
    pub fn give_back(&self, name: &N) {
        if let Some((taken, _)) = self.taken.lock().get_mut(name) {
            *taken = taken.saturating_sub(1);
        }
    }
}

/// A household has a whole /64 of IPv6.
pub fn visitor(ip: IpAddr) -> IpAddr {
    match ip.to_canonical() {
        IpAddr::V6(v6) => Ipv6Addr::from_bits(v6.to_bits() & !u128::from(u64::MAX)).into(),
        v4 => v4,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn a_burst_then_the_rate() {
        let limit = RateLimit::new(2.0, 3.0);
        let start = Instant::now();
        let a = ip("203.0.113.1");
        for _ in 0..3 {
            limit.take(a, start).unwrap();
        }
        assert_eq!(limit.take(a, start).unwrap_err(), Duration::from_millis(500));
        limit.take(ip("203.0.113.2"), start).unwrap();
        limit.take(a, start + Duration::from_millis(500)).unwrap();
        assert!(limit.take(a, start + Duration::from_millis(600)).is_err());
        // However long the pause, not more than the burst.
        let later = start + Duration::from_secs(3600);
        assert_eq!((0..10).filter(|_| limit.take(a, later).is_ok()).count(), 3);
    }

    #[test]
    fn one_bucket_for_a_household_and_none_for_this_machine() {
        let limit = RateLimit::new(1.0, 1.0);
        let now = Instant::now();
        limit.take(ip("2001:db8:1:2::1"), now).unwrap();
        assert!(limit.take(ip("2001:db8:1:2:ffff::9"), now).is_err());
        limit.take(ip("2001:db8:1:3::1"), now).unwrap();
        limit.take(ip("203.0.113.1"), now).unwrap();
        assert!(limit.take(ip("::ffff:203.0.113.1"), now).is_err());
        for _ in 0..100 {
            limit.take(ip("127.0.0.1"), now).unwrap();
            limit.take(ip("::1"), now).unwrap();
        }
    }

    #[test]
    fn whether_it_is_spent_takes_nothing() {
        let limit = RateLimit::new(2.0, 1.0);
        let (now, a) = (Instant::now(), ip("203.0.113.1"));
        assert_eq!((limit.spent(a, now), limit.spent(a, now)), (None, None));
        limit.take(a, now).unwrap();
        assert_eq!(limit.spent(a, now), Some(Duration::from_millis(500)));
        assert_eq!(limit.spent(ip("203.0.113.2"), now), None);
        assert_eq!(limit.spent(a, now + Duration::from_millis(500)), None);
        limit.take(a, now + Duration::from_millis(500)).unwrap();
    }

    #[test]
    fn tries_are_counted_by_name_and_come_back_with_the_window() {
        let hour = Duration::from_secs(3600);
        let tries = Tries::new(2, hour);
        let start = Instant::now();
        tries.take("a", start).unwrap();
        tries.take("a", start).unwrap();
        tries.give_back(&"a");
        tries.take("a", start + hour / 2).unwrap();
        assert_eq!(tries.take("a", start + hour / 2).unwrap_err(), hour / 2);
        tries.take("b", start).unwrap();
        tries.take("a", start + hour).unwrap();
    }

    #[test]
    fn tries_of_many_names_are_not_given_anew() {
        let hour = Duration::from_secs(3600);
        let tries = Tries::new(1, hour);
        let now = Instant::now();
        for name in 0..NAMES_MAX {
            tries.take(name, now).unwrap();
        }
        assert!(tries.take(NAMES_MAX, now).is_err() && tries.take(0, now).is_err());
        tries.take(NAMES_MAX, now + hour).unwrap();
        assert_eq!(tries.taken.lock().len(), 1);
    }

    #[test]
    fn memory_is_bounded() {
        let limit = RateLimit::new(0.001, 1.0);
        let now = Instant::now();
        for i in 0..3 * BUCKETS_MAX as u32 {
            let _ = limit.take(IpAddr::from((0x0a00_0000 + i).to_be_bytes()), now);
        }
        assert!(limit.buckets.lock().len() <= BUCKETS_MAX);
    }
}
