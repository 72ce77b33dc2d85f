//! What a transaction does, without I/O.

use std::time::Duration;

use fastrand::Rng;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::audit::Fate;

/// The longest that a writer's transaction stays open.
const LONGEST_WAIT: u64 = 1_500;

/// Hexadecimal digits of an event that is too large for the broker, however it is compressed, and
/// not for the producer.
const TOO_LARGE: usize = 900_000;

/// One transaction.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    /// In this order.
    pub steps: Vec<Step>,
    /// How it ends.
    pub end: End,
}

/// How a transaction ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// It counts.
    Commit,
    /// It never was.
    RollBack,
}

/// A step of a transaction.
#[derive(Clone, Debug, PartialEq)]
pub enum Step {
    /// Takes the transaction's id before anything is written.
    TakeId,
    /// Leaves it open for a while.
    Wait(Duration),
    /// Writes an event.
    Write(Event),
    /// Writes events within a savepoint, and keeps them or not.
    Savepoint {
        /// Which.
        events: Vec<Event>,
        /// Whether they stay.
        keep: bool,
    },
}

/// An event to be written.
#[derive(Clone, Debug, PartialEq)]
pub struct Event {
    /// The message's id.
    pub id: Uuid,
    /// Its key.
    pub key: String,
    /// What is wrong with it.
    pub poison: Option<Poison>,
}

/// Why an event cannot go all the way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Poison {
    /// Its headers are no object, which the sidecar sees.
    Headers,
    /// It is too large for the topic, which the broker says: so many hexadecimal digits of chance.
    Large(String),
    /// The application refuses it.
    Refused,
}

impl Plan {
    /// A transaction as a service has them, of one to three keys.
    pub fn draw(rng: &mut Rng, keys: usize) -> Self {
        let mut chosen: Vec<usize> = (0..rng.usize(1..=3)).map(|_| rng.usize(0..keys)).collect();
        // In one order, so that writers never wait for each other in a circle.
        chosen.sort_unstable();
        chosen.dedup();
        let mut steps = Vec::new();
        let waits = rng.u8(0..100);
        if waits < 4 {
            steps.extend([Step::TakeId, Step::Wait(wait(rng))]);
        }
        for key in chosen {
            match rng.u8(0..10) {
                0 => steps.push(Step::Savepoint { events: events(rng, key), keep: true }),
                1 => {
                    steps.push(Step::Savepoint { events: events(rng, key), keep: false });
                    steps.push(Step::Write(Event::sound(rng, key)));
                }
                _ => steps.extend(events(rng, key).into_iter().map(Step::Write)),
            }
        }
        if (4..7).contains(&waits) {
            steps.push(Step::Wait(wait(rng)));
        }
        let end = if rng.u8(0..10) == 0 { End::RollBack } else { End::Commit };
        Self { steps, end }
    }

    /// A transaction that takes its id, is held open, and then writes to a few keys.
    pub fn held(rng: &mut Rng, keys: usize, time: Duration) -> Self {
        let first = rng.usize(0..keys);
        let mut steps = vec![Step::TakeId, Step::Wait(time)];
        steps.extend((first..keys.min(first + 3)).map(|key| Step::Write(Event::sound(rng, key))));
        Self { steps, end: End::Commit }
    }

    /// One poison event between two that are not.
    pub fn poisoned(rng: &mut Rng, keys: usize, poison: Poison) -> Self {
        let key = rng.usize(0..keys);
        let poisoned = Event { poison: Some(poison), ..Event::sound(rng, key) };
        let around = [Event::sound(rng, key), poisoned, Event::sound(rng, key)];
        Self { steps: around.map(Step::Write).into(), end: End::Commit }
    }
}

impl Poison {
    /// One of each sort.
    pub fn each(rng: &mut Rng) -> [Self; 3] {
        let digits = (0..TOO_LARGE).filter_map(|_| char::from_digit(rng.u32(0..16), 16));
        [Self::Headers, Self::Large(digits.collect()), Self::Refused]
    }
}

impl Event {
    fn sound(rng: &mut Rng, key: usize) -> Self {
        let id = uuid::Builder::from_random_bytes(rng.u128(..).to_be_bytes()).into_uuid();
        Self { id, key: key_name(key), poison: None }
    }

    /// What must become of it.
    pub fn fate(&self) -> Fate {
        match self.poison {
            None => Fate::Applied,
            Some(Poison::Headers | Poison::Large(_)) => Fate::Unpublishable,
            Some(Poison::Refused) => Fate::Rejected,
        }
    }

    /// The payload, when it has this place in the order of its key.
    pub fn payload(&self, number: i64) -> Value {
        match &self.poison {
            Some(Poison::Large(digits)) => json!({ "number": number, "digits": digits }),
            Some(Poison::Refused) => json!({ "number": number, "reject": true }),
            _ => json!({ "number": number }),
        }
    }

    /// The headers.
    pub fn headers(&self) -> Value {
        if self.poison == Some(Poison::Headers) { json!(["no object"]) } else { json!({}) }
    }
}

/// The name of a key, which is the number of an entity, from 0.
pub fn key_name(key: usize) -> String {
    format!("entity-{key}")
}

fn events(rng: &mut Rng, key: usize) -> Vec<Event> {
    (0..rng.usize(1..=2)).map(|_| Event::sound(rng, key)).collect()
}

fn wait(rng: &mut Rng) -> Duration {
    Duration::from_millis(rng.u64(50..=LONGEST_WAIT))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drawn() -> Vec<Plan> {
        let mut rng = Rng::with_seed(1);
        (0..2_000).map(|_| Plan::draw(&mut rng, 10)).collect()
    }

    #[test]
    fn writers_commit_roll_back_use_savepoints_and_stay_open() {
        let plans = drawn();
        let some =
            |wanted: fn(&Plan) -> bool| plans.iter().filter(|plan| wanted(plan)).count() > 20;
        assert!(some(|plan| plan.end == End::Commit) && some(|plan| plan.end == End::RollBack));
        assert!(some(|plan| matches!(plan.steps[..], [Step::TakeId, Step::Wait(_), ..])));
        assert!(some(|plan| matches!(plan.steps[..], [.., Step::Wait(_)])));
        for kept in [true, false] {
            let found = plans
                .iter()
                .flat_map(|plan| &plan.steps)
                .any(|step| matches!(step, Step::Savepoint { keep, .. } if *keep == kept));
            assert!(found, "a savepoint with keep: {kept}");
        }
    }

    #[test]
    fn keys_are_locked_in_one_order_by_all() {
        for plan in drawn() {
            let keys: Vec<usize> = plan
                .steps
                .iter()
                .flat_map(|step| match step {
                    Step::Write(event) => vec![event],
                    Step::Savepoint { events, .. } => events.iter().collect(),
                    _ => Vec::new(),
                })
                .map(|event| event.key.trim_start_matches("entity-").parse().unwrap())
                .collect();
            assert!(keys.is_sorted(), "{keys:?}");
        }
    }

    #[test]
    fn poison_of_each_sort_has_its_fate() {
        let mut rng = Rng::with_seed(1);
        let fates = Poison::each(&mut rng).map(|poison| {
            let plan = Plan::poisoned(&mut rng, 3, poison);
            match &plan.steps[..] {
                [Step::Write(_), Step::Write(event), Step::Write(_)] => event.fate(),
                steps => panic!("{steps:?}"),
            }
        });
        assert_eq!(fates, [Fate::Unpublishable, Fate::Unpublishable, Fate::Rejected]);
    }
}
