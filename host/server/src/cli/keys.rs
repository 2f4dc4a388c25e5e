//! `keys …`: the county's signing keys, and the change of the one in force.

use clap::{Args, Subcommand};
use serde_json::json;

use super::out::say;
use super::reach::{self, Question};
use super::{Place, print_json, quiet_logs, rows, text};

#[derive(Subcommand)]
pub(crate) enum KeysVerb {
    /// 列出县签名密钥:现用的和停用的 / List the county's signing keys, in force and retired
    List {
        #[command(flatten)]
        place: Place,
        /// 输出 JSON / Print JSON
        #[arg(long)]
        json: bool,
    },
    /// 更换县签名密钥:生成新的,旧私钥随即销毁,旧公钥继续公布 / Change the signing key: a new one is made, the old private key is destroyed, its public key stays published
    Rotate(Rotate),
}

#[derive(Args)]
pub(crate) struct Rotate {
    #[command(flatten)]
    place: Place,
    /// 原因,最多 128 字 / Why, at most 128 characters
    #[arg(long)]
    reason: String,
    /// 旧密钥可能已经泄露 / Somebody else may have had the old key
    #[arg(long)]
    compromised: bool,
    /// 输出 JSON / Print JSON
    #[arg(long)]
    json: bool,
}

impl KeysVerb {
    pub(crate) fn run(self) -> anyhow::Result<()> {
        quiet_logs();
        match self {
            Self::List { place, json } => list(&place, json),
            Self::Rotate(new) => rotate(&new),
        }
    }
}

fn list(place: &Place, json: bool) -> anyhow::Result<()> {
    let told = reach::ask(&place.load()?, &Question::get("/keys"))?;
    if json {
        return print_json(&told["keys"]);
    }
    for key in rows(&told, "keys") {
        let [fingerprint, from, to, reason] =
            ["fingerprint", "from", "to", "reason"].map(|name| text(key, name));
        let state = match (to.is_empty(), key["compromised"] == true) {
            (true, _) => "现用 / in force",
            (false, false) => "停用 / retired",
            (false, true) => "停用,可能泄露 / retired, compromised",
        };
        say!("{fingerprint}\t{from} – {to}\t{state}\t{reason}");
    }
    Ok(())
}

fn rotate(new: &Rotate) -> anyhow::Result<()> {
    let input = json!({ "reason": new.reason, "compromised": new.compromised });
    let told = reach::ask(&new.place.load()?, &Question::post("/keys/rotate", &input))?;
    if new.json {
        return print_json(&told);
    }
    say!("新密钥 / new key: {}", text(&told, "fingerprint"));
    say!(
        "请重新下载并公布 /keys/all.pem,更换前的备份里还有旧私钥 / publish /keys/all.pem anew; backups made before \
         still hold the old private key"
    );
    Ok(())
}
