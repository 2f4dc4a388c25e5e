//! The functions rule scripts may call. Their comments are the documentation the editor shows
//! (rhai metadata), so they speak to the author of a rule.
//!
//! Every look-up is a function of its arguments and the pack's tables; nothing here reads a clock,
//! a file or a random number.

use rhai::plugin::{Dynamic, ImmutableString, NativeCallContext, RhaiResult, export_module};
use rhai::{Array, Engine, EvalAltResult, INT, Map, exported_module};
use rust_decimal::Decimal;
use tianyin_domain::certificate_form::Issuer;
use tianyin_domain::{Date, Finding, Verdict};

use crate::session::Session;

/// Most findings of one evaluation.
const MAX_FINDINGS: usize = 500;
/// Most characters of a text.
const MAX_TEXT: usize = 1000;
/// Most evidence references of a finding.
const MAX_EVIDENCE: usize = 100;

type Answer<T> = Result<T, Box<EvalAltResult>>;

/// Registers the functions.
pub(crate) fn register(engine: &mut Engine) {
    engine.register_global_module(exported_module!(findings).into());
    engine.register_global_module(exported_module!(values).into());
    engine.register_global_module(exported_module!(lookups).into());
}

fn session(ctx: &NativeCallContext<'_>) -> Answer<Session> {
    ctx.tag()
        .and_then(|tag| tag.clone().try_cast::<Session>())
        .ok_or_else(|| "this function works only while a rule is evaluated".into())
}

fn missing(table: &str) -> Box<EvalAltResult> {
    format!("the pack has no table data/{table}.toml").into()
}

fn add(
    ctx: &NativeCallContext<'_>,
    verdict: Verdict,
    item: &str,
    text: &str,
    evidence: Array,
) -> Answer<()> {
    if item.is_empty() || text.is_empty() {
        return Err("a finding needs an item and a text".into());
    }
    if text.chars().count() > MAX_TEXT || evidence.len() > MAX_EVIDENCE {
        return Err("a finding's text or evidence is too long".into());
    }
    let evidence: Result<Vec<String>, _> = evidence
        .into_iter()
        .map(|one| one.into_string().map_err(|kind| kind.to_string()))
        .collect();
    let finding = Finding {
        item: item.into(),
        verdict,
        text: text.into(),
        evidence: evidence.map_err(|kind| format!("evidence must be strings, not {kind}"))?,
        points_tenths: 0,
        line: ctx.call_position().line().map_or(0, |line| u32::try_from(line).unwrap_or(u32::MAX)),
    };
    if session(ctx)?.add(finding, MAX_FINDINGS) { Ok(()) } else { Err("too many findings".into()) }
}

fn parse_date(text: &str) -> Answer<Date> {
    // Strict: the parser also takes a date-time, of which a part would be dropped unseen.
    if text.len() != 10 {
        return Err(format!("{text:?} is not a date like 2026-11-20").into());
    }
    text.parse().map_err(|_| format!("{text:?} is not a date like 2026-11-20").into())
}

fn decimal(text: &str) -> Option<Decimal> {
    let plain = text.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'.' | b'-' | b'+'));
    if plain { Decimal::from_str_exact(text).ok() } else { None }
}

fn entry(map: &mut Map, key: &str, value: impl Into<Dynamic>) {
    map.insert(key.into(), value.into());
}

/// Findings: what a rule says.
#[export_module]
#[allow(missing_docs, clippy::needless_pass_by_value)]
mod findings {
    /// Says that nothing stands against the item.
    ///
    /// `pass("interval", "安全间隔期已满足", ["activity/act_1"])`
    #[rhai_fn(name = "pass", return_raw, volatile)]
    pub fn pass(ctx: NativeCallContext<'_>, item: &str, text: &str, evidence: Array) -> Answer<()> {
        add(&ctx, Verdict::Pass, item, text, evidence)
    }

    /// Says that nothing stands against the item.
    #[rhai_fn(name = "pass", return_raw, volatile)]
    pub fn pass_bare(ctx: NativeCallContext<'_>, item: &str, text: &str) -> Answer<()> {
        add(&ctx, Verdict::Pass, item, text, Array::new())
    }

    /// Says that a person has to look: something is missing or cannot be judged.
    #[rhai_fn(name = "hold", return_raw, volatile)]
    pub fn hold(ctx: NativeCallContext<'_>, item: &str, text: &str, evidence: Array) -> Answer<()> {
        add(&ctx, Verdict::Hold, item, text, evidence)
    }

    /// Says that a person has to look: something is missing or cannot be judged.
    #[rhai_fn(name = "hold", return_raw, volatile)]
    pub fn hold_bare(ctx: NativeCallContext<'_>, item: &str, text: &str) -> Answer<()> {
        add(&ctx, Verdict::Hold, item, text, Array::new())
    }

    /// Says that it must not go on.
    #[rhai_fn(name = "deny", return_raw, volatile)]
    pub fn deny(ctx: NativeCallContext<'_>, item: &str, text: &str, evidence: Array) -> Answer<()> {
        add(&ctx, Verdict::Deny, item, text, evidence)
    }

    /// Says that it must not go on.
    #[rhai_fn(name = "deny", return_raw, volatile)]
    pub fn deny_bare(ctx: NativeCallContext<'_>, item: &str, text: &str) -> Answer<()> {
        add(&ctx, Verdict::Deny, item, text, Array::new())
    }
}

/// Decimals and dates.
#[export_module]
#[allow(missing_docs, clippy::needless_pass_by_value)]
mod values {
    /// The decimal a text holds: `dec("49.96")`. Anything else is an error.
    #[rhai_fn(return_raw)]
    pub fn dec(text: &str) -> Answer<Decimal> {
        decimal(text).ok_or_else(|| format!("{text:?} is not a decimal").into())
    }

    /// Whether a value is a text that holds a decimal. `false` for `()`, "" and "NA".
    pub fn is_dec(value: Dynamic) -> bool {
        value.read_lock::<ImmutableString>().is_some_and(|text| decimal(&text).is_some())
    }

    /// Whether a value is a text that holds a date such as `2026-11-20`.
    pub fn is_date(value: Dynamic) -> bool {
        value.read_lock::<ImmutableString>().is_some_and(|text| parse_date(&text).is_ok())
    }

    /// Days from the first date to the second; negative when the second is earlier.
    #[rhai_fn(return_raw)]
    pub fn days_between(from: &str, to: &str) -> Answer<INT> {
        let span = parse_date(to)?.duration_since(parse_date(from)?);
        Ok(span.as_hours() / 24)
    }

    /// The date a number of days later.
    #[rhai_fn(return_raw)]
    pub fn date_add(date: &str, days: INT) -> Answer<ImmutableString> {
        let span = jiff::SignedDuration::try_from_hours(days.saturating_mul(24))
            .ok_or("the number of days is too large")?;
        let sum = parse_date(date)?.checked_add(span).map_err(|_| "the date is out of range")?;
        Ok(sum.to_string().into())
    }
}

/// Look-ups in the pack's tables.
#[export_module]
#[allow(missing_docs, clippy::needless_pass_by_value)]
mod lookups {
    /// The standard a run names, or the county's default when the name is "".
    /// Map `id`, `positive_from` (decimal, %), `positive_word`, `remark`; `()` when unknown.
    #[rhai_fn(return_raw)]
    pub fn method_standard(ctx: NativeCallContext<'_>, method: &str, id: &str) -> RhaiResult {
        let session = session(&ctx)?;
        let methods = session.tables.methods.as_ref().ok_or_else(|| missing("methods"))?;
        let Some(standard) = methods.standard(method, id) else { return Ok(Dynamic::UNIT) };
        let mut map = Map::new();
        entry(&mut map, "id", standard.id.clone());
        entry(&mut map, "positive_from", standard.positive_from);
        entry(&mut map, "positive_word", standard.positive_word.clone());
        entry(&mut map, "remark", standard.mark.remark());
        Ok(map.into())
    }

    /// Plausible absorbance change of the control, ΔA0: map `min`, `max` (decimals).
    #[rhai_fn(return_raw)]
    pub fn control_range(ctx: NativeCallContext<'_>) -> Answer<Map> {
        let session = session(&ctx)?;
        let methods = session.tables.methods.as_ref().ok_or_else(|| missing("methods"))?;
        let mut map = Map::new();
        entry(&mut map, "min", methods.control_delta_a_min);
        entry(&mut map, "max", methods.control_delta_a_max);
        Ok(map)
    }

    /// Whether a method does not suit a product: map `effect` ("hold" or "note"), `remark`; `()`
    /// when nothing speaks against it.
    #[rhai_fn(return_raw)]
    pub fn unsuitable(
        ctx: NativeCallContext<'_>,
        method: &str,
        standard: &str,
        product: &str,
    ) -> RhaiResult {
        let session = session(&ctx)?;
        let table = session.tables.unsuitable.as_ref().ok_or_else(|| missing("unsuitable"))?;
        let method = serde_json::from_value(method.into())
            .map_err(|_| format!("{method:?} is not a method"))?;
        let Some(row) = table.find(method, standard, product) else { return Ok(Dynamic::UNIT) };
        let mut map = Map::new();
        entry(&mut map, "effect", row.effect.as_str());
        entry(&mut map, "remark", row.mark.remark());
        Ok(map.into())
    }

    /// The residue limit in force on a day: map `num` (decimal), `unit`, `version`, `remark`;
    /// `()` when none is known, which never means "no limit".
    #[rhai_fn(return_raw)]
    pub fn limit_for(
        ctx: NativeCallContext<'_>,
        substance: &str,
        class: &str,
        product: &str,
        date: &str,
    ) -> RhaiResult {
        let session = session(&ctx)?;
        let limits = session.tables.limits.as_ref().ok_or_else(|| missing("limits"))?;
        let day = parse_date(date)?;
        let Some(limit) = limits.limit(substance, class, product, day) else {
            return Ok(Dynamic::UNIT);
        };
        let mut map = Map::new();
        entry(&mut map, "num", limit.num);
        entry(&mut map, "unit", limit.unit.clone());
        entry(&mut map, "version", limit.version.clone());
        entry(&mut map, "remark", limit.mark.remark());
        Ok(map.into())
    }

    /// The ban that stood against using a substance on a day; `crop` holds crop and product name.
    /// Map `effect` ("deny" or "hold"), `from` ("" = always), `scope`, `basis`, `remark`; `()` =
    /// none.
    #[rhai_fn(return_raw)]
    pub fn banned_on(
        ctx: NativeCallContext<'_>,
        substance: &str,
        date: &str,
        class: &str,
        crop: &str,
    ) -> RhaiResult {
        let session = session(&ctx)?;
        let table = session.tables.banned.as_ref().ok_or_else(|| missing("banned"))?;
        let day = parse_date(date)?;
        let common = session.tables.substances.as_ref().map(|s| s.common(substance));
        let ban = table
            .ban(substance, day, class, crop)
            .or_else(|| common.and_then(|name| table.ban(&name, day, class, crop)));
        let Some(ban) = ban else { return Ok(Dynamic::UNIT) };
        let mut map = Map::new();
        let effect = if ban.effect == crate::tables::BanEffect::Deny { "deny" } else { "hold" };
        entry(&mut map, "effect", effect);
        entry(&mut map, "from", ban.from.map_or_else(String::new, |day| day.to_string()));
        entry(&mut map, "scope", ban.scope.clone());
        entry(&mut map, "basis", ban.basis.clone());
        entry(&mut map, "remark", ban.mark.remark());
        Ok(map.into())
    }

    /// What is known of a substance: map `name`, `group`, `group_title`, `kind` ("pesticide" or
    /// "veterinary_drug"), `limit_exempt`, `remark`; `()` when it is not in the table.
    #[rhai_fn(return_raw)]
    pub fn substance(ctx: NativeCallContext<'_>, name: &str) -> RhaiResult {
        let session = session(&ctx)?;
        let table = session.tables.substances.as_ref().ok_or_else(|| missing("substances"))?;
        let Some(group) = table.group(name) else { return Ok(Dynamic::UNIT) };
        let mut map = Map::new();
        entry(&mut map, "name", table.common(name));
        entry(&mut map, "group", group.id.clone());
        entry(&mut map, "group_title", group.title.clone());
        entry(&mut map, "kind", group.kind.as_str());
        entry(&mut map, "limit_exempt", group.limit_exempt);
        entry(&mut map, "remark", group.mark.remark());
        Ok(map.into())
    }

    /// Whether a test with this method, item and list of substances would have found a substance:
    /// it is named by the test, or its group is covered by method or item as a whole.
    #[rhai_fn(return_raw)]
    pub fn covers(
        ctx: NativeCallContext<'_>,
        method: &str,
        item_code: &str,
        item_name: &str,
        tested: Array,
        substance: &str,
    ) -> Answer<bool> {
        let session = session(&ctx)?;
        let table = session.tables.substances.as_ref().ok_or_else(|| missing("substances"))?;
        let methods = session.tables.methods.as_ref().ok_or_else(|| missing("methods"))?;
        let named = tested.iter().any(|one| {
            one.read_lock::<ImmutableString>().is_some_and(|name| table.same(&name, substance))
        });
        let by_item = !item_name.is_empty() && table.same(item_name, substance);
        let by_group = table
            .group(substance)
            .is_some_and(|group| methods.covers_group(method, item_code, &group.id));
        Ok(named || by_item || by_group)
    }

    /// The class of the certificate rule a product falls under: map `code`, `title`; `()` = outside
    /// the rule, where a certificate is voluntary.
    #[rhai_fn(return_raw)]
    pub fn product_class(ctx: NativeCallContext<'_>, code: &str, product: &str) -> RhaiResult {
        let session = session(&ctx)?;
        let table = session.tables.classes.as_ref().ok_or_else(|| missing("classes"))?;
        let Some(class) = table.class(code, product) else { return Ok(Dynamic::UNIT) };
        let mut map = Map::new();
        entry(&mut map, "code", class.code.clone());
        entry(&mut map, "title", class.title.clone());
        Ok(map.into())
    }

    /// A certificate form: map `id`, `title`, `valid_from`, `valid_to` ("" = in force), `issuer`
    /// ("producer" or "buyer"), `bases`; `()` when unknown.
    #[rhai_fn(return_raw)]
    pub fn certificate_form(ctx: NativeCallContext<'_>, id: &str) -> RhaiResult {
        let session = session(&ctx)?;
        let table = session.tables.forms.as_ref().ok_or_else(|| missing("forms"))?;
        let Some(form) = table.form(id) else { return Ok(Dynamic::UNIT) };
        let bases: Array = form.bases.iter().map(|one| one.basis.as_str().into()).collect();
        let mut map = Map::new();
        entry(&mut map, "id", form.id.clone());
        entry(&mut map, "title", form.name.clone());
        entry(&mut map, "valid_from", form.valid_from.to_string());
        entry(&mut map, "valid_to", form.valid_to.map_or_else(String::new, |day| day.to_string()));
        let issuer = match form.issuer {
            Issuer::Producer => "producer",
            Issuer::Buyer => "buyer",
        };
        entry(&mut map, "issuer", issuer);
        entry(&mut map, "bases", bases);
        Ok(map.into())
    }
}
