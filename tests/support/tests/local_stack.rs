//! `local-stack test-env`, as `make test` uses it.

#![expect(clippy::unwrap_used, reason = "the helper functions are as much a test as the tests")]

use std::fs;
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command};
use std::time::Duration;

use test_support::scratch::Scratch;
use test_support::wait;

const DEADLINE: Duration = Duration::from_secs(90);

/// Runs a shell script under `local-stack test-env`, with its temporary files below `tmp`.
fn test_env(tmp: &Path, script: &str) -> Child {
    Command::new(env!("CARGO_BIN_EXE_local-stack"))
        .args(["test-env", "--", "sh", "-c", script])
        .env("TMPDIR", tmp)
        .spawn()
        .unwrap()
}

fn is_empty(dir: &Path) -> bool {
    fs::read_dir(dir).unwrap().next().is_none()
}

/// Whether a process runs; one that waits to be reaped does not.
fn runs(pid: &str) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit(')').next().is_some_and(|rest| !rest.is_empty() && !rest.trim().starts_with('Z'))
}

#[tokio::test]
async fn nothing_outlives_a_killed_test_run() {
    let (tmp, report) = (Scratch::new("killed").unwrap(), Scratch::new("report").unwrap());
    let file = report.path().join("report");
    let script = format!(
        "echo $$ $TEST_POSTGRES_URL $TEST_KAFKA_BOOTSTRAP > {0}.new; mv {0}.new {0}; exec sleep 1000",
        file.display()
    );
    let mut run = test_env(tmp.path(), &script);
    let said =
        wait::until("the command runs", DEADLINE, || async { fs::read_to_string(&file).ok() });
    let said = said.await;
    let [pid, postgres, kafka] = said.split_whitespace().collect::<Vec<_>>()[..] else {
        panic!("unexpected report: {said}")
    };
    let postgres = postgres.split(['@', '/']).nth(3).unwrap();
    assert!(TcpStream::connect(postgres).is_ok() && TcpStream::connect(kafka).is_ok());
    assert!(!is_empty(tmp.path()));

    // SIGKILL: it has no chance to clean up.
    run.kill().unwrap();
    run.wait().unwrap();
    wait::until("servers, command and files are gone", DEADLINE, || async {
        let gone = TcpStream::connect(postgres).is_err()
            && TcpStream::connect(kafka).is_err()
            && !runs(pid)
            && is_empty(tmp.path());
        gone.then_some(())
    })
    .await;
}

#[tokio::test]
async fn the_exit_code_is_passed_on_and_nothing_is_left() {
    let tmp = Scratch::new("code").unwrap();
    let mut run = test_env(tmp.path(), "exit 7");
    let status = tokio::task::spawn_blocking(move || run.wait()).await.unwrap().unwrap();
    assert_eq!(status.code(), Some(7));
    assert!(is_empty(tmp.path()));
}
