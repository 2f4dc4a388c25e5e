//! `user …`: accounts from the server's shell, also when the only administrator cannot sign in any more.

use clap::{Args, Subcommand, ValueEnum};
use serde_json::json;

use super::out::say;
use super::reach::{self, Question};
use super::{Place, print_json, quiet_logs, rows, text};
use crate::app::passwords::drawn_password;

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
    /// 添加用户;初始密码须在首次登录时修改 / Add a user; the initial password is changed at first sign-in
    Add(Add),
    /// 停用,立即退出所有登录 / Deactivate: signed out everywhere at once
    Disable(Named),
    /// 恢复 / Take back
    Enable(Named),
    /// 设置初始密码,该用户登录时须修改 / Set an initial password, to be changed at the next sign-in
    ResetPassword {
        #[command(flatten)]
        named: Named,
        /// 初始密码(省略则随机生成并显示) / Password (made up and shown when left out)
        #[arg(long)]
        password: Option<String>,
    },
    /// 关闭动态口令(手机丢失时) / Remove the second factor, when the phone is lost
    RemoveTotp(Named),
}

/// Which user.
#[derive(Args)]
pub(crate) struct Named {
    #[command(flatten)]
    place: Place,
    /// 用户名 / User name
    #[arg(long)]
    username: String,
}

#[derive(Args)]
pub(crate) struct Add {
    #[command(flatten)]
    named: Named,
    /// 姓名 / Person's name
    #[arg(long)]
    name: String,
    /// 角色 / Role
    #[arg(long, value_enum)]
    role: RoleWord,
    /// 机构全称或编号(省略为县级) / Agency by name or id; the county itself when left out
    #[arg(long)]
    agency: Option<String>,
    /// 主体编码或编号,仅生产主体账号 / Operator by code or id, for producers only
    #[arg(long)]
    operator: Option<String>,
    /// 初始密码(省略则随机生成并显示) / Password (made up and shown when left out)
    #[arg(long)]
    password: Option<String>,
}

/// A role as it is typed.
#[derive(Clone, Copy, ValueEnum)]
enum RoleWord {
    Administrator,
    Clerk,
    Officer,
    Producer,
}

impl RoleWord {
    fn word(self) -> &'static str {
        match self {
            Self::Administrator => "administrator",
            Self::Clerk => "clerk",
            Self::Officer => "officer",
            Self::Producer => "producer",
        }
    }
}

impl UserVerb {
    pub(crate) fn run(self) -> anyhow::Result<()> {
        quiet_logs();
        match self {
            Self::List { place, json } => list(&place, json),
            Self::Add(new) => add(new),
            Self::Disable(named) => set_active(&named, false),
            Self::Enable(named) => set_active(&named, true),
            Self::ResetPassword { named, password } => reset_password(&named, password),
            Self::RemoveTotp(named) => {
                let input = json!({ "username": named.username });
                let question = Question::post("/users/remove-totp", &input);
                reach::ask(&named.place.load()?, &question).map(drop)
            }
        }
    }
}

fn list(place: &Place, json: bool) -> anyhow::Result<()> {
    let told = reach::ask(&place.load()?, &Question::get("/users"))?;
    if json {
        return print_json(&told);
    }
    for user in rows(&told, "users") {
        let state = if user["active"] == true { "ok" } else { "停用 / inactive" };
        let totp = if user["totp"] == true { "\tTOTP" } else { "" };
        let [name, person, role] = ["username", "name", "role"].map(|key| text(user, key));
        say!("{name}\t{person}\t{role}\t{state}{totp}");
    }
    Ok(())
}

fn add(new: Add) -> anyhow::Result<()> {
    let Add { named, name, role, agency, operator, password } = new;
    let (password, drawn) = or_drawn(password);
    let input = json!({
        "username": named.username,
        "name": name,
        "role": role.word(),
        "agency": agency,
        "operator": operator,
        "password": password,
    });
    reach::ask(&named.place.load()?, &Question::post("/users/add", &input))?;
    shown(drawn);
    Ok(())
}

fn set_active(named: &Named, active: bool) -> anyhow::Result<()> {
    let input = json!({ "username": named.username, "active": active });
    reach::ask(&named.place.load()?, &Question::post("/users/active", &input)).map(drop)
}

fn reset_password(named: &Named, password: Option<String>) -> anyhow::Result<()> {
    let (password, drawn) = or_drawn(password);
    let input = json!({ "username": named.username, "password": password, "initial": true });
    reach::ask(&named.place.load()?, &Question::post("/users/reset-password", &input))?;
    shown(drawn);
    Ok(())
}

/// The password, and the same once more where it was made up here.
fn or_drawn(password: Option<String>) -> (String, Option<String>) {
    match password {
        Some(password) => (password, None),
        None => {
            let drawn = drawn_password();
            (drawn.clone(), Some(drawn))
        }
    }
}

fn shown(drawn: Option<String>) {
    if let Some(password) = drawn {
        say!("{password}");
    }
}
