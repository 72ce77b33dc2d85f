//! A producer with a thread that takes the broker's answers.

use std::{
    ops::Deref,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use rdkafka::{ClientConfig, config::FromClientConfigAndContext as _, producer::BaseProducer};

use super::log::Context;
use crate::error::Error;

/// How long the thread waits for an answer before it looks whether to go on.
///
/// `rdkafka` waits for the whole milliseconds that are left and asks again without a pause for
/// the rest. Of an even 100 ms nearly one is left, ten times a second: 1 % of a core, which its
/// own `ThreadedProducer` takes. Of this nothing is left, unless an answer has come meanwhile.
const WAIT: Duration = Duration::from_micros(100_100);

/// Answers are told to the [`Context`]. Dropping it blocks, for 100 ms at most until the thread
/// has ended and half a second at most until what is not acknowledged is given up.
pub struct PolledProducer {
    producer: Arc<BaseProducer<Context>>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl PolledProducer {
    /// Connects lazily.
    ///
    /// # Errors
    /// The settings are not usable, or there can be no more threads.
    pub fn new(config: &ClientConfig, context: Context) -> Result<Self, Error> {
        let producer = BaseProducer::from_config_and_context(config, context)
            .map_err(Error::kafka("set up the Kafka producer"))?;
        let (producer, stop) = (Arc::new(producer), Arc::new(AtomicBool::new(false)));
        let (polled, stopped) = (Arc::clone(&producer), Arc::clone(&stop));
        let thread = thread::Builder::new()
            .name("kafka answers".into())
            .spawn(move || {
                while !stopped.load(Ordering::Relaxed) {
                    polled.poll(WAIT);
                }
            })
            .map_err(Error::Thread)?;
        Ok(Self { producer, stop, thread: Some(thread) })
    }
}

impl Deref for PolledProducer {
    type Target = BaseProducer<Context>;

    fn deref(&self) -> &Self::Target {
        &self.producer
    }
}

impl Drop for PolledProducer {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(Err(_)) = self.thread.take().map(JoinHandle::join) {
            tracing::error!("the thread that takes Kafka's answers has panicked");
        }
    }
}
