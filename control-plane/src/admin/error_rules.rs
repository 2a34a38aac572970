//! `/admin/error-rules`: the rules for errors that count in every group. `/admin/error-rules/try`: what a pasted answer
//! of a provider means, by the code by which nodes judge answers.

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use serde::Serialize;
use serde_json::Value;
use shared::snapshot::ErrorRule;
use shared::verdict::{Effect, Extent, Meaning, Question, Step, judge, ruled};
use translation::vendors;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::bounds::{ID_BYTES, NAME_BYTES};
use super::groups::{ErrorRuleBody, read_rules};
use crate::auth::permission::{ChangeGroups, Guarded as _, Permitted, ReadGroups};
use crate::error::ApiError;
use crate::state::AppState;
use crate::store::error_rules::{self as store, StoredRules};
use crate::store::groups::StoredGroup;
use crate::web::extract::JsonBody;
use crate::web::fields::{Fields, Known, kind};
use crate::web::responses::{PutProblems, ReadProblems, TryProblems};

const FIELDS: &[Known] = &[
    Known::new("providerType"),
    Known::new("status"),
    Known::new("headers"),
    Known::new("body"),
    Known::also("rules", &["errorRules"]),
    Known::new("groupId"),
];

const RULES: &[Known] = &[Known::also("rules", &["errorRules"])];

/// The rules for errors that count in every group.
#[derive(Debug, ToSchema)]
#[schema(rename_all = "camelCase")]
pub struct GlobalRulesBody {
    /// The rules, in their order: the first that fits counts.
    pub rules: Vec<ErrorRuleBody>,
}

/// The rules for errors that count in every group, as they are stored.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct GlobalRulesView {
    /// The rules, in their order: the first that fits counts, behind those of the group.
    pub rules: Vec<ErrorRuleBody>,
    /// When they were last changed, in epoch milliseconds. Null where they never were.
    pub updated_at: Option<i64>,
}

impl GlobalRulesView {
    fn of(stored: &StoredRules) -> Json<Self> {
        let rules = stored.rules.iter().map(ErrorRuleBody::of).collect();
        Json(Self { rules, updated_at: stored.updated_at })
    }
}

/// An answer of a provider, and the rules that are tried on it.
#[derive(Debug, ToSchema)]
#[schema(rename_all = "camelCase")]
pub struct AnswerBody {
    /// The vendor, such as `openai`. It may be left out beside `groupId`.
    pub provider_type: Option<String>,
    /// HTTP status of the answer.
    #[schema(minimum = 200, maximum = 599)]
    pub status: u16,
    /// Headers of the answer.
    #[schema(value_type = Option<Object>)]
    pub headers: Option<Value>,
    /// Body of the answer: a text, or a JSON document.
    pub body: Value,
    /// Rules to try. Without them, those of the group count, and behind them those of every group.
    pub rules: Option<Vec<ErrorRuleBody>>,
    /// Id of a group.
    pub group_id: Option<String>,
}

/// What an answer means.
#[derive(Debug, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Judged {
    /// What the attempt came to: `success`, `client_fault`, `circle`, `rate_limited`, `exhausted`, `no_model`,
    /// `key_refused`, `failed` or `unusable`.
    pub meaning: &'static str,
    /// What is done next: `end`, `next_key`, `next_group`, or `unsigned` (the same key again, without the signatures in
    /// the request).
    pub step: &'static str,
    /// What it says of the upstream key: `none`, `cool`, `exhaust`, `refuse`, or `doubt` (three of them refuse it).
    pub effect: &'static str,
    /// What of the key that is about: `model` or `key`. Null where it says nothing.
    pub scope: Option<&'static str>,
    /// For how many seconds, where the answer or the rule says so.
    pub seconds: Option<u64>,
    /// The place of the rule that counted in its list. Null: none did.
    pub rule: Option<usize>,
    /// The list in which that rule stands: `given` (the body), `group`, or `global`. Null: no rule counted.
    pub rule_of: Option<&'static str>,
}

/// The routes.
pub(crate) fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(read, replace)).routes(routes!(try_rules))
}

/// Read the error rules of every group
///
/// What certain error answers mean, whatever the group. The rules of a group count before them.
#[utoipa::path(
    get,
    path = "/admin/error-rules",
    operation_id = "readErrorRules",
    tag = "groups",
    responses(
        (status = 200, description = "The rules", body = GlobalRulesView),
        ReadProblems,
    )
)]
async fn read(State(state): State<AppState>, permit: Permitted<ReadGroups>) -> Result<Json<GlobalRulesView>, ApiError> {
    Ok(GlobalRulesView::of(&store::get(state.store(), &permit.scope).await?))
}

/// Replace the error rules of every group
#[utoipa::path(
    put,
    path = "/admin/error-rules",
    operation_id = "replaceErrorRules",
    tag = "groups",
    request_body = GlobalRulesBody,
    responses(
        (status = 200, description = "The rules as they are stored", body = GlobalRulesView),
        PutProblems,
    )
)]
async fn replace(
    State(state): State<AppState>,
    permit: Permitted<ChangeGroups>,
    JsonBody(body): JsonBody,
) -> Result<Json<GlobalRulesView>, ApiError> {
    let mut fields = Fields::of(body, RULES)?;
    if !fields.has("rules") {
        fields.error("rules", "is required");
    }
    let rules = read_rules(&mut fields, "rules");
    fields.finish()?;
    Ok(GlobalRulesView::of(&store::replace(state.store(), &permit.scope, rules, &permit.actor()).await?))
}

/// Try error rules
///
/// Judges a pasted answer of a provider as a node would, for a chat request: by the rules in the body, or else by those
/// of a group and behind them those of every group. Nothing is sent and nothing is stored.
#[utoipa::path(
    post,
    path = "/admin/error-rules/try",
    operation_id = "tryErrorRules",
    tag = "groups",
    request_body = AnswerBody,
    responses(
        (status = 200, description = "What the answer means", body = Judged),
        TryProblems,
    )
)]
async fn try_rules(
    State(state): State<AppState>,
    permit: Permitted<ReadGroups>,
    JsonBody(body): JsonBody,
) -> Result<Json<Judged>, ApiError> {
    let mut fields = Fields::of(body, FIELDS)?;
    let provider = fields.text("providerType", NAME_BYTES);
    let status = fields.integer("status", 200, 599).and_then(|status| u16::try_from(status).ok());
    if fields.is_fine() && status.is_none() {
        fields.error("status", "is required");
    }
    let headers = read_headers(&mut fields);
    let text = match fields.take("body") {
        None => String::new(),
        Some(Value::String(text)) => text,
        Some(document) => document.to_string(),
    };
    let given = fields.has("rules");
    let mut rules = read_rules(&mut fields, "rules");
    let group_id = fields.text("groupId", ID_BYTES);
    if fields.is_fine() && provider.is_none() && group_id.is_none() {
        fields.error("providerType", "is required where no groupId is given");
    }
    fields.finish()?;

    let group = match &group_id {
        Some(id) => Some(StoredGroup::find(state.store(), &permit.scope, id).await?.ok_or(StoredGroup::NOT_FOUND)?),
        None => None,
    };
    let mut own = rules.len();
    if !given {
        rules = group.as_ref().map(|group| group.group.routing.error_rules.clone()).unwrap_or_default();
        own = rules.len();
        rules.extend(store::get(state.store(), &permit.scope).await?.rules);
    }
    let name = provider.or_else(|| group.as_ref().map(|group| group.group.provider_type.to_string()));
    let vendor = vendors::by_name(name.as_deref().unwrap_or_default());
    let vendor = vendor.ok_or_else(|| ApiError::field("providerType", "is no vendor that is known here"))?;
    let judged = judged(vendor, status.unwrap_or_default(), &headers, text.as_bytes(), &rules);
    Ok(Json(judged.found(if given { "given" } else { "group" }, own)))
}

impl Judged {
    /// The same, where the first `own` rules are those of `list`, and the rest those of every group.
    fn found(self, list: &'static str, own: usize) -> Self {
        match self.rule {
            None => self,
            Some(place) if place < own => Self { rule_of: Some(list), ..self },
            Some(place) => Self { rule: Some(place - own), rule_of: Some("global"), ..self },
        }
    }
}

fn read_headers(fields: &mut Fields) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in fields.object("headers").unwrap_or_default() {
        let place = format!("headers[{name}]");
        let text = match &value {
            Value::String(text) => text.clone(),
            Value::Number(number) => number.to_string(),
            other => {
                fields.error(&place, format!("must be a text, not {}", kind(other)));
                continue;
            }
        };
        match (name.parse::<HeaderName>(), HeaderValue::from_str(&text)) {
            (Ok(name), Ok(value)) => drop(headers.append(name, value)),
            _ => fields.error(&place, "is no header of HTTP"),
        }
    }
    headers
}

fn judged(vendor: &vendors::Vendor, status: u16, headers: &HeaderMap, body: &[u8], rules: &[ErrorRule]) -> Judged {
    let question = Question { beside_chat: false, names_model: true };
    let error = vendor.formats[0].protocol().decode_error(status, body);
    let code = StatusCode::from_u16(status).unwrap_or_default();
    let verdict = judge(code, headers, &error, body, question, &vendor.errors);
    let (verdict, rule) = ruled(verdict, status, body, question, rules);
    let (effect, extent, time) = match verdict.effect {
        Effect::None => ("none", None, None),
        Effect::Rest(extent, pause) => ("cool", Some(extent), Some(pause)),
        Effect::Guess(extent) => ("cool", Some(extent), None),
        Effect::Exhaust(extent, time) => ("exhaust", Some(extent), time),
        Effect::Refuse(extent) => ("refuse", Some(extent), None),
        Effect::Doubt(extent) => ("doubt", Some(extent), None),
    };
    let meaning = match verdict.meaning {
        Meaning::Success => "success",
        Meaning::ClientFault => "client_fault",
        Meaning::Circle => "circle",
        Meaning::RateLimited => "rate_limited",
        Meaning::Exhausted => "exhausted",
        Meaning::NoModel => "no_model",
        Meaning::KeyRefused => "key_refused",
        Meaning::Failed => "failed",
        Meaning::Unusable(_) => "unusable",
    };
    let step = match verdict.step {
        Step::End => "end",
        Step::NextKey => "next_key",
        Step::NextGroup => "next_group",
        Step::Unsigned => "unsigned",
    };
    let scope = extent.map(|extent| if extent == Extent::Key { "key" } else { "model" });
    Judged { meaning, step, effect, scope, seconds: time.map(|time| time.as_secs()), rule, rule_of: None }
}

#[cfg(test)]
mod tests;
