//! A county's whole register: how long a sheet of 10,000 operators takes from the file to the journal, and
//! how long a clerk then waits for lists and searches among 20,000. Times are those of the whole answer.

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use tianyin_tests::appliance::Setting;
use tianyin_tests::{Appliance, http};

use super::{Line, Must};

/// Operators of one sheet.
const ROWS: usize = 10_000;
/// Accounts of the county's agencies, stations and service points.
const USERS: usize = 500;
/// Times that a page is asked for.
const ASKED: usize = 40;
/// Pages of the console, first by what is waited for, then with what is typed.
const LISTS: [&str; 4] = ["/operators", "/operators?status=submitted", "/lots", "/accesses"];
const OFFICES: [&str; 3] = ["/users", "/agencies", "/cells"];
const SEARCHES: [&str; 4] = ["测试合作社 19999", "cshzs", "91430321", "没有这样的"];

pub(super) fn measure() -> Result<Vec<Line>> {
    let appliance = Appliance::start_with(Setting::new()?)?;
    let browser = Browser::sign_in(&appliance, "admin")?;
    let mut import_s = 0.0;
    for sheet in 0..2 {
        let started = Instant::now();
        browser.import(&rows(sheet * ROWS))?;
        import_s = started.elapsed().as_secs_f64();
    }
    browser.add_users()?;
    let (lists, offices) = (LISTS.map(str::to_owned), OFFICES.map(str::to_owned));
    let searches = SEARCHES.map(|text| format!("/operators?q={}", http::encode(text)));
    let must = |limit| Some(Must::Below(limit));
    Ok(vec![
        Line {
            what: "import of 10,000 operators after 10,000",
            value: import_s,
            unit: "s",
            must: must(30.0),
        },
        Line {
            what: "lists with 20,000 operators, p95",
            value: browser.p95_ms(&lists)?,
            unit: "ms",
            must: must(50.0),
        },
        Line {
            what: "users, agencies, cells with 500 users, p95",
            value: browser.p95_ms(&offices)?,
            unit: "ms",
            must: must(50.0),
        },
        Line {
            what: "search among 20,000 operators, p95",
            value: browser.p95_ms(&searches)?,
            unit: "ms",
            must: must(50.0),
        },
    ])
}

/// A sheet, half of it farmers.
fn rows(first: usize) -> String {
    let mut sheet = String::from("名称,类型,统一社会信用代码,乡镇,详细地址,联系人,联系电话\n");
    for n in first..first + ROWS {
        let (kind, name, uscc) = match n % 2 {
            0 => ("农户", format!("测试农户 {n}"), String::new()),
            _ => ("农民专业合作社", format!("测试合作社 {n}"), uscc(n)),
        };
        let _ = writeln!(sheet, "{name},{kind},{uscc},430321103,日华村 {n} 号,联系人{n},138{n:08}");
    }
    sheet
}

/// A credit code with its check character (GB 32100-2015).
fn uscc(n: usize) -> String {
    const DIGITS: &[u8; 31] = b"0123456789ABCDEFGHJKLMNPQRTUWXY";
    let code = format!("93430321{n:09}");
    let mut weight = 1;
    let sum: usize = code
        .bytes()
        .map(|digit| {
            let term = usize::from(digit - b'0') * weight;
            weight = weight * 3 % 31;
            term
        })
        .sum();
    format!("{code}{}", char::from(DIGITS[(31 - sum % 31) % 31]))
}

/// A browser that is signed in.
pub(super) struct Browser {
    address: SocketAddr,
    cookie: String,
    form_token: String,
}

impl Browser {
    pub(super) fn sign_in(appliance: &Appliance, username: &str) -> Result<Self> {
        let address = appliance.setting.http;
        let fields = http::form(&[("username", username), ("password", appliance.demo.password())]);
        let headers = [("Content-Type", "application/x-www-form-urlencoded")];
        let answer = http::send(address, "POST", "/sign-in", &headers, fields.as_bytes())?;
        let cookie = answer.header("set-cookie").context("no session")?;
        let cookie = cookie.split(';').next().unwrap_or_default().to_owned();
        let mut browser = Self { address, cookie, form_token: String::new() };
        let page = browser.get("/account")?;
        let token = page.split("data-token=\"").nth(1).and_then(|rest| rest.split('"').next());
        browser.form_token = token.context("no form token")?.to_owned();
        Ok(browser)
    }

    fn get(&self, path: &str) -> Result<String> {
        let answer = http::send(self.address, "GET", path, &[("Cookie", &self.cookie)], &[])?;
        ensure!(answer.status == 200, "{path}: {}", answer.status);
        Ok(answer.text())
    }

    fn add_users(&self) -> Result<()> {
        let headers = [
            ("Cookie", self.cookie.as_str()),
            ("Content-Type", "application/x-www-form-urlencoded"),
        ];
        for n in 0..USERS {
            let fields = http::form(&[
                ("form_token", &self.form_token),
                ("name", &format!("测试人员{n}")),
                ("username", &format!("test{n}")),
                ("role", "clerk"),
                ("password", "measured-horse-9"),
            ]);
            let answer = http::send(self.address, "POST", "/users", &headers, fields.as_bytes())?;
            ensure!(answer.status == 303, "user {n}: {}", answer.text());
        }
        Ok(())
    }

    /// Sends a sheet, accepts what was checked, and approves it.
    fn import(&self, sheet: &str) -> Result<()> {
        let mut body = String::new();
        for (name, file, value) in
            [("form_token", "", self.form_token.as_str()), ("file", "; filename=\"a.csv\"", sheet)]
        {
            let _ = write!(
                body,
                "--X\r\nContent-Disposition: form-data; name=\"{name}\"{file}\r\n\r\n{value}\r\n"
            );
        }
        body += "--X--\r\n";
        let headers =
            [("Cookie", self.cookie.as_str()), ("Content-Type", "multipart/form-data; boundary=X")];
        let answer =
            http::send(self.address, "POST", "/operators/import", &headers, body.as_bytes())?;
        let to = answer.header("location").with_context(|| answer.text())?.to_owned();
        let fields = http::form(&[("form_token", self.form_token.as_str()), ("approve", "1")]);
        let headers = [
            ("Cookie", self.cookie.as_str()),
            ("Content-Type", "application/x-www-form-urlencoded"),
        ];
        let answer = http::send(self.address, "POST", &to, &headers, fields.as_bytes())?.text();
        ensure!(answer.contains(&format!("<b>{ROWS}</b>")), "not all were registered: {answer}");
        Ok(())
    }

    /// The 95th part of a hundred of the times of these pages.
    pub(super) fn p95_ms(&self, paths: &[String]) -> Result<f64> {
        let mut times_ms = Vec::new();
        for _ in 0..ASKED {
            for path in paths {
                let started = Instant::now();
                self.get(path)?;
                times_ms.push(started.elapsed().as_secs_f64() * 1000.0);
            }
        }
        times_ms.sort_by(f64::total_cmp);
        times_ms.get(times_ms.len() * 95 / 100).copied().context("nothing was measured")
    }
}
