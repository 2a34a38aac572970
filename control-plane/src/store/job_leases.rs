//! Leases of work that one control plane is to do and no other. A lease ends by the database's clock, unless its holder
//! takes it again before, so that the clocks of control planes do not matter.

use std::time::Duration;

use diesel::prelude::*;
use diesel_async::RunQueryDsl;

use super::clock::now;
use super::schema::job_leases;
use super::{Store, StoreError};

/// Takes the lease `name` for `holder`, or takes it again, for so long from now on. Says whether `holder` has it: not
/// where somebody else does.
///
/// # Errors
/// [`StoreError`].
pub async fn take(store: &Store, name: &'static str, holder: &str, lasts: Duration) -> Result<bool, StoreError> {
    let (holder, lasts) = (holder.to_owned(), i64::try_from(lasts.as_millis()).unwrap_or(i64::MAX));
    // Who waits for a lease only looks. One that ends later than it can was taken by a clock that has gone back since.
    let mine = holder.clone();
    let held = with_conn!(store, conn => {
        let now = now!(conn);
        let row = job_leases::table.find(name).select((job_leases::holder, job_leases::expires_at));
        let held = row.first::<(String, i64)>(conn).await.optional()?;
        Ok(held.map(|(holder, expires_at)| holder != mine && expires_at > now && expires_at <= now + lasts))
    })?;
    if held == Some(true) {
        return Ok(false);
    }
    let taken = with_tx!(store, conn => {
        let expires_at = now!(conn) + lasts;
        if held.is_none() {
            let row = (
                job_leases::name.eq(name),
                job_leases::holder.eq(&holder),
                job_leases::expires_at.eq(expires_at),
            );
            diesel::insert_into(job_leases::table).values(row).execute(conn).await?;
            return Ok(true);
        }
        let (from, to) = (expires_at - lasts, expires_at);
        let free = job_leases::expires_at.le(from).or(job_leases::expires_at.gt(to));
        let mine = job_leases::table.filter(job_leases::name.eq(name).and(job_leases::holder.eq(&holder).or(free)));
        let values = (job_leases::holder.eq(&holder), job_leases::expires_at.eq(expires_at));
        Ok(diesel::update(mine).set(values).execute(conn).await? > 0)
    });
    match taken {
        // Somebody else has made the row meanwhile.
        Err(StoreError::Taken { .. }) => Ok(false),
        taken => taken,
    }
}

/// Gives the lease `name` back, where `holder` has it: others may take it at once.
///
/// # Errors
/// [`StoreError`].
pub async fn give_back(store: &Store, name: &'static str, holder: &str) -> Result<(), StoreError> {
    let holder = holder.to_owned();
    with_tx!(store, conn => {
        let mine = job_leases::table.filter(job_leases::name.eq(name).and(job_leases::holder.eq(&holder)));
        diesel::update(mine).set(job_leases::expires_at.eq(0_i64)).execute(conn).await?;
        Ok(())
    })
}
