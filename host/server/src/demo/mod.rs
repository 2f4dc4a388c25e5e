//! The demo county: 湘潭县 (430321) with its real townships and invented operators, all named 示例….
//! Everything is entered by the same commands that people and devices use; nothing is faked. A county that
//! is set up can have the invented operators, too, to learn with.

use anyhow::Context as _;
use serde_json::{Value, json};
use tianyin_domain::activity::{ActivityKind, RecordActivity};
use tianyin_domain::actor::{Actor, Role};
use tianyin_domain::agency::{AddAgency, AgencyKind};
use tianyin_domain::authorisation::GrantAuthorisation;
use tianyin_domain::brand::{AddBrand, BrandKind, LicenseBrand};
use tianyin_domain::certification::AddCertification;
use tianyin_domain::command::Command;
use tianyin_domain::county::ConfigureCounty;
use tianyin_domain::device::{ApproveDevice, DeviceKind};
use tianyin_domain::identity::uscc_check_char;
use tianyin_domain::input::{AddInput, InputKind, RegisteredUse};
use tianyin_domain::lot::{Lot, LotRequest};
use tianyin_domain::operator::{OperatorKind, OperatorStatus, RegisterOperator, ReviewOperator};
use tianyin_domain::position::Position;
use tianyin_domain::product::{AddProduct, ProductClass};
use tianyin_domain::site::{AddSite, SiteKind};
use tianyin_domain::time::china_date;
use tianyin_domain::{Date, Decimal, State};

use crate::app::App;
use crate::app::accounts::NewUser;
use crate::edge::now;
use crate::regions;

mod data;

use data::{FARMS, Farm, INPUTS, Step};

const COUNTY: &str = "430321";

struct Demo<'a> {
    app: &'a App,
    actor: Actor,
    today: Date,
    /// Code of the county.
    area: String,
    county_name: String,
    /// Printer of what prints itself.
    printer: Option<String>,
}

impl<'a> Demo<'a> {
    fn new(app: &'a App, area: &str) -> anyhow::Result<Self> {
        let county_name = regions::full_name(area).context("county")?;
        let (actor, today) = (Actor::system("demo"), china_date(now()));
        Ok(Self { app, actor, today, area: area.to_owned(), county_name, printer: None })
    }
}

/// Fills an empty data folder; the answer tells sign-in names and device tokens.
pub async fn fill(
    app: &App,
    password: &str,
    public_url: &str,
    printer: &str,
) -> anyhow::Result<Value> {
    anyhow::ensure!(app.county().map_err(told)?.is_none(), "the data folder is not empty");
    let mut demo = Demo::new(app, COUNTY)?;
    demo.submit(Command::ConfigureCounty(ConfigureCounty {
        area: COUNTY.into(),
        name: "湘潭县".into(),
        full_name: demo.county_name.clone(),
        public_url: public_url.into(),
    }))
    .await?;
    let (county, station) = demo.agencies(FARMS[0].town).await?;
    let (county, station) = (Some(county.as_str()), Some(station.as_str()));
    demo.user("admin", "示例管理员", Role::Administrator, county, None, password).await?;
    demo.user("clerk", "示例业务员", Role::Clerk, county, None, password).await?;
    demo.user("station", "示例站长", Role::Administrator, station, None, password).await?;
    let printer_id = demo.printer(printer).await?;
    demo.printer = Some(printer_id.clone());
    let (first, lots) = demo.register().await?;
    demo.user("producer", "示例社员", Role::Producer, None, Some(first), password).await?;
    let devices = demo.devices().await?;
    Ok(json!({
        "county": COUNTY,
        "users": {
            "administrator": "admin", "clerk": "clerk", "station": "station", "producer": "producer",
        },
        "password": password,
        "devices": devices,
        "printer": printer_id,
        "lots": lots,
    }))
}

/// Puts the invented operators, with what they grow and a brand, into the county that is set up.
///
/// # Errors
/// When there is no county, or something was refused.
pub async fn add_register(app: &App) -> anyhow::Result<()> {
    let county = app.county().map_err(told)?.context("no county")?;
    Demo::new(app, &county.area)?.register().await?;
    Ok(())
}

fn told(error: crate::app::AppError) -> anyhow::Error {
    let fields: Vec<String> = error.fields().iter().map(|f| format!("{f:?}")).collect();
    anyhow::anyhow!("{} {}", error.detail(), fields.join(", "))
}

impl Demo<'_> {
    async fn submit(&self, command: Command) -> anyhow::Result<String> {
        let name = command.name();
        let outcome = self.app.submit(&self.actor, command).await;
        Ok(outcome.map_err(told).context(name)?.id)
    }

    async fn user(
        &self,
        username: &str,
        name: &str,
        role: Role,
        agency: Option<&str>,
        operator: Option<String>,
        password: &str,
    ) -> anyhow::Result<()> {
        let new = NewUser {
            username: username.into(),
            name: name.into(),
            role,
            operator,
            agency: agency.map(Into::into),
            password: password.into(),
            initial: false,
        };
        self.app.add_user(&self.actor, new, None).await.map_err(told)?;
        Ok(())
    }

    /// The county's bodies and a station for each township; ids of the supervision and of `town`'s.
    async fn agencies(&self, town: &str) -> anyhow::Result<(String, String)> {
        let county = [
            ("湘潭县农业农村局(示例)", AgencyKind::Supervision),
            ("湘潭县农产品质量安全检测中心(示例)", AgencyKind::Testing),
            ("湘潭县农业综合行政执法大队(示例)", AgencyKind::Enforcement),
        ];
        let (mut supervision, mut station) = (String::new(), String::new());
        for (name, kind) in county {
            let area = COUNTY.into();
            let command = AddAgency { name: name.into(), kind, area };
            let id = self.submit(Command::AddAgency(command)).await?;
            if kind == AgencyKind::Supervision {
                supervision = id;
            }
        }
        for place in regions::townships(COUNTY) {
            let name = format!("{}农产品质量安全监管站(示例)", place.name);
            let (kind, area) = (AgencyKind::Station, place.code.into());
            let id = self.submit(Command::AddAgency(AddAgency { name, kind, area })).await?;
            if place.name == town {
                station = id;
            }
        }
        Ok((supervision, station))
    }

    /// Inputs, operators and what belongs to them; the id of the first operator, and the lots.
    async fn register(&self) -> anyhow::Result<(String, Vec<Value>)> {
        let inputs = self.inputs().await?;
        let (mut first, mut lots) = (String::new(), Vec::new());
        for (n, farm) in FARMS.iter().enumerate() {
            let operator = self.operator(n, farm).await?;
            lots.extend(self.farm(farm, &operator, &inputs).await?);
            if n == 0 {
                self.proofs(&operator).await?;
                first = operator;
            }
        }
        Ok((first, lots))
    }

    async fn inputs(&self) -> anyhow::Result<Vec<(&'static str, String)>> {
        let mut made = Vec::new();
        for (name, kind, substance, uses) in INPUTS {
            let id = self
                .submit(Command::AddInput(AddInput {
                    name: (*name).into(),
                    kind: *kind,
                    registration_no: String::new(),
                    substances: substance.iter().map(|s| (*s).into()).collect(),
                    uses: uses
                        .iter()
                        .map(|(crop, interval_days)| RegisteredUse {
                            crop: (*crop).into(),
                            interval_days: Some(*interval_days),
                            ..RegisteredUse::default()
                        })
                        .collect(),
                    valid_from: None,
                    source: String::new(),
                    source_on: None,
                }))
                .await?;
            made.push((*name, id));
        }
        Ok(made)
    }

    async fn operator(&self, n: usize, farm: &Farm) -> anyhow::Result<String> {
        let towns = regions::townships(&self.area);
        // Another county has other townships: they take turns.
        let named = towns.iter().find(|town| town.name == farm.town);
        let town = named.or_else(|| towns.get(n % towns.len().max(1))).context("township")?;
        let command = RegisterOperator {
            name: farm.name.into(),
            kind: farm.kind,
            uscc: demo_uscc(&self.area, n, farm.kind),
            uscc_override: None,
            same_name_override: None,
            area: town.code.into(),
            area_name: format!("{}{}", self.county_name, town.name),
            address: String::new(),
            contact_name: format!("示例联系人{:02}", n + 1),
            contact_phone: match farm.kind {
                OperatorKind::Farmer => format!("138000000{:02}", n + 1),
                _ => format!("0731-570000{:02}", n + 1),
            },
            contact_secret: None,
        };
        let outcome = self.app.register_operator(&self.actor, command, None).await;
        let id = outcome.map_err(told)?.id;
        if farm.approved {
            self.submit(Command::ReviewOperator(ReviewOperator {
                operator: id.clone(),
                status: OperatorStatus::Approved,
                reason: String::new(),
            }))
            .await?;
        }
        Ok(id)
    }

    async fn farm(
        &self,
        farm: &Farm,
        operator: &str,
        inputs: &[(&'static str, String)],
    ) -> anyhow::Result<Vec<Value>> {
        let mut lots = Vec::new();
        let Some(plan) = &farm.plan else { return Ok(lots) };
        // The plots lie in the demo county; elsewhere nobody has drawn them yet.
        let (position, outline) = match self.area == COUNTY {
            true => {
                let middle = corner(plan.at, 0.5, 0.5, plan.size_mu)?;
                (Some(middle), outline(plan.at, plan.size_mu)?)
            }
            false => (None, Vec::new()),
        };
        let site = self
            .submit(Command::AddSite(AddSite {
                operator: operator.into(),
                name: plan.site.into(),
                kind: kind_of(plan.class),
                area: String::new(),
                area_name: String::new(),
                size_mu: Decimal::from(plan.size_mu),
                position,
                outline,
            }))
            .await?;
        let product = self
            .submit(Command::AddProduct(AddProduct {
                operator: operator.into(),
                name: plan.product.into(),
                class: plan.class,
                crop: plan.crop.into(),
                variety: plan.variety.into(),
                unit: "公斤".into(),
                method_unsuitable: false,
            }))
            .await?;
        for step in plan.steps {
            self.activity(step, &site, &product, inputs).await?;
        }
        if plan.authorised {
            self.submit(Command::GrantAuthorisation(GrantAuthorisation {
                operator: operator.into(),
                product: None,
                granted_by: "示例负责人".into(),
                evidence: "示例授权书 2026-01".into(),
                auto_issue: plan.auto_issue && self.printer.is_some(),
                printer: self.printer.clone().filter(|_| plan.auto_issue),
                valid_from: self.today.checked_sub(jiff::Span::new().days(30))?,
                valid_to: None,
            }))
            .await?;
        }
        for quantity in plan.lots {
            let harvested_on = self.today.checked_sub(jiff::Span::new().days(1))?;
            let request = LotRequest {
                product: product.clone(),
                site: site.clone(),
                quantity: Decimal::from(*quantity),
                harvested_on,
                // Only where an interval is not over: one of the farms shows what happens then.
                early_reason: Some("示例:抢在连阴雨前采收".into()),
            };
            let opened = self.app.open_lot(&self.actor, &request, None).await;
            let lot = opened.map_err(told).context("open_lot")?.id;
            let state: &dyn State = &self.app.store;
            let lot: Lot = state.get(&lot)?.context("the lot just opened")?;
            lots.push(json!({
                "id": lot.id, "no": lot.no, "product": lot.product_name,
                "operator": farm.name, "auto_issue": plan.auto_issue,
            }));
        }
        Ok(lots)
    }

    /// A public brand that the operator may use, and a certification.
    async fn proofs(&self, operator: &str) -> anyhow::Result<()> {
        let since = self.today.checked_sub(jiff::Span::new().years(1))?;
        let brand = self
            .submit(Command::AddBrand(AddBrand {
                name: "示例湘莲".into(),
                kind: BrandKind::Regional,
                owner: None,
                owner_name: "示例湘莲产业协会".into(),
                area: self.area.clone(),
                goods: "莲子及其制品".into(),
                trademark_no: String::new(),
                about: String::new(),
                since: Some(since),
                attachments: Vec::new(),
            }))
            .await?;
        self.submit(Command::LicenseBrand(LicenseBrand {
            brand,
            operator: operator.into(),
            products: Vec::new(),
            number: "示例授权 1 号".into(),
            valid_from: since,
            valid_to: None,
        }))
        .await?;
        self.submit(Command::AddCertification(AddCertification {
            operator: operator.into(),
            products: Vec::new(),
            kind: "green".into(),
            number: "示例 LB-0001".into(),
            issuer: "示例发证机构".into(),
            valid_from: since,
            valid_to: Some(self.today.checked_add(jiff::Span::new().days(60))?),
            attachments: Vec::new(),
            renews: None,
        }))
        .await?;
        Ok(())
    }

    async fn activity(
        &self,
        step: &Step,
        site: &str,
        product: &str,
        inputs: &[(&'static str, String)],
    ) -> anyhow::Result<()> {
        let (kind, days_ago, input, dose, note) = *step;
        let input = inputs.iter().find(|(name, _)| *name == input).map(|(_, id)| id.clone());
        self.submit(Command::RecordActivity(RecordActivity {
            site: site.into(),
            product: product.into(),
            lot: None,
            kind,
            date: self.today.checked_sub(jiff::Span::new().days(days_ago))?,
            stopped_on: None,
            input,
            dose: dose.into(),
            note: note.into(),
            water_tenths: None,
            attachments: Vec::new(),
        }))
        .await?;
        Ok(())
    }

    async fn printer(&self, address: &str) -> anyhow::Result<String> {
        let command = ApproveDevice {
            address: address.into(),
            dpi: 203,
            ..described("printer-hs-01", "花石站标签打印机", DeviceKind::Printer, "TSPL 60x40")
        };
        self.submit(Command::ApproveDevice(command)).await
    }

    async fn devices(&self) -> anyhow::Result<Value> {
        let wanted = [
            ApproveDevice {
                decoder: "analyzer-lz4000t".into(),
                bench: "花石检测台".into(),
                ..described("lz4000t-hs-01", "花石站检测仪", DeviceKind::Analyzer, "LZ-4000T")
            },
            ApproveDevice {
                bench: "易俗河检测台".into(),
                ..described("json-ysh-01", "易俗河站检测仪", DeviceKind::Analyzer, "JSON")
            },
            ApproveDevice {
                bench: "花石检测台".into(),
                ..described("scan-hs-01", "花石站扫码枪", DeviceKind::Scanner, "HID-POS")
            },
            described("scan-market-01", "示例批发市场扫码枪", DeviceKind::Scanner, "HID-POS"),
        ];
        let mut tokens = serde_json::Map::new();
        for device in wanted {
            let id = device.id.clone();
            let approved = self.app.approve_device(&self.actor, device, true, None).await;
            let (_, token) = approved.map_err(told)?;
            tokens.insert(id, json!(token));
        }
        Ok(Value::Object(tokens))
    }
}

fn described(id: &str, name: &str, kind: DeviceKind, model: &str) -> ApproveDevice {
    let place = if id.contains("market") {
        "示例批发市场"
    } else if id.contains("ysh") {
        "易俗河镇检测室"
    } else {
        "花石镇检测室"
    };
    ApproveDevice {
        id: id.into(),
        name: name.into(),
        kind,
        model: model.into(),
        place: place.into(),
        area: COUNTY.into(),
        operator: None,
        bench: String::new(),
        decoder: String::new(),
        address: String::new(),
        dpi: 0,
        token_sha256: String::new(),
    }
}

/// An invented credit code with a right check character; farmers have none.
fn demo_uscc(area: &str, n: usize, kind: OperatorKind) -> String {
    let head = match kind {
        OperatorKind::Farmer => return String::new(),
        OperatorKind::Cooperative => "93",
        OperatorKind::FamilyFarm => "92",
        OperatorKind::Collective => "N2",
        _ => "91",
    };
    let body = format!("{head}{area}MADEM{:04}", n + 1);
    let check = uscc_check_char(&body).unwrap_or('0');
    format!("{body}{check}")
}

fn kind_of(class: ProductClass) -> SiteKind {
    match class {
        ProductClass::Aquatic => SiteKind::Pond,
        ProductClass::Livestock | ProductClass::Egg => SiteKind::House,
        ProductClass::Fruit => SiteKind::Orchard,
        _ => SiteKind::Field,
    }
}

/// The point that lies so many sides of the plot east and north of its corner.
fn corner(at: &str, east: f64, north: f64, size_mu: i64) -> anyhow::Result<Position> {
    let at: Position = at.parse()?;
    // A plot of so many 亩 (2000/3 m²) as a square; a degree is 111,195 m, of longitude here 0.885 of it.
    let side_e6 = (size_mu as f64 * 2000.0 / 3.0).sqrt() / 0.111_195;
    Ok(Position {
        lon_e6: at.lon_e6 + (east * side_e6 / 0.885) as i32,
        lat_e6: at.lat_e6 + (north * side_e6) as i32,
    })
}

fn outline(at: &str, size_mu: i64) -> anyhow::Result<Vec<Position>> {
    let corners = [(0.0, 0.0), (1.0, 0.0), (1.0, 1.0), (0.0, 1.0)];
    corners.into_iter().map(|(east, north)| corner(at, east, north, size_mu)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use tianyin_domain::identity::{UsccCheck, check_uscc};

    #[test]
    fn demo_codes_are_valid() {
        for (n, farm) in FARMS.iter().enumerate() {
            let uscc = demo_uscc(COUNTY, n, farm.kind);
            let ok = uscc.is_empty() || check_uscc(&uscc) == UsccCheck::Valid;
            assert!(ok, "{} {uscc}", farm.name);
        }
    }
}
