//! Asks a provider which models it has.

use std::collections::BTreeSet;

use shared::pb;
use tokio::time::Instant;
use translation::protocol::listing::ModelPage;

use super::report::ProbeReport;
use crate::attempt::Prober;
use crate::body::collect::Patience;
use crate::error::GatewayError;
use crate::opening::whole::whole;
use crate::request::own::OwnListing;
use crate::route::single::AskedModel;
use crate::route::table::RouteTable;

/// The most models that are told.
const MOST_MODELS: usize = 5_000;

/// The most pages that are asked for.
const MOST_PAGES: usize = 10;

/// The longest name of a model that is told, in bytes.
const LONGEST_NAME: usize = 256;

/// Asks for the models of the provider of the group that is `asked` for.
///
/// # Errors
/// Why nothing was sent, for people.
pub(super) async fn list(
    through: &Prober,
    table: &RouteTable,
    asked: &pb::ListModels,
    deadline: Instant,
) -> Result<ProbeReport, String> {
    let key = Some(&*asked.upstream_key_id).filter(|id| !id.is_empty());
    let candidate = table.single(&asked.group_id, key, AskedModel::None)?;
    let mut listing = OwnListing::default();
    let mut ids = BTreeSet::new();
    let mut pages = 0;
    loop {
        let probed = through.ask(&candidate, &listing, deadline).await;
        let mut probed = probed.map_err(|error| match error {
            GatewayError::NoEndpoint { vendor } => format!("{vendor} has no list of models that is known"),
            error => error.for_operator(),
        })?;
        let report = ProbeReport::of(&candidate, &probed);
        let Some(answer) = probed.answer.take() else { return Ok(report) };
        let patience = Patience { first: deadline, pause: deadline - Instant::now(), whole: deadline, end: None };
        let body = match whole(&answer.head, answer.opened.into_body(), patience).await {
            Ok(body) => body,
            Err(error) => return Ok(report.broken(error.for_operator())),
        };
        let Some(page) = ModelPage::read(&body) else {
            return Ok(report.broken("the provider's answer is no list of models".to_owned()));
        };
        let (leak, before) = (&candidate.key.leak, ids.len());
        ids.extend(page.ids.into_iter().filter(|id| id.len() <= LONGEST_NAME).map(|id| leak.redact_text(id)));
        pages += 1;
        let full = ids.len() > MOST_MODELS;
        let goes_on = page.next.is_some() && ids.len() > before;
        if full || pages >= MOST_PAGES || !goes_on {
            let has_more = full || goes_on;
            let models = Some(ids.into_iter().take(MOST_MODELS).collect());
            return Ok(ProbeReport { models, has_more, ..report });
        }
        listing.page = page.next;
    }
}
