//! `user list`.

use clap::Subcommand;

use super::reach::{self, Question};
use super::{Place, print_json, quiet_logs, rows, text};

#[derive(Subcommand)]
pub(crate) enum UserVerb {
    /// 列出用户 / List users
    List {
        #[command(flatten)]
        place: Place,
        /// 输出 JSON / Print JSON
        #[arg(long)]
        json: bool,
    },
}

impl UserVerb {
    pub(crate) fn run(self) -> anyhow::Result<()> {
        quiet_logs();
        let Self::List { place, json } = self;
        let told = reach::ask(&place.load()?, &Question::get("/users"))?;
        if json {
            return print_json(&told);
        }
        for user in rows(&told, "users") {
            let state = if user["active"] == true { "ok" } else { "停用 / inactive" };
            let [name, person, role] = ["username", "name", "role"].map(|key| text(user, key));
            println!("{name}\t{person}\t{role}\t{state}");
        }
        Ok(())
    }
}
