//! The conditions `OutboxFlowing` and `InboxFlowing`: from what sidecars say to
//! verdicts, without I/O.

use outbox_sidecar_core::{
    config::{Config, Inbox, Outbox},
    status::Report,
};

use crate::api::{Reason, Verdict};

/// What was found out about one sidecar.
#[derive(Clone, Debug, PartialEq)]
pub struct Observed {
    /// The pod's name.
    pub pod: String,
    /// What.
    pub state: Observation,
}

/// What can be found out about a sidecar.
#[derive(Clone, Debug, PartialEq)]
pub enum Observation {
    /// It answered.
    Report(Box<Report>),
    /// It runs and did not answer.
    Unreachable(String),
    /// It does not run yet.
    Starting,
    /// Its container cannot run, or a volume of its pod cannot be mounted.
    Stuck(String),
}

/// What was found about the sidecars of a relay.
#[derive(Clone, Debug, PartialEq)]
pub struct Flow {
    /// The condition of the outboxes.
    pub outbox: Verdict,
    /// The condition of the inboxes.
    pub inbox: Verdict,
    /// What keeps `Ready` from being true although everything flows: sidecars
    /// that run with another configuration.
    pub configuration: Option<Verdict>,
}

/// Judges what was observed of the sidecars of a relay by its configuration.
/// `nobody` is what to say when no pod has a sidecar.
pub fn flow(config: &Config, observed: &[Observed], nobody: &Verdict) -> Flow {
    let reports: Vec<_> = observed
        .iter()
        .filter_map(|observed| match &observed.state {
            Observation::Report(report) => Some((observed.pod.as_str(), report.as_ref())),
            _ => None,
        })
        .collect();
    if reports.is_empty() {
        let silent = silent(observed, nobody);
        let part = |configured: bool, what: &str| {
            if configured { silent.clone() } else { not_configured(what) }
        };
        return Flow {
            outbox: part(!config.outboxes.is_empty(), "outboxes"),
            inbox: part(!config.inboxes.is_empty(), "inboxes"),
            configuration: None,
        };
    }
    let outboxes: Vec<_> =
        config.outboxes.iter().map(|outbox| judge_outbox(outbox, &reports)).collect();
    let inboxes: Vec<_> = config.inboxes.iter().map(|inbox| judge_inbox(inbox, &reports)).collect();
    Flow {
        outbox: together(&outboxes, "outboxes"),
        inbox: together(&inboxes, "inboxes"),
        configuration: configuration(config, &reports),
    }
}

type Reports<'a> = [(&'a str, &'a Report)];

/// What is wrong with a part; `None`: nothing.
type Problem = Option<(Reason, String)>;

fn together(parts: &[Problem], what: &str) -> Verdict {
    if parts.is_empty() {
        return not_configured(what);
    }
    let problems: Vec<_> = parts.iter().flatten().collect();
    match problems.first() {
        None => Verdict::yes(Reason::Flowing, format!("all {what} are carried")),
        Some((reason, _)) => {
            let messages: Vec<_> = problems.iter().map(|(_, message)| message.as_str()).collect();
            Verdict::no(*reason, messages.join("; "))
        }
    }
}

fn not_configured(what: &str) -> Verdict {
    Verdict::yes(Reason::NotConfigured, format!("the Relay has no {what}"))
}

/// No sidecar has answered.
fn silent(observed: &[Observed], nobody: &Verdict) -> Verdict {
    let first = |said: fn(&Observation) -> Option<&str>| {
        observed.iter().find_map(|o| Some(format!("pod {}: {}", o.pod, said(&o.state)?)))
    };
    let stuck = first(|state| match state {
        Observation::Stuck(problem) => Some(problem),
        _ => None,
    });
    let unreachable = first(|state| match state {
        Observation::Unreachable(problem) => Some(problem),
        _ => None,
    });
    if observed.is_empty() {
        nobody.clone()
    } else if let Some(problem) = stuck {
        Verdict::no(Reason::SidecarNotStarting, problem)
    } else if let Some(problem) = unreachable {
        let message = format!(
            "no sidecar answers the operator; {problem}; a NetworkPolicy must let the operator reach the port outbox-admin"
        );
        Verdict::unknown(Reason::Unreachable, message)
    } else {
        Verdict::unknown(Reason::Starting, "the sidecars are being started")
    }
}

fn judge_outbox(outbox: &Outbox, reports: &Reports<'_>) -> Problem {
    let name = &outbox.name;
    let parts: Vec<_> = reports
        .iter()
        .map(|(pod, report)| {
            let part = report.outboxes.get(name);
            let leased = part.map_or(0, |part| part.leased_buckets);
            let waiting = report.waiting_for.as_deref();
            (*pod, leased, waiting.or_else(|| part.and_then(|part| part.waiting_for.as_deref())))
        })
        .collect();
    let waits = |pod: &str, what: &str| {
        Some((Reason::Waiting, format!("outbox {name}: waiting for {what} (pod {pod})")))
    };
    // A relay that holds buckets and waits holds them up. One that holds none
    // stands by, if another does.
    for (pod, leased, waiting) in &parts {
        if let Some(what) = waiting.filter(|_| *leased > 0) {
            return waits(pod, what);
        }
    }
    let leased: usize = parts.iter().map(|(_, leased, _)| leased).sum();
    if leased >= usize::from(outbox.buckets) {
        return None;
    }
    if leased == 0
        && let Some((pod, what)) = parts.iter().find_map(|(pod, _, what)| Some((pod, (*what)?)))
    {
        return waits(pod, what);
    }
    let message = format!(
        "outbox {name}: {leased} of {} buckets are published; the others follow when their leases have expired ({})",
        outbox.buckets, outbox.lease
    );
    Some((Reason::BucketsNotLeased, message))
}

fn judge_inbox(inbox: &Inbox, reports: &Reports<'_>) -> Problem {
    let name = inbox.name();
    let mut owned = 0;
    let mut idle = None;
    for (pod, report) in reports {
        let part = report.inboxes.get(name);
        let of_pod = part.map_or(0, |part| part.owned_partitions);
        owned += of_pod;
        if of_pod == 0 {
            idle.get_or_insert(pod);
        }
        let waiting = report.waiting_for.as_deref();
        if let Some(what) = waiting.or_else(|| part.and_then(|part| part.waiting_for.as_deref())) {
            return Some((
                Reason::Waiting,
                format!("inbox {name}: waiting for {what} (pod {pod})"),
            ));
        }
    }
    let message = match (inbox, idle) {
        (Inbox::Stored(stored), _) if owned == 0 => format!(
            "inbox {name}: no sidecar has been assigned partitions of its topics; another member of the consumer group {} may have them all",
            stored.consumer_group
        ),
        // There each reads for itself.
        (Inbox::Broadcast(_), Some(pod)) => {
            format!("inbox {name}: reads no partition of its topics yet (pod {pod})")
        }
        _ => return None,
    };
    Some((Reason::PartitionsNotAssigned, message))
}

fn configuration(config: &Config, reports: &Reports<'_>) -> Option<Verdict> {
    let refused =
        reports.iter().find_map(|(pod, report)| Some((pod, report.reload_problem.as_ref()?)));
    if let Some((pod, problem)) = refused {
        let message = format!("pod {pod} goes on with the configuration before: {problem}");
        return Some(Verdict::no(Reason::ConfigRefused, message));
    }
    let wanted = config.fingerprint();
    // Sidecars that do not tell are taken to be up to date.
    let old = |report: &Report| !report.config.is_empty() && report.config != wanted;
    reports.iter().any(|(_, report)| old(report)).then(|| {
        let message = "not every sidecar runs with this configuration yet; the kubelet takes up to two minutes to deliver it";
        Verdict::no(Reason::Reloading, message)
    })
}

#[cfg(test)]
#[path = "flow_tests.rs"]
mod tests;
