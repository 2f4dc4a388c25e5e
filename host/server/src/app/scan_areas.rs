//! In which city a visitor is, by a table of address ranges that the county imports: nothing is asked of
//! the Internet, and the address itself is neither kept nor logged.
//!
//! The table is `scan-areas.csv` in the data folder: `first,last,area`, sorted. A running service takes a
//! new one within a minute.

use std::fs::File;
use std::io::{BufReader, BufWriter, ErrorKind, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use anyhow::Context as _;
use parking_lot::RwLock;
use tianyin_domain::Time;

use super::App;
use super::area_rows;

/// Name of the table in the data folder.
pub const FILE: &str = "scan-areas.csv";
/// Bits of an IPv6 address that tell the city: what a provider gives to one place is never longer.
pub(super) const V6_BITS: u32 = 48;

/// Addresses in a row that are in one city, in 16 bytes: an IPv4 address, or the first 48 bits of an IPv6
/// address, beside the city's code of 4 digits, which fits 16 bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Range {
    first_and_city: u64,
    last: u64,
}

impl Range {
    /// From one address to another, both below 2^48.
    pub(super) fn new(first: u64, last: u64, city: u16) -> Self {
        Self { first_and_city: (first << 16) | u64::from(city), last }
    }

    fn first(self) -> u64 {
        self.first_and_city >> 16
    }

    fn city(self) -> u16 {
        (self.first_and_city & 0xffff) as u16
    }

    /// Whether it shares an address with one that begins later.
    pub(super) fn touches(self, later: Self) -> bool {
        later.first() <= self.last
    }

    /// Both as one, where the later one goes on where this one ends, in the same city.
    pub(super) fn joined(self, later: Self) -> Option<Self> {
        let goes_on = self.last + 1 == later.first() && self.city() == later.city();
        goes_on.then_some(Self { last: later.last, ..self })
    }
}

/// Ranges that are sorted and never overlap.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Table {
    /// Of IPv4.
    pub(super) v4: Vec<Range>,
    /// Of IPv6.
    pub(super) v6: Vec<Range>,
}

impl Table {
    /// The city of an address.
    pub fn city(&self, address: IpAddr) -> Option<u16> {
        let (ranges, at) = match address.to_canonical() {
            IpAddr::V4(v4) => (&self.v4, u64::from(v4.to_bits())),
            IpAddr::V6(v6) => (&self.v6, (v6.to_bits() >> (128 - V6_BITS)) as u64),
        };
        let after = ranges.partition_point(|range| range.first() <= at);
        let range = ranges.get(after.checked_sub(1)?)?;
        (at <= range.last).then_some(range.city())
    }

    /// Ranges in it.
    pub fn ranges(&self) -> usize {
        self.v4.len() + self.v6.len()
    }

    /// Takes the place of the table in a data folder, at once.
    pub fn save(&self, data: &Path) -> anyhow::Result<()> {
        let (path, fresh) = (data.join(FILE), data.join(format!("{FILE}.new")));
        let file = File::create(&fresh).with_context(|| fresh.display().to_string())?;
        let mut to = BufWriter::new(file);
        self.write(&mut to).with_context(|| fresh.display().to_string())?;
        let file = to.into_inner().map_err(std::io::IntoInnerError::into_error)?;
        file.sync_all().context("sync")?;
        std::fs::rename(&fresh, &path).with_context(|| path.display().to_string())?;
        File::open(data).and_then(|folder| folder.sync_all()).context("sync")
    }

    fn write(&self, to: &mut impl Write) -> std::io::Result<()> {
        writeln!(to, "first,last,area")?;
        for range in &self.v4 {
            let [first, last] =
                [range.first(), range.last].map(|bits| Ipv4Addr::from_bits(bits as u32));
            writeln!(to, "{first},{last},{:04}", range.city())?;
        }
        let rest = 128 - V6_BITS;
        for range in &self.v6 {
            let first = Ipv6Addr::from_bits(u128::from(range.first()) << rest);
            let last = Ipv6Addr::from_bits((u128::from(range.last) << rest) | ((1 << rest) - 1));
            writeln!(to, "{first},{last},{:04}", range.city())?;
        }
        to.flush()
    }
}

/// What tells one file from another.
type Stamp = (SystemTime, u64);

/// The table in use.
#[derive(Default)]
pub struct ScanAreas {
    file: PathBuf,
    loaded: RwLock<Loaded>,
}

#[derive(Default)]
struct Loaded {
    table: Table,
    stamp: Option<Stamp>,
}

/// A table in a word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TableTold {
    /// Ranges.
    pub ranges: usize,
    /// When it was imported.
    pub at: Option<Time>,
}

impl ScanAreas {
    /// The table of a data folder, if it has one. A table that cannot be read is no reason not to start: it
    /// is logged, and no city is known.
    pub fn open(data: &Path) -> Self {
        let areas = Self { file: data.join(FILE), ..Self::default() };
        areas.renew();
        areas
    }

    /// Reads the table again where the file is another one by now. One that cannot be read leaves the
    /// table as it was.
    pub fn renew(&self) {
        let stamp = match stamp_of(&self.file) {
            Ok(stamp) => stamp,
            Err(e) => {
                tracing::warn!(error = %e, "the table of address ranges is out of reach");
                return;
            }
        };
        if stamp == self.loaded.read().stamp {
            return;
        }
        let read = match stamp {
            Some(_) => read(&self.file),
            None => Ok(Table::default()),
        };
        let mut loaded = self.loaded.write();
        // Told once for each file, good or bad.
        loaded.stamp = stamp;
        match read {
            Ok(table) => {
                tracing::info!(ranges = table.ranges(), "table of address ranges loaded");
                loaded.table = table;
            }
            Err(e) => tracing::warn!(
                error = format!("{e:#}"),
                "the table of address ranges cannot be read: import it again"
            ),
        }
    }

    /// The city of an address, as a region code of 4 digits; `None` where no table tells.
    pub fn area_of(&self, address: IpAddr) -> Option<String> {
        let city = self.loaded.read().table.city(address)?;
        Some(format!("{city:04}"))
    }

    /// How large the table is, and since when.
    pub fn told(&self) -> TableTold {
        let loaded = self.loaded.read();
        let at = loaded.stamp.and_then(|(at, _)| Time::try_from(at).ok());
        TableTold { ranges: loaded.table.ranges(), at }
    }
}

fn stamp_of(file: &Path) -> std::io::Result<Option<Stamp>> {
    match file.metadata() {
        Ok(meta) => Ok(Some((meta.modified()?, meta.len()))),
        Err(e) if e.kind() == ErrorKind::NotFound => Ok(None),
        Err(e) => Err(e),
    }
}

fn read(file: &Path) -> anyhow::Result<Table> {
    let input = File::open(file).with_context(|| file.display().to_string())?;
    Ok(area_rows::read(BufReader::new(input))?.table)
}

impl App {
    /// The city of an address, as a region code of 4 digits; `None` where no table tells.
    pub fn area_of(&self, address: IpAddr) -> Option<String> {
        self.areas.area_of(address)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn table(rows: &str) -> Table {
        area_rows::read(rows.as_bytes()).unwrap().table
    }

    #[test]
    fn every_edge_of_a_range_is_in_it_and_its_neighbours_are_not() {
        let table = table(
            "first,last,area\n1.0.1.0,1.0.3.255,3501\n1.0.8.0/21,440100\n\
             0.0.0.0,0.0.0.9,1101\n255.255.255.0,255.255.255.255,4301\n\
             2408:8000::,2408:8fff:ffff:ffff:ffff:ffff:ffff:ffff,4403\n2001:db8:7::/48,4501\n",
        );
        for (address, city) in [
            ("1.0.0.255", None),
            ("1.0.1.0", Some(3501)),
            ("1.0.3.255", Some(3501)),
            ("1.0.4.0", None),
            ("1.0.8.0", Some(4401)),
            ("1.0.15.255", Some(4401)),
            ("1.0.16.0", None),
            ("0.0.0.0", Some(1101)),
            ("0.0.0.10", None),
            ("255.255.255.255", Some(4301)),
            ("255.255.254.255", None),
            ("::ffff:1.0.1.0", Some(3501)),
            ("2408:8000::1", Some(4403)),
            ("2408:8fff:ffff:ffff::", Some(4403)),
            ("2408:7fff:ffff::", None),
            ("2001:db8:7:ffff::1", Some(4501)),
            ("2001:db8:8::", None),
            ("::1", None),
        ] {
            assert_eq!(table.city(address.parse().unwrap()), city, "{address}");
        }
        assert_eq!(Table::default().city("1.0.1.0".parse().unwrap()), None);
        assert_eq!(std::mem::size_of::<Range>(), 16);
    }

    #[test]
    fn what_was_saved_is_read_again_and_a_new_one_is_noticed() {
        let dir = tempfile::tempdir().unwrap();
        let address = "1.0.1.9".parse().unwrap();
        let areas = ScanAreas::open(dir.path());
        assert_eq!(areas.told(), TableTold { ranges: 0, at: None });
        let city = |areas: &ScanAreas| areas.loaded.read().table.city(address);

        let first = table("1.0.1.0,1.0.3.255,3501\n2408:8000::/20,4403\n2001:db8::/32,4403\n");
        first.save(dir.path()).unwrap();
        areas.renew();
        assert_eq!(areas.loaded.read().table, first);
        assert_eq!((city(&areas), areas.told().at.is_some()), (Some(3501), true));

        table("1.0.1.0/24,430100\n").save(dir.path()).unwrap();
        areas.renew();
        assert_eq!((city(&areas), areas.told().ranges), (Some(4301), 1));
        // One that is no table leaves the one before.
        std::fs::write(dir.path().join(FILE), "first,last,area\nno table\n").unwrap();
        areas.renew();
        assert_eq!(city(&areas), Some(4301));
        assert_eq!(ScanAreas::open(dir.path()).told().ranges, 0, "and never stops a start");
        std::fs::remove_file(dir.path().join(FILE)).unwrap();
        areas.renew();
        assert_eq!(areas.told(), TableTold { ranges: 0, at: None });
    }
}
