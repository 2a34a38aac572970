//! Settings of the .NET program of the same name that have no meaning here. A start with its settings file works, and
//! says once for each section what takes its place.

use super::Source;

/// A section or a key of the original, and what replaces it.
#[derive(Debug)]
struct Replaced {
    key: &'static str,
    by: &'static str,
}

/// Keys within our object. A longer key stands before the section that it belongs to.
const WITHIN: &[Replaced] = &[
    Replaced { key: "Version", by: "the program has a version of its own, which /health shows" },
    Replaced { key: "Database:TablePrefix", by: "tables have names of their own, without a prefix" },
    Replaced {
        key: "Global:MaxProviderRetries",
        by: "each group has its retryCount, and a request goes on to the next group by itself",
    },
    Replaced {
        key: "Global",
        by: "each group has its timeout, and Limits:RequestTimeoutSeconds bounds all attempts together",
    },
    Replaced { key: "Gemini", by: "Limits:StreamIdleTimeoutSeconds bounds the pauses of every provider's streams" },
    Replaced {
        key: "RequestLogging:Queue",
        by: "Usage:QueueCapacity and Usage:SpoolMaxBytes bound the usage records that wait",
    },
    Replaced {
        key: "RequestLogging",
        by: "every request leaves a usage record (GET /admin/logs) and a line in the log, neither of which holds a body",
    },
    Replaced {
        key: "KeyHealthCheck",
        by: "a key that is refused or has no money left is tried again as Probes:After says, and HealthCheck checks the keys \
             of groups whose healthCheckEnabled is true",
    },
    Replaced { key: "LogCleanup", by: "usage records are kept until they are deleted in the database" },
    Replaced {
        key: "HealthCheck:CheckOnStartup",
        by: "a group is checked after a start if its last check is longer ago than HealthCheck:IntervalMinutes",
    },
    Replaced {
        key: "HealthCheck:EnableCleanup",
        by: "results older than HealthCheck:RetentionDays are always removed",
    },
];

/// Objects that stand beside ours in the file.
const BESIDE: &[Replaced] = &[
    Replaced { key: "Serilog", by: "Log:Format and Log:Filter say what is logged, to stdout alone" },
    Replaced { key: "Logging", by: "Log:Format and Log:Filter say what is logged, to stdout alone" },
    Replaced { key: "AllowedHosts", by: "requests are answered under every host name" },
    Replaced { key: "Kestrel", by: "Server:Listen says where HTTP is served" },
    Replaced { key: "Urls", by: "Server:Listen says where HTTP is served" },
];

/// Variables of its framework that say where it listens.
const VARIABLES: &[&str] =
    &["ASPNETCORE_URLS", "ASPNETCORE_HTTP_PORTS", "ASPNETCORE_HTTPS_PORTS", "DOTNET_URLS", "Kestrel__Endpoints"];

/// What was found of the original's settings.
#[derive(Debug, Default)]
pub(super) struct Found(Vec<(&'static Replaced, Source, Vec<String>)>);

impl Found {
    /// Notes a key within our object. Says whether it is one of the original's.
    pub(super) fn within(&mut self, source: &Source, key: &str) -> bool {
        let replaced = WITHIN.iter().find(|replaced| super::is_within(key, &[replaced.key]));
        self.note(replaced, source, key)
    }

    /// Notes a name beside our object, if it is one of the original's.
    pub(super) fn beside(&mut self, source: &Source, name: &str) -> bool {
        let replaced = BESIDE.iter().find(|replaced| replaced.key.eq_ignore_ascii_case(name));
        self.note(replaced, source, name)
    }

    fn note(&mut self, replaced: Option<&'static Replaced>, source: &Source, key: &str) -> bool {
        let Some(replaced) = replaced else { return false };
        // Each variable is a source of its own, and one line for a section is enough.
        let same = |other: &Source| {
            other == source || matches!((other, source), (Source::Environment(_), Source::Environment(_)))
        };
        let place = self.0.iter().position(|(known, from, _)| std::ptr::eq(*known, replaced) && same(from));
        match place {
            Some(place) => self.0[place].2.push(key.to_owned()),
            None => self.0.push((replaced, source.clone(), vec![key.to_owned()])),
        }
        true
    }

    /// A sentence for each section that was found, with its keys.
    pub(super) fn told(self) -> impl Iterator<Item = String> {
        self.0.into_iter().map(|(Replaced { by, .. }, source, keys)| {
            format!("{} ({source}): not used; instead, {by}", keys.join(", "))
        })
    }
}

/// What to say of a variable by which the original's framework is told where to listen.
pub(super) fn of_variable(name: &str) -> Option<String> {
    let known =
        VARIABLES.iter().any(|known| name.get(..known.len()).is_some_and(|start| start.eq_ignore_ascii_case(known)));
    known.then(|| {
        format!("{name} (environment): not used; instead, OrchestrationApi__Server__Listen says where HTTP is served")
    })
}
