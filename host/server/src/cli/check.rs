//! `check`: judges offline proofs with the county's published keys, wherever it runs; no data folder is touched.

use std::io::Read as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail, ensure};
use clap::Args;
use serde_json::{Value, json};
use tianyin_domain::Time;
use tianyin_domain::certificate::Basis;
use tianyin_domain::time::china_minute;

use super::out::say;
use super::print_json;
use crate::proof::{FIELDS, FORMS, Flaw, Judged, PublishedKey, judge, read_keys};
use crate::texts::{t, t_static};

/// Proofs of one file at most.
const PROOFS_MAX: usize = 10_000;
/// Bytes of a file of proofs, and of one of keys.
const PROOFS_BYTES_MAX: u64 = 64 << 20;
const KEYS_BYTES_MAX: u64 = 4 << 20;

#[derive(Args)]
pub(crate) struct Check {
    /// 公布的公钥:county.pem、all.pem 或 history.json,可以给几个 / Published keys, may be given several times
    #[arg(long, required = true, value_name = "FILE")]
    key: Vec<PathBuf>,
    /// 输出 JSON / Print JSON
    #[arg(long)]
    json: bool,
    /// 凭证 TY1.… ,或存有凭证的文件(一行一张,最多 10000 张),- 为标准输入 / A proof, a file with one a line, or - for stdin
    #[arg(value_name = "PROOF|FILE|-")]
    proof: String,
}

impl Check {
    pub(crate) fn run(self) -> anyhow::Result<()> {
        let mut keys: Vec<PublishedKey> = Vec::new();
        for file in &self.key {
            let text = read_file(file, KEYS_BYTES_MAX)?;
            let read = read_keys(&text).with_context(|| {
                format!("不是公布的公钥 / no published keys: {}", file.display())
            })?;
            // Of one key in several files, what tells more of its time counts.
            for key in read {
                match keys.iter_mut().find(|known| known.fingerprint == key.fingerprint) {
                    Some(known) if known.from.is_none() => *known = key,
                    Some(_) => {}
                    None => keys.push(key),
                }
            }
        }
        let text = match self.proof.as_str() {
            proof if proof.trim_start().starts_with("TY1.") => proof.to_owned(),
            "-" => read_all(std::io::stdin().lock(), PROOFS_BYTES_MAX, "-")?,
            file => read_file(Path::new(file), PROOFS_BYTES_MAX)?,
        };
        let lines = text.trim_start_matches('\u{feff}').lines().enumerate();
        let proofs: Vec<(usize, &str)> = lines
            .map(|(n, line)| (n + 1, line.trim()))
            .filter(|(_, line)| !line.is_empty())
            .take(PROOFS_MAX + 1)
            .collect();
        ensure!(!proofs.is_empty(), "里面没有凭证 / no proof in it");
        ensure!(proofs.len() <= PROOFS_MAX, "一次最多 {PROOFS_MAX} 张 / {PROOFS_MAX} at most");
        let judged: Vec<(usize, Judged<'_>)> =
            proofs.iter().map(|(n, proof)| (*n, judge(&keys, proof))).collect();
        let bad = judged.iter().filter(|(_, judged)| !judged.holds()).count();
        if self.json {
            let rows: Vec<Value> = judged.iter().map(|(n, judged)| row(*n, judged)).collect();
            print_json(&json!({ "valid": bad == 0, "proofs": rows }))?;
        } else {
            let numbered = judged.len() > 1;
            for (n, judged) in &judged {
                if numbered {
                    say!("—— 第 {n} 行 / line {n} ——");
                }
                print(judged);
            }
            if numbered {
                let good = judged.len() - bad;
                say!("共 {} 张,有效 {good},无效 {bad} / {good} valid, {bad} not", judged.len());
            }
        }
        if bad > 0 {
            bail!("有 {bad} 张凭证无效 / {bad} not valid");
        }
        Ok(())
    }
}

fn read_file(path: &Path, bytes_max: u64) -> anyhow::Result<String> {
    let name = path.display().to_string();
    let file = std::fs::File::open(path).with_context(|| format!("打不开 / cannot open {name}"))?;
    read_all(file, bytes_max, &name)
}

fn read_all(from: impl std::io::Read, bytes_max: u64, name: &str) -> anyhow::Result<String> {
    let mut bytes = Vec::new();
    from.take(bytes_max + 1).read_to_end(&mut bytes).with_context(|| format!("read {name}"))?;
    ensure!(bytes.len() as u64 <= bytes_max, "文件太大 / too large: {name}");
    // What is no text is no proof either, and is told as such.
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

fn row(line: usize, judged: &Judged<'_>) -> Value {
    let key = judged.key.map(|key| {
        json!({
            "fingerprint": key.fingerprint,
            "from": key.from,
            "to": key.to,
            "reason": key.reason,
            "compromised": key.compromised,
        })
    });
    json!({
        "line": line,
        "valid": judged.holds(),
        "flaw": judged.flaw.map(Flaw::code),
        "doubtful": judged.is_doubtful(),
        "fields": judged.key.map(|_| &judged.fields),
        "key": key,
    })
}

fn print(judged: &Judged<'_>) {
    match judged.flaw {
        None => say!("✓ {} / valid", t("proof.valid")),
        Some(flaw) => {
            let text = t_static(&format!("proof.{}", flaw.code())).unwrap_or_default();
            say!("✗ {} / not valid", t("proof.not_valid"));
            say!("  {text}");
        }
    }
    if judged.is_doubtful() {
        say!("! {}", t("proof.doubtful"));
    }
    for (label, value) in told(judged) {
        say!("  {label}:{value}");
    }
    if let Some(key) = judged.key {
        say!("  {}:{} {}", t("proof.key"), key.fingerprint, period(key));
    }
    if judged.holds() {
        say!("  {}", t("proof.not_later"));
    }
}

/// What is certified, with labels in the order of the form; what has no label yet follows under its own name.
fn told(judged: &Judged<'_>) -> Vec<(String, String)> {
    let mut told = Vec::new();
    for name in FIELDS {
        if let Some(value) = judged.fields.get(name) {
            let label = t_static(&format!("proof.field_{name}")).unwrap_or(name);
            told.push((label.to_owned(), shown(name, value)));
        }
    }
    let others = judged.fields.iter().filter(|(name, _)| !FIELDS.contains(&name.as_str()));
    told.extend(others.map(|(name, value)| (name.clone(), shown(name, value))));
    told
}

fn shown(name: &str, value: &Value) -> String {
    match value {
        Value::String(text) if name == "form" => {
            let known = FORMS.contains(&text.as_str());
            let name = known.then(|| t_static(&format!("form.{text}"))).flatten();
            name.map_or_else(|| text.clone(), |name| format!("{name}({text})"))
        }
        Value::String(text) => text.chars().filter(|c| !c.is_control()).collect(),
        Value::Array(list) => {
            let basis = |one: &Value| {
                let found =
                    Basis::ALL.into_iter().find(|basis| Some(basis.as_str()) == one.as_str());
                found.map_or_else(|| one.to_string(), |basis| basis.wording().to_owned())
            };
            list.iter().map(basis).collect::<Vec<_>>().join("、")
        }
        other => other.to_string(),
    }
}

fn period(key: &PublishedKey) -> String {
    let minute = |time: Option<Time>| time.map(china_minute).unwrap_or_default();
    match (key.from, key.to) {
        (None, None) => String::new(),
        (from, to) => format!("({} – {})", minute(from), minute(to)),
    }
}
