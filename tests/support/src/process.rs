//! Child processes that cannot outlive their parent, with readiness waits that show the child's
//! last words when they fail.

mod output;
mod spec;

use std::fmt;
use std::future::Future;
use std::io;
use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, WaitId, WaitIdOptions};
use tokio::sync::watch;

pub use self::output::{LineSink, Output};
pub use self::spec::{Spec, User};
use crate::error::{Error, IoContext, Result};
use crate::wait;
use output::Tail;
pub use rustix::process::Signal;

/// How many lines of output a failure shows.
const SHOWN_LINES: usize = 40;

/// A child process that can be killed, stopped and started again with the same arguments.
///
/// Dropping it sends the signal it would get on the death of its parent: SIGKILL, unless the
/// [`Spec`] asks for a gentler one.
pub struct Process {
    spec: Spec,
    current: Mutex<Arc<Running>>,
}

/// One life of the process.
struct Running {
    pid: Pid,
    /// Whether the process has been reaped: from then on its pid may be somebody else's.
    reaped: Arc<Mutex<bool>>,
    exit: watch::Receiver<Option<ExitStatus>>,
    tail: Arc<Tail>,
}

impl fmt::Debug for Process {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Process")
            .field("name", &self.spec.name)
            .field("id", &self.id())
            .finish_non_exhaustive()
    }
}

impl Process {
    /// Starts it. Fails if the program cannot be executed; what happens afterwards is
    /// [`wait_ready`](Self::wait_ready)'s business.
    pub fn spawn(spec: Spec) -> Result<Self> {
        let running = Running::spawn(&spec)?;
        Ok(Self { spec, current: Mutex::new(Arc::new(running)) })
    }

    /// The name in logs and errors.
    pub fn name(&self) -> &str {
        &self.spec.name
    }

    /// The process id of the current life.
    pub fn id(&self) -> u32 {
        self.current().pid.as_raw_nonzero().get().unsigned_abs()
    }

    /// How it ended; `None` while it runs.
    pub fn exit_status(&self) -> Option<ExitStatus> {
        *self.current().exit.borrow()
    }

    /// Whether it runs.
    pub fn is_running(&self) -> bool {
        self.exit_status().is_none()
    }

    /// Waits until it has ended. Safe to cancel.
    pub async fn wait(&self) -> ExitStatus {
        self.current().wait().await
    }

    /// The last lines it printed, up to 200, oldest first.
    pub fn tail(&self, lines: usize) -> String {
        self.current().tail.last(lines)
    }

    /// Sends a signal to the process (not to its children). Nothing happens if it has ended.
    pub fn signal(&self, signal: Signal) {
        self.current().signal(signal);
    }

    /// SIGKILL to it and its process group; returns when it is gone.
    pub async fn kill(&self) -> ExitStatus {
        let running = self.current();
        running.kill_group();
        running.wait().await
    }

    /// Asks it to end with the spec's stop signal (SIGTERM unless said otherwise), and kills it
    /// when `grace` has passed; returns when it is gone.
    pub async fn stop(&self, grace: Duration) -> ExitStatus {
        let running = self.current();
        running.signal(self.spec.stop_signal);
        match tokio::time::timeout(grace, running.wait()).await {
            Ok(status) => {
                // What its own children left running would hold ports and files.
                running.kill_group();
                status
            }
            Err(_) => self.kill().await,
        }
    }

    /// Starts it again after it has ended, with the same arguments. Nothing happens if it runs.
    pub fn start(&self) -> Result<()> {
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        if current.exit.borrow().is_some() {
            *current = Arc::new(Running::spawn(&self.spec)?);
        }
        Ok(())
    }

    /// SIGKILL, then [`start`](Self::start).
    pub async fn restart(&self) -> Result<()> {
        self.kill().await;
        self.start()
    }

    /// Waits until `check` gives `Ok`. Fails at once, with the last lines of output, when the
    /// process ends, and when `deadline` has passed. Safe to cancel.
    pub async fn wait_until<T, F, Fut>(&self, deadline: Duration, check: F) -> Result<T>
    where
        F: FnMut() -> Fut,
        Fut: Future<Output = Result<T, String>>,
    {
        let begun = Instant::now();
        let running = self.current();
        tokio::select! {
            biased;
            status = running.wait() => Err(Error::Exited {
                name: self.spec.name.clone(),
                status: status.to_string(),
                tail: running.tail.last(SHOWN_LINES),
            }),
            answer = wait::until_ok(deadline, check) => answer.map_err(|reason| Error::NotReady {
                name: self.spec.name.clone(),
                waited: begun.elapsed(),
                reason,
                tail: running.tail.last(SHOWN_LINES),
            }),
        }
    }

    /// [`wait_until`](Self::wait_until) `GET url` answers with a 2xx status.
    pub async fn wait_ready(&self, url: &str, deadline: Duration) -> Result<()> {
        self.wait_until(deadline, || get_ok(url)).await
    }

    /// [`wait_until`](Self::wait_until) `127.0.0.1:port` accepts connections.
    pub async fn wait_listening(&self, port: u16, deadline: Duration) -> Result<()> {
        self.wait_until(deadline, || async move {
            tokio::net::TcpStream::connect(("127.0.0.1", port))
                .await
                .map(drop)
                .map_err(|err| err.to_string())
        })
        .await
    }

    fn current(&self) -> Arc<Running> {
        Arc::clone(&self.current.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Drop for Process {
    /// Sends what the spec says for the death of the parent, without waiting for the effect. In a
    /// test that fails it first shows the last lines of output.
    fn drop(&mut self) {
        let running = self.current();
        if thread::panicking() {
            let (name, tail) = (&self.spec.name, running.tail.last(SHOWN_LINES));
            #[expect(clippy::print_stderr, reason = "the test harness captures it for the report")]
            {
                eprintln!("---- the last output of {name}:\n{tail}");
            }
        }
        match self.spec.on_parent_death {
            Signal::KILL => running.kill_group(),
            gentler => running.signal(gentler),
        }
    }
}

async fn get_ok(url: &str) -> Result<(), String> {
    // A readiness probe must answer fast; a hanging one counts as a failure and is asked again.
    let probe = reqwest::Client::builder()
        .timeout(Duration::from_secs(2))
        .build()
        .map_err(|err| err.to_string())?
        .get(url)
        .send();
    match probe.await {
        Ok(response) if response.status().is_success() => Ok(()),
        Ok(response) => {
            let status = response.status();
            let body = response.text().await.unwrap_or_default();
            Err(format!("{url} answers {status} {}", body.chars().take(500).collect::<String>()))
        }
        Err(err) => Err(format!("{url}: {err}")),
    }
}

impl Running {
    /// Starts the program on a thread of its own, which lives as long as the child does: the
    /// kernel sends the parent-death signal when the spawning *thread* ends, not the process.
    fn spawn(spec: &Spec) -> Result<Self> {
        let (mut command, reader) = spec.command()?;
        let tail = Arc::new(Tail::default());
        let pump = output::pump(spec, reader, Arc::clone(&tail))?;
        let reaped = Arc::new(Mutex::new(false));
        let (exit_tx, exit) = watch::channel(None);
        let (pid_tx, pid_rx) = mpsc::channel();
        let reaped_by_thread = Arc::clone(&reaped);
        thread::Builder::new()
            .name(spec.name.clone())
            .spawn(move || {
                let spawned = command.spawn();
                // Our copy of the pipe's write end; its reader would never see the end of it.
                drop(command);
                let _ = match spawned {
                    Ok(mut child) => {
                        let _ = pid_tx.send(Ok(Pid::from_child(&child)));
                        let status = reap(&mut child, &reaped_by_thread);
                        pump.settle();
                        exit_tx.send(Some(status))
                    }
                    Err(err) => {
                        let _ = pid_tx.send(Err(err));
                        Ok(())
                    }
                };
            })
            .context(|| format!("start a thread for {}", spec.name))?;
        let pid = pid_rx
            .recv()
            .unwrap_or_else(|_| Err(io::Error::other("its thread ended")))
            .context(|| format!("start {} ({})", spec.name, spec.program.display()))?;
        Ok(Self { pid, reaped, exit, tail })
    }

    async fn wait(&self) -> ExitStatus {
        let mut exit = self.exit.clone();
        match exit.wait_for(Option::is_some).await {
            Ok(status) => status.unwrap_or_default(),
            // Its thread is gone without a word, which no code path does.
            Err(_) => ExitStatus::from_raw(0),
        }
    }

    fn signal(&self, signal: Signal) {
        let reaped = self.reaped.lock().unwrap_or_else(PoisonError::into_inner);
        if !*reaped {
            // Fails only when it is already dead.
            let _ = rustix::process::kill_process(self.pid, signal);
        }
    }

    /// SIGKILL to everything in the process group, which may outlive its leader.
    fn kill_group(&self) {
        // A group's number is not reused while it has members, and an empty one is an error.
        let _ = rustix::process::kill_process_group(self.pid, Signal::KILL);
        self.signal(Signal::KILL);
    }
}

/// Waits for the end of `child`; the pid is given back to the system only under the lock, so that
/// no signal goes to a stranger.
fn reap(child: &mut std::process::Child, reaped: &Mutex<bool>) -> ExitStatus {
    let options = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT;
    while let Err(rustix::io::Errno::INTR) =
        rustix::process::waitid(WaitId::Pid(Pid::from_child(child)), options)
    {}
    let mut reaped = reaped.lock().unwrap_or_else(PoisonError::into_inner);
    *reaped = true;
    child.wait().unwrap_or_default()
}
