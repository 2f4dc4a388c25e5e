//! A real browser: Debian's Chromium, driven by ChromeDriver over the WebDriver protocol.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::child::Running;
use crate::{appliance, http, place, until};

const CHROMEDRIVER: &str = "/usr/bin/chromedriver";
const CHROMIUM: &str = "/usr/bin/chromium";
const START_TIMEOUT: Duration = Duration::from_secs(60);
/// How long a page may take to show what is waited for.
const WAIT: Duration = Duration::from_secs(20);
/// The key under which the protocol keeps the id of an element.
const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";

/// One window of a browser of its own. Closed when dropped.
pub struct Browser {
    driver: Running,
    address: SocketAddr,
    session: String,
    profile: PathBuf,
}

/// An element of the page that was loaded when it was found.
#[derive(Debug, Clone)]
pub struct Element(String);

impl Browser {
    /// Starts Chromium without a screen.
    pub fn start(width: u32, height: u32) -> Result<Self> {
        ensure!(Path::new(CHROMIUM).exists(), "{CHROMIUM} is missing: apt-get install chromium");
        let address = place::local(place::free_port()?);
        let driver = Running::start("chromedriver", Path::new(CHROMEDRIVER), |command| {
            command.arg(format!("--port={}", address.port()));
        })?;
        until("ChromeDriver to be ready", START_TIMEOUT, || {
            Ok(http::get(address, "/status").ok().filter(|answer| answer.status == 200).map(|_| ()))
        })?;
        let profile = appliance::test_folder()?;
        let capabilities = json!({ "capabilities": { "alwaysMatch": {
            "goog:loggingPrefs": { "browser": "ALL" },
            "goog:chromeOptions": { "binary": CHROMIUM, "args": arguments(&profile, width, height) },
        } } });
        let mut browser = Self { driver, address, session: String::new(), profile };
        let made = browser.ask("POST", "/session", &capabilities)?;
        browser.session = made["sessionId"].as_str().context("no session id")?.to_owned();
        browser.set_size(width, height, false)?;
        Ok(browser)
    }

    /// Size of the visible page in CSS pixels; as on a phone with touch, or as on a desk.
    pub fn set_size(&self, width: u32, height: u32, phone: bool) -> Result<()> {
        let metrics = json!({
            "width": width, "height": height, "deviceScaleFactor": 1, "mobile": phone,
        });
        let command = json!({ "cmd": "Emulation.setDeviceMetricsOverride", "params": metrics });
        self.post("/goog/cdp/execute", &command).map(|_| ())
    }

    /// Opens a page and waits until it is loaded.
    pub fn open(&self, url: &str) -> Result<()> {
        self.post("/url", &json!({ "url": url })).map(|_| ())
    }

    /// Address of the page.
    pub fn url(&self) -> Result<String> {
        text(self.ask("GET", &self.path("/url"), &Value::Null)?)
    }

    /// All elements that a CSS selector finds now.
    pub fn all(&self, selector: &str) -> Result<Vec<Element>> {
        let by = json!({ "using": "css selector", "value": selector });
        self.elements(&by)
    }

    fn elements(&self, by: &Value) -> Result<Vec<Element>> {
        let found = self.post("/elements", by)?;
        let found = found.as_array().context("elements")?;
        Ok(found.iter().filter_map(|e| Some(Element(e[ELEMENT].as_str()?.to_owned()))).collect())
    }

    /// The first element that a CSS selector finds, as soon as there is one.
    pub fn find(&self, selector: &str) -> Result<Element> {
        let found = until(selector, WAIT, || Ok(self.all(selector)?.into_iter().next()));
        found.with_context(|| self.shown())
    }

    /// The first link or button whose words are these, or contain them when none is the same.
    pub fn find_words(&self, words: &str) -> Result<Element> {
        let is = format!("normalize-space()='{words}'");
        let has = format!("contains(normalize-space(),'{words}')");
        let kinds = "self::a or self::button or self::summary";
        let exact = json!({ "using": "xpath", "value": format!("//*[({kinds}) and {is}]") });
        let loose = json!({ "using": "xpath", "value": format!("//*[({kinds}) and {has}]") });
        let found = until(words, WAIT, || {
            let found = self.elements(&exact)?.into_iter().next();
            found.map_or_else(|| Ok(self.elements(&loose)?.into_iter().next()), |e| Ok(Some(e)))
        });
        found.with_context(|| self.shown())
    }

    /// Clicks a link or button by its words.
    pub fn click_words(&self, words: &str) -> Result<()> {
        let element = self.find_words(words)?;
        self.click(&element).with_context(|| format!("click {words}"))
    }

    /// Clicks an element, as a person would, who moves it out from under the bar at the foot of a phone
    /// first: an element that is covered even then cannot be clicked.
    pub fn click(&self, element: &Element) -> Result<()> {
        let centre = "arguments[0].scrollIntoView({ block: 'center' })";
        self.run(centre, &json!([{ ELEMENT: element.0 }]))?;
        self.post(&format!("/element/{}/click", element.0), &json!({})).map(|_| ())
    }

    /// Clicks what a CSS selector finds first.
    pub fn click_css(&self, selector: &str) -> Result<()> {
        let element = self.find(selector)?;
        self.click(&element).with_context(|| format!("click {selector}"))
    }

    /// Replaces what is in a field of a form (a CSS selector), by its name.
    pub fn fill(&self, form: &str, name: &str, value: &str) -> Result<()> {
        let element = self.find(&field(form, name))?;
        self.post(&format!("/element/{}/clear", element.0), &json!({}))?;
        self.type_into(&element, value).with_context(|| format!("fill {name} of {form}"))
    }

    /// Types into an element.
    pub fn type_into(&self, element: &Element, text: &str) -> Result<()> {
        let keys = json!({ "text": text });
        self.post(&format!("/element/{}/value", element.0), &keys).map(|_| ())
    }

    /// Sets a date field, whatever the way of typing dates in this browser's language.
    pub fn fill_date(&self, form: &str, name: &str, date: &str) -> Result<()> {
        let selector = field(form, name);
        self.find(&selector)?;
        let script = "const e=document.querySelector(arguments[0]);e.value=arguments[1];\
                      e.dispatchEvent(new Event('change',{bubbles:true}));return e.value;";
        let set = self.run(script, &json!([selector, date]))?;
        ensure!(set == date, "{name} took {set} for {date}");
        Ok(())
    }

    /// Chooses the option of a select, the radio button or the box whose words contain these; one
    /// that is chosen already is left alone.
    pub fn choose(&self, form: &str, name: &str, words: &str) -> Result<()> {
        let script = "const [form,name,words]=arguments;\
            const f=[...document.querySelectorAll(form)];const n=`[name='${name}']`;\
            const o=f.flatMap(e=>[...e.querySelectorAll(`select${n} option`)]);\
            const i=f.flatMap(e=>[...e.querySelectorAll(`input${n}`)]).map(e=>e.closest('label'));\
            const e=[...o,...i].find(e=>e&&e.textContent.includes(words))||null;\
            return e&&(e.selected||e.querySelector('input:checked'))?true:e;";
        let arguments = json!([form, name, words]);
        let chosen = until(&format!("{words} among {name} of {form}"), WAIT, || {
            let found = self.run(script, &arguments)?;
            let element = found[ELEMENT].as_str().map(|id| Element(id.to_owned()));
            Ok((found == true || element.is_some()).then_some(element))
        });
        match chosen.with_context(|| self.shown())? {
            Some(e) => self.click(&e).with_context(|| format!("choose {words} for {name}")),
            None => Ok(()),
        }
    }

    /// Presses the button of a form whose words contain these.
    pub fn press(&self, form: &str, words: &str) -> Result<()> {
        let script = "const [form,words]=arguments;return [...document.querySelectorAll(form)]\
            .flatMap(e=>[...e.querySelectorAll('button')]).find(e=>e.textContent.includes(words))||null;";
        let button = until(&format!("button {words} of {form}"), WAIT, || {
            let found = self.run(script, &json!([form, words]))?;
            Ok(found[ELEMENT].as_str().map(|id| Element(id.to_owned())))
        });
        let button = button.with_context(|| self.shown())?;
        self.click(&button).with_context(|| format!("press {words} of {form}"))
    }

    /// Text of an element as shown.
    pub fn text_of(&self, element: &Element) -> Result<String> {
        text(self.ask("GET", &self.path(&format!("/element/{}/text", element.0)), &Value::Null)?)
    }

    /// Text of what a CSS selector finds first.
    pub fn text(&self, selector: &str) -> Result<String> {
        self.text_of(&self.find(selector)?)
    }

    /// Waits until the page shows a text.
    pub fn wait_for(&self, words: &str) -> Result<()> {
        let shown = until(words, WAIT, || {
            let text =
                self.run("return document.body ? document.body.innerText : ''", &json!([]))?;
            Ok(text.as_str().is_some_and(|text| text.contains(words)).then_some(()))
        });
        shown.with_context(|| self.shown())
    }

    /// Waits until the address of the page contains a text.
    pub fn wait_for_url(&self, part: &str) -> Result<String> {
        until(part, WAIT, || Ok(Some(self.url()?).filter(|url| url.contains(part))))
            .with_context(|| self.shown())
    }

    /// Runs a script in the page.
    pub fn run(&self, script: &str, arguments: &Value) -> Result<Value> {
        self.post("/execute/sync", &json!({ "script": script, "args": arguments }))
    }

    /// Writes what is visible as `NAME.png` below `target/screenshots`.
    pub fn screenshot(&self, name: &str) -> Result<PathBuf> {
        let folder = place::root().join("target/screenshots");
        std::fs::create_dir_all(&folder)?;
        let picture = text(self.ask("GET", &self.path("/screenshot"), &Value::Null)?)?;
        let path = folder.join(format!("{name}.png"));
        std::fs::write(&path, STANDARD.decode(picture)?)?;
        Ok(path)
    }

    /// Warnings and errors of the page's console since the last call: scripts that failed, files that
    /// are missing, things that the content security policy forbade.
    pub fn complaints(&self) -> Result<Vec<String>> {
        let log = self.post("/se/log", &json!({ "type": "browser" }))?;
        let log = log.as_array().context("log")?;
        let bad = log.iter().filter(|line| line["level"] == "SEVERE" || line["level"] == "WARNING");
        Ok(bad.filter_map(|line| Some(line["message"].as_str()?.to_owned())).collect())
    }

    /// Address and text of the page, for an error.
    fn shown(&self) -> String {
        let text = self.run("return document.body ? document.body.innerText : ''", &json!([]));
        let text = text.unwrap_or_default();
        let picture = self.screenshot("failure").unwrap_or_default();
        let url = self.url().unwrap_or_default();
        let text = text.as_str().unwrap_or_default();
        format!("at {url} ({}), which shows:\n{text}", picture.display())
    }

    fn path(&self, rest: &str) -> String {
        format!("/session/{}{rest}", self.session)
    }

    fn post(&self, path: &str, body: &Value) -> Result<Value> {
        self.ask("POST", &self.path(path), body)
    }

    fn ask(&self, method: &str, path: &str, body: &Value) -> Result<Value> {
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let headers = [("Content-Type", "application/json")];
        let answer = http::send(self.address, method, path, &headers, body.as_bytes())?;
        let value = answer.json()?["value"].take();
        if answer.status != 200 {
            bail!("{method} {path} {body}: {} {}", value["error"], value["message"]);
        }
        Ok(value)
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        if !self.session.is_empty() {
            let _ = self.ask("DELETE", &self.path(""), &Value::Null);
        }
        self.driver.kill();
        let _ = std::fs::remove_dir_all(&self.profile);
    }
}

/// Nothing that would reach beyond this machine.
fn arguments(profile: &Path, width: u32, height: u32) -> Vec<String> {
    let fixed = [
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-quic",
        "--disable-dev-shm-usage",
        "--no-first-run",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
        "--hide-scrollbars",
        "--lang=zh-CN",
    ];
    let mut arguments: Vec<String> = fixed.map(str::to_owned).to_vec();
    arguments.push(format!("--user-data-dir={}", profile.display()));
    arguments.push(format!("--window-size={width},{height}"));
    arguments
}

fn field(form: &str, name: &str) -> String {
    format!("{form} [name='{name}']:not([type='hidden'])")
}

fn text(value: Value) -> Result<String> {
    value.as_str().map(str::to_owned).with_context(|| format!("expected a text, got {value}"))
}
