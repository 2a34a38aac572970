//! The connections of nodes to the control plane: messages are late, come in any order and twice, and are lost with the
//! connection that they are on.

use std::rc::Rc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::task::spawn_local;
use tokio::time::sleep;

use super::clock::{self, EPOCH};
use super::fleet::{Link, Shared};
use super::judge::Machine;
use crate::route::health::KeyState;

/// Takes what the node learns, and connects it.
pub(super) fn attend(fleet: &Shared, number: usize, mut learnt: mpsc::Receiver<KeyState>) {
    let machine = fleet.borrow().machine(number);
    let own = Rc::clone(fleet);
    spawn_local(async move {
        while let Some(state) = learnt.recv().await {
            let session = {
                let mut fleet = own.borrow_mut();
                let Some(node) = fleet.node(machine) else { return };
                match node.link {
                    Link::Cut => {
                        node.keep(state);
                        continue;
                    }
                    Link::Opening(_) => {
                        node.early.0.push(state);
                        continue;
                    }
                    Link::Open(session) => session,
                }
            };
            tell(&own, machine, session, state);
        }
    });
    connect(fleet, machine);
}

/// Sends `state` from a node to the control plane.
fn tell(fleet: &Shared, machine: Machine, session: u64, state: KeyState) {
    let copies = {
        let mut fleet = fleet.borrow_mut();
        if !fleet.calm && fleet.rng.u8(0..20) == 0 { 2 } else { 1 }
    };
    for _ in 0..copies {
        let delay = fleet.borrow_mut().delay();
        let (fleet, state) = (Rc::clone(fleet), state.clone());
        spawn_local(async move {
            sleep(delay).await;
            let relayed = {
                let mut all = fleet.borrow_mut();
                let there = all.node(machine).is_some_and(|node| node.link == Link::Open(session));
                if there { all.observed(machine, &state) } else { Vec::new() }
            };
            for (machine, session, state) in relayed {
                relay(&fleet, machine, session, state);
            }
        });
    }
}

/// Sends `state` from the control plane to a node.
fn relay(fleet: &Shared, machine: Machine, session: u64, state: KeyState) {
    let delay = fleet.borrow_mut().delay();
    let fleet = Rc::clone(fleet);
    spawn_local(async move {
        sleep(delay).await;
        fleet.borrow_mut().heard(machine, session, state);
    });
}

/// Connects a node as soon as it can be.
pub(super) fn connect(fleet: &Shared, machine: Machine) {
    let fleet = Rc::clone(fleet);
    spawn_local(async move {
        loop {
            let backoff = fleet.borrow_mut().rng.u64(100..3_000);
            sleep(Duration::from_millis(backoff)).await;
            let (session, known, time, delay) = {
                let mut all = fleet.borrow_mut();
                let up = all.control.up;
                let Some(node) = all.node(machine).filter(|node| node.link == Link::Cut) else { return };
                if !up || clock::now() < node.cut_until {
                    continue;
                }
                all.control.sessions += 1;
                let session = all.control.sessions;
                if let Some(node) = all.node(machine) {
                    node.link = Link::Opening(session);
                }
                let time = EPOCH + clock::now() + all.control.ahead;
                // What tells the time is not late by more than a second, or no clock could be told.
                (session, all.follow(), time, Duration::from_millis(all.rng.u64(1..1_000)))
            };
            sleep(delay).await;
            let told = fleet.borrow_mut().welcomed(machine, session, time);
            for state in told {
                tell(&fleet, machine, session, state);
            }
            for state in known {
                relay(&fleet, machine, session, state);
            }
            return;
        }
    });
}
