//! The verifier in Python shares no code with this crate; both must say the same.

use std::path::{Path, PathBuf};
use std::process::Command;

use tianyin_journal::{Journal, verify};

use crate::{append, files, folder, open, restore, seal_all, small};

fn script() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../packaging/verify_journal.py")
}

/// Runs it for every folder and prints its exit code and what it said, as JSON.
const RUN_ALL: &str = r#"
import contextlib, io, json, runpy, sys
script, folders = sys.argv[1], sys.argv[2:]
for folder in folders:
    said, code, sys.argv = io.StringIO(), 0, [script, folder]
    try:
        with contextlib.redirect_stdout(said): runpy.run_path(script, run_name="__main__")
    except SystemExit as end:
        code, said = 1, io.StringIO(str(end.code))
    print(json.dumps([code, said.getvalue().strip()]))
"#;

/// What it says of each folder: `Ok` with exit code 0, `Err` with 1.
fn run_all(dirs: &[&Path]) -> Vec<Result<String, String>> {
    let mut python = Command::new("python3");
    let done = python.args(["-c", RUN_ALL]).arg(script()).args(dirs).output().unwrap();
    assert!(done.status.success(), "python3 must run, with an OpenSSL that has SM3: {done:?}");
    let said = String::from_utf8(done.stdout).unwrap();
    let said = said.lines().map(|line| serde_json::from_str::<(i32, String)>(line).unwrap());
    said.map(|(code, text)| if code == 0 { Ok(text) } else { Err(text) }).collect()
}

/// Runs both on a folder; whether it is whole.
pub fn agree(dir: &Path, what: &str) -> bool {
    compare(dir, &run_all(&[dir])[0], what)
}

fn compare(dir: &Path, theirs: &Result<String, String>, what: &str) -> bool {
    let ours = verify(dir, None, &mut |_| {});
    match (&ours, theirs) {
        (Ok(report), Ok(text)) => {
            let head = format!("{} lines, head {}", report.head.seq, report.head.hash);
            assert!(text.starts_with(&head), "{what}: {head}, in Python {text}");
            assert_eq!(report.torn.is_some(), text.contains("unfinished write"), "{what}: {text}");
        }
        (Err(e), Err(text)) => assert!(text.contains(" line "), "{what}: {text}, here {e}"),
        _ => panic!("{what}: {ours:?}, in Python {theirs:?}"),
    }
    ours.is_ok()
}

#[test]
fn is_short() {
    assert!(std::fs::read_to_string(script()).unwrap().lines().count() <= 60);
}

#[test]
fn says_the_same_of_whole_and_damaged_journals() {
    let dir = folder();
    let dir = dir.path();
    drop(Journal::open(dir, small()).unwrap());
    assert!(agree(dir, "empty"));
    let (mut journal, _) = open(dir);
    for n in 0..14 {
        append(&mut journal, &[&format!("甲{n}\r\n"), "b", &"c".repeat(n * 7)][..n % 3 + 1])
            .unwrap();
    }
    assert!(agree(dir, "plain"));
    let plain = files(dir);
    seal_all(&journal.sealer(), true);
    drop(journal);
    assert!(agree(dir, "compressed"));
    let compressed = files(dir);
    assert!(compressed.len() >= 5, "{:?}", compressed.keys());

    // (what happened, whether it must pass; None: at the very end, where it may be an unfinished write)
    let mut cases: Vec<(String, Option<bool>, tempfile::TempDir)> = Vec::new();
    for (form, whole) in [("plain", &plain), ("compressed", &compressed)] {
        for (number, (name, bytes)) in whole.iter().enumerate() {
            let is_end = number + 1 == whole.len();
            let mut spoil = |what: String, must: Option<bool>, spoilt: Option<Vec<u8>>| {
                let dir = folder();
                restore(dir.path(), whole);
                match spoilt {
                    Some(bytes) => std::fs::write(dir.path().join(name), bytes).unwrap(),
                    None => std::fs::remove_file(dir.path().join(name)).unwrap(),
                }
                cases.push((format!("{form}, {name} {what}"), must, dir));
            };
            // A lost last segment cannot be told from one never written; a lost seal is made anew.
            let harmless = is_end || name.ends_with(".seal");
            spoil("lost".into(), Some(harmless), None);
            let must = (!is_end).then_some(false);
            for at in [0, 3, 9, bytes.len() / 2, bytes.len() - 70, bytes.len() - 5, bytes.len() - 1]
            {
                let mut flipped = bytes.clone();
                flipped[at] ^= 1;
                spoil(format!("with byte {at} flipped"), must, Some(flipped));
                spoil(format!("cut at {at}"), must, Some(bytes[..at].to_vec()));
            }
            let longer = [&bytes[..], b"\0"].concat();
            spoil("with a byte more".into(), Some(is_end), Some(longer));
        }
    }
    let dirs: Vec<&Path> = cases.iter().map(|(_, _, dir)| dir.path()).collect();
    let said = run_all(&dirs);
    assert!(said.len() == cases.len() && said.len() > 100);
    for ((what, must, dir), theirs) in cases.iter().zip(&said) {
        let passed = compare(dir.path(), theirs, what);
        assert!(must.is_none_or(|must| must == passed), "{what}: {theirs:?}");
    }
}
