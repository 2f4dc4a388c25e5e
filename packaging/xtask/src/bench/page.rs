//! The scan page with everything on it against nginx serving a file of the same size: 64 keep-alive connections each,
//! in turns.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::json;
use tianyin_tests::child::{self, Running};
use tianyin_tests::{Appliance, appliance, http, place, until};

use super::{Line, Must, large, median};

const ROUNDS: usize = 4;
const ROUND: &str = "4s";
const TIMEOUT: Duration = Duration::from_secs(60);

pub(super) fn measure(appliance: &Appliance) -> Result<Vec<Line>> {
    let path = scan_page(appliance)?;
    let page = appliance.get(&path)?.expect(200)?.body;
    let folder = appliance::test_folder()?;
    let port = place::free_port()?;
    let mut nginx = start_nginx(&folder, port, &page)?;
    let ours = (appliance.setting.http, path.as_str());
    let theirs = (place::local(port), "/page.html");
    let same = http::get(theirs.0, theirs.1)?.expect(200)?.body.len();
    ensure!(same == page.len(), "nginx serves {same} bytes, not {}", page.len());
    let (mut us, mut them, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let (a, b) = (requests_per_s(ours, None)?, requests_per_s(theirs, None)?);
        us.push(a);
        them.push(b);
        ratios.push(a / b);
    }
    // Killed, it would leave its workers behind.
    nginx.stop(TIMEOUT)?;
    let must = Some(Must::AtLeast(0.6));
    let (us, them) = (median(us)?, median(them)?);
    Ok(vec![
        Line {
            what: "scan page with everything on it against nginx",
            value: median(ratios)?,
            unit: "x",
            must,
        },
        Line { what: "scan page, requests a second", value: us, unit: "/s", must: None },
        Line { what: "nginx, same size, requests a second", value: them, unit: "/s", must: None },
        Line { what: "scan page, size", value: page.len() as f64 / 1000.0, unit: "kB", must: None },
    ])
}

/// Any of many certificates, none of them in the page cache for long, against as many files.
pub(super) fn measure_many(appliance: &Appliance, codes: &[String]) -> Result<Vec<Line>> {
    let first = format!("/t/{}", codes.first().context("no codes")?);
    let page = appliance.get(&first)?.expect(200)?.body;
    let folder = appliance::test_folder()?;
    std::fs::create_dir(folder.join("t"))?;
    for code in codes {
        std::fs::write(folder.join("t").join(code).with_extension("html"), &page)?;
    }
    let port = place::free_port()?;
    let mut nginx = start_nginx(&folder, port, &page)?;
    let script = |name: &str, end: &str| -> Result<PathBuf> {
        let file = folder.join(name);
        let paths: Vec<String> = codes.iter().map(|code| format!("/t/{code}{end}")).collect();
        large::random_paths(&file, &paths)?;
        Ok(file)
    };
    let (ours, theirs) = (script("ours.lua", "")?, script("theirs.lua", ".html")?);
    let (mut us, mut ratios) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let a = requests_per_s((appliance.setting.http, "/"), Some(&ours))?;
        let b = requests_per_s((place::local(port), "/"), Some(&theirs))?;
        us.push(a);
        ratios.push(a / b);
    }
    nginx.stop(TIMEOUT)?;
    let must = Some(Must::AtLeast(0.6));
    Ok(vec![
        Line {
            what: "10,000 scan pages at random against nginx",
            value: median(ratios)?,
            unit: "x",
            must,
        },
        Line { what: "10,000 scan pages at random", value: median(us)?, unit: "/s", must: None },
    ])
}

/// Address of the scan page of a certificate with everything on it: a day-by-day record, a test, a certification, the
/// story of a brand, shops.
fn scan_page(appliance: &Appliance) -> Result<String> {
    let api = appliance.api("clerk")?;
    let id = &appliance.demo.lots.iter().rfind(|lot| lot.auto_issue).context("no lot")?.id;
    let lot = api.get(&format!("/lots/{id}"))?;
    for shop in ["商城", "直播间"] {
        let url = format!("https://shop.example.com/{}", shop.len());
        let link = json!({ "product": lot["product"], "platform": shop, "url": url });
        api.done("/shop_links", &link)?;
    }
    tell_of_brand(appliance)?;
    for deep_cm in 0..10 {
        let record = json!({
            "product": lot["product"], "site": lot["site"], "date": lot["harvested_on"],
            "kind": "irrigation", "note": format!("水深 {deep_cm} 厘米"),
        });
        api.done("/activities", &record)?;
    }
    // The producer's standing authorisation issues the certificate for it.
    let test = json!({
        "lot": id, "method": "enzyme_inhibition", "tested_at": lot["opened_at"],
        "item": { "code": "pesticide_op_carb", "name": "有机磷和氨基甲酸酯类农药" },
        "value": { "kind": "inhibition_rate", "num": "12.5", "unit": "%" },
    });
    api.done("/tests", &test)?;
    let code = until("the certificate", TIMEOUT, || {
        let all = api.list("/certificates")?;
        let ours = all.iter().find(|one| one["lot"] == id.as_str());
        Ok(ours.and_then(|one| one["content"]["code"].as_str()).map(str::to_owned))
    })?;
    let path = format!("/t/{code}");
    let page = appliance.get(&path)?.expect(200)?.text();
    for part in ["灌溉", "抑制率", "绿色食品", "莲子莲子", "直播间"] {
        ensure!(page.contains(part), "the page does not tell {part}");
    }
    Ok(path)
}

/// A long story for every brand.
fn tell_of_brand(appliance: &Appliance) -> Result<()> {
    let api = appliance.api("admin")?;
    for brand in api.list("/brands")? {
        let id = brand["id"].as_str().context("id")?;
        let mut data = json!({ "about": "莲子".repeat(200) });
        for field in ["name", "kind", "area", "goods", "owner_name", "since"] {
            data[field] = brand[field].clone();
        }
        api.done(&format!("/brands/{id}/change"), &data)?;
    }
    Ok(())
}

fn start_nginx(folder: &Path, port: u16, page: &[u8]) -> Result<Running> {
    std::fs::write(folder.join("page.html"), page)?;
    let config = folder.join("nginx.conf");
    let here = folder.display();
    // As many workers as the machine has cores, as our own runtime has threads. `user` counts only
    // when root starts it: another user might not be able to read the folder.
    let text = format!(
        "daemon off; user root; worker_processes auto; pid {here}/pid; error_log {here}/error.log;\n\
         events {{ worker_connections 1024; }}\n\
         http {{ access_log off; sendfile on; tcp_nopush on; keepalive_requests 10000000;\n\
         types {{ text/html html; }} charset utf-8; open_file_cache max=20000;\n\
         client_body_temp_path {here}/b; proxy_temp_path {here}/p; fastcgi_temp_path {here}/f;\n\
         uwsgi_temp_path {here}/u; scgi_temp_path {here}/s;\n\
         server {{ listen 127.0.0.1:{port}; root {here}; }} }}\n"
    );
    std::fs::write(&config, text)?;
    let nginx = Running::start("nginx", &nginx_program()?, |command| {
        command.arg("-e").arg(folder.join("error.log")).arg("-c").arg(&config);
    })?;
    until("nginx to serve", TIMEOUT, || Ok(http::get(place::local(port), "/page.html").ok()))
        .with_context(|| nginx.output())?;
    ensure!(
        http::get(place::local(port), "/page.html")?.status == 200,
        "nginx cannot read {here}: {}",
        std::fs::read_to_string(folder.join("error.log")).unwrap_or_default()
    );
    Ok(nginx)
}

fn nginx_program() -> Result<PathBuf> {
    let places = ["/usr/sbin/nginx", "/usr/bin/nginx", "/usr/local/sbin/nginx"];
    places.map(PathBuf::from).into_iter().find(|path| path.exists()).context("nginx is missing")
}

fn requests_per_s((address, path): (SocketAddr, &str), script: Option<&Path>) -> Result<f64> {
    let url = format!("http://{address}{path}");
    let arguments = ["-t1", "-c64", "-d", ROUND, &url];
    let told = child::run(
        Path::new("wrk"),
        |c| {
            c.args(script.iter().flat_map(|file| [Path::new("-s"), *file])).args(arguments);
        },
        TIMEOUT,
    )?;
    ensure!(!told.contains("Non-2xx"), "wrk: {told}");
    let line = told.lines().find_map(|line| line.strip_prefix("Requests/sec:"));
    line.and_then(|number| number.trim().parse().ok()).with_context(|| format!("wrk: {told}"))
}
