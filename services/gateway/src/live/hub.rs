//! Who listens, and what they may have missed.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use kit::inbox::Gap;
use tokio::sync::Notify;
use uuid::Uuid;

use super::event::LiveEvent;
use super::metrics::LiveMetrics;
use super::settings::LiveSettings;
use crate::identity::Identity;

/// Passes events to those whose they are. One lock, held for moments.
#[derive(Debug)]
pub(super) struct Hub {
    state: Mutex<State>,
    max_connections: usize,
    max_per_identity: usize,
    queue: usize,
    replay: usize,
    metrics: LiveMetrics,
}

#[derive(Debug, Default)]
struct State {
    /// The latest events, the oldest first.
    latest: VecDeque<Arc<LiveEvent>>,
    /// Their ids, as messages may come more than once.
    known: HashSet<Uuid>,
    /// The topics and partitions that something came from since the last gap.
    sources: HashSet<(String, String)>,
    of_user: HashMap<i64, Vec<Arc<Queue>>>,
    operators: Vec<Arc<Queue>>,
    /// Connections by the name of who has them.
    connections: HashMap<Arc<str>, usize>,
    total: usize,
}

/// What waits for one client. Takes no memory while nothing does.
#[derive(Debug)]
struct Queue {
    waiting: Mutex<Waiting>,
    news: Notify,
    limit: usize,
}

#[derive(Debug, Default)]
struct Waiting {
    events: VecDeque<Arc<LiveEvent>>,
    /// Why events were left out, if the client does not know yet.
    left_out: Option<LeftOut>,
}

/// Why a client has to fetch everything anew.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum LeftOut {
    /// It was too slow.
    SlowClient,
    /// The gateway itself does not know what has happened.
    Gap,
}

/// Why there is no connection.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub(super) enum Full {
    #[error("there are as many live connections as this gateway takes")]
    Gateway,
    #[error("you have as many live connections as one may have")]
    Identity,
}

/// The next thing for a client.
#[derive(Debug)]
pub(super) enum News {
    Event(Arc<LiveEvent>),
    /// Events were left out.
    LeftOut(LeftOut),
}

/// How a subscription begins.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Beginning {
    /// What was missed since the event named follows.
    pub(super) resumed: bool,
    /// The latest event there was.
    pub(super) last_event_id: Option<Uuid>,
}

/// A client's place. Ends when it is dropped.
#[derive(Debug)]
pub(super) struct Subscription {
    hub: Arc<Hub>,
    queue: Arc<Queue>,
    user_id: Option<i64>,
    operator: bool,
    subject: Arc<str>,
}

impl Hub {
    pub(super) fn new(settings: &LiveSettings, metrics: LiveMetrics) -> Self {
        Self {
            state: Mutex::default(),
            max_connections: settings.live_max_connections,
            max_per_identity: settings.live_max_per_identity,
            queue: settings.live_queue,
            replay: settings.live_replay,
            metrics,
        }
    }

    /// Passes an event on. Waits for nobody.
    pub(super) fn publish(&self, event: LiveEvent) {
        let mut state = self.lock();
        if !state.known.insert(event.id) {
            return;
        }
        self.metrics.published(&event);
        let event = Arc::new(event);
        if state.latest.len() == self.replay
            && let Some(oldest) = state.latest.pop_front()
        {
            state.known.remove(&oldest.id);
        }
        state.latest.push_back(Arc::clone(&event));
        let of_user = state.of_user.get(&event.user_id).map(Vec::as_slice).unwrap_or_default();
        for queue in of_user.iter().chain(&state.operators) {
            if queue.push(&event) {
                self.metrics.overrun();
            }
        }
    }

    /// Takes note of where an event comes from, and what is missing before it.
    ///
    /// A sidecar that starts says so at the first event of each partition. That
    /// matters only if something was heard of a partition before: then there
    /// may be events that nobody was told of. Once all are told to fetch
    /// everything anew, what the other partitions say matters no more.
    pub(super) fn heard(&self, source: &(String, String), gap: Option<Gap>) {
        let mut state = self.lock();
        let again = state.sources.contains(source);
        let missing = match gap {
            None => false,
            Some(Gap::Dropped) => true,
            Some(Gap::Start) => again,
        };
        if missing {
            tracing::warn!(?gap, topic = source.0, partition = source.1, "live events are missing");
            state.sources.clear();
            state.latest.clear();
            state.known.clear();
            for queue in state.of_user.values().flatten().chain(&state.operators) {
                queue.leave_out(LeftOut::Gap);
            }
        }
        if missing || !again {
            state.sources.insert(source.clone());
        }
    }

    /// A place for a client, which gets what has happened after the event
    /// named, if that is still known.
    pub(super) fn subscribe(
        self: &Arc<Self>,
        identity: &Identity,
        after: Option<&str>,
    ) -> Result<(Subscription, Beginning), Full> {
        let mut guard = self.lock();
        let state = &mut *guard;
        if state.total >= self.max_connections {
            return Err(Full::Gateway);
        }
        let own = state.connections.entry(Arc::clone(&identity.subject)).or_default();
        if self.max_per_identity > 0 && *own >= self.max_per_identity {
            return Err(Full::Identity);
        }
        *own += 1;
        state.total += 1;
        self.metrics.connections(state.total);

        let missed = after.and_then(|id| state.since(id, identity));
        let missed = missed.filter(|missed| missed.len() <= self.queue);
        let beginning = Beginning {
            resumed: missed.is_some(),
            last_event_id: state.latest.back().map(|event| event.id),
        };
        let waiting = Waiting { events: missed.unwrap_or_default(), left_out: None };
        let queue = Arc::new(Queue {
            waiting: Mutex::new(waiting),
            news: Notify::new(),
            limit: self.queue,
        });
        // Whoever is both gets everything once.
        if identity.operator {
            state.operators.push(Arc::clone(&queue));
        } else if let Some(user_id) = identity.user_id {
            state.of_user.entry(user_id).or_default().push(Arc::clone(&queue));
        }
        drop(guard);
        let subscription = Subscription {
            hub: Arc::clone(self),
            queue,
            user_id: identity.user_id,
            operator: identity.operator,
            subject: Arc::clone(&identity.subject),
        };
        Ok((subscription, beginning))
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// What an identity may see of what came after an event; `None` when that
    /// is not known any more.
    fn since(&self, id: &str, identity: &Identity) -> Option<VecDeque<Arc<LiveEvent>>> {
        let id: Uuid = id.parse().ok()?;
        if !self.known.contains(&id) {
            return None;
        }
        let place = self.latest.iter().rposition(|event| event.id == id)?;
        let later = self.latest.range(place + 1..);
        Some(later.filter(|event| identity.may_act_for(event.user_id)).cloned().collect())
    }
}

impl Waiting {
    fn leave_out(&mut self, why: LeftOut) {
        self.events = VecDeque::new();
        self.left_out = Some(why);
    }
}

impl Queue {
    fn leave_out(&self, why: LeftOut) {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner).leave_out(why);
        self.news.notify_one();
    }

    /// Whether this was one too many.
    fn push(&self, event: &Arc<LiveEvent>) -> bool {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        if waiting.left_out.is_some() {
            // It will fetch everything anyway.
            return false;
        }
        let overrun = waiting.events.len() >= self.limit;
        if overrun {
            waiting.leave_out(LeftOut::SlowClient);
        } else {
            waiting.events.push_back(Arc::clone(event));
        }
        drop(waiting);
        self.news.notify_one();
        overrun
    }

    fn pop(&self) -> Option<News> {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(why) = waiting.left_out.take() {
            return Some(News::LeftOut(why));
        }
        let event = waiting.events.pop_front();
        if waiting.events.is_empty() {
            waiting.events = VecDeque::new();
        }
        event.map(News::Event)
    }
}

impl Subscription {
    /// Waits for the next thing. Nothing is lost when the wait is given up.
    pub(super) async fn next(&self) -> News {
        loop {
            if let Some(news) = self.queue.pop() {
                return news;
            }
            self.queue.news.notified().await;
        }
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        let mut guard = self.hub.lock();
        let state = &mut *guard;
        let remove = |queues: &mut Vec<Arc<Queue>>| {
            if let Some(place) = queues.iter().position(|queue| Arc::ptr_eq(queue, &self.queue)) {
                queues.swap_remove(place);
            }
        };
        if self.operator {
            remove(&mut state.operators);
        } else if let Some(user_id) = self.user_id
            && let Some(queues) = state.of_user.get_mut(&user_id)
        {
            remove(queues);
            if queues.is_empty() {
                state.of_user.remove(&user_id);
            }
        }
        state.total = state.total.saturating_sub(1);
        if let Some(own) = state.connections.get_mut(&self.subject) {
            *own = own.saturating_sub(1);
            if *own == 0 {
                state.connections.remove(&self.subject);
            }
        }
        self.hub.metrics.connections(state.total);
    }
}
