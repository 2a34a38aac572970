//! What an error answer says beside the document in its body, which its format reads: of the upstream key, and how long
//! to wait. Vendors' words, codes and headers are data here, with where they are documented.

mod pause;
mod renewal;
mod shape;
mod signs;

use std::time::Duration;

pub use self::renewal::Renewal;
use self::shape::Said;
use self::signs::SIGNS;

/// How the error answers of a vendor are read.
#[derive(Clone, Copy, Debug)]
pub struct ErrorRules {
    /// The header that holds a pause in milliseconds, which counts before `Retry-After`.
    pub pause_ms: &'static str,
    /// The beginning of the headers that end in `-reset` and hold the time (RFC 3339) at which a window is open again.
    /// The last of these times counts where no pause is given.
    pub resets: &'static str,
    /// The beginnings of the headers that say how much of a window is left, and how long until it is open again. They
    /// end in the name of the window. One of which nothing is left counts where no pause is given.
    pub windows: (&'static str, &'static str),
    /// The header that holds the name of an error whose body has none.
    pub name: &'static str,
    /// Statuses below 500 by which a provider says that what stands behind it has failed.
    pub failures: &'static [u16],
    /// By what a refusal is known, in the order in which it is looked for.
    pub signs: &'static [Sign],
}

/// What a refusal is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    /// The request: a filter refuses its content, or it is too long.
    Request,
    /// The rate of requests or tokens, though the provider speaks of a quota: waiting a little helps.
    Rate,
    /// What stands behind the provider's API has no room now. It says nothing of the key.
    Overloaded,
    /// The account has no money left, or its quota of a day or month is spent: waiting a little does not help.
    Exhausted,
    /// The same, and it is about money of which the provider says that it may come back at once.
    InFlight,
    /// The key is wrong, or was taken out of use.
    Key,
    /// The key is good, and may not do what was asked: use a model, call from a region, do without a scope.
    Right,
    /// There is no such model, or not for this key.
    Model,
}

/// Something by which a refusal is known. Any one of the names or words is enough.
#[derive(Clone, Copy, Debug)]
pub struct Sign {
    /// What it stands for.
    pub refused: Refused,
    /// The statuses with which it counts. Empty: all.
    pub statuses: &'static [u16],
    /// Codes, types and reasons in the document, whole and in small letters.
    pub names: &'static [&'static str],
    /// What stands in the provider's words, in small letters.
    pub words: &'static [&'static str],
    /// What must stand there beside one of the words: any one of these. Empty: nothing.
    pub with: &'static [&'static str],
}

impl ErrorRules {
    /// The rules of every vendor so far. Many stand in front of others and pass on what those say, so what one vendor
    /// has is looked for at all.
    pub const USUAL: Self = Self {
        // OpenAI and Azure.
        pause_ms: "retry-after-ms",
        // Anthropic.
        resets: "anthropic-ratelimit-",
        // OpenAI (API guide, "Rate limits in headers") and Groq.
        windows: ("x-ratelimit-remaining-", "x-ratelimit-reset-"),
        // AWS (Bedrock API Reference, "Converse", section "Errors").
        name: "x-amzn-errortype",
        // 424: Bedrock, of the model. 498: Groq ("Flex tier capacity exceeded").
        failures: &[424, 498],
        signs: SIGNS,
    };

    /// What an error answer with this status, this name in its header and this body is about; none where it does not
    /// say.
    pub fn refused(&self, status: u16, name: Option<&str>, body: &[u8]) -> Option<Refused> {
        let said = Said::read(name, body);
        let sign = self.signs.iter().find(|sign| sign.stands_in(status, &said));
        sign.map(|sign| sign.refused)
    }

    /// Whether a quota that is spent, of which an answer with this name in its header and this body tells, is that of
    /// one model: Google and AWS count by model, and so does Alibaba what is free.
    pub fn is_of_model(&self, name: Option<&str>, body: &[u8]) -> bool {
        const OF_MODEL: [&str; 3] = ["resource_exhausted", "throttlingexception", "allocationquota.freetieronly"];
        Said::read(name, body).names.iter().any(|name| OF_MODEL.contains(&&**name))
    }

    /// The pause that the body of an error answer asks for, in a field or in words.
    pub fn pause(&self, body: &[u8]) -> Option<Duration> {
        pause::of(&Said::read(None, body))
    }

    /// When a quota that is spent is there again, where an answer with this name in its header and this body says so,
    /// or the kind of the quota does.
    pub fn renewal(&self, name: Option<&str>, body: &[u8]) -> Option<Renewal> {
        renewal::of(&Said::read(name, body), body)
    }

    /// A pause such as `1s`, `6m0s` or `350ms`, as headers have it. A bare number is seconds.
    pub fn duration(&self, text: &str) -> Option<Duration> {
        pause::duration(text)
    }
}

impl Sign {
    fn stands_in(&self, status: u16, said: &Said) -> bool {
        let counts = self.statuses.is_empty() || self.statuses.contains(&status);
        let named = || self.names.iter().any(|name| said.names.iter().any(|said| said == name));
        let any = |words: &[&str]| words.iter().any(|words| said.words.contains(words));
        counts && (named() || (any(self.words) && (self.with.is_empty() || any(self.with))))
    }
}

#[cfg(test)]
mod tests;
