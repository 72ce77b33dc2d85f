//! Every interleaving of small cases of the lease protocol, by a model checker.
//!
//! What a relay decides is decided here by the same functions: `share_out`,
//! `plan`, `Lease::may_take`, `Lease::may_write`, `Cursor::selects` and
//! `Cursor::advance`. What the model leaves out is listed in `docs/adr/0014`.

#![allow(
    clippy::panic,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a test fails by panicking, and the number of states is of interest"
)]

mod model;

use std::collections::BTreeSet;

use model::{Condition, Protocol, Step, Transaction, World};
use outbox_sidecar_core::share::{RelayId, share_out};
use stateright::{Checker, HasDiscoveries, Model, Property};

impl Model for Protocol {
    type State = World;
    type Action = Step;

    fn init_states(&self) -> Vec<World> {
        vec![World::new(self)]
    }

    fn actions(&self, world: &World, steps: &mut Vec<Step>) {
        steps.extend(world.steps(self));
        steps.extend(world.faults());
    }

    fn next_state(&self, world: &World, step: Step) -> Option<World> {
        world.after(self, &step)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            Property::always(FENCED, |_, world: &World| !world.seen.written_out_of_turn),
            Property::always(FORWARD, |_, world: &World| !world.seen.cursor_went_back),
            Property::always(COMPLETE, no_row_is_skipped),
            Property::always(ORDERED, rows_of_a_key_keep_their_order),
            Property::always(STEADY, |_, world: &World| {
                let changes = 2 * i64::from(world.seen.changes);
                world.cursors.iter().all(|row| row.lease.epoch <= changes)
            }),
            Property::always(PROGRESS, |protocol: &Self, world: &World| {
                everything_is_done(protocol, world) || something_is_left_to_do(protocol, world)
            }),
            // Only where a relay rests for longer than its lease with rows to publish.
            Property::sometimes("a stale write is refused", |protocol: &Self, world: &World| {
                !protocol.has_stale_writes() || world.seen.stale_write_refused
            }),
            Property::sometimes(
                "a lease expires while rows are under way",
                |protocol: &Self, world: &World| {
                    !protocol.has_stale_writes() || world.seen.taken_under_way
                },
            ),
            Property::sometimes("a bucket is handed over", |protocol: &Self, world: &World| {
                protocol.buckets == 1 || world.seen.handed_over
            }),
        ]
    }
}

impl Protocol {
    fn has_stale_writes(&self) -> bool {
        self.lapses > 0 && !self.rows.is_empty()
    }
}

const FENCED: &str = "no two relays write in one epoch, nor one in an epoch of the past";
const FORWARD: &str = "no cursor write takes back what was stored";
const COMPLETE: &str = "what a cursor has passed is published";
const ORDERED: &str = "rows of a key are first published in the order of their commits";
const STEADY: &str = "a bucket changes hands only when relays come, go, or lapse";
const PROGRESS: &str = "when nothing is left to do, all is published and fairly shared";

fn no_row_is_skipped(protocol: &Protocol, world: &World) -> bool {
    (0..protocol.rows.len()).all(|t| {
        let bucket = protocol.rows[t];
        let stored = world.cursors.iter().filter(|row| row.lease.bucket == bucket);
        let in_memory =
            world.relays.iter().filter_map(|relay| relay.run.as_ref()?.held.get(&bucket));
        let mut cursors = stored.map(|row| &row.cursor).chain(in_memory.map(|held| &held.1));
        world.topic.contains(&t) || !cursors.any(|cursor| world.covers(cursor, t))
    })
}

fn rows_of_a_key_keep_their_order(protocol: &Protocol, world: &World) -> bool {
    let position = |t: usize| match world.transactions[t] {
        Transaction::Committed(_, position) => position,
        _ => 0,
    };
    (0..i32::from(protocol.buckets)).all(|bucket| {
        world
            .topic
            .iter()
            .filter(|t| protocol.rows[**t] == bucket)
            .map(|t| position(*t))
            .is_sorted()
    })
}

fn everything_is_done(protocol: &Protocol, world: &World) -> bool {
    let live: BTreeSet<_> =
        world.relays.iter().filter_map(|relay| Some(relay.run.as_ref()?.id)).collect();
    // With nobody there, nobody can do anything.
    live.is_empty()
        || (everything_is_published(protocol, world) && shared_among(&live, protocol, world))
}

fn everything_is_published(protocol: &Protocol, world: &World) -> bool {
    (0..protocol.rows.len()).all(|t| {
        let mut rows = world.cursors.iter().filter(|row| row.lease.bucket == protocol.rows[t]);
        world.topic.contains(&t) && rows.all(|row| world.covers(&row.cursor, t))
    })
}

fn shared_among(live: &BTreeSet<RelayId>, protocol: &Protocol, world: &World) -> bool {
    let shares = share_out(protocol.buckets, live);
    world.cursors.iter().all(|row| row.lease.owner == shares.get(&row.lease.bucket).copied())
}

/// Faults are not counted on.
fn something_is_left_to_do(protocol: &Protocol, world: &World) -> bool {
    world.steps(protocol).iter().any(|step| world.after(protocol, step).is_some())
}

/// Two relays and one bucket of one key, whose two rows are two chunks, if they
/// are committed in time to be in one window.
fn one_bucket() -> Protocol {
    Protocol {
        buckets: 1,
        relays: 2,
        rows: vec![0, 0],
        chunk: 1,
        runs: 2,
        crashes: 0,
        stops: 0,
        lapses: 0,
        condition: Condition::OwnerAndEpoch,
    }
}

/// Three buckets and nothing in them.
fn three_buckets() -> Protocol {
    Protocol { buckets: 3, relays: 3, rows: vec![], runs: 1, ..one_bucket() }
}

/// All states, which are at least so many.
fn check(name: &str, protocol: Protocol, states: usize) {
    let checker = protocol.checker().threads(2).spawn_bfs().join();
    println!("{name}: {} states", checker.unique_state_count());
    checker.assert_properties();
    assert!(checker.unique_state_count() >= states, "{}", checker.unique_state_count());
}

#[test]
fn a_relay_that_wakes_up_late_does_no_harm() {
    check("late", Protocol { lapses: 1, ..one_bucket() }, 10_000);
}

#[test]
fn a_relay_may_crash_at_any_moment() {
    check("crash", Protocol { crashes: 1, ..one_bucket() }, 10_000);
}

#[test]
fn a_relay_may_stop_between_any_two_chunks() {
    check("stop", Protocol { stops: 1, ..one_bucket() }, 10_000);
}

#[test]
fn a_bucket_handed_over_goes_on_where_it_was() {
    let two_buckets = Protocol { buckets: 2, rows: vec![0, 1], chunk: 2, runs: 1, ..one_bucket() };
    check("handover", Protocol { crashes: 1, ..two_buckets }, 5_000);
}

#[test]
fn relays_share_the_buckets_whoever_crashes() {
    check("share, crash", Protocol { crashes: 1, ..three_buckets() }, 1_000);
}

#[test]
fn relays_share_the_buckets_whoever_seems_dead() {
    check("share, lapse", Protocol { lapses: 1, ..three_buckets() }, 1_000);
}

#[test]
fn without_the_epoch_the_checker_finds_the_damage() {
    let protocol = Protocol { condition: Condition::Owner, lapses: 1, stops: 1, ..one_bucket() };
    let damage = HasDiscoveries::AllOf(BTreeSet::from([FENCED, FORWARD]));
    let checker = protocol.checker().threads(2).finish_when(damage).spawn_bfs().join();
    assert!(checker.discovery(FENCED).is_some());
    println!("{}", checker.discovery(FORWARD).expect("a stored cursor goes back"));
}
