//! Offline proofs: at the command line, in a browser without network, over changes of the county's signing key and
//! from every point at which a change may be cut off.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use tianyin_tests::Appliance;
use tianyin_tests::appliance::test_folder;
use tianyin_tests::person::{DESK, PHONE};
use tianyin_tests::place;
use tianyin_tests::webdriver::Browser;

/// Issues a certificate of the demo county; its proof.
fn issued(appliance: &Appliance) -> String {
    let api = appliance.api("admin").unwrap();
    let lot = appliance.demo.lot("小白菜").unwrap();
    let request = json!({ "lot": lot.id, "quantity": "1", "basis": ["quality_control"] });
    let issued = api.done("/certificates", &request).unwrap();
    let code = issued["content"]["code"].as_str().unwrap().to_owned();
    let page = appliance.get(&format!("/t/{code}.json")).unwrap().expect(200).unwrap();
    page.json().unwrap()["certificate"]["proof"].as_str().unwrap().to_owned()
}

/// A proof of another county, and its key.
fn foreign() -> (String, String) {
    let folder = place::root().join("tests/fixtures/data-v1");
    let read = |path: &str| std::fs::read_to_string(folder.join(path)).unwrap();
    (read("proof.txt").trim().to_owned(), read("data/keys/county.pem"))
}

fn tampered(proof: &str) -> String {
    let other = if &proof[40..41] == "A" { "B" } else { "A" };
    format!("{}{other}{}", &proof[..40], &proof[41..])
}

/// Published keys as files: all with their time as PEM, and the same as JSON.
fn published(appliance: &Appliance, folder: &Path) -> [PathBuf; 2] {
    ["all.pem", "history.json"].map(|name| {
        let answer = appliance.get(&format!("/keys/{name}")).unwrap().expect(200).unwrap();
        std::fs::write(folder.join(name), answer.body).unwrap();
        folder.join(name)
    })
}

/// What `check --json` says: exit code and report.
fn check(appliance: &Appliance, keys: &Path, proof: &str) -> (Option<i32>, Value) {
    let keys = keys.to_str().unwrap();
    let done = appliance.finish(&["check", "--json", "--key", keys, proof]).unwrap();
    let told = serde_json::from_str(&done.stdout).unwrap_or_else(|e| panic!("{e}: {done:?}"));
    (done.code, told)
}

fn is_whole(appliance: &Appliance) {
    let done = appliance.finish(&["verify", "--json"]).unwrap();
    assert_eq!(done.code, Some(0), "{done:?}");
    let report: Value = serde_json::from_str(&done.stdout).unwrap();
    let found = report["findings"].to_string();
    assert!(!found.contains("key") && !found.contains("proof"), "{report:#}");
}

fn rotate(appliance: &Appliance, more: &[&str]) -> String {
    let verb = ["keys", "rotate", "--reason", "例行更换", "--json"];
    let told = appliance.run(&[&verb[..], more].concat()).unwrap();
    let told: Value = serde_json::from_str(&told).unwrap();
    told["fingerprint"].as_str().unwrap().to_owned()
}

#[test]
fn every_proof_is_checked_with_the_key_of_its_day() {
    let mut appliance = Appliance::start().unwrap();
    let folder = test_folder().unwrap();
    let first = issued(&appliance);
    let early = published(&appliance, &folder)[0].with_file_name("early.pem");
    std::fs::rename(folder.join("all.pem"), &early).unwrap();

    // Beside the running service, then of a stopped one.
    let second_key = rotate(&appliance, &[]);
    let second = issued(&appliance);
    appliance.stop().unwrap();
    let third_key = rotate(&appliance, &["--compromised"]);
    is_whole(&appliance);
    appliance.serve().unwrap();
    let third = issued(&appliance);
    is_whole(&appliance);

    let listed = appliance.run(&["keys", "list", "--json"]).unwrap();
    let listed: Value = serde_json::from_str(&listed).unwrap();
    assert_eq!(listed[1]["fingerprint"], second_key.as_str());
    assert_eq!(listed[2]["fingerprint"], third_key.as_str());
    assert_eq!(
        (&listed[0]["compromised"], &listed[1]["compromised"]),
        (&json!(false), &json!(true))
    );
    assert_eq!((&listed[1]["to"], &listed[2]["to"]), (&listed[2]["from"], &Value::Null));
    let text = appliance.run(&["keys", "list"]).unwrap();
    assert!(
        text.lines().count() == 3 && text.contains("现用") && text.contains("可能泄露"),
        "{text}"
    );

    for keys in published(&appliance, &folder) {
        for (n, proof) in [&first, &second, &third].into_iter().enumerate() {
            let (code, told) = check(&appliance, &keys, proof);
            let one = &told["proofs"][0];
            assert_eq!(
                (code, &told["valid"], &one["valid"]),
                (Some(0), &json!(true), &json!(true))
            );
            assert_eq!(one["key"]["fingerprint"], listed[n]["fingerprint"], "{told:#}");
            assert_eq!(one["doubtful"], n == 1, "{told:#}");
            assert_eq!(one["fields"]["county"], "湘潭县");
        }
        for (bad, flaw) in [
            (tampered(&first), "no_key_fits"),
            (foreign().0, "no_key_fits"),
            ("TY1.e30".to_owned(), "not_a_proof"),
        ] {
            let (code, told) = check(&appliance, &keys, &bad);
            assert_eq!((code, &told["proofs"][0]["flaw"]), (Some(1), &json!(flaw)), "{told:#}");
        }
    }
    // Keys that were published before know nothing of later ones.
    assert_eq!(check(&appliance, &early, &first).0, Some(0));
    assert_eq!(check(&appliance, &early, &third).1["proofs"][0]["flaw"], "no_key_fits");

    // Many in a file, with the words of people.
    let many = folder.join("proofs.txt");
    std::fs::write(&many, format!("{first}\r\n\r\n{second}\n{}\n", tampered(&third))).unwrap();
    let (many, all) = (many.to_str().unwrap(), folder.join("all.pem"));
    let told = appliance.finish(&["check", "--key", all.to_str().unwrap(), many]).unwrap();
    assert_eq!(told.code, Some(1), "{told:?}");
    for words in
        ["第 4 行", "✓ 签名有效", "✗ 没有通过", "密钥可能泄露", "质量安全控制符合要求", "开具日期"]
    {
        assert!(told.stdout.contains(words), "{words} in {}", told.stdout);
    }
    assert!(!told.stdout.contains("proof."), "a text is missing: {}", told.stdout);
    std::fs::write(folder.join("proofs.txt"), format!("{first}\n").repeat(10_001)).unwrap();
    let told = appliance.finish(&["check", "--key", all.to_str().unwrap(), many]).unwrap();
    assert!(told.code == Some(1) && told.stderr.contains("10000"), "{told:?}");
    let (proof, key) = foreign();
    std::fs::write(folder.join("foreign.pem"), key).unwrap();
    assert_eq!(check(&appliance, &folder.join("foreign.pem"), &proof).0, Some(0));
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap().flatten() {
        if entry.path().is_dir() {
            copy(&entry.path(), &to.join(entry.file_name()));
        } else {
            std::fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
        }
    }
}

/// Puts the folder of keys into a state.
fn put(from: &Path, keys: &Path) {
    std::fs::remove_dir_all(keys).unwrap();
    copy(from, keys);
}

#[test]
fn a_change_that_was_cut_off_is_finished_or_undone() {
    let mut appliance = Appliance::start().unwrap();
    let keys = appliance.setting.data.join("keys");
    let folder = test_folder().unwrap();
    let (before, after) = (folder.join("before"), folder.join("after"));
    let proof = issued(&appliance);
    appliance.stop().unwrap();
    copy(&keys, &before);
    let old_backup = folder.join("old.tgz");
    appliance.run(&["backup", old_backup.to_str().unwrap()]).unwrap();
    let private = |folder: &Path| std::fs::read(folder.join("county.key.pem")).unwrap();

    // The new key was written, and nothing more.
    std::fs::copy(foreign_private(&folder), keys.join("county-next.key.pem")).unwrap();
    appliance.serve().unwrap();
    appliance.stop().unwrap();
    assert!(!keys.join("county-next.key.pem").exists());
    assert_eq!(private(&keys), private(&before));

    let fingerprint = rotate(&appliance, &[]);
    copy(&keys, &after);
    let backup = folder.join("new.tgz");
    appliance.run(&["backup", backup.to_str().unwrap()]).unwrap();

    // The line was written, and nothing after it.
    put(&before, &keys);
    std::fs::copy(after.join("county.key.pem"), keys.join("county-next.key.pem")).unwrap();
    appliance.serve().unwrap();
    finished(&mut appliance, &keys, &after, &proof);
    // All but the public key.
    put(&after, &keys);
    std::fs::copy(before.join("county.pem"), keys.join("county.pem")).unwrap();
    std::fs::remove_dir_all(keys.join("retired")).unwrap();
    appliance.serve().unwrap();
    finished(&mut appliance, &keys, &after, &proof);

    // A folder of keys from before the change: nothing is signed with what is not in force.
    put(&before, &keys);
    let error = format!("{:#}", appliance.serve().unwrap_err());
    assert!(error.contains(&fingerprint), "{error}");
    assert_eq!(private(&keys), private(&before));
    let found = appliance.finish(&["verify", "--quick", "--json"]).unwrap();
    assert!(found.code == Some(1) && found.stdout.contains("key_not_in_force"), "{found:?}");
    let doctor = |backup: &Path| {
        let verb = ["doctor", "--fix", "--quick", "--backup", backup.to_str().unwrap()];
        appliance.finish(&verb).unwrap()
    };
    let useless = doctor(&old_backup);
    assert_eq!(useless.code, Some(1), "{useless:?}");
    let cured = doctor(&backup);
    assert_eq!(cured.code, Some(0), "{cured:?}");
    appliance.serve().unwrap();
    finished(&mut appliance, &keys, &after, &proof);

    // And a backup brings back what goes with its journal.
    std::fs::remove_dir_all(&appliance.setting.data).unwrap();
    appliance.run(&["restore", backup.to_str().unwrap()]).unwrap();
    appliance.serve().unwrap();
    finished(&mut appliance, &keys, &after, &proof);
}

/// The running service signs with the new key, what the old one signed holds, and the files are in order.
fn finished(appliance: &mut Appliance, keys: &Path, after: &Path, proof: &str) {
    let folder = test_folder().unwrap();
    let all = published(appliance, &folder)[0].clone();
    for proof in [proof, &issued(appliance)] {
        let (code, told) = check(appliance, &all, proof);
        assert_eq!(code, Some(0), "{told:#}");
    }
    appliance.stop().unwrap();
    for name in ["county.key.pem", "county.pem"] {
        assert_eq!(
            std::fs::read(keys.join(name)).unwrap(),
            std::fs::read(after.join(name)).unwrap()
        );
    }
    assert!(!keys.join("county-next.key.pem").exists());
    assert_eq!(std::fs::read_dir(keys.join("retired")).unwrap().count(), 1);
    is_whole(appliance);
}

/// The private key of another county.
fn foreign_private(folder: &Path) -> PathBuf {
    let path = folder.join("foreign.key.pem");
    let key = place::root().join("tests/fixtures/data-v1/data/keys/county.key.pem");
    std::fs::copy(key, &path).unwrap();
    path
}

/// Gives the page a proof and presses the button; the verdict of each.
fn verdicts(browser: &Browser, proofs: &str) -> Vec<String> {
    let set = "document.getElementById('results').textContent='';\
               document.getElementById('proof').value=arguments[0]";
    browser.run(set, &json!([proofs])).unwrap();
    browser.click_words("验证").unwrap();
    shown(browser)
}

fn shown(browser: &Browser) -> Vec<String> {
    browser.find("[data-verdict]").unwrap();
    let all = "return [...document.querySelectorAll('[data-verdict]')].map(e=>e.dataset.verdict)";
    serde_json::from_value(browser.run(all, &json!([])).unwrap()).unwrap()
}

#[test]
fn a_browser_verifies_without_network() {
    let mut appliance = Appliance::start().unwrap();
    let leaked = issued(&appliance);
    rotate(&appliance, &["--compromised"]);
    let good = issued(&appliance);
    let (foreign, foreign_key) = foreign();
    let browser = Browser::start(DESK.0, DESK.1).unwrap();
    let address = format!("http://{}", appliance.setting.http);

    // The same page from the service, and as a file after the service is gone.
    let file = test_folder().unwrap().join("验真 verify.html");
    let page = appliance.get("/verify.html?download").unwrap().expect(200).unwrap();
    std::fs::write(&file, page.body).unwrap();
    let on_disk = format!("file://{}", file.to_str().unwrap().replace(' ', "%20"));
    for (name, url) in [("verify", format!("{address}/verify")), ("verify-file", on_disk)] {
        if name == "verify-file" {
            appliance.kill();
        }
        browser.set_size(DESK.0, DESK.1, false).unwrap();
        browser.open(&url).unwrap();
        // A click would come while the page is still on its way to what is clicked.
        let at_once = "document.documentElement.style.scrollBehavior='auto'";
        browser.run(at_once, &json!([])).unwrap();
        assert_eq!(verdicts(&browser, &good), ["valid"], "{url}");
        browser.wait_for("签名有效").unwrap();
        browser.wait_for("质量安全控制符合要求").unwrap();
        browser.wait_for("有没有作废").unwrap();
        browser.screenshot(name).unwrap();
        assert_eq!(verdicts(&browser, &tampered(&good)), ["no_key_fits"]);
        assert_eq!(verdicts(&browser, &leaked), ["doubtful"]);
        assert_eq!(verdicts(&browser, "TY1.e30"), ["not_a_proof"]);
        // Wrapped on its way, and several at once.
        let wrapped = format!("{}\n{}\n\n{foreign}\n", &good[..70], &good[70..]);
        assert_eq!(verdicts(&browser, &wrapped), ["valid", "no_key_fits"]);
        // From a file, chosen by hand.
        let proofs = file.with_file_name("proofs.txt");
        std::fs::write(&proofs, format!("{leaked}\r\n{good}\r\n{}", tampered(&leaked))).unwrap();
        let clear = "document.getElementById('results').textContent=''";
        browser.run(clear, &json!([])).unwrap();
        let chosen = browser.find("#file").unwrap();
        browser.type_into(&chosen, proofs.to_str().unwrap()).unwrap();
        assert_eq!(shown(&browser), ["doubtful", "valid", "no_key_fits"]);
        // Another county's key is trusted by whoever pastes it.
        browser.click_words("验别的县的凭证").unwrap();
        let paste = "document.getElementById('other-keys').value=arguments[0]";
        browser.run(paste, &json!(["no key"])).unwrap();
        browser.click_words("使用这些公钥").unwrap();
        browser.wait_for("没有认得的 SM2 公钥").unwrap();
        browser.run(paste, &json!([foreign_key])).unwrap();
        browser.click_words("使用这些公钥").unwrap();
        browser.wait_for("已加入 1 把公钥").unwrap();
        assert_eq!(verdicts(&browser, &foreign), ["valid"]);
        browser.wait_for("您粘贴的公钥").unwrap();
        // What the browser cannot do is said.
        let told = "return [typeof BarcodeDetector==='function',document.getElementById('no-camera').hidden]";
        let told = browser.run(told, &json!([])).unwrap();
        assert_eq!(told[0], told[1]);
        browser.set_size(360, PHONE.1, true).unwrap();
        let wide = browser.run("return document.documentElement.scrollWidth", &json!([])).unwrap();
        assert!(wide.as_u64().unwrap() <= 360, "{wide} px wide");
        browser.screenshot(&format!("{name}-phone")).unwrap();
        let complaints = browser.complaints().unwrap();
        assert!(complaints.is_empty(), "the page's console says:\n{}", complaints.join("\n"));
    }
    // A link brings the proof along.
    let link = format!("file://{}#{good}", file.to_str().unwrap().replace(' ', "%20"));
    browser.open("about:blank").unwrap();
    browser.open(&link).unwrap();
    assert_eq!(shown(&browser), ["valid"]);
}
