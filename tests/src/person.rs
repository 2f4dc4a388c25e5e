//! Somebody at a browser, step by step. A step that fails is the end of its test.
#![allow(clippy::unwrap_used, reason = "for tests only, which tell the place")]

use serde_json::json;

use crate::Appliance;
use crate::webdriver::Browser;

/// Window of a desk, width and height.
pub const DESK: (u32, u32) = (1366, 900);
/// Window of a phone.
pub const PHONE: (u32, u32) = (390, 844);

/// A browser that looks at one appliance, step by step.
pub struct Person<'a> {
    /// The browser.
    pub browser: &'a Browser,
    /// Where the appliance is, without a slash at the end.
    pub address: String,
}

impl<'a> Person<'a> {
    /// Somebody who looks at a running appliance.
    pub fn at(browser: &'a Browser, appliance: &Appliance) -> Self {
        Self { browser, address: format!("http://{}", appliance.setting.http) }
    }

    /// Signs in, and waits for what the page then says.
    pub fn sign_in(&self, username: &str, password: &str, then: &str) {
        self.go("/sign-in");
        let form = "form[action='/sign-in']";
        self.fill(form, &[("username", username), ("password", password)]);
        self.press(form, "登录", then);
    }

    /// Path of the page, once its address contains a text.
    pub fn path(&self, part: &str) -> String {
        let url = self.browser.wait_for_url(part).unwrap();
        let path = url.strip_prefix(&self.address).unwrap_or(&url);
        path.split(['?', '#']).next().unwrap_or_default().to_owned()
    }

    /// Opens a page by its path.
    pub fn go(&self, path: &str) {
        self.browser.open(&format!("{}{path}", self.address)).unwrap();
    }

    /// Presses a button of a form and waits for what the page then says.
    pub fn press(&self, form: &str, button: &str, then: &str) {
        self.browser.press(form, button).unwrap();
        self.browser.wait_for(then).unwrap();
    }

    /// Types into fields of a form, by their names.
    pub fn fill(&self, form: &str, fields: &[(&str, &str)]) {
        for (name, value) in fields {
            self.browser.fill(form, name, value).unwrap();
        }
    }

    /// Keeps pictures of the page as on a desk and on a phone; it may be too wide for neither.
    pub fn picture(&self, name: &str) {
        for (suffix, (width, height), phone) in [("desk", DESK, false), ("phone", PHONE, true)] {
            self.browser.set_size(width, height, phone).unwrap();
            self.browser.run("window.scrollTo(0, 0)", &json!([])).unwrap();
            self.browser.screenshot(&format!("{name}-{suffix}")).unwrap();
            let wide = "return document.documentElement.scrollWidth-window.innerWidth";
            let too_wide = self.browser.run(wide, &json!([])).unwrap().as_i64().unwrap();
            assert!(too_wide <= 0, "{name} on a {suffix} is {too_wide} pixels too wide");
        }
        self.browser.set_size(DESK.0, DESK.1, false).unwrap();
    }
}
