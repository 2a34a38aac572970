//! In which order candidates are tried. Pure: what a policy knows of load, time and chance is handed in.

use std::cmp::Ordering;

use shared::snapshot::Group;

/// The order of groups by failover: the higher priority first; among equals the older group, so that the order does not
/// depend on chance. Within a group, keys go in the operator's order.
pub fn failover(left: &Group, right: &Group) -> Ordering {
    right.priority.cmp(&left.priority).then_with(|| left.id.cmp(&right.id))
}

/// Which of a group's keys is tried at `position`, where the key `own` goes before the others.
pub fn own_first(own: Option<usize>, position: usize) -> usize {
    match own {
        Some(own) if position == 0 => own,
        Some(own) if position <= own => position - 1,
        _ => position,
    }
}

#[cfg(test)]
mod tests;
