//! How each program of the shop is started.

use std::fs;
use std::path::{Path, PathBuf};

use outbox_sidecar_core::config::{Config, Inbox, SecretRef};

use super::addresses::{Addresses, ServiceAddresses};
use super::options::ShopOptions;
use super::part::Program;
use crate::error::{Error, IoContext, Result};
use crate::process::Spec;
use crate::workspace::{self, workspace_root};

/// Serves the built web interface.
const VITE: &str = "node_modules/vite/bin/vite.js";

/// The programs, which are named like the cargo packages that make them.
const PROGRAMS: [&str; 4] = ["orders", "payments", "gateway", "outbox-sidecar"];

/// How long requests in flight may take when the shop is stopped.
const SHUTDOWN_GRACE: &str = "5s";

pub(super) struct Programs<'a> {
    options: &'a ShopOptions,
    addresses: &'a Addresses,
    bootstrap: &'a str,
    bin_dir: PathBuf,
    /// Holds the files the programs are configured with.
    run_dir: PathBuf,
}

impl<'a> Programs<'a> {
    pub(super) fn new(
        options: &'a ShopOptions,
        addresses: &'a Addresses,
        bootstrap: &'a str,
        bin_dir: PathBuf,
        run_dir: PathBuf,
    ) -> Self {
        Self { options, addresses, bootstrap, bin_dir, run_dir }
    }

    pub(super) fn service(&self, name: &str) -> Result<Program> {
        let at = self.addresses_of(name)?;
        let mut spec = self
            .spec(name, name)
            .env("LISTEN", at.api.to_string())
            .env("ADMIN_LISTEN", at.admin.to_string())
            .env("INBOX_LISTEN", at.inbox.to_string())
            .env("DATABASE_URL_FILE", self.database_url_file(name))
            .env("SHUTDOWN_GRACE", SHUTDOWN_GRACE);
        if let Some(sidecar) = at.sidecars.first() {
            spec = spec.env("SIDECAR_URL", Addresses::url(*sidecar));
        }
        Ok(self.program(spec, name, at.admin))
    }

    pub(super) fn sidecar(&self, service: &str, replica: usize) -> Result<Program> {
        let name = sidecar_name(service, replica);
        let admin = self
            .addresses
            .admin(&name)
            .ok_or_else(|| Error::Invalid(format!("there is no port for {name}")))?;
        let mut config = self.sidecar_config(service)?;
        config.admin.listen = admin;
        let file = self.run_dir.join(format!("{name}.json"));
        let json = config.to_json().map_err(|err| Error::Invalid(format!("{name}: {err}")))?;
        fs::write(&file, json).context(|| format!("write {}", file.display()))?;
        let spec = self.spec(&name, "outbox-sidecar").args(["run", "--config"]).arg(&file);
        Ok(self.program(spec, &name, admin))
    }

    pub(super) fn gateway(&self) -> Program {
        let spec = self
            .spec("gateway", "gateway")
            .env("LISTEN", self.addresses.gateway.to_string())
            .env("ADMIN_LISTEN", self.addresses.gateway_admin.to_string())
            .env("INBOX_LISTEN", self.addresses.gateway_inbox.to_string())
            .env("ORDERS_URL", Addresses::url(self.addresses.orders.api))
            .env("PAYMENTS_URL", Addresses::url(self.addresses.payments.api))
            .env("AUTH_MODE", "demo")
            // All load comes from one machine, and much of it from one identity.
            .env("RATE_LIMIT_PER_ADDRESS", "0")
            .env("RATE_LIMIT_PER_IDENTITY", "0")
            .env("CORS_ALLOWED_ORIGINS", format!("http://localhost:{}", self.addresses.ui.port()))
            .env("SIDECARS", self.sidecars())
            .env("SHUTDOWN_GRACE", SHUTDOWN_GRACE);
        self.program(spec, "gateway", self.addresses.gateway_admin)
    }

    /// The first sidecar of each service, and the gateway's, as the gateway is told of them.
    fn sidecars(&self) -> String {
        let named = ["orders", "payments", "gateway"].into_iter().filter_map(|service| {
            let at = self.addresses.admin(&sidecar_name(service, 1))?;
            Some(format!("{service}={}", Addresses::url(at)))
        });
        named.collect::<Vec<_>>().join(",")
    }

    pub(super) fn ui(&self) -> Program {
        let dir = workspace_root().join("ui");
        let vite = dir.join(VITE);
        let at = self.addresses.ui;
        // Node itself rather than `npm run preview`, whose grandchild would outlive it.
        let spec = Spec::new("ui", "node")
            .arg(vite)
            .args(["preview", "--strictPort", "--host", &at.ip().to_string()])
            .args(["--port", &at.port().to_string()])
            .env("GATEWAY_URL", Addresses::url(self.addresses.gateway))
            .dir(dir)
            .output(self.options.output("ui"));
        Program { spec: self.with_given_env(spec, "ui"), ready_url: Addresses::url(at) }
    }

    /// The configuration in the repository, with this shop's addresses and names.
    fn sidecar_config(&self, service: &str) -> Result<Config> {
        let path = workspace_root().join("services").join(service).join("outbox-sidecar.yaml");
        let invalid = |problem: String| Error::Invalid(format!("{}: {problem}", path.display()));
        let text = fs::read_to_string(&path).context(|| format!("read {}", path.display()))?;
        let mut config = Config::parse(&text).map_err(|err| invalid(err.to_string()))?;
        let prefix = &self.options.prefix;
        if let Some(database) = &mut config.database {
            database.url = SecretRef::File(self.database_url_file(service));
        }
        config.kafka.bootstrap_servers = vec![self.bootstrap.to_owned()];
        for outbox in &mut config.outboxes {
            let topic = format!("{prefix}{}", outbox.topic);
            outbox.topic = topic.parse().map_err(|err| invalid(format!("{topic}: {err}")))?;
        }
        for inbox in &mut config.inboxes {
            for topic in inbox.topics_mut() {
                topic.insert_str(0, prefix);
            }
            if let Inbox::Stored(stored) = inbox {
                stored.consumer_group.insert_str(0, prefix);
            }
            let at = self.addresses.inbox(service).ok_or_else(|| no_service(service))?;
            inbox.requests_mut().url = format!("{}/inbox", Addresses::url(at));
        }
        if let Some(change) = &self.options.reconfigure {
            change(service, &mut config);
        }
        Ok(config)
    }

    fn addresses_of(&self, service: &str) -> Result<&ServiceAddresses> {
        self.addresses.service(service).ok_or_else(|| no_service(service))
    }

    fn database_url_file(&self, service: &str) -> PathBuf {
        database_url_file(&self.run_dir, service)
    }

    fn spec(&self, name: &str, program: &str) -> Spec {
        Spec::new(name, self.bin_dir.join(program)).output(self.options.output(name))
    }

    fn program(&self, spec: Spec, name: &str, admin: std::net::SocketAddr) -> Program {
        let ready_url = format!("{}/readyz", Addresses::url(admin));
        Program { spec: self.with_given_env(spec, name), ready_url }
    }

    fn with_given_env(&self, spec: Spec, name: &str) -> Spec {
        self.options
            .env
            .iter()
            .filter(|(program, _, _)| program == name)
            .fold(spec, |spec, (_, key, value)| spec.env(key, value))
    }
}

fn no_service(name: &str) -> Error {
    Error::Invalid(format!("there is no service `{name}`"))
}

/// The file a service and its sidecars read their database URL from.
pub(super) fn database_url_file(run_dir: &Path, service: &str) -> PathBuf {
    run_dir.join(format!("{service}.database-url"))
}

/// The first replica has the plain name.
pub(super) fn sidecar_name(service: &str, replica: usize) -> String {
    if replica == 1 { format!("{service}-sidecar") } else { format!("{service}-sidecar-{replica}") }
}

/// The folder of the shop's programs.
///
/// # Errors
/// Something has not been built yet; says how to build it.
pub(super) fn find(options: &ShopOptions) -> Result<PathBuf> {
    let bin_dir = match &options.bin_dir {
        Some(dir) => dir.clone(),
        None => workspace::bin_dir()?,
    };
    let missing: Vec<&str> =
        PROGRAMS.into_iter().filter(|name| !bin_dir.join(name).is_file()).collect();
    if !missing.is_empty() {
        let release = if bin_dir.ends_with("release") { " --release" } else { "" };
        return Err(Error::Missing {
            what: format!("{} in {}", missing.join(", "), bin_dir.display()),
            remedy: format!("build with `cargo build{release} -p {}`", missing.join(" -p ")),
        });
    }
    let ui = workspace_root().join("ui");
    match [VITE, "dist/index.html"].iter().find(|file| !ui.join(file).is_file()) {
        Some(file) if options.ui => Err(Error::Missing {
            what: ui.join(file).display().to_string(),
            remedy: "build the web interface with `make ui`".to_owned(),
        }),
        _ => Ok(bin_dir),
    }
}
