//! Random commands about the few records of a small county, so that threads get in each other's way.

use std::sync::Mutex;

use tianyin_domain::activity::{ActivityKind, RecordActivity};
use tianyin_domain::authorisation::{GrantAuthorisation, RevokeAuthorisation};
use tianyin_domain::county::ConfigureCounty;
use tianyin_domain::device::{ApproveDevice, DeviceKind, DisableDevice, PairDevice};
use tianyin_domain::id::SeededRandom;
use tianyin_domain::lot::{LotRequest, OpenLot};
use tianyin_domain::message::{
    MessageKind, MessageStatus, Payload, ReceiveMessage, ReplayMessage, SettleMessage,
};
use tianyin_domain::operator::{OperatorKind, OperatorStatus, RegisterOperator, ReviewOperator};
use tianyin_domain::product::{AddProduct, ProductClass};
use tianyin_domain::site::{AddSite, SiteKind};
use tianyin_domain::{Actor, Command, Date, Decimal, Envelope, Outcome, Role, Scope, State, Time};

use crate::below;

const TOWNSHIP: &str = "430321103";
/// Keys in use, so that threads meet at them.
const KEYS: usize = 24;

fn time() -> Time {
    "2026-11-20T08:00:00Z".parse().unwrap()
}

fn day(text: &str) -> Date {
    text.parse().unwrap()
}

fn admin() -> Actor {
    Actor::User {
        id: "usr_admin".into(),
        role: Role::Administrator,
        scope: Scope::everything(),
        office: None,
        token: None,
    }
}

fn envelope(actor: Actor, command: Command) -> Envelope {
    Envelope { actor, command, time: time(), idempotency_key: None, based_on: Vec::new() }
}

/// Two operators with a site and a product each.
pub struct Farm {
    operators: Vec<String>,
    sites: Vec<String>,
    products: Vec<String>,
}

impl Farm {
    /// Founds it by commands; `submit` answers the id of what was made.
    pub fn found(submit: &mut dyn FnMut(Envelope) -> String) -> Self {
        let mut made = |command| submit(envelope(admin(), command));
        made(Command::ConfigureCounty(ConfigureCounty {
            area: "430321".into(),
            name: "湘潭县".into(),
            full_name: "湖南省湘潭市湘潭县".into(),
            public_url: "https://ty.example.test".into(),
        }));
        let mut farm = Self { operators: vec![], sites: vec![], products: vec![] };
        for n in 0..2 {
            let operator = made(Command::RegisterOperator(register(&format!("示例 {n}"))));
            made(review(&operator, OperatorStatus::Approved));
            farm.sites.push(made(Command::AddSite(AddSite {
                operator: operator.clone(),
                name: "一号地".into(),
                area: TOWNSHIP.into(),
                area_name: "湘潭县花石镇".into(),
                size_mu: Decimal::new(36, 0),
                kind: SiteKind::default(),
                position: None,
                outline: vec![],
            })));
            farm.products.push(made(Command::AddProduct(product(&operator))));
            farm.operators.push(operator);
        }
        made(approve("a1"));
        farm
    }
}

fn register(name: &str) -> RegisterOperator {
    RegisterOperator {
        name: name.into(),
        kind: OperatorKind::Farmer,
        uscc: String::new(),
        uscc_override: None,
        same_name_override: None,
        area: TOWNSHIP.into(),
        area_name: "湘潭县花石镇".into(),
        address: "日华村 8 组".into(),
        contact_name: "示例".into(),
        contact_phone: "138****5678".into(),
        contact_secret: None,
    }
}

fn review(operator: &str, status: OperatorStatus) -> Command {
    Command::ReviewOperator(ReviewOperator {
        operator: operator.into(),
        status,
        reason: "示例理由".into(),
    })
}

fn product(operator: &str) -> AddProduct {
    AddProduct {
        operator: operator.into(),
        name: "湘莲".into(),
        class: ProductClass::Vegetable,
        crop: "莲".into(),
        variety: String::new(),
        unit: "公斤".into(),
        method_unsuitable: false,
    }
}

fn approve(id: &str) -> Command {
    Command::ApproveDevice(ApproveDevice {
        id: id.into(),
        name: "示例检测仪".into(),
        kind: DeviceKind::Analyzer,
        model: String::new(),
        place: String::new(),
        area: TOWNSHIP.into(),
        operator: None,
        bench: String::new(),
        decoder: String::new(),
        address: String::new(),
        dpi: 0,
        token_sha256: String::new(),
    })
}

/// What the threads know together: ids that were made, and requests that may be made again.
#[derive(Default)]
pub struct Pool {
    made: Mutex<Vec<String>>,
    keyed: Mutex<Vec<Envelope>>,
}

impl Pool {
    /// Remembers what was made.
    pub fn learn(&self, outcome: Option<&Outcome>) {
        if let Some(outcome) = outcome {
            self.made.lock().unwrap().push(outcome.id.clone());
        }
    }

    fn id(&self, prefix: &str, random: &mut SeededRandom) -> String {
        let made = self.made.lock().unwrap();
        let fit: Vec<&String> = made.iter().filter(|id| id.starts_with(prefix)).collect();
        match fit.len() {
            0 => format!("{prefix}none"),
            // Mostly the newest, which others are busy with, too.
            n => fit[n - 1 - below(random, n.min(4))].clone(),
        }
    }

    /// A random command of a random actor.
    pub fn next(&self, farm: &Farm, state: &dyn State, random: &mut SeededRandom) -> Envelope {
        if below(random, 6) == 0
            && let Some(again) = self.again(random)
        {
            return again;
        }
        let (actor, command) = self.command(farm, random);
        let mut envelope = envelope(actor, command);
        if below(random, 3) == 0 {
            let root = self.root(farm, random);
            let version = state.version(&root).unwrap();
            envelope.based_on = vec![(root, version.saturating_sub(below(random, 4) as u64 / 3))];
        }
        if below(random, 3) == 0 {
            envelope.idempotency_key = Some(format!("k{}", below(random, KEYS)));
            self.keyed.lock().unwrap().push(envelope.clone());
        }
        envelope
    }

    /// A request that somebody made before, or is making now.
    fn again(&self, random: &mut SeededRandom) -> Option<Envelope> {
        let keyed = self.keyed.lock().unwrap();
        let n = keyed.len().checked_sub(1 + below(random, 8))?;
        keyed.get(n).cloned()
    }

    fn root(&self, farm: &Farm, random: &mut SeededRandom) -> String {
        match below(random, 3) {
            0 => format!("operator/{}", farm.operators[below(random, 2)]),
            1 => format!("site/{}", farm.sites[below(random, 2)]),
            _ => format!("lot/{}", self.id("lot_", random)),
        }
    }

    fn command(&self, farm: &Farm, random: &mut SeededRandom) -> (Actor, Command) {
        let at = below(random, 2);
        let operator = farm.operators[at].clone();
        let device = |n: usize| format!("a{}", 1 + n % 3);
        match below(random, 12) {
            0 | 1 => {
                let lot = LotRequest {
                    product: farm.products[at].clone(),
                    // Now and then the other operator's: refused.
                    site: farm.sites[if below(random, 5) == 0 { 1 - at } else { at }].clone(),
                    quantity: Decimal::new(100 + below(random, 900) as i64, 0),
                    harvested_on: day(["2026-11-19", "2026-11-20"][below(random, 2)]),
                    early_reason: None,
                };
                (admin(), Command::OpenLot(OpenLot { request: lot, hindrances: vec![] }))
            }
            2 | 3 => {
                let lot = (below(random, 2) == 0).then(|| self.id("lot_", random));
                let activity = RecordActivity {
                    site: farm.sites[at].clone(),
                    product: farm.products[at].clone(),
                    lot,
                    kind: ActivityKind::Harvest,
                    date: day("2026-11-18"),
                    stopped_on: None,
                    input: None,
                    dose: String::new(),
                    note: String::new(),
                    water_tenths: None,
                    attachments: Vec::new(),
                };
                (admin(), Command::RecordActivity(activity))
            }
            4 | 5 => {
                let status = [OperatorStatus::Approved, OperatorStatus::Suspended];
                (admin(), review(&operator, status[below(random, 2)]))
            }
            6 => (admin(), Command::GrantAuthorisation(grant(&operator))),
            7 => {
                let authorisation = self.id("aut_", random);
                (admin(), Command::RevokeAuthorisation(RevokeAuthorisation { authorisation }))
            }
            8 | 9 => {
                let id = device(below(random, 3));
                let message = ReceiveMessage {
                    device: id.clone(),
                    kind: MessageKind::Raw,
                    payload: Payload::from_bytes(&[below(random, 12) as u8, 0xff]),
                };
                (Actor::Device { id }, Command::ReceiveMessage(message))
            }
            10 => self.about_messages(random),
            _ => match below(random, 4) {
                0 => {
                    let id = device(below(random, 3));
                    (Actor::Device { id: id.clone() }, Command::PairDevice(PairDevice { id }))
                }
                1 => (admin(), approve(&device(below(random, 3)))),
                2 => {
                    let id = device(below(random, 3));
                    (admin(), Command::DisableDevice(DisableDevice { id }))
                }
                _ => (admin(), Command::RegisterOperator(register("又一个"))),
            },
        }
    }

    fn about_messages(&self, random: &mut SeededRandom) -> (Actor, Command) {
        let message = self.id("msg_", random);
        if below(random, 3) == 0 {
            return (admin(), Command::ReplayMessage(ReplayMessage { message }));
        }
        let status = [MessageStatus::Accepted, MessageStatus::Dead][below(random, 2)];
        let settled = SettleMessage {
            message,
            status,
            reason: String::new(),
            detail: String::new(),
            problems: vec![],
        };
        (Actor::system("decode"), Command::SettleMessage(settled))
    }
}

fn grant(operator: &str) -> GrantAuthorisation {
    GrantAuthorisation {
        operator: operator.into(),
        product: None,
        granted_by: "示例代表".into(),
        evidence: "授权书".into(),
        auto_issue: false,
        printer: None,
        valid_from: day("2026-01-01"),
        valid_to: None,
    }
}
