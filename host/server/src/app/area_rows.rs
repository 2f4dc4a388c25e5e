//! Rows of address ranges as providers of such tables write them: `first,last,area`, `network/bits,area`,
//! or the text form of ip2region, `first|last|country|region|province|city|provider`, also without the
//! region and with a country code at the end. Cities come as region codes or by name.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::io::{BufRead, Read as _};
use std::net::IpAddr;

use super::scan_areas::{Range, Table, V6_BITS};
use crate::regions;

/// Rows of one table.
pub const ROWS_MAX: usize = 2_000_000;
/// Bytes of a row.
const LINE_BYTES_MAX: u64 = 1024;
/// Unknown names that are told apart.
const NAMES_MAX: usize = 1_000;
/// Names that were looked up are remembered up to this many.
const KNOWN_MAX: usize = 20_000;
/// Provinces without cities: one code stands for all of each.
const MUNICIPALITIES: [&str; 4] = ["11", "12", "31", "50"];
/// Bits of an IPv6 address below those that are looked at.
const V6_REST: u32 = 128 - V6_BITS;

/// A table, and what was left out of it.
#[derive(Debug, Default)]
pub struct Taken {
    /// The table.
    pub table: Table,
    /// Rows looked at.
    pub rows: usize,
    /// Rows of another country, or of no city.
    pub elsewhere: usize,
    /// Rows of IPv6 that are finer than /48.
    pub fine: usize,
    /// Rows with a city that has no code.
    pub unknown_rows: usize,
    /// Their names, with how many rows each.
    pub unknown: BTreeMap<String, usize>,
}

/// Why a table is not taken.
#[derive(Debug, thiserror::Error)]
pub enum RowError {
    /// A line that is no row.
    #[error(
        "第 {line} 行看不懂,应为“起始地址,结束地址,地区代码”、“网段/位数,地区代码”或 ip2region 的文本格式 \
         / line {line} is no row: first,last,area or network/bits,area or the text form of ip2region"
    )]
    NoRow {
        /// Number of the line.
        line: u32,
    },
    /// A line that is too long, or no text.
    #[error("第 {line} 行太长或不是 UTF-8 文字 / line {line} is too long, or no UTF-8")]
    NoText {
        /// Number of the line.
        line: u32,
    },
    /// Two lines tell of the same address.
    #[error("第 {line} 行与第 {other} 行的地址重叠 / lines {line} and {other} overlap")]
    Overlap {
        /// Number of a line.
        line: u32,
        /// Number of the other.
        other: u32,
    },
    /// Too many rows.
    #[error("超过 {max} 行 / more than {max} rows", max = ROWS_MAX)]
    TooMany,
    /// The file cannot be read.
    #[error(transparent)]
    Io(#[from] std::io::Error),
}

/// Reads a whole table. A first line that is no row is a heading; empty lines and those that begin with
/// `#` tell nothing.
///
/// # Errors
/// When a line is no row, when two overlap, when there are more than [`ROWS_MAX`].
pub fn read(mut input: impl BufRead) -> Result<Taken, RowError> {
    let mut cities = Cities::new();
    let mut taken = Taken::default();
    let (mut v4, mut v6) = (Vec::new(), Vec::new());
    let (mut bytes, mut line) = (Vec::new(), 0_u32);
    loop {
        bytes.clear();
        input.by_ref().take(LINE_BYTES_MAX).read_until(b'\n', &mut bytes)?;
        if bytes.is_empty() {
            break;
        }
        line += 1;
        let text = text_of(&bytes).ok_or(RowError::NoText { line })?;
        if text.is_empty() || text.starts_with('#') {
            continue;
        }
        let row = match Row::of(text) {
            Some(row) => row,
            None if line == 1 => continue,
            None => return Err(RowError::NoRow { line }),
        };
        taken.rows += 1;
        if taken.rows > ROWS_MAX {
            return Err(RowError::TooMany);
        }
        let Some(city) = taken.city(&row, &mut cities) else { continue };
        match row.bounds {
            Bounds::Four(first, last) => {
                v4.push((Range::new(first.into(), last.into(), city), line));
            }
            Bounds::Six(first, last) => match whole(first, last) {
                Some((first, last)) => v6.push((Range::new(first, last, city), line)),
                None => taken.fine += 1,
            },
        }
    }
    taken.table = Table { v4: in_order(v4)?, v6: in_order(v6)? };
    Ok(taken)
}

fn text_of(bytes: &[u8]) -> Option<&str> {
    let is_cut = bytes.len() as u64 >= LINE_BYTES_MAX && !bytes.ends_with(b"\n");
    let text = std::str::from_utf8(bytes).ok().filter(|_| !is_cut)?;
    Some(text.trim_start_matches('\u{feff}').trim())
}

/// Sorts, refuses what overlaps, and makes one of neighbours in the same city.
fn in_order(mut rows: Vec<(Range, u32)>) -> Result<Vec<Range>, RowError> {
    rows.sort_unstable();
    let mut ranges: Vec<Range> = Vec::new();
    let mut before: Option<(Range, u32)> = None;
    for (range, line) in rows {
        if let Some((earlier, other)) = before
            && earlier.touches(range)
        {
            return Err(RowError::Overlap { line: line.max(other), other: line.min(other) });
        }
        before = Some((range, line));
        match ranges.last_mut() {
            Some(last) => match last.joined(range) {
                Some(both) => *last = both,
                None => ranges.push(range),
            },
            None => ranges.push(range),
        }
    }
    ranges.shrink_to_fit();
    Ok(ranges)
}

/// The first 48 bits of both ends, where nothing between them is left out or added by that.
fn whole(first: u128, last: u128) -> Option<(u64, u64)> {
    let low = (1_u128 << V6_REST) - 1;
    let is_whole = first & low == 0 && last & low == low;
    is_whole.then_some(((first >> V6_REST) as u64, (last >> V6_REST) as u64))
}

/// From one address to another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Bounds {
    Four(u32, u32),
    Six(u128, u128),
}

impl Bounds {
    fn of(first: &str, last: &str) -> Option<Self> {
        let [first, last] =
            [first, last].map(|text| text.parse::<IpAddr>().ok().map(|ip| ip.to_canonical()));
        match (first?, last?) {
            (IpAddr::V4(first), IpAddr::V4(last)) if first <= last => {
                Some(Self::Four(first.to_bits(), last.to_bits()))
            }
            (IpAddr::V6(first), IpAddr::V6(last)) if first <= last => {
                Some(Self::Six(first.to_bits(), last.to_bits()))
            }
            _ => None,
        }
    }

    /// `1.0.8.0/21`, or a single address. A network that has bits of a host is none.
    fn of_network(text: &str) -> Option<Self> {
        let (address, bits) = match text.split_once('/') {
            Some((address, bits)) => (address, Some(bits.parse::<u32>().ok()?)),
            None => (text, None),
        };
        match address.parse().ok()? {
            IpAddr::V4(v4) => {
                let bits = bits.unwrap_or(32);
                let host = u32::MAX.checked_shr(bits).unwrap_or(0);
                let first = v4.to_bits();
                (bits <= 32 && first & host == 0).then_some(Self::Four(first, first | host))
            }
            IpAddr::V6(v6) => {
                let bits = bits.unwrap_or(128);
                let host = u128::MAX.checked_shr(bits).unwrap_or(0);
                let first = v6.to_bits();
                (bits <= 128 && first & host == 0).then_some(Self::Six(first, first | host))
            }
        }
    }
}

/// Where a row says that its addresses are.
#[derive(Debug, Clone, Copy)]
enum Place<'a> {
    /// A region code of 4 to 12 digits, or the name of a city.
    Area(&'a str),
    /// A city of a province; `0` or nothing where that is not known.
    City { country: &'a str, province: &'a str, city: &'a str },
}

struct Row<'a> {
    bounds: Bounds,
    place: Place<'a>,
}

impl<'a> Row<'a> {
    fn of(text: &'a str) -> Option<Self> {
        let by = if text.contains('|') { '|' } else { ',' };
        let mut parts = [""; 7];
        let mut count = 0;
        for part in text.split(by) {
            *parts.get_mut(count)? = part.trim().trim_matches('"').trim();
            count += 1;
        }
        let (bounds, place) = match (by, &parts[..count]) {
            (',', &[first, last, area]) => (Bounds::of(first, last), Place::Area(area)),
            (',', &[network, area]) => (Bounds::of_network(network), Place::Area(area)),
            ('|', &[first, last, country, province, city, _]) => {
                (Bounds::of(first, last), Place::City { country, province, city })
            }
            ('|', &[first, last, country, a, b, c, end]) => {
                // The newer form has no region, but a country code at its end.
                let is_new = end.len() == 2 && end.bytes().all(|b| b.is_ascii_uppercase());
                let (province, city) = if is_new { (a, b) } else { (b, c) };
                (Bounds::of(first, last), Place::City { country, province, city })
            }
            _ => return None,
        };
        Some(Self { bounds: bounds?, place })
    }
}

fn is_told(name: &str) -> bool {
    !name.is_empty() && name != "0"
}

impl Taken {
    /// The city of a row; what has none is counted.
    fn city(&mut self, row: &Row<'_>, cities: &mut Cities) -> Option<u16> {
        let (found, name) = match row.place {
            Place::Area(area) if is_told(area) => (cities.of_area(area), area.to_owned()),
            Place::City { country, province, city }
                if country == "中国" && (is_told(city) || cities.is_municipality(province)) =>
            {
                (cities.of_name(province, city), format!("{province}{city}"))
            }
            _ => {
                self.elsewhere += 1;
                return None;
            }
        };
        if found.is_none() {
            self.unknown_rows += 1;
            if self.unknown.len() < NAMES_MAX || self.unknown.contains_key(&name) {
                *self.unknown.entry(name).or_default() += 1;
            }
        }
        found
    }
}

/// A city by name; counties that have no city above them are counted with what stands for it.
struct Named {
    name: &'static str,
    province: &'static str,
    city: u16,
}

/// Codes of cities, and the ways they are written.
struct Cities {
    codes: HashSet<u16>,
    /// By the first two characters of the name: no two begin alike.
    provinces: HashMap<String, &'static str>,
    named: Vec<Named>,
    /// Names that were looked up before.
    known: HashMap<String, Option<u16>>,
}

impl Cities {
    fn new() -> Self {
        let (mut codes, mut provinces, mut named) = (HashSet::new(), HashMap::new(), Vec::new());
        for region in regions::down_to_counties() {
            let (name, code) = (region.name, region.code);
            let Some(province) = code.get(..2) else { continue };
            let city = code.get(..4).and_then(|city| city.parse::<u16>().ok());
            match (code.len(), city) {
                (2, _) => {
                    provinces.insert(head(name), code);
                }
                (4, Some(city)) => {
                    codes.insert(city);
                    named.push(Named { name, province, city });
                }
                // 419001: right below the province.
                (6, Some(city)) if city % 100 == 90 => named.push(Named { name, province, city }),
                _ => {}
            }
        }
        Self { codes, provinces, named, known: HashMap::new() }
    }

    fn of_area(&mut self, area: &str) -> Option<u16> {
        let is_code = (4..=12).contains(&area.len()) && area.bytes().all(|b| b.is_ascii_digit());
        if !is_code {
            return self.of_name("", area);
        }
        let city = area.get(..4)?.parse().ok()?;
        self.codes.contains(&city).then_some(city)
    }

    fn of_name(&mut self, province: &str, city: &str) -> Option<u16> {
        let key = format!("{province}|{city}");
        if let Some(known) = self.known.get(&key) {
            return *known;
        }
        let found = self.look(province, city);
        if self.known.len() >= KNOWN_MAX {
            self.known.clear();
        }
        self.known.insert(key, found);
        found
    }

    fn is_municipality(&self, province: &str) -> bool {
        self.provinces.get(&head(province)).is_some_and(|code| MUNICIPALITIES.contains(code))
    }

    /// `湘西` is 湘西土家族苗族自治州, `海南` is the province unless the province is 青海, and a name that
    /// fits two cities is neither.
    fn look(&self, province: &str, city: &str) -> Option<u16> {
        for name in [province, city] {
            if self.is_municipality(name) {
                return format!("{}01", self.provinces.get(&head(name))?).parse().ok();
            }
        }
        let within = match is_told(province) {
            true => Some(*self.provinces.get(&head(province))?),
            false => None,
        };
        let wanted = stem(city);
        if wanted.chars().count() < 2 {
            return None;
        }
        let of_province = |one: &&Named| within.is_none_or(|code| code == one.province);
        let all = || self.named.iter().filter(of_province);
        only(all().filter(|one| stem(one.name) == wanted))
            .or_else(|| only(all().filter(|one| one.name.starts_with(wanted))))
    }
}

/// The one city of all of them.
fn only<'a>(mut found: impl Iterator<Item = &'a Named>) -> Option<u16> {
    let first = found.next()?.city;
    found.all(|one| one.city == first).then_some(first)
}

fn head(name: &str) -> String {
    name.chars().take(2).collect()
}

/// A name without what kind of place it is.
fn stem(name: &str) -> &str {
    let ends = ["自治州", "地区", "林区", "市", "盟", "州", "县"];
    let stem = ends.iter().find_map(|end| name.strip_suffix(end)).unwrap_or(name);
    if stem.chars().count() < 2 { name } else { stem }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn cities(rows: &str, address: &str) -> Option<u16> {
        read(rows.as_bytes()).unwrap().table.city(address.parse().unwrap())
    }

    #[test]
    fn every_form_is_read() {
        for (row, city) in [
            ("1.0.1.0,1.0.3.255,4301", Some(4301)),
            ("1.0.1.0 , 1.0.3.255 , 430121103", Some(4301)),
            ("\"1.0.1.0\",\"1.0.3.255\",\"长沙市\"", Some(4301)),
            ("1.0.0.0/22,4301", Some(4301)),
            ("1.0.1.1,4301", Some(4301)),
            ("1.0.1.0|1.0.3.255|中国|0|福建省|福州市|电信", Some(3501)),
            ("1.0.1.0|1.0.3.255|中国|华中|湖南省|湘西|0", Some(4331)),
            ("1.0.1.0|1.0.3.255|中国|湖南省|湘西|电信|CN", Some(4331)),
            ("1.0.1.0|1.0.3.255|中国|湖南省|长沙市|电信", Some(4301)),
            ("1.0.1.0|1.0.3.255|中国|0|西藏|阿里地区|移动", Some(5425)),
            ("1.0.1.0|1.0.3.255|中国|0|内蒙古|锡林郭勒盟|移动", Some(1525)),
            ("1.0.1.0|1.0.3.255|中国|0|新疆|石河子市|联通", Some(6590)),
            ("1.0.1.0|1.0.3.255|中国|0|青海省|海南|电信", Some(6325)),
            ("1.0.1.0|1.0.3.255|中国|0|北京|北京市|联通", Some(1101)),
            ("1.0.1.0|1.0.3.255|中国|重庆市|0|电信|CN", Some(5001)),
            ("1.0.1.0|1.0.3.255|中国|0|广东省|广州|电信", Some(4401)),
            ("1.0.1.0|1.0.3.255|中国|0|吉林省|吉林市|电信", Some(2202)),
            ("1.0.1.0|1.0.3.255|澳大利亚|0|0|0|0", None),
            ("1.0.1.0|1.0.3.255|中国|0|福建省|0|电信", None),
            ("1.0.1.0|1.0.3.255|中国|0|湖南省|某某市|电信", None),
        ] {
            assert_eq!(cities(row, "1.0.1.1"), city, "{row}");
        }
        let six = "2408:8400::|2408:84ff:ffff:ffff:ffff:ffff:ffff:ffff|中国|湖南省|长沙市|联通|CN";
        assert_eq!(cities(six, "2408:8412::1"), Some(4301));
    }

    #[test]
    fn what_is_left_out_is_told() {
        let rows = "\u{feff}起始,结束,地区\r\n# 2026\r\n\r\n1.0.0.0/24,4301\r\n1.0.1.0/24,4301\r\n\
            1.0.2.0|1.0.2.255|中国|0|湖南省|某某市|电信\n1.0.3.0|1.0.3.255|日本|0|0|0|0\n\
            1.0.4.0|1.0.4.255|中国|0|湖南省|某某市|联通\n1.0.5.0/24,9999\n2001:db8::/64,4301\n";
        let taken = read(rows.as_bytes()).unwrap();
        assert_eq!((taken.rows, taken.elsewhere, taken.fine, taken.unknown_rows), (7, 1, 1, 3));
        assert_eq!(taken.table.ranges(), 1, "neighbours in one city are one");
        let names: Vec<_> = taken.unknown.iter().map(|(name, n)| (name.as_str(), *n)).collect();
        assert_eq!(names, [("9999", 1), ("湖南省某某市", 2)]);
    }

    #[test]
    fn bad_rows_are_refused_with_their_line() {
        let refused = |rows: &str| read(rows.as_bytes()).unwrap_err().to_string();
        let heading = "first,last,area\n";
        for row in [
            "1.0.0.9,1.0.0.1,4301",
            "1.0.0.0,2001:db8::,4301",
            "1.0.0.1/24,4301",
            "1.0.0.0/33,4301",
            "1.0.0.256,4301",
            "1.0.0.0",
            "a,b,c",
            "1.0.0.0,1.0.0.9,4301,x",
            "1.0.0.0|1.0.0.9|中国",
            "1|2|3|4|5|6|7|8",
        ] {
            let told = refused(&format!("{heading}{row}\n"));
            assert!(told.contains("第 2 行看不懂"), "{row}: {told}");
        }
        let twice = format!("{heading}1.0.0.0/24,4301\n9.0.0.0/8,4401\n1.0.0.255,1.0.1.0,4301\n");
        assert!(refused(&twice).contains("第 4 行与第 2 行"), "{}", refused(&twice));
        let inside = "1.0.0.0/8,4301\n1.2.0.0/16,4301\n1.9.9.9,4401\n";
        assert!(refused(inside).contains("重叠"));
        let mut long = format!("{heading}1.0.0.0/24,");
        long.push_str(&"x".repeat(2_000));
        assert!(refused(&long).contains("第 2 行太长"));
        assert!(read(&b"\xff\xfe1"[..]).unwrap_err().to_string().contains("第 1 行"));
    }
}
