//! In which order a list stands. It is kept in the list's address, together with filters and page, so that a
//! link, the browser's "back" and a page without script show the same.
//!
//! Only what an index or the names in memory hold in order is offered: nobody sorts a whole county.

use askama::Template;

use super::filters;
use super::page::Chip;
use super::session::encode;
use crate::texts::t;

/// An order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sort {
    /// The newest first.
    Newest,
    /// The oldest first.
    Oldest,
    /// From A to Z: pinyin, then Latin letters as they are.
    Name,
    /// From Z to A.
    NameDown,
}

impl Sort {
    /// As addresses have it.
    const fn word(self) -> &'static str {
        match self {
            Self::Newest => "newest",
            Self::Oldest => "oldest",
            Self::Name => "name",
            Self::NameDown => "name_down",
        }
    }

    /// Key of its text.
    const fn text(self) -> &'static str {
        match self {
            Self::Newest => "order.newest",
            Self::Oldest => "order.oldest",
            Self::Name => "order.name",
            Self::NameDown => "order.name_down",
        }
    }
}

/// By time, the newest first when nothing is asked for.
pub const BY_TIME: &[Sort] = &[Sort::Newest, Sort::Oldest];
/// By name, from A to Z when nothing is asked for.
pub const BY_NAME: &[Sort] = &[Sort::Name, Sort::NameDown];
/// By both, the newest first when nothing is asked for.
pub const BY_BOTH: &[Sort] = &[Sort::Newest, Sort::Oldest, Sort::Name, Sort::NameDown];

/// The order of a list, and the way to the others.
#[derive(Debug, Clone, Template)]
#[template(path = "_order.html")]
pub struct Order {
    /// The list with its filters.
    address: String,
    offered: &'static [Sort],
    sort: Option<Sort>,
}

impl askama::filters::HtmlSafe for Order {}

impl Order {
    /// The order that `wanted` asks for, as far as it is offered, of the list at `address`.
    pub fn of(offered: &'static [Sort], wanted: &str, address: impl Into<String>) -> Self {
        let found = offered.iter().find(|sort| sort.word() == wanted);
        Self { address: address.into(), offered, sort: found.or(offered.first()).copied() }
    }

    /// A list that has one order only, such as hits of a search.
    pub fn fixed(address: impl Into<String>) -> Self {
        Self { address: address.into(), offered: &[], sort: None }
    }

    /// The order chosen.
    pub fn sort(&self) -> Option<Sort> {
        self.sort
    }

    /// Whether it is the one that stands when nothing is asked for.
    pub fn is_usual(&self) -> bool {
        self.sort == self.offered.first().copied()
    }

    /// Whether the largest sort key comes first.
    pub fn is_down(&self) -> bool {
        !matches!(self.sort, Some(Sort::Oldest | Sort::Name))
    }

    /// The list's address in this order.
    pub fn here(&self) -> String {
        match self.sort {
            Some(sort) => self.href(sort),
            None => self.address.clone(),
        }
    }

    /// What a form of the list sends along.
    pub fn word(&self) -> &'static str {
        if self.is_usual() { "" } else { self.sort.map_or("", Sort::word) }
    }

    /// Filters keep the order.
    pub fn keep(&self, chips: &mut [Chip]) {
        for chip in chips {
            chip.href = with_sort(&chip.href, self.word());
        }
    }

    /// The heading of the column with the time that the order goes by.
    pub fn time(&self, text: &'static str) -> Heading {
        self.heading(text, Sort::Oldest, Sort::Newest)
    }

    /// The heading of the column with the name.
    pub fn name(&self, text: &'static str) -> Heading {
        self.heading(text, Sort::Name, Sort::NameDown)
    }

    fn heading(&self, text: &'static str, up: Sort, down: Sort) -> Heading {
        let usual = self.offered.iter().find(|sort| [up, down].contains(sort));
        let (state, next) = match self.sort {
            Some(sort) if sort == up => ("ascending", Some(&down)),
            Some(sort) if sort == down => ("descending", Some(&up)),
            _ => ("", usual),
        };
        Heading { text, state, href: usual.and(next).map(|sort| self.href(*sort)) }
    }

    fn href(&self, sort: Sort) -> String {
        let is_usual = self.offered.first() == Some(&sort);
        with_sort(&self.address, if is_usual { "" } else { sort.word() })
    }

    /// Address, text and whether it is the one chosen, of every order there is.
    fn choices(&self) -> Vec<(String, &'static str, bool)> {
        let choice = |sort: &Sort| (self.href(*sort), t(sort.text()), self.sort == Some(*sort));
        self.offered.iter().map(choice).collect()
    }
}

fn with_sort(address: &str, word: &str) -> String {
    let glue = if address.contains('?') { '&' } else { '?' };
    if word.is_empty() {
        address.to_owned()
    } else {
        format!("{address}{glue}sort={}", encode(word))
    }
}

/// The heading of a column that may order its list.
#[derive(Debug, Template)]
#[template(
    source = r#"<th{% if !state.is_empty() %} aria-sort="{{ state }}"{% endif %}>{% if let Some(href) = href %}<a class="sort" href="{{ href }}">{{ text|t }}</a>{% else %}{{ text|t }}{% endif %}</th>"#,
    ext = "html"
)]
pub struct Heading {
    text: &'static str,
    state: &'static str,
    href: Option<String>,
}

impl askama::filters::HtmlSafe for Heading {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_address_keeps_filters_and_order() {
        let order = Order::of(BY_BOTH, "", "/operators?status=submitted");
        assert_eq!((order.sort(), order.word()), (Some(Sort::Newest), ""));
        assert_eq!(order.here(), "/operators?status=submitted");
        let head = order.time("order.newest").to_string();
        assert!(head.contains("aria-sort=\"descending\""), "{head}");
        assert!(head.contains("sort=oldest"), "{head}");
        let head = order.name("order.name").to_string();
        assert!(!head.contains("aria-sort") && head.contains("sort=name\""), "{head}");

        let order = Order::of(BY_BOTH, "name", "/operators");
        assert_eq!((order.here().as_str(), order.is_down()), ("/operators?sort=name", false));
        assert!(order.name("order.name").to_string().contains("sort=name_down"));
        assert!(order.time("order.newest").to_string().contains("href=\"/operators\""));
        let mut chips =
            [Chip { href: "/operators?status=x".into(), text: "x".into(), count: None, on: false }];
        order.keep(&mut chips);
        assert_eq!(chips[0].href, "/operators?status=x&sort=name");
    }

    #[test]
    fn what_is_not_offered_is_not_given() {
        let order = Order::of(BY_TIME, "name", "/lots");
        assert_eq!(order.sort(), Some(Sort::Newest));
        assert!(!order.name("order.name").to_string().contains("<a"));
        let fixed = Order::fixed("/operators");
        assert!(!fixed.time("order.newest").to_string().contains("<a"));
        assert_eq!(fixed.here(), "/operators");
    }
}
