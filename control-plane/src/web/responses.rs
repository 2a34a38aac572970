//! The problems that operations answer with, as sets. A handler names one of them in its OpenAPI description.

use std::collections::BTreeMap;

use utoipa::openapi::{ContentBuilder, Ref, RefOr, Response, ResponseBuilder};
use utoipa::{IntoResponses, ToSchema as _};

use super::problem::{PROBLEM_JSON, Problem};

/// A status, and when an operation answers with it.
type Answer = (u16, &'static str);

const BAD_QUERY: Answer = (400, "The query is not valid");
const BAD_FIELDS: Answer = (400, "Fields are not valid");
const NOT_LOGGED_IN: Answer = (401, "Not logged in");
const FORBIDDEN: Answer = (403, "Viewers change nothing");
const NOT_FOUND: Answer = (404, "There is none");
const TAKEN: Answer = (409, "The name, or another value that must be unique, is taken");
const TAKEN_OR_STALE: Answer =
    (409, "The name, or another value that must be unique, is taken, or the resource was changed meanwhile");
const NOT_JSON: Answer = (415, "The body is not sent as application/json");
const NO_NODE: Answer = (503, "No node is connected that can tell, or the database does not answer");
const AWAY: Answer = (503, "The database does not answer, or is not in its place");
const FULL: Answer = (507, "The disk of the database is full");

macro_rules! sets {
    ($($(#[$doc:meta])* $name:ident = [$($answer:expr),*];)*) => {
        $(
            $(#[$doc])*
            #[derive(Debug)]
            pub(crate) enum $name {}

            impl IntoResponses for $name {
                fn responses() -> BTreeMap<String, RefOr<Response>> {
                    [$($answer),*].map(problem).into()
                }
            }
        )*
    };
}

sets! {
    /// The problems of an operation that reads what is always there.
    ReadProblems = [NOT_LOGGED_IN, AWAY];
    /// The problems of an operation that lists, with a query.
    ListProblems = [BAD_QUERY, NOT_LOGGED_IN, AWAY];
    /// The problems of an operation that reads one resource.
    FindProblems = [NOT_LOGGED_IN, NOT_FOUND, AWAY];
    /// The problems of an operation that asks a node, with a query.
    AskProblems = [BAD_QUERY, NOT_LOGGED_IN, NOT_FOUND, NO_NODE];
    /// The problems of an operation that lists what belongs to one resource, with a query.
    FindListProblems = [BAD_QUERY, NOT_LOGGED_IN, NOT_FOUND, AWAY];
    /// The problems of an operation that has a node ask a provider, with a query.
    AskProviderProblems = [BAD_QUERY, NOT_LOGGED_IN, FORBIDDEN, NOT_FOUND, NO_NODE];
    /// The problems of an operation that has a node ask a provider, which may cost money, with a body.
    SpendProblems = [BAD_FIELDS, NOT_LOGGED_IN, FORBIDDEN, NOT_FOUND, NOT_JSON, NO_NODE, FULL];
    /// The problems of an operation that tries something out and changes nothing.
    TryProblems = [BAD_FIELDS, NOT_LOGGED_IN, NOT_FOUND, NOT_JSON, AWAY];
    /// The problems of an operation that makes a resource.
    CreateProblems = [BAD_FIELDS, NOT_LOGGED_IN, FORBIDDEN, TAKEN, NOT_JSON, AWAY, FULL];
    /// The problems of an operation that replaces or changes a resource.
    ChangeProblems = [BAD_FIELDS, NOT_LOGGED_IN, FORBIDDEN, NOT_FOUND, TAKEN_OR_STALE, NOT_JSON, AWAY, FULL];
    /// The problems of an operation that changes what is known of a resource, and may ask a node first.
    RecoverProblems = [BAD_FIELDS, NOT_LOGGED_IN, FORBIDDEN, NOT_FOUND, NOT_JSON, NO_NODE, FULL];
    /// The problems of an operation that replaces what is always there.
    PutProblems = [BAD_FIELDS, NOT_LOGGED_IN, FORBIDDEN, NOT_JSON, AWAY, FULL];
    /// The problems of an operation that tells all nodes something.
    AcceptProblems = [NOT_LOGGED_IN, FORBIDDEN, AWAY, FULL];
    /// The problems of an operation that deletes a resource, or tells it something.
    DeleteProblems = [NOT_LOGGED_IN, FORBIDDEN, NOT_FOUND, AWAY, FULL];
}

/// The description of an answer that is a problem document.
fn problem((status, when): Answer) -> (String, RefOr<Response>) {
    let schema = Ref::from_schema_name(Problem::name());
    let content = ContentBuilder::new().schema(Some(schema)).build();
    (status.to_string(), ResponseBuilder::new().description(when).content(PROBLEM_JSON, content).build().into())
}
