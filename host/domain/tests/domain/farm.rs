//! A small county with one co-operative, ready to harvest, and builders of commands.

use serde_json::json;
use tianyin_domain::activity::{ActivityKind, RecordActivity};
use tianyin_domain::authorisation::GrantAuthorisation;
use tianyin_domain::certificate::{Basis, CertificateRequest, IssueCertificate, compose};
use tianyin_domain::certificate_form::{CertificateForm, first_known};
use tianyin_domain::code;
use tianyin_domain::county::ConfigureCounty;
use tianyin_domain::device::{ApproveDevice, DeviceKind};
use tianyin_domain::input::{AddInput, CloseInput, InputKind, RegisteredUse, ReviseInput};
use tianyin_domain::lot::{LotRequest, OpenLot};
use tianyin_domain::measurement::Measurement;
use tianyin_domain::message::{MessageKind, Payload, ReceiveMessage};
use tianyin_domain::operator::{
    ChangeOperator, OperatorKind, OperatorStatus, RegisterOperator, ReviewOperator,
};
use tianyin_domain::product::{AddProduct, ProductClass};
use tianyin_domain::site::{AddSite, SiteKind};
use tianyin_domain::test::{MatchedBy, Origin, RecordTest};
use tianyin_domain::{Actor, Command, Date, Decimal, DomainError, Judgement, Role, Scope, Verdict};

use crate::world::World;

pub const TOWNSHIP: &str = "430321106";
pub const OTHER_TOWNSHIP: &str = "430321110";

pub fn user(id: &str, role: Role, scope: Scope) -> Actor {
    Actor::User { id: id.into(), role, scope, office: None, token: None }
}

pub fn admin() -> Actor {
    user("usr_admin", Role::Administrator, Scope::everything())
}

pub fn clerk() -> Actor {
    user("usr_clerk", Role::Clerk, Scope::everything())
}

pub fn clerk_of(area: &str) -> Actor {
    user("usr_station", Role::Clerk, Scope::area(area))
}

pub fn producer(operator: &str) -> Actor {
    user("usr_producer", Role::Producer, Scope::operator(operator))
}

pub fn device(id: &str) -> Actor {
    Actor::Device { id: id.into() }
}

pub fn system() -> Actor {
    Actor::system("test")
}

pub fn decimal(text: &str) -> Decimal {
    text.parse().unwrap()
}

pub fn day(text: &str) -> Date {
    text.parse().unwrap()
}

pub fn judgement(verdict: Verdict) -> Judgement {
    Judgement {
        rule: "testing/judge".into(),
        revision: "r1".into(),
        verdict,
        findings: vec![],
        input: json!({}).into(),
    }
}

pub fn register(name: &str, uscc: &str) -> RegisterOperator {
    RegisterOperator {
        name: name.into(),
        kind: OperatorKind::Cooperative,
        uscc: uscc.into(),
        uscc_override: None,
        same_name_override: None,
        area: TOWNSHIP.into(),
        area_name: "湘潭县花石镇".into(),
        address: String::new(),
        contact_name: "张三".into(),
        contact_phone: "0731-57000000".into(),
        contact_secret: None,
    }
}

pub fn open_lot(product: &str, site: &str, quantity: &str, harvested_on: &str) -> Command {
    let request = LotRequest {
        product: product.into(),
        site: site.into(),
        quantity: decimal(quantity),
        harvested_on: day(harvested_on),
        early_reason: None,
    };
    Command::OpenLot(OpenLot { request, hindrances: vec![] })
}

pub fn add_product(operator: &str, name: &str, crop: &str) -> Command {
    Command::AddProduct(AddProduct {
        operator: operator.into(),
        name: name.into(),
        class: ProductClass::Vegetable,
        crop: crop.into(),
        variety: String::new(),
        unit: "公斤".into(),
        method_unsuitable: false,
    })
}

pub fn add_site(operator: &str, name: &str) -> Command {
    Command::AddSite(AddSite {
        operator: operator.into(),
        name: name.into(),
        kind: SiteKind::Field,
        area: String::new(),
        area_name: String::new(),
        size_mu: decimal("12.5"),
        position: None,
        outline: vec![],
    })
}

pub fn approve(id: &str, kind: DeviceKind, operator: Option<&str>) -> Command {
    let printer = kind == DeviceKind::Printer;
    Command::ApproveDevice(ApproveDevice {
        id: id.into(),
        name: "检测室设备".into(),
        kind,
        model: "LZ-4000T".into(),
        place: "花石站".into(),
        area: TOWNSHIP.into(),
        operator: operator.map(Into::into),
        bench: "台1".into(),
        decoder: String::new(),
        address: if printer { "10.0.0.9:9100".into() } else { String::new() },
        dpi: if printer { 203 } else { 0 },
        token_sha256: "aa".into(),
    })
}

pub fn message(device: &str, kind: MessageKind, bytes: &[u8]) -> Command {
    let payload = Payload::from_bytes(bytes);
    Command::ReceiveMessage(ReceiveMessage { device: device.into(), kind, payload })
}

/// An inhibition rate measured now.
pub fn measurement(msg_id: &str, num: &str) -> Measurement {
    serde_json::from_value(json!({
        "v": 1,
        "msg_id": msg_id,
        "method": "enzyme_inhibition",
        "item": { "code": "pesticide_op_carb", "name": "有机磷和氨基甲酸酯类" },
        "value": { "num": num, "unit": "%", "kind": "inhibition_rate" },
        "tested_at": "2026-11-20T07:55:00Z",
    }))
    .unwrap()
}

/// What a device measured, of a lot or of nobody yet.
pub fn measured(
    device: &str,
    measurement: Measurement,
    lot: Option<&str>,
    verdict: Verdict,
) -> RecordTest {
    RecordTest {
        device: device.into(),
        message: String::new(),
        origin: Origin::Device,
        measurement,
        lot: lot.map(|l| (l.into(), MatchedBy::Number)),
        judgement: judgement(verdict),
        received_at: "2026-11-20T08:00:00Z".parse().unwrap(),
        sampling: None,
        laboratory: String::new(),
        objection: None,
    }
}

/// What a person typed.
pub fn typed(measurement: Measurement, lot: &str, verdict: Verdict) -> RecordTest {
    RecordTest { origin: Origin::Typed, ..measured("", measurement, Some(lot), verdict) }
}

pub fn record(test: RecordTest) -> Command {
    Command::RecordTest(Box::new(test))
}

pub fn request(lot: &str, quantity: &str) -> CertificateRequest {
    CertificateRequest::new(lot.into(), decimal(quantity), vec![Basis::QualityControl])
}

pub fn grant(operator: &str) -> GrantAuthorisation {
    GrantAuthorisation {
        operator: operator.into(),
        product: None,
        granted_by: "张三".into(),
        evidence: "授权书 2026-1".into(),
        auto_issue: false,
        printer: None,
        valid_from: day("2026-11-01"),
        valid_to: Some(day("2026-11-30")),
    }
}

/// Composes as the application does before it submits.
pub fn prepare_issue(
    world: &World,
    request: CertificateRequest,
    code: &str,
) -> Result<IssueCertificate, DomainError> {
    prepare_issue_on(world, request, code, first_known())
}

/// The same on another form.
pub fn prepare_issue_on(
    world: &World,
    request: CertificateRequest,
    code: &str,
    form: CertificateForm,
) -> Result<IssueCertificate, DomainError> {
    let content = compose(world.state(), &request, code, world.time, &form)?;
    Ok(IssueCertificate {
        form,
        unit: None,
        printer: None,
        request,
        content,
        proof: "TY1.e30.c2ln".into(),
        tests: vec![],
        judgement: judgement(Verdict::Pass),
    })
}

/// A request with a code freshly drawn.
pub fn issue(world: &mut World, request: CertificateRequest) -> Command {
    let code = code::draw(&mut world.random);
    Command::IssueCertificate(Box::new(prepare_issue(world, request, &code).unwrap()))
}

/// The county and its one co-operative.
pub struct Farm {
    pub world: World,
    pub operator: String,
    pub site: String,
    pub product: String,
    /// Pesticide registered for 莲 (14 days), 水稻 (21 days), nothing else.
    pub input: String,
    /// 500 公斤, harvested 2026-11-19.
    pub lot: String,
}

impl Farm {
    pub fn new() -> Self {
        let mut world = World::new();
        world.ok(&system(), county("湘潭县"));
        let operator = approved(&mut world, register("花石湘莲合作社", "914301020000000010"));
        let site = world.ok(&clerk(), add_site(&operator, "花石一号莲田"));
        let product = world.ok(&clerk(), add_product(&operator, "湘潭湘莲", "莲"));
        let uses = [("莲", 14), ("水稻", 21)].map(|(crop, interval_days)| RegisteredUse {
            crop: crop.into(),
            interval_days: Some(interval_days),
            ..RegisteredUse::default()
        });
        let input = world.ok(&clerk(), add_input("示例杀虫剂", uses.to_vec()));
        let lot = world.ok(&clerk(), open_lot(&product, &site, "500", "2026-11-19"));
        Self { world, operator, site, product, input, lot }
    }

    /// The co-operative's own user.
    pub fn producer(&self) -> Actor {
        producer(&self.operator)
    }

    /// Issues by the producer's act; the code.
    pub fn issued(&mut self, quantity: &str) -> String {
        let lot = self.lot.clone();
        let command = issue(&mut self.world, request(&lot, quantity));
        let producer = self.producer();
        self.world.ok(&producer, command)
    }

    pub fn treatment(&self) -> RecordActivity {
        RecordActivity {
            site: self.site.clone(),
            product: self.product.clone(),
            lot: None,
            kind: ActivityKind::Treatment,
            date: day("2026-11-01"),
            stopped_on: None,
            input: Some(self.input.clone()),
            dose: "30 毫升/亩".into(),
            note: String::new(),
            water_tenths: None,
            attachments: Vec::new(),
        }
    }
}

pub fn county(name: &str) -> Command {
    Command::ConfigureCounty(ConfigureCounty {
        area: "430321".into(),
        name: name.into(),
        full_name: "湖南省湘潭市湘潭县".into(),
        public_url: "http://10.0.0.8:8080/".into(),
    })
}

/// Each name has a registration number of its own.
pub fn input_data(name: &str, uses: Vec<RegisteredUse>) -> AddInput {
    AddInput {
        name: name.into(),
        kind: InputKind::Pesticide,
        registration_no: format!("PD2026{:04}", name.chars().map(u32::from).sum::<u32>() % 10_000),
        substances: vec!["示例成分".into()],
        uses,
        valid_from: None,
        source: String::new(),
        source_on: None,
    }
}

pub fn add_input(name: &str, uses: Vec<RegisteredUse>) -> Command {
    Command::AddInput(input_data(name, uses))
}

pub fn revise_input(input: &str, uses: Vec<RegisteredUse>) -> Command {
    let data = AddInput { source: "标签".into(), ..input_data("示例杀虫剂", uses) };
    Command::ReviseInput(ReviseInput { input: input.into(), data, reason: "标签变更".into() })
}

pub fn close_input(input: &str, from: &str) -> Command {
    let (input, ended_on) = (input.into(), day(from));
    Command::CloseInput(CloseInput { input, ended_on, reason: "登记证到期未续".into() })
}

pub fn change(operator: &str, data: RegisterOperator) -> Command {
    Command::ChangeOperator(ChangeOperator { operator: operator.into(), data })
}

pub fn review(operator: &str, status: OperatorStatus, reason: &str) -> Command {
    Command::ReviewOperator(ReviewOperator {
        operator: operator.into(),
        status,
        reason: reason.into(),
    })
}

/// Registers and approves.
pub fn approved(world: &mut World, command: RegisterOperator) -> String {
    let operator = world.ok(&clerk(), Command::RegisterOperator(command));
    world.ok(&clerk(), review(&operator, OperatorStatus::Approved, ""));
    operator
}
