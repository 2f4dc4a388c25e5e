//! Addresses that a page refers to: on the appliance, or as files beside it on a plain web host.

use crate::texts::Lang;

/// Where a page lives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Home {
    /// On the appliance, below `/t/CODE`.
    Appliance,
    /// On a plain web host, as the files `T/CODE/index.html` and `T/CODE/en.html`.
    Mirror,
    /// There, too, as the file `lots/LOT/index.html`, which the codes of a lot's packages lead to.
    MirrorLot,
}

impl Home {
    /// Whether it is a plain web host, which takes nothing in and counts nothing.
    pub fn is_files(self) -> bool {
        self != Self::Appliance
    }
}

/// Addresses around the page of a code.
#[derive(Debug, Clone)]
pub(super) struct Links<'a> {
    /// Where the page lives.
    pub home: Home,
    /// Its language.
    pub lang: Lang,
    /// The code.
    pub code: &'a str,
    /// The code of what it shows: of a package's code that of its certificate, else the code itself.
    pub paper: &'a str,
    /// Where everybody finds the pages, without a slash at its end.
    pub base: String,
}

impl Links<'_> {
    /// From a file, the folder of the code.
    fn beside(&self) -> String {
        match self.home {
            Home::MirrorLot => format!("../../T/{}/", self.code),
            Home::Appliance | Home::Mirror => String::new(),
        }
    }

    /// From a file, the folder of all codes.
    fn above(&self) -> &'static str {
        if self.home == Home::MirrorLot { "../../T/" } else { "../" }
    }

    /// The same page in the other language.
    pub fn other(&self) -> String {
        match (self.home, self.lang.other()) {
            (Home::Appliance, lang) => format!("/t/{}{}", self.code, query(lang)),
            (Home::Mirror, Lang::Zh) => "./".to_owned(),
            (Home::Mirror, Lang::En) => "en.html".to_owned(),
            (Home::MirrorLot, Lang::Zh) => self.beside(),
            (Home::MirrorLot, Lang::En) => format!("{}en.html", self.beside()),
        }
    }

    /// The page in a language, from anywhere.
    pub fn whole(&self, lang: Lang) -> String {
        let (base, code) = (&self.base, self.code);
        match (self.home, lang) {
            (Home::Appliance, lang) => format!("{base}/t/{code}{}", query(lang)),
            (_, Lang::Zh) => format!("{base}/T/{code}/"),
            (_, Lang::En) => format!("{base}/T/{code}/en.html"),
        }
    }

    /// This very page, from anywhere.
    pub fn canonical(&self) -> String {
        self.whole(self.lang)
    }

    /// The picture that stands beside a link to the page, from anywhere.
    pub fn image(&self) -> String {
        match self.home {
            Home::Appliance => {
                format!("{}/t/{}/badge.svg{}", self.base, self.code, query(self.lang))
            }
            Home::Mirror | Home::MirrorLot => format!("{}/T/{}/label.svg", self.base, self.code),
        }
    }

    /// The page of another code.
    pub fn code(&self, code: &str) -> String {
        match (self.home, self.lang) {
            (Home::Appliance, lang) => format!("/t/{code}{}", query(lang)),
            (_, Lang::Zh) => format!("{}{code}/", self.above()),
            (_, Lang::En) => format!("{}{code}/en.html", self.above()),
        }
    }

    /// What the page shows, for programs.
    pub fn data(&self) -> String {
        match self.home {
            Home::Appliance => format!("/t/{}.json", self.code),
            Home::Mirror | Home::MirrorLot => format!("{}{}.json", self.above(), self.code),
        }
    }

    /// The label.
    pub fn label(&self) -> String {
        match self.home {
            Home::Appliance => format!("/t/{}/label.svg", self.code),
            Home::Mirror | Home::MirrorLot => format!("{}label.svg", self.beside()),
        }
    }

    /// The page that verifies proofs without network.
    pub fn verify(&self) -> &'static str {
        match self.home {
            Home::Appliance => "/verify",
            Home::Mirror | Home::MirrorLot => "../../verify.html",
        }
    }

    /// The county's public key.
    pub fn key(&self) -> &'static str {
        match self.home {
            Home::Appliance => "/keys/county.pem",
            Home::Mirror | Home::MirrorLot => "../../keys/county.pem",
        }
    }

    /// Where the number under a scratch layer is checked; a plain web host takes nothing in.
    pub fn scratch(&self) -> Option<String> {
        let path = || format!("/t/{}/scratch{}", self.code, query(self.lang));
        (self.home == Home::Appliance).then(path)
    }

    /// A picture by its digest.
    pub fn picture(&self, hash: &str) -> String {
        match self.home {
            Home::Appliance => format!("/t/{}/pictures/{hash}", self.code),
            Home::Mirror | Home::MirrorLot => format!("{}pictures/{hash}", self.beside()),
        }
    }

    /// Where consumers say what they think; a plain web host takes nothing in.
    pub fn feedback(&self) -> Option<String> {
        (self.home == Home::Appliance).then(|| format!("/t/{}/feedback", self.paper))
    }

    /// The same for a label that looks forged.
    pub fn fake(&self) -> Option<String> {
        self.feedback().map(|path| format!("{path}?kind=fake"))
    }
}

fn query(lang: Lang) -> &'static str {
    match lang {
        Lang::Zh => "",
        Lang::En => "?lang=en",
    }
}
