//! Public holidays and make-up days, as the State Council names them for each year: the clocks of law art
//! 51 count working days.

use serde::Deserialize;
use tianyin_domain::Date;
use tianyin_domain::calendar::Calendar;

use super::{About, Mark, TableFile};

/// Days of one holiday at most.
const DAYS_MAX: usize = 30;

/// `data/holidays.toml`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Holidays {
    about: About,
    /// Years.
    #[serde(default, rename = "year")]
    pub years: Vec<Year>,
    #[serde(skip)]
    calendar: Calendar,
}

/// The arrangement of one year.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Year {
    /// Year.
    pub year: i16,
    /// Document.
    pub source: String,
    /// Holidays.
    #[serde(default, rename = "off")]
    pub off: Vec<Off>,
    /// Weekend days that are worked on.
    #[serde(default)]
    pub on: Vec<Date>,
    /// How sure.
    #[serde(default)]
    pub mark: Mark,
}

/// One holiday.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Off {
    /// Name.
    pub name: String,
    /// First day.
    pub from: Date,
    /// Last day.
    pub to: Date,
}

impl Off {
    fn days(&self) -> impl Iterator<Item = Date> + '_ {
        let days = std::iter::successors(Some(self.from), |day| day.tomorrow().ok());
        days.take_while(|day| *day <= self.to).take(DAYS_MAX)
    }
}

impl Holidays {
    /// What is known of working days.
    pub fn calendar(&self) -> &Calendar {
        &self.calendar
    }
}

impl TableFile for Holidays {
    const NAME: &'static str = "holidays";

    fn about(&self) -> &About {
        &self.about
    }

    fn rows(&self) -> usize {
        self.years.iter().map(|year| year.off.len() + year.on.len()).sum()
    }

    fn faults(&self) -> Vec<String> {
        let mut faults = Vec::new();
        for year in &self.years {
            for off in &year.off {
                let long = off.days().count() >= DAYS_MAX;
                if off.to < off.from || long {
                    faults.push(format!(
                        "{} of {} ends before it begins or is too long",
                        off.name, year.year
                    ));
                }
                // New Year's holiday may reach into the year before.
                if off.to.year() != year.year {
                    faults.push(format!("{} is not of {}", off.name, year.year));
                }
            }
            for day in &year.on {
                if year.off.iter().any(|off| (off.from..=off.to).contains(day)) {
                    faults.push(format!("{day} is both off and worked on"));
                }
            }
            if self.years.iter().filter(|one| one.year == year.year).count() > 1 {
                faults.push(format!("{} is there twice", year.year));
            }
        }
        faults
    }

    fn index(&mut self) {
        self.calendar = Calendar {
            years: self.years.iter().map(|year| year.year).collect(),
            off: self.years.iter().flat_map(|year| &year.off).flat_map(Off::days).collect(),
            on: self.years.iter().flat_map(|year| year.on.iter().copied()).collect(),
        };
    }
}
