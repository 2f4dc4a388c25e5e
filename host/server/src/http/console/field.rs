//! A field of a form as it is drawn: label, control, error and hint bound together.

use askama::Template;

use super::filters::{self, Word};
use crate::texts::t;

/// A field as it is drawn.
#[derive(Debug, Clone, Template)]
#[template(path = "_field.html")]
pub struct Field {
    id: String,
    name: String,
    kind: &'static str,
    /// Label in words.
    pub label: String,
    /// Value as entered.
    pub value: String,
    /// What is wrong with it.
    pub error: Option<String>,
    /// Entries of a list or boxes.
    pub choices: Vec<Choice>,
    /// Keyboard of a phone.
    pub mode: &'static str,
    hint: Option<String>,
    required: bool,
    max: Option<u32>,
    auto: &'static str,
    live: Option<Live>,
    focus: bool,
}

impl askama::filters::HtmlSafe for Field {}

/// A part of the page that htmx fetches anew when the field changes.
#[derive(Debug, Clone)]
struct Live {
    address: String,
    target: String,
    trigger: &'static str,
}

impl Field {
    /// An empty field; `kind` is that of `_field.html`.
    pub fn new(id: String, name: &str, kind: &'static str) -> Self {
        Self {
            id,
            name: name.into(),
            kind,
            label: String::new(),
            value: String::new(),
            error: None,
            choices: Vec::new(),
            mode: "",
            hint: None,
            required: false,
            max: None,
            auto: "off",
            live: None,
            focus: false,
        }
    }

    /// Must be filled in.
    pub fn required(mut self) -> Self {
        self.required = true;
        self
    }

    /// Digits only: the number pad of a phone.
    pub fn digits(mut self) -> Self {
        self.mode = "numeric";
        self
    }

    /// Longest value, in characters.
    pub fn max(mut self, chars: u32) -> Self {
        self.max = Some(chars);
        self
    }

    /// A note below, by key of the catalogue.
    pub fn hint(mut self, key: &str) -> Self {
        self.hint = Some(t(key).to_owned());
        self
    }

    /// A note below, in words.
    pub fn note(mut self, text: &str) -> Self {
        self.hint = Some(text.to_owned()).filter(|h| !h.is_empty());
        self
    }

    /// Another label, by key of the catalogue.
    pub fn label(mut self, key: &str) -> Self {
        self.label = t(key).to_owned();
        self
    }

    /// What the browser may fill in by itself.
    pub fn auto(mut self, token: &'static str) -> Self {
        self.auto = token;
        self
    }

    /// The field to begin with.
    pub fn focus(mut self) -> Self {
        self.focus = true;
        self
    }

    /// Fetches `address` into `target` whenever the value changes.
    pub fn live(mut self, address: &str, target: &str) -> Self {
        let trigger = if self.kind == "select" { "change" } else { "input changed delay:300ms" };
        self.live = Some(Live { address: address.into(), target: target.into(), trigger });
        self
    }

    fn is_chosen(&self, choice: &Choice) -> bool {
        choice.chosen || choice.value == self.value
    }

    fn described_by(&self) -> String {
        let mut ids = Vec::new();
        if self.error.is_some() {
            ids.push(format!("{}-error", self.id));
        }
        if self.hint.is_some() {
            ids.push(format!("{}-hint", self.id));
        }
        ids.join(" ")
    }
}

/// One entry of a list to choose from.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Choice {
    /// What is sent.
    pub value: String,
    /// What is read.
    pub label: String,
    /// Whether it is ticked, in a list of boxes.
    pub chosen: bool,
}

impl Choice {
    /// A choice.
    pub fn new(value: impl Into<String>, label: impl Into<String>) -> Self {
        Self { value: value.into(), label: label.into(), chosen: false }
    }

    /// The choices of an enumeration, in its order.
    pub fn words<T: Word>(all: &[T]) -> Vec<Self> {
        all.iter().map(|one| Self::new(one.api_word(), one.word())).collect()
    }
}
