//! `check`: verifies an offline proof with the county's published key.

use std::path::PathBuf;

use anyhow::Context as _;
use clap::Args;

#[derive(Args)]
pub(crate) struct Check {
    /// 县公钥 county.pem / The county's public key
    #[arg(long)]
    key: PathBuf,
    /// 凭证 TY1.… ,或存有凭证的文件 / Proof, or a file that holds it
    proof: String,
}

impl Check {
    pub(crate) fn run(self) -> anyhow::Result<()> {
        let pem = std::fs::read_to_string(&self.key)
            .with_context(|| format!("read {}", self.key.display()))?;
        let proof = if self.proof.starts_with("TY1.") {
            self.proof
        } else {
            std::fs::read_to_string(&self.proof).with_context(|| format!("read {}", self.proof))?
        };
        let content = crate::proof::check(&pem, &proof)?;
        println!("{}", serde_json::to_string_pretty(&content)?);
        Ok(())
    }
}
