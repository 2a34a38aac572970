//! The signs by which a refusal is known, in the order in which they are looked for: vendors' words and codes, with
//! where they are documented.

use super::{Refused, Sign};
use crate::protocol::wording;

/// Statuses with which vendors say that money or a quota is gone.
const MONEY: &[u16] = &[400, 401, 402, 403, 412, 429, 432];

/// A sign by which nothing is known, which the signs below differ from.
const NONE: Sign = Sign { refused: Refused::Overloaded, statuses: &[], names: &[], words: &[], with: &[] };

pub(super) const SIGNS: &[Sign] = &[
    // A filter of OpenRouter's or xAI's; Together answers 403 where a request is too long ("Error codes").
    Sign {
        refused: Refused::Request,
        statuses: &[403],
        names: &["content_policy_violation"],
        words: wording::FILTERED,
        ..NONE
    },
    Sign { refused: Refused::Request, statuses: &[403], words: wording::TOO_LONG, ..NONE },
    // Alibaba Cloud Model Studio ("Rate limits", "Coding Plan: FAQ"): what is free, and the windows of a plan.
    Sign {
        refused: Refused::Exhausted,
        statuses: MONEY,
        names: &["allocationquota.freetieronly"],
        words: &[
            "free allocated quota exceeded",
            "hour allocated quota exceeded",
            "week allocated quota exceeded",
            "month allocated quota exceeded",
        ],
        ..NONE
    },
    // The same code, `insufficient_quota`, is there a rate of tokens ("Rate limits": "Allocated quota exceeded").
    Sign {
        refused: Refused::Rate,
        statuses: &[429],
        names: &["throttling.allocationquota"],
        words: &[
            "error-code#token-limit",
            "allocated quota exceeded, please increase",
            "concurrency allocated quota exceeded",
        ],
        ..NONE
    },
    // OpenRouter (API reference, "Errors"): credits are held for requests in flight.
    Sign {
        refused: Refused::InFlight,
        statuses: &[402],
        names: &["in_flight_budget_exhausted"],
        words: &["in_flight_budget_exhausted"],
        ..NONE
    },
    // Moonshot ("engine_overloaded_error", 429), Anthropic, OpenAI ("That model is currently overloaded"), Gemini,
    // Volcengine ("ServerOverloaded"), Zhipu (1305 and 1312).
    Sign {
        refused: Refused::Overloaded,
        statuses: &[],
        names: &[
            "engine_overloaded_error",
            "overloaded_error",
            "model_overloaded",
            "server_overloaded",
            "serveroverloaded",
            "overloaded",
        ],
        words: &[
            "engine is currently overloaded",
            "engine is overloaded",
            "model is overloaded",
            "is currently overloaded",
            "may be temporarily overloaded",
            "该模型当前访问量过大",
            "模型当前负载过高",
            "负载已饱和",
        ],
        ..NONE
    },
    Sign {
        refused: Refused::Exhausted,
        statuses: MONEY,
        names: &[
            // OpenAI, Azure, and many who copy them.
            "insufficient_quota",
            "billing_hard_limit_reached",
            "billing_not_active",
            // OpenAI (API guide, "Error codes", 429).
            "credit_balance_exhausted",
            "organization_spend_limit_exceeded",
            "project_spend_limit_exceeded",
            "organization_usage_limit_exceeded",
            // Google (`google.rpc.ErrorInfo`).
            "billing_disabled",
            // Anthropic.
            "billing_error",
            "enforced_spend_limit_reached",
            // OpenRouter, Together.
            "payment_required",
            "credit_limit",
            // Moonshot.
            "exceeded_current_quota_error",
            // Alibaba Cloud Model Studio.
            "arrearage",
            "prepaidbilloverdue",
            "postpaidbilloverdue",
            "commoditynotpurchased",
            // Volcengine.
            "accountoverdueerror",
            "accountoverdue",
            // New API and One API.
            "insufficient_user_quota",
            "pre_consume_token_quota_failed",
            // Groq ("Spend limits").
            "blocked_api_access",
            "insufficient_balance",
            "insufficient_balance_error",
            "insufficientbalance",
            "insufficient_credits",
        ],
        words: &[
            "credit balance is too low",
            "insufficient balance",
            "insufficient account balance",
            "account balance is insufficient",
            "balance is not enough",
            "not enough balance",
            "insufficient credit",
            "insufficient funds",
            "insufficient_quota",
            "insufficient user quota",
            "insufficient quota",
            "out of credits",
            "used all available credits",
            "credits are depleted",
            "requires more credits",
            "monthly spending limit",
            "spending cap",
            "spend limit",
            "billing hard limit",
            // Anthropic (Claude documentation, "Rate limits", section "Spend limits").
            "api usage limits",
            // xAI.
            "have any credits",
            // OpenRouter (a key's limit, a budget).
            "key limit exceeded",
            "budget limit exceeded",
            // Mistral, Zhipu (1308).
            "usage limit reached",
            // Ollama (cloud).
            "reached your session usage limit",
            "reached your weekly usage limit",
            // Moonshot (Kimi for Coding, `access_terminated_error`, which stands for other things too).
            "usage limit for this billing cycle",
            // Zhipu (1310, 1308, 1304, 1309).
            "monthly limit exhausted",
            "使用上限",
            "今日调用次数限额",
            "套餐已到期",
            // Volcengine ("You have exceeded the monthly usage quota. It will reset at …").
            "usage quota. it will reset at",
            "account is in arrears",
            "overdue payment",
            "余额不足",
            "欠费",
            "额度不足",
            "额度已用尽",
            "额度已用完",
            "额度已耗尽",
            "配额不足",
            "账户余额",
            "请充值",
        ],
        ..NONE
    },
    // Relays ("quota exceeded") and OpenAI's words without its code. A 429 of Google's has them for the limits of a
    // minute.
    Sign {
        refused: Refused::Exhausted,
        statuses: &[400, 402, 403],
        names: &["quota_exceeded"],
        words: &["quota exceeded", "exceeded your current quota", "quota has been exceeded", "out of quota"],
        ..NONE
    },
    // What a key is refused by beside the statuses that are about keys.
    Sign {
        refused: Refused::Key,
        statuses: &[400, 401, 403, 404],
        names: &[
            // OpenAI.
            "invalid_api_key",
            "account_deactivated",
            // Groq.
            "organization_restricted",
            // Google (`google.rpc.ErrorInfo`).
            "api_key_invalid",
            "api_key_expired",
            "api_key_not_found",
            "api_key_service_blocked",
            "consumer_suspended",
            // AWS ("Common errors").
            "unrecognizedclientexception",
            "expiredtokenexception",
            "invalidsignatureexception",
            "incompletesignatureexception",
            "missingauthenticationtokenexception",
            // Anthropic, Alibaba, Volcengine, Moonshot.
            "authentication_error",
            "invalidapikey",
            "authenticationerror",
            "invalid_authentication_error",
        ],
        words: &[
            "api key not valid",
            "api key expired",
            "api key not found",
            "incorrect api key",
            "invalid api key",
            // Anthropic, Groq.
            "organization has been disabled",
            "organization has been restricted",
            // Gemini.
            "has been denied access",
            // Bedrock.
            "security token included in the request is",
            "please make sure your api key is valid",
        ],
        ..NONE
    },
    // OpenAI, of a key that is limited to some endpoints: "insufficient permissions", "missing scopes".
    Sign {
        refused: Refused::Right,
        statuses: &[401],
        names: &["permission_error", "insufficient_permissions", "missing_scope"],
        words: &["permission", "scope", "没有权限", "无权"],
        ..NONE
    },
    // The same with the status that is meant for it. What no words say is in doubt.
    Sign {
        refused: Refused::Right,
        statuses: &[403],
        names: &[
            "model_not_found",
            "permission_error",
            "accessdeniedexception",
            "access_terminated_error",
            "unsupported_country_region_territory",
        ],
        words: &["access to model", "access to the", "have permission", "not authorized to", "is not allowed to"],
        ..NONE
    },
    // Google says with 400 where it does not serve.
    Sign {
        refused: Refused::Right,
        statuses: &[400],
        names: &["unsupported_country_region_territory"],
        words: &["user location is not supported", "free tier is not available in your country"],
        ..NONE
    },
    Sign {
        refused: Refused::Key,
        statuses: &[401, 403],
        words: &[
            "suspended",
            "deactivated",
            "has been disabled",
            "been revoked",
            "reported as leaked",
            "invalid token",
            "invalid api-key",
            "无效的令牌",
            "令牌已过期",
            "令牌状态不可用",
            "身份验证失败",
        ],
        ..NONE
    },
    // What only a key that is wrong, gone or out of date is told, by the status that is meant for it.
    Sign {
        refused: Refused::Key,
        statuses: &[401],
        names: &[
            // Google (`google.rpc.Code`, and `google.rpc.ErrorInfo` where the words differ).
            "unauthenticated",
            "credentials_missing",
            "access_token_type_unsupported",
            "access_token_expired",
            // Cerebras.
            "wrong_api_key",
        ],
        words: &[
            // DeepSeek.
            "authentication fails",
            // OpenRouter: no key that it knows, or a key whose user is gone.
            "auth credentials found",
            "user not found",
            // Moonshot, Google ("invalid authentication credentials").
            "invalid authentication",
            // SiliconFlow ("Api key is invalid"), Fireworks ("The API key you provided is invalid").
            "api key is invalid",
            "api key you provided is invalid",
            // Cerebras.
            "wrong api key",
            // Azure.
            "invalid subscription key",
            // Zhipu (1000 to 1004).
            "token expired or incorrect",
            "token非法",
            "token已过期",
            "令牌已过期或验证不正确",
            // Cohere.
            "invalid api token",
        ],
        ..NONE
    },
    Sign {
        refused: Refused::Model,
        // 503: New API and One API, where the group of the key has no channel for the model.
        statuses: &[400, 404, 422, 503],
        names: &[
            // OpenAI and most others.
            "model_not_found",
            // Azure.
            "deploymentnotfound",
            // Alibaba, Volcengine.
            "modelnotfound",
            "invalidendpointormodel.notfound",
            "modelnotopen",
            // Mistral.
            "invalid_model",
        ],
        words: &[
            // DeepSeek.
            "model not exist",
            // SiliconFlow (20012).
            "model does not exist",
            // Bedrock.
            "model identifier is invalid",
            "with on-demand throughput isn",
            // Mistral.
            "invalid model:",
            // OpenRouter.
            "no endpoints found",
            "is not a valid model id",
            // Moonshot, Fireworks, Cohere.
            "not found the model",
            "no such model",
            "unknown model",
            "模型不存在",
            "无可用渠道",
            "no available channel for model",
        ],
        ..NONE
    },
    // The name of the model stands between the words: "The model `m` does not exist", "model 'm' not found".
    Sign {
        refused: Refused::Model,
        statuses: &[404],
        words: &["not found", "not exist", "not deployed", "no access"],
        with: &["model", "deployment"],
        ..NONE
    },
];
