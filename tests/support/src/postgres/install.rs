//! PostgreSQL's programs on this machine, and a ready-made data directory.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::error::{Error, IoContext, Result};
use crate::process::User;
use crate::scratch::Scratch;
use crate::workspace::cache_dir;

/// Where Debian keeps the programs of each major version.
const DEBIAN: &str = "/usr/lib/postgresql";

/// The oldest version with everything the outbox relies on.
const OLDEST: u32 = 15;

/// One installed version.
#[derive(Clone, Debug)]
pub(super) struct Install {
    pub(super) bin: PathBuf,
    pub(super) major: u32,
    /// The account to run it as when this process is root, which PostgreSQL refuses.
    pub(super) user: Option<User>,
}

impl Install {
    /// `PG_BIN_DIR`, else the newest version, else — for an existing data directory — the version
    /// that made it.
    pub(super) fn find(data_version: Option<u32>) -> Result<Self> {
        let (major, bin) = match env::var_os("PG_BIN_DIR") {
            Some(dir) => (major_of(Path::new(&dir))?, PathBuf::from(dir)),
            None => installed()
                .into_iter()
                .filter(|(major, _)| data_version.is_none_or(|wanted| wanted == *major))
                .max()
                .ok_or_else(|| missing(data_version))?,
        };
        if major < OLDEST {
            return Err(missing(None));
        }
        let user =
            if rustix::process::geteuid().is_root() { Some(unprivileged_user()?) } else { None };
        Ok(Self { bin, major, user })
    }

    /// Makes the data directory at `data`, owned by the account that will run it. Without a
    /// password anybody on the loopback interface is trusted.
    pub(super) fn init(&self, data: &Path, password_file: Option<&Path>) -> Result<()> {
        let auth = if password_file.is_some() { "scram-sha-256" } else { "trust" };
        let mut command = self.command("initdb");
        command
            .args([
                "--username=postgres",
                "--encoding=UTF8",
                "--locale=C.UTF-8",
                "--no-instructions",
            ])
            .args([format!("--auth={auth}"), format!("--pgdata={}", data.display())]);
        match password_file {
            Some(file) => command.arg(format!("--pwfile={}", file.display())),
            None => command.arg("--no-sync"),
        };
        run(command, "initdb")
    }

    /// A new data directory at `data` for a test, copied from one that was initialised once: that
    /// takes a fraction of `initdb`.
    pub(super) fn init_from_template(&self, data: &Path) -> Result<()> {
        let account = self.user.as_ref().map_or("own", |user| user.name.as_str());
        let template = cache_dir().join(format!("postgres-{}-{account}", self.major));
        if !template.is_dir() {
            self.make_template(&template)?;
        }
        copy(&template, data)
    }

    fn make_template(&self, template: &Path) -> Result<()> {
        // In a folder that every account can reach, which the checkout may not be.
        let scratch = Scratch::new("initdb")?;
        self.own(scratch.path())?;
        let fresh = scratch.path().join("data");
        self.init(&fresh, None)?;
        let parent = template.parent().unwrap_or(Path::new("."));
        fs::create_dir_all(parent).context(|| format!("create {}", parent.display()))?;
        // Copied aside and renamed: a run in parallel sees all of it or nothing.
        let aside =
            tempfile::tempdir_in(parent).context(|| format!("write into {}", parent.display()))?;
        copy(&fresh, &aside.path().join("data"))?;
        match fs::rename(aside.path().join("data"), template) {
            // Somebody else was faster, and theirs is as good.
            Err(_) if template.is_dir() => Ok(()),
            done => done.context(|| format!("create {}", template.display())),
        }
    }

    /// Gives a folder to the account that runs PostgreSQL.
    pub(super) fn own(&self, path: &Path) -> Result<()> {
        let Some(user) = &self.user else { return Ok(()) };
        let mut chown = Command::new("chown");
        chown.arg(format!("{}:{}", user.name, user.group)).arg(path);
        run(chown, "chown")
    }

    /// Fails if the account that runs PostgreSQL cannot reach `dir`, as is the case below a home
    /// folder closed to others when this process is root.
    pub(super) fn check_reachable(&self, dir: &Path) -> Result<()> {
        let Some(user) = &self.user else { return Ok(()) };
        let mut test = self.command("postgres");
        test = {
            let mut probe = Command::new(test.get_program());
            let wrapper = test
                .get_args()
                .take_while(|arg| *arg != "--")
                .map(ToOwned::to_owned)
                .collect::<Vec<_>>();
            probe.args(wrapper).args(["--", "test", "-x"]).arg(dir);
            probe
        };
        let reachable = test.status().is_ok_and(|status| status.success());
        if reachable {
            return Ok(());
        }
        Err(Error::Invalid(format!(
            "PostgreSQL does not run as root, and its account `{}` cannot reach {}; run as an ordinary user, or choose \
             a folder open to others with --data-dir",
            user.name,
            dir.display()
        )))
    }

    /// A PostgreSQL program, run as the right account.
    fn command(&self, program: &str) -> Command {
        let path = self.bin.join(program);
        let Some(user) = &self.user else { return Command::new(path) };
        let mut command = Command::new("setpriv");
        command
            .args(["--reuid", &user.name, "--regid", &user.group, "--clear-groups", "--"])
            .arg(path);
        command.current_dir("/");
        command
    }
}

fn installed() -> Vec<(u32, PathBuf)> {
    fs::read_dir(DEBIAN)
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| {
            Some((entry.file_name().to_str()?.parse().ok()?, entry.path().join("bin")))
        })
        .filter(|(_, bin)| bin.join("initdb").is_file())
        .collect()
}

fn missing(version: Option<u32>) -> Error {
    let what = version
        .map_or(format!("PostgreSQL {OLDEST} or newer"), |major| format!("PostgreSQL {major}"));
    Error::Missing {
        what,
        remedy: "install it with `make setup` (Debian package `postgresql`), or set PG_BIN_DIR to the folder of its \
                 programs"
            .to_owned(),
    }
}

/// Asks the programs in `bin` for their version.
fn major_of(bin: &Path) -> Result<u32> {
    let postgres = bin.join("postgres");
    let output = Command::new(&postgres)
        .arg("--version")
        .output()
        .context(|| format!("run {}", postgres.display()))?;
    // "postgres (PostgreSQL) 15.14 (Debian …)"
    String::from_utf8_lossy(&output.stdout)
        .split_whitespace()
        .find_map(|word| word.split(['.', 'b', 'd', 'r']).next()?.parse().ok())
        .ok_or_else(|| Error::Invalid(format!("{} does not tell its version", postgres.display())))
}

/// `postgres` when the package has made it, else `nobody`.
pub(super) fn unprivileged_user() -> Result<User> {
    let passwd = fs::read_to_string("/etc/passwd").context(|| "read /etc/passwd".to_owned())?;
    ["postgres", "nobody"]
        .iter()
        .find_map(|name| {
            let line = passwd.lines().find(|line| line.split(':').next() == Some(name))?;
            Some(User { name: (*name).to_owned(), group: line.split(':').nth(3)?.to_owned() })
        })
        .ok_or_else(|| Error::Missing {
            what: "an unprivileged account to run PostgreSQL as".to_owned(),
            remedy: "run as an ordinary user instead of root".to_owned(),
        })
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    let mut cp = Command::new("cp");
    cp.args(["-a", "--reflink=auto", "--"]).arg(from).arg(to);
    run(cp, "cp")
}

/// Runs to the end; an error with what it printed unless it succeeds.
fn run(mut command: Command, name: &str) -> Result<()> {
    let output = command.stdin(Stdio::null()).output().context(|| format!("run {name}"))?;
    if output.status.success() {
        return Ok(());
    }
    let said = [output.stdout, output.stderr].concat();
    Err(Error::Exited {
        name: name.to_owned(),
        status: output.status.to_string(),
        tail: String::from_utf8_lossy(&said).trim().to_owned(),
    })
}
