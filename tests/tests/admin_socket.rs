//! The command line beside a running service and on a stopped one.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::io::{Read as _, Write as _};
use std::os::unix::fs::{FileTypeExt as _, PermissionsExt as _};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::time::Duration;

use serde_json::Value;
use tianyin_tests::appliance::Setting;
use tianyin_tests::device::Sample;
use tianyin_tests::http;
use tianyin_tests::{Appliance, api, place, until};

fn socket(appliance: &Appliance) -> PathBuf {
    appliance.setting.data.join("admin.sock")
}

fn json(appliance: &Appliance, verb: &[&str]) -> Value {
    serde_json::from_str(&appliance.run(verb).unwrap()).unwrap()
}

fn package() -> PathBuf {
    let packages = std::fs::read_dir(place::root().join("target/plugins")).unwrap().flatten();
    let mut packages = packages.map(|entry| entry.path());
    packages.find(|path| path.extension().is_some_and(|e| e == "tyx")).unwrap()
}

/// Verbs that work beside the service as well as without it.
fn both_ways(appliance: &Appliance, when: &str) {
    let running = when == "running";
    let status = json(appliance, &["status", "--json"]);
    assert_eq!(status["running"], running, "{when}: {status}");
    assert_eq!(status["seq"], status["applied_seq"], "{when}: {status}");
    assert_eq!(status["set_up"], true, "{when}: {status}");
    let screen = appliance.run(&["status"]).unwrap();
    assert!(screen.contains("日志 / journal") && !screen.contains("null"), "{when}: {screen}");

    let users = appliance.run(&["user", "list"]).unwrap();
    assert!(users.lines().any(|line| line.starts_with("clerk\t")), "{when}: {users}");
    assert!(!users.contains("argon2"), "{when}: {users}");
    let new = appliance.run(&["admin", "reset-password", "--username", "clerk"]).unwrap();
    assert!(new.trim().len() >= 14, "{when}: {new}");
    let unknown = appliance.finish(&["admin", "reset-password", "--username", "nobody"]).unwrap();
    assert_eq!(unknown.code, Some(1), "{when}: {unknown:?}");

    let devices = appliance.run(&["device", "list"]).unwrap();
    assert!(devices.lines().any(|line| line.starts_with("json-ysh-01\t")), "{when}: {devices}");
    let approve = ["device", "approve", "json-ysh-01", "--kind", "analyzer", "--new-token"];
    let token = appliance.run(&approve).unwrap();
    assert!(token.trim().len() > 30, "{when}: {token}");
    let kept = json(appliance, &["device", "list", "--json"]);
    let kept = kept["devices"].as_array().unwrap().iter().find(|d| d["id"] == "json-ysh-01");
    assert_ne!(kept.unwrap()["name"], "", "{when}: approving again keeps the description");
    appliance.run(&["device", "disable", "json-ysh-01"]).unwrap();
    appliance.run(&approve).unwrap();

    let plugin = |word: &str| {
        let list = appliance.run(&["plugin", "list"]).unwrap();
        let line = list.lines().find(|line| line.starts_with("analyzer-lz4000t")).unwrap();
        assert!(line.contains(word), "{when}: {line}");
    };
    appliance.run(&["plugin", "install", package().to_str().unwrap()]).unwrap();
    plugin("\tok");
    appliance.run(&["plugin", "disable", "analyzer-lz4000t"]).unwrap();
    plugin("disabled");
    appliance.run(&["plugin", "enable", "analyzer-lz4000t"]).unwrap();
    plugin("\tok");
    let unknown = appliance.finish(&["plugin", "disable", "../../keys/county"]).unwrap();
    assert_eq!(unknown.code, Some(1), "{when}: {unknown:?}");

    let again = appliance.finish(&["setup-link"]).unwrap();
    assert_eq!(again.code, Some(1), "{when}: a county that is set up needs no link: {again:?}");
    for free in [&["version"][..], &["rules", "check"]] {
        appliance.run(free).unwrap();
    }
    let demo = appliance.finish(&["demo"]).unwrap();
    assert_eq!(demo.code, Some(1), "{when}: {demo:?}");
    assert_eq!(demo.stderr.contains("stop it first"), running, "{when}: {demo:?}");
    let pair = appliance.finish(&["device", "pair"]).unwrap();
    assert_eq!(pair.code, Some(i32::from(!running)), "{when}: {pair:?}");
    assert_eq!(pair.stdout.trim().len() == 8, running, "{when}: {pair:?}");
}

#[test]
fn verbs_work_beside_the_service_and_without_it() {
    let mut appliance = Appliance::start().unwrap();
    both_ways(&appliance, "running");
    appliance.stop().unwrap();
    assert!(!socket(&appliance).exists(), "a stop in order removes the socket");
    both_ways(&appliance, "stopped");
    appliance.serve().unwrap();
    both_ways(&appliance, "running");

    // Who did it stands in the journal: the account of the operating system.
    appliance.stop().unwrap();
    let journal = std::fs::read_dir(appliance.setting.data.join("journal")).unwrap().flatten();
    let lines: String =
        journal.filter_map(|entry| std::fs::read_to_string(entry.path()).ok()).collect();
    let uid = std::os::unix::fs::MetadataExt::uid(&std::fs::metadata("/proc/self").unwrap());
    let by_cli =
        |line: &&str| line.contains("\"job\":\"cli/") && line.contains(&format!("({uid})"));
    // A password, two approvals and one disabling each time.
    assert_eq!(lines.lines().filter(by_cli).count(), 12, "{lines}");
}

#[test]
fn a_first_start_is_linked_beside_the_service() {
    let mut appliance = Appliance::empty(Setting::new().unwrap()).unwrap();
    let nothing = appliance.finish(&["status"]).unwrap();
    assert_eq!(nothing.code, Some(1), "{nothing:?}");
    assert!(!appliance.setting.data.join("journal").exists(), "looking makes nothing");
    appliance.serve().unwrap();
    let link = appliance.run(&["setup-link"]).unwrap();
    let token = link.trim().rsplit_once('=').unwrap().1;
    let page = appliance.get(&format!("/setup?token={token}")).unwrap();
    assert_eq!(page.status, 200);
    // The address is the one it really listens on.
    assert!(link.contains(&appliance.setting.http.to_string()), "{link}");
    let screen = appliance.run(&["status"]).unwrap();
    assert!(screen.contains("setup-link"), "{screen}");
}

#[test]
fn a_new_password_ends_sessions_at_once() {
    let appliance = Appliance::start().unwrap();
    let session = appliance.api("clerk").unwrap();
    let other = appliance.api("admin").unwrap();
    session.get("/lots").unwrap();
    let new = appliance.run(&["admin", "reset-password", "--username", "clerk"]).unwrap();
    assert_eq!(session.send("GET", "/lots", &[], &[]).unwrap().status, 401);
    other.get("/lots").unwrap();
    let address = appliance.setting.http;
    let old = api::sign_in(address, "clerk", appliance.demo.password()).unwrap();
    assert_eq!(old.status, 401);
    assert_eq!(api::sign_in(address, "clerk", new.trim()).unwrap().status, 200);
    let short = ["admin", "reset-password", "--username", "clerk", "--password", "short"];
    let short = appliance.finish(&short).unwrap();
    assert_eq!(short.code, Some(1));
    assert!(short.stderr.contains("密码至少"), "{short:?}");
}

/// The only administrator of the county lost password and phone: the server's shell is the way back.
#[test]
fn a_lost_administrator_comes_back_by_the_shell() {
    let mut appliance = Appliance::start().unwrap();
    let address = appliance.setting.http;
    let county = "湘潭县农业农村局(示例)";
    for when in ["running", "stopped"] {
        appliance.run(&["user", "disable", "--username", "admin"]).unwrap();
        let off = json(&appliance, &["user", "list", "--json"]);
        let admin = off["users"].as_array().unwrap().iter().find(|u| u["username"] == "admin");
        assert_eq!(admin.unwrap()["active"], false, "{when}");
        appliance.run(&["user", "enable", "--username", "admin"]).unwrap();
        let none = appliance.finish(&["user", "remove-totp", "--username", "admin"]).unwrap();
        assert!(none.code == Some(1) && none.stderr.contains("没有开启"), "{when}: {none:?}");
        let name = format!("{when}-1");
        let add = ["user", "add", "--username", &name, "--name", "示例", "--role", "clerk"];
        let drawn = appliance.run(&[&add[..], &["--agency", county]].concat()).unwrap();
        assert_eq!(drawn.trim().len(), 14, "{when}: {drawn}");
        if when == "running" {
            appliance.stop().unwrap();
        }
    }
    let drawn = appliance.run(&["user", "reset-password", "--username", "admin"]).unwrap();
    appliance.serve().unwrap();
    let due = api::sign_in(address, "admin", drawn.trim()).unwrap();
    assert_eq!(due.status, 403, "{}", due.text());
    assert_eq!(due.json().unwrap()["code"], "password_change_due");
    let body = serde_json::json!({
        "username": "admin", "password": drawn.trim(), "password_new": "another-horse-2026",
    });
    let headers = [("Content-Type", "application/json")];
    let body = body.to_string();
    let path = "/api/v1/session/password";
    let changed = http::send(address, "POST", path, &headers, body.as_bytes()).unwrap();
    assert_eq!(changed.status, 204, "{}", changed.text());
    assert_eq!(api::sign_in(address, "admin", "another-horse-2026").unwrap().status, 200);
}

#[test]
fn plugins_are_switched_without_a_restart() {
    let appliance = Appliance::start().unwrap();
    let lot = appliance.demo.lot("柑橘").unwrap();
    let sample = Sample { model: "lz4000t", lot: &lot.no, name: "柑橘", inhibition: "12.50" };
    let first = appliance.measure("lz4000t-hs-01", sample).unwrap();
    appliance.run(&["plugin", "disable", "analyzer-lz4000t"]).unwrap();
    let off = appliance.measure("lz4000t-hs-01", sample).unwrap();
    assert_ne!(off["status"], first["status"], "{first} {off}");
    assert_eq!(off["status"], "rejected", "{off}");
    appliance.run(&["plugin", "enable", "analyzer-lz4000t"]).unwrap();
    let on = appliance.measure("lz4000t-hs-01", sample).unwrap();
    assert_eq!(on["status"], first["status"], "{on}");
    let broken = appliance.setting.data.join("broken.tyx");
    std::fs::write(&broken, b"not a package").unwrap();
    let refused = appliance.finish(&["plugin", "install", broken.to_str().unwrap()]).unwrap();
    assert_eq!(refused.code, Some(1), "{refused:?}");
}

#[test]
fn the_socket_is_private_and_replaced_after_a_kill() {
    let mut appliance = Appliance::start().unwrap();
    let path = socket(&appliance);
    let kind = std::fs::symlink_metadata(&path).unwrap();
    assert!(kind.file_type().is_socket());
    assert_eq!(kind.permissions().mode() & 0o777, 0o600);
    assert!(!appliance.setting.data.join("admin.sock.new").exists());

    appliance.kill();
    assert!(path.exists(), "a kill leaves the socket behind");
    let stopped = json(&appliance, &["status", "--json"]);
    assert_eq!(stopped["running"], false, "a dead socket does not hold the command line up");
    appliance.serve().unwrap();
    assert_eq!(json(&appliance, &["status", "--json"])["running"], true);
    // It is no way in from the network.
    assert_eq!(appliance.get("/status").unwrap().status, 404);
    for path in ["/users/reset-password", "/setup-link"] {
        let asked = http::send(appliance.setting.http, "POST", path, &[], b"{}").unwrap();
        assert!(matches!(asked.status, 404 | 405), "{path}: {}", asked.text());
    }
}

#[test]
fn garbage_and_idle_guests_do_no_harm() {
    let mut appliance = Appliance::start().unwrap();
    let connect = || {
        let stream = UnixStream::connect(socket(&appliance)).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
        stream
    };
    // Who closes before the answer does not want it: that is for garbage.
    let send = |bytes: &[u8], close: bool| {
        let mut stream = connect();
        let _ = stream.write_all(bytes);
        if close {
            let _ = stream.shutdown(std::net::Shutdown::Write);
        }
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer);
        String::from_utf8_lossy(&answer).into_owned()
    };
    for garbage in
        [&b"\x00\xff\x16\x03\x01garbage\r\n\r\n"[..], b"GET", b"\r\n\r\n", &[b'A'; 100_000]]
    {
        let answered = send(garbage, true);
        assert!(answered.is_empty() || answered.starts_with("HTTP/1.1 4"), "{answered}");
    }
    let unknown = send(b"POST /format-disk HTTP/1.0\r\n\r\n", false);
    assert!(unknown.contains("no_such_verb"), "{unknown}");
    let no_json = b"POST /devices/disable HTTP/1.0\r\nContent-Length: 3\r\n\r\n{x}";
    let no_json = send(no_json, false);
    assert!(no_json.contains("bad_json"), "{no_json}");
    let much = format!(
        "POST /devices/disable HTTP/1.0\r\nContent-Length: 99999999\r\n\r\n{}",
        "x".repeat(1 << 20)
    );
    let much = send(much.as_bytes(), true);
    assert!(much.is_empty() || much.contains("bad_json") || much.contains(" 4"), "{much}");

    // More idle guests than there are places only delay the others until they are shown out.
    let idle: Vec<UnixStream> = (0..40).map(|_| connect()).collect();
    until("a place at the socket", Duration::from_secs(60), || {
        Ok(appliance.finish(&["status"])?.code.filter(|code| *code == 0))
    })
    .unwrap();
    drop(idle);
    assert_eq!(appliance.get("/readyz").unwrap().status, 200);
    appliance.stop().unwrap();
}

#[test]
fn a_long_path_is_no_obstacle() {
    let mut setting = Setting::new().unwrap();
    setting.data = setting.data.join("数据".repeat(20)).join("x".repeat(80));
    let mut appliance = Appliance::start_with(setting).unwrap();
    assert!(socket(&appliance).as_os_str().len() > 108);
    assert_eq!(json(&appliance, &["status", "--json"])["running"], true);
    appliance.stop().unwrap();
    assert!(!socket(&appliance).exists());
    assert_eq!(json(&appliance, &["status", "--json"])["running"], false);
}

#[test]
fn who_holds_the_folder_without_an_answer_is_told() {
    let mut appliance = Appliance::start().unwrap();
    // A service whose socket was taken away by somebody.
    std::fs::remove_file(socket(&appliance)).unwrap();
    let done = appliance.finish(&["status"]).unwrap();
    assert_eq!(done.code, Some(1), "{done:?}");
    assert!(done.stderr.contains("in use") && done.stderr.contains("重启服务"), "{done:?}");
    appliance.stop().unwrap();
    assert_eq!(json(&appliance, &["status", "--json"])["running"], false);
}
