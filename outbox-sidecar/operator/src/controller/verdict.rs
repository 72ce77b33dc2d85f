//! The condition `Ready`, and patience with the others; without I/O.

use std::collections::BTreeSet;

use super::{flow::Flow, injection::Injected};
use crate::api::{Condition, ConditionType, Reason, State, Verdict};

/// All conditions, in the order in which they are listed.
pub fn conditions(
    problem: Option<Verdict>,
    injected: &Injected,
    flow: Flow,
) -> Vec<(ConditionType, Verdict)> {
    let ready = ready(problem, injected, &flow);
    vec![
        (ConditionType::Ready, ready),
        (ConditionType::Injected, injected.verdict.clone()),
        (ConditionType::OutboxFlowing, flow.outbox),
        (ConditionType::InboxFlowing, flow.inbox),
    ]
}

/// True if all that is configured is carried as it is configured now. A sidecar
/// that is merely of another version is no reason to say no.
fn ready(problem: Option<Verdict>, injected: &Injected, flow: &Flow) -> Verdict {
    if let Some(problem) = problem {
        return problem;
    }
    let blocking = match injected.verdict.reason {
        Reason::Outdated => injected.stale_files,
        _ => injected.verdict.state != State::True,
    };
    if blocking {
        return injected.verdict.clone();
    }
    if let Some(verdict) = &flow.configuration {
        return verdict.clone();
    }
    for state in [State::False, State::Unknown] {
        if let Some(verdict) = [&flow.outbox, &flow.inbox].into_iter().find(|v| v.state == state) {
            return verdict.clone();
        }
    }
    Verdict::yes(Reason::AllFlowing, "everything that is configured is carried")
}

/// What a condition says before there are sidecars that run.
const BEFORE_A_START: [Reason; 4] =
    [Reason::NoPods, Reason::Starting, Reason::SidecarMissing, Reason::SidecarNotStarting];

/// Trouble that new sidecars have and that passes.
const PASSING: [Reason; 4] =
    [Reason::Waiting, Reason::BucketsNotLeased, Reason::PartitionsNotAssigned, Reason::Unreachable];

/// Which conditions were found in trouble at the last look, and not reported.
pub type Suspicions = BTreeSet<ConditionType>;

/// Lets one look of trouble pass: while a pod is replaced its buckets and
/// partitions are nobody's for some seconds, and those of a new pod come as
/// late. What was true stays so until it is found untrue a second time in a row.
pub fn patient(previous: &[Condition], flow: Flow, suspicions: &mut Suspicions) -> Flow {
    let mut look = |kind: ConditionType, verdict: Verdict| {
        let is = |reason: &str, of: &[Reason]| of.iter().any(|other| other.to_string() == reason);
        let before = previous.iter().find(|condition| condition.type_ == kind.name());
        let (reason, message) = before.map_or(("", ""), |b| (&b.reason, &b.message));
        let kept = if verdict.state == State::True {
            None
        } else if is(reason, &[Reason::Flowing]) {
            Some(Verdict::yes(Reason::Flowing, message))
        } else if (before.is_none() || is(reason, &BEFORE_A_START))
            && PASSING.contains(&verdict.reason)
        {
            Some(Verdict::unknown(Reason::Starting, "the sidecars have only just started"))
        } else {
            None
        };
        match kept {
            Some(kept) if suspicions.insert(kind) => kept,
            _ => {
                suspicions.remove(&kind);
                verdict
            }
        }
    };
    Flow {
        outbox: look(ConditionType::OutboxFlowing, flow.outbox),
        inbox: look(ConditionType::InboxFlowing, flow.inbox),
        configuration: flow.configuration,
    }
}

/// What to tell as Events: conditions whose state or, while not true, reason has
/// changed. `Ready` speaks only for what no other condition says.
pub fn transitions<'a>(before: &[Condition], now: &'a [Condition]) -> Vec<&'a Condition> {
    let told_by_others = |condition: &Condition| {
        condition.type_ == ConditionType::Ready.name()
            && now.iter().any(|o| o.type_ != condition.type_ && o.reason == condition.reason)
    };
    now.iter()
        .filter(|condition| {
            let unremarkable = || {
                let dull = [Reason::NoPods, Reason::Starting].map(|reason| reason.to_string());
                condition.status == "True" || dull.contains(&condition.reason)
            };
            match before.iter().find(|before| before.type_ == condition.type_) {
                None => !unremarkable(),
                Some(before) => {
                    before.status != condition.status
                        || (condition.status != "True" && before.reason != condition.reason)
                }
            }
        })
        .filter(|condition| !told_by_others(condition))
        .collect()
}

#[cfg(test)]
mod tests {
    use k8s_openapi::jiff::Timestamp;

    use super::*;
    use crate::api::{PodCounts, merge};

    fn injected(verdict: Verdict, stale_files: bool) -> Injected {
        Injected { verdict, counts: PodCounts::default(), missing: vec![], stale_files }
    }

    fn all_injected() -> Injected {
        injected(Verdict::yes(Reason::AllInjected, ""), false)
    }

    fn flowing() -> Flow {
        let yes = Verdict::yes(Reason::Flowing, "");
        Flow { outbox: yes.clone(), inbox: yes, configuration: None }
    }

    fn reason(problem: Option<Verdict>, injected: &Injected, flow: Flow) -> (State, Reason) {
        let ready = conditions(problem, injected, flow).remove(0).1;
        (ready.state, ready.reason)
    }

    #[test]
    fn ready_tells_the_most_important_reason() {
        let waiting = || Verdict::no(Reason::Waiting, "");
        let away = || Verdict::unknown(Reason::Unreachable, "");
        assert_eq!(reason(None, &all_injected(), flowing()), (State::True, Reason::AllFlowing));
        let flow = Flow { outbox: away(), inbox: waiting(), configuration: None };
        assert_eq!(reason(None, &all_injected(), flow), (State::False, Reason::Waiting));
        let flow = Flow { outbox: away(), ..flowing() };
        assert_eq!(reason(None, &all_injected(), flow), (State::Unknown, Reason::Unreachable));
        let reloading = Some(Verdict::no(Reason::Reloading, ""));
        let flow = Flow { configuration: reloading, ..flowing() };
        assert_eq!(reason(None, &all_injected(), flow), (State::False, Reason::Reloading));
        let missing = injected(Verdict::no(Reason::SidecarMissing, ""), false);
        assert_eq!(reason(None, &missing, flowing()), (State::False, Reason::SidecarMissing));
        let invalid = Some(Verdict::no(Reason::InvalidSpec, ""));
        assert_eq!(reason(invalid, &missing, flowing()), (State::False, Reason::InvalidSpec));
    }

    #[test]
    fn an_outdated_sidecar_matters_only_if_it_cannot_follow_the_relay() {
        let outdated = Verdict::no(Reason::Outdated, "");
        let other_image = injected(outdated.clone(), false);
        assert_eq!(reason(None, &other_image, flowing()), (State::True, Reason::AllFlowing));
        let other_files = injected(outdated, true);
        assert_eq!(reason(None, &other_files, flowing()), (State::False, Reason::Outdated));
    }

    #[test]
    fn trouble_is_reported_when_it_lasts_and_recovery_at_once() {
        let listed = |flow: &Flow| {
            let verdicts = conditions(None, &all_injected(), flow.clone());
            merge(&[], &verdicts, None, Timestamp::UNIX_EPOCH)
        };
        let trouble = || Flow { outbox: Verdict::no(Reason::Waiting, "x"), ..flowing() };
        let mut suspicions = Suspicions::new();
        let before = listed(&flowing());
        assert_eq!(patient(&before, trouble(), &mut suspicions).outbox.state, State::True);
        assert_eq!(patient(&before, flowing(), &mut suspicions).outbox.state, State::True);
        assert_eq!(patient(&before, trouble(), &mut suspicions).outbox.state, State::True);
        let reported = patient(&before, trouble(), &mut suspicions);
        assert_eq!(reported.outbox.state, State::False);
        let after = listed(&reported);
        assert_eq!(patient(&after, trouble(), &mut suspicions).outbox.state, State::False);
        assert_eq!(patient(&after, flowing(), &mut suspicions).outbox.state, State::True);
        // Sidecars that have only just started get the same time.
        assert_eq!(patient(&[], trouble(), &mut suspicions).outbox.reason, Reason::Starting);
        assert_eq!(patient(&[], trouble(), &mut suspicions).outbox.state, State::False);
        let stuck = Flow { outbox: Verdict::no(Reason::SidecarNotStarting, "x"), ..flowing() };
        let stuck = patient(&[], stuck, &mut suspicions);
        assert_eq!(stuck.outbox.reason, Reason::SidecarNotStarting);
    }

    #[test]
    fn an_event_is_made_of_what_changes_and_only_once() {
        let list = |flow: Flow| {
            let verdicts = conditions(None, &all_injected(), flow);
            merge(&[], &verdicts, None, Timestamp::UNIX_EPOCH)
        };
        let good = list(flowing());
        let waiting = list(Flow { outbox: Verdict::no(Reason::Waiting, "kafka"), ..flowing() });
        let names = |before: &[Condition], now: &[Condition]| -> Vec<String> {
            transitions(before, now).iter().map(|c| format!("{}={}", c.type_, c.status)).collect()
        };
        assert_eq!(names(&[], &good), Vec::<String>::new());
        assert_eq!(names(&good, &waiting), ["OutboxFlowing=False"]);
        assert_eq!(names(&waiting, &waiting), Vec::<String>::new());
        assert_eq!(names(&waiting, &good), ["Ready=True", "OutboxFlowing=True"]);
    }
}
