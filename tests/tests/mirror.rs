//! The static mirror: the folder that the real binary keeps up, served by a plain nginx, and the scans in that
//! nginx's log.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::{Value, json};
use tianyin_tests::appliance::{Setting, test_folder};
use tianyin_tests::child::Running;
use tianyin_tests::{Appliance, http, place, until};

const WAIT: Duration = Duration::from_secs(60);

/// nginx on a folder. Stopped in order when dropped: killed, it would leave its workers behind.
struct Nginx {
    address: SocketAddr,
    log: PathBuf,
    running: Running,
}

impl Drop for Nginx {
    fn drop(&mut self) {
        let _ = self.running.stop(WAIT);
    }
}

impl Nginx {
    /// With these servers, in which `LISTEN` and `LOG` stand for what is free here.
    fn start(servers: &str) -> Self {
        let folder = test_folder().unwrap();
        let address = place::local(place::free_port().unwrap());
        let log = folder.join("access.log");
        let servers = servers
            .replace("LISTEN", &address.to_string())
            .replace("LOG", &log.display().to_string());
        let here = folder.display();
        let config = format!(
            "daemon off; user root; worker_processes 1; pid {here}/pid; error_log {here}/error.log;\n\
             events {{ worker_connections 64; }}\n\
             http {{ types {{ text/html html; application/json json; image/svg+xml svg; }}\n\
             client_body_temp_path {here}/b; proxy_temp_path {here}/p; fastcgi_temp_path {here}/f;\n\
             uwsgi_temp_path {here}/u; scgi_temp_path {here}/s;\n{servers}\n}}\n"
        );
        std::fs::write(folder.join("nginx.conf"), config).unwrap();
        let running = Running::start("nginx", &program(), |command| {
            command.arg("-e").arg(folder.join("error.log"));
            command.arg("-c").arg(folder.join("nginx.conf"));
        })
        .unwrap();
        let nginx = Self { address, log, running };
        until("nginx to serve", WAIT, || Ok(http::get(address, "/robots.txt").ok()))
            .unwrap_or_else(|e| panic!("{e:#}: {}", nginx.running.output()));
        nginx
    }

    fn get(&self, path: &str) -> http::Answer {
        http::get(self.address, path).unwrap()
    }
}

fn program() -> PathBuf {
    let places = ["/usr/sbin/nginx", "/usr/bin/nginx", "/usr/local/sbin/nginx"];
    places.map(PathBuf::from).into_iter().find(|path| path.exists()).expect("nginx is missing")
}

/// The demo county with a mirror, and the mirror's folder.
fn appliance() -> (Appliance, PathBuf) {
    let www = test_folder().unwrap().join("www");
    let setting = Setting::new().unwrap().with("MIRROR_DIR", www.display());
    (Appliance::start_with(setting).unwrap(), www)
}

fn issue(appliance: &Appliance) -> String {
    let lot = &appliance.demo.lot("小白菜").unwrap().id;
    let request = json!({ "lot": lot, "quantity": "1", "basis": ["quality_control"] });
    let made = appliance.api("clerk").unwrap().done("/certificates", &request).unwrap();
    made["content"]["code"].as_str().unwrap().to_owned()
}

fn wait_for(path: &Path) {
    until("a file of the mirror", WAIT, || Ok(path.exists().then_some(()))).unwrap();
}

fn told(appliance: &Appliance, arguments: &[&str]) -> Value {
    serde_json::from_str(&appliance.run(arguments).unwrap()).unwrap()
}

#[test]
fn a_plain_nginx_serves_the_same_page_and_shows_a_void() {
    let (appliance, www) = appliance();
    let code = issue(&appliance);
    wait_for(&www.join(format!("T/{code}/index.html")));
    let root = www.display();
    let nginx = Nginx::start(&format!("server {{ listen LISTEN; root {root}; access_log LOG; }}"));

    // As a phone comes by the QR code.
    let scanned = nginx.get(&format!("/T/{code}"));
    assert_eq!(scanned.status, 301);
    assert!(scanned.header("location").unwrap().ends_with(&format!("/T/{code}/")));
    let page = nginx.get(&format!("/T/{code}/")).expect(200).unwrap();
    assert_eq!(page.header("content-type"), Some("text/html"));
    assert!(page.text().contains("真实有效"));
    // An export beside the running service says the same, byte by byte.
    let other = test_folder().unwrap().join("other");
    let exported = told(&appliance, &["mirror", "export", other.to_str().unwrap(), "--json"]);
    assert_eq!((&exported["pages"], &exported["faults"]), (&json!(1), &json!(0)));
    let file = other.join(format!("T/{code}/index.html"));
    assert_eq!(std::fs::read(&file).unwrap(), page.body);
    let kept = appliance.finish(&["mirror", "export", www.to_str().unwrap()]).unwrap();
    assert!(kept.code == Some(1) && kept.stderr.contains("自动更新"), "{kept:?}");

    nginx.get(&format!("/T/{code}/en.html")).expect(200).unwrap();
    let label = nginx.get(&format!("/T/{code}/label.svg")).expect(200).unwrap();
    assert_eq!(label.header("content-type"), Some("image/svg+xml"));
    let data = nginx.get(&format!("/T/{code}.json")).expect(200).unwrap().json().unwrap();
    assert_eq!((&data["code"], &data["status"]), (&json!(code), &json!("valid")));
    nginx.get("/keys/county.pem").expect(200).unwrap();
    nginx.get("/T/0000000000000000/").expect(404).unwrap();

    let void = json!({ "reason": "数量填错" });
    appliance.api("clerk").unwrap().done(&format!("/certificates/{code}/void"), &void).unwrap();
    until("the void", WAIT, || {
        let page = nginx.get(&format!("/T/{code}/")).text();
        Ok((page.contains("已作废") && page.contains("数量填错")).then_some(()))
    })
    .unwrap();
}

#[test]
fn the_example_serves_and_its_log_is_counted_once() {
    let (mut appliance, www) = appliance();
    let code = issue(&appliance);
    wait_for(&www.join(format!("T/{code}/index.html")));
    wait_for(&www.join("nginx.conf.example"));
    let example = std::fs::read_to_string(www.join("nginx.conf.example")).unwrap();
    let servers = example
        .replace("listen 80;", "listen LISTEN;")
        .replace("/var/www/trace;", &format!("{};", www.display()))
        .replace("/var/log/nginx/trace.log", "LOG");
    assert!(servers.contains("listen LISTEN;") && servers.contains("access_log LOG"), "{servers}");
    let nginx = Nginx::start(&servers);

    let lost = nginx.get("/T/0000000000000000");
    assert_eq!(lost.status, 404);
    assert!(lost.text().contains("查无此码"), "{}", lost.text());
    assert_eq!(nginx.get("/.tianyin-mirror").status, 404);
    assert_eq!(nginx.get("/T/").status, 403, "no list of codes");
    let lower = nginx.get(&format!("/t/{code}"));
    assert_eq!((lower.status, lower.header("location").unwrap()), (301, &*format!("/T/{code}")));
    let page = nginx.get(&format!("/T/{code}/")).expect(200).unwrap();
    assert_eq!(page.header("content-type"), Some("text/html; charset=utf-8"));
    assert_eq!(page.header("cache-control"), Some("no-cache"));

    // Two people and a program; the redirects and the English page are no scans.
    nginx.get(&format!("/T/{code}"));
    nginx.get(&format!("/T/{code}/")).expect(200).unwrap();
    nginx.get(&format!("/T/{code}/en.html")).expect(200).unwrap();
    let bot = [("User-Agent", "Mozilla/5.0 (compatible; Baiduspider/2.0)")];
    http::send(nginx.address, "GET", &format!("/T/{code}/"), &bot, &[]).unwrap();
    until("the lines of the log", WAIT, || {
        let log = std::fs::read_to_string(&nginx.log).unwrap_or_default();
        Ok(log.contains("Baiduspider").then_some(()))
    })
    .unwrap();
    let log = nginx.log.to_str().unwrap();
    let import = ["mirror", "import-log", log, "--name", "web-1", "--json"];
    let first = told(&appliance, &import);
    assert_eq!((&first["scans"], &first["bots"], &first["bad"]), (&json!(2), &json!(1), &json!(0)));
    assert_eq!(told(&appliance, &import)["scans"], 0);
    appliance.stop().unwrap();
    let stopped = told(&appliance, &import);
    assert_eq!((&stopped["scans"], &stopped["known"]), (&json!(0), &stopped["lines"]));
    let status = told(&appliance, &["mirror", "status", "--json"]);
    assert_eq!(status["logs"][0]["scans"], 2, "{status}");
}

/// A pack of 1,000 codes, the first of them bound to a lot and one of those void; the codes, in order.
fn pack(appliance: &Appliance, lot: &str) -> (String, Vec<String>) {
    let admin = appliance.api("admin").unwrap();
    let order = json!({ "kind": "unit", "size": 1000 });
    let made = admin.done("/packs", &order).unwrap();
    let pack = format!("/packs/{}", made["id"].as_str().unwrap());
    let bound = json!({ "from": 1, "to": 100, "state": "bound", "lot": lot });
    admin.done(&format!("{pack}/ranges"), &bound).unwrap();
    let list = admin.send("GET", &format!("{pack}/codes.csv"), &[], &[]).unwrap();
    let list = list.expect(200).unwrap().text();
    let codes = list.lines().skip(1).map(|row| row.split(',').nth(1).unwrap().to_owned());
    (pack, codes.collect())
}

/// The address that a page leads to at once, beside the one of the page.
fn leads_to(page: &str) -> String {
    let to = page.split("content=\"0;url=../../").nth(1).unwrap_or_else(|| panic!("{page}"));
    format!("/{}", to.split('#').next().unwrap())
}

#[test]
fn a_plain_nginx_serves_the_codes_of_a_pack_and_its_log_tells_of_a_copy() {
    let (mut appliance, www) = appliance();
    let admin = appliance.api("admin").unwrap();
    issue(&appliance);
    let lot = appliance.demo.lot("小白菜").unwrap().clone();
    let (pack, codes) = pack(&appliance, &lot.id);
    let void = json!({ "from": 7, "to": 7, "state": "void", "reason": "整卷标签丢失" });
    admin.done(&format!("{pack}/ranges"), &void).unwrap();
    let folder = |code: &str| www.join(format!("T/{code}/index.html"));
    until("the files of the pack", WAIT, || {
        let is_there = codes.iter().all(|code| folder(code).exists());
        let void = std::fs::read_to_string(folder(&codes[6])).unwrap_or_default();
        Ok((is_there && void.contains("整卷标签丢失")).then_some(()))
    })
    .unwrap();
    let root = www.display();
    let nginx = Nginx::start(&format!(
        "server {{ listen LISTEN; root {root}; access_log LOG;\n\
         set_real_ip_from 127.0.0.1; real_ip_header X-Forwarded-For; }}"
    ));

    // As a phone comes by the QR code, and then follows what the page says.
    let scanned = nginx.get(&format!("/T/{}", codes[0]));
    assert_eq!(scanned.status, 301);
    let first = nginx.get(&format!("/T/{}/", codes[0])).expect(200).unwrap();
    assert_eq!(first.header("content-type"), Some("text/html"));
    assert!(first.body.len() < 400, "{}", first.text());
    let page = nginx.get(&leads_to(&first.text())).expect(200).unwrap().text();
    for shown in ["真实有效", "小白菜", &lot.no] {
        assert!(page.contains(shown), "{shown} in {page}");
    }
    let void = nginx.get(&format!("/T/{}/", codes[6])).expect(200).unwrap().text();
    assert!(void.contains("此码已作废") && void.contains("整卷标签丢失"), "{void}");
    assert!(!void.contains(&lot.no) && !void.contains("href"), "{void}");
    let unbound = nginx.get(&format!("/T/{}/", codes[999])).expect(200).unwrap().text();
    assert!(unbound.contains("此码已印制,尚未启用"), "{unbound}");

    let table = test_folder().unwrap().join("areas.csv");
    let ranges = "192.0.2.0/24,4301\n198.51.100.0/24,440300\n203.0.113.0/24,3101\n";
    std::fs::write(&table, ranges).unwrap();
    appliance.run(&["codes", "import-areas", table.to_str().unwrap()]).unwrap();
    for address in ["192.0.2.7", "198.51.100.7", "203.0.113.7"] {
        let from = [("X-Forwarded-For", address)];
        let unit = format!("/T/{}/", codes[1]);
        let seen = http::send(nginx.address, "GET", &unit, &from, &[]).unwrap();
        let lot_page = leads_to(&seen.expect(200).unwrap().text());
        http::send(nginx.address, "GET", &lot_page, &from, &[]).unwrap().expect(200).unwrap();
    }
    until("the lines of the log", WAIT, || {
        let log = std::fs::read_to_string(&nginx.log).unwrap_or_default();
        Ok((log.matches("203.0.113.7").count() == 2).then_some(()))
    })
    .unwrap();
    let log = nginx.log.to_str().unwrap();
    let import = ["mirror", "import-log", log, "--name", "web-1", "--json"];
    // Three of the pack before; the pages of the lot are none.
    assert_eq!(told(&appliance, &import)["scans"], 6);
    let noticed = admin.list("/suspicions").unwrap();
    assert_eq!((noticed.len(), &noticed[0]["code"]), (1, &json!(codes[1])));
    assert_eq!(noticed[0]["suspicion"]["cause"], "cities");
    until("the warning", WAIT, || {
        let page = nginx.get(&format!("/T/{}/", codes[1])).text();
        Ok((page.contains("此码扫描异常") && !page.contains("http-equiv")).then_some(()))
    })
    .unwrap();
    appliance.stop().unwrap();
    let status = told(&appliance, &["mirror", "status", "--json"]);
    assert_eq!(status["logs"][0]["scans"], 6, "{status}");
}
