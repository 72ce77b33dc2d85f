//! `local-stack up`.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

use anyhow::Context;
use futures::future::{join_all, select_all};
use test_support::process::Output;
use test_support::shop::{Addresses, Data, Part, Shop, ShopOptions};
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::address_file::AddressFile;
use crate::data_lock::DataLock;
use crate::log;
use crate::pid_files::PidFiles;
use crate::supervise::keep_running;

pub(crate) struct Settings {
    pub(crate) data_dir: PathBuf,
    /// Holds process ids, addresses and written configurations.
    pub(crate) run_dir: PathBuf,
    pub(crate) ui: bool,
    /// Whether to take free ports rather than the documented ones.
    pub(crate) free_ports: bool,
}

pub(crate) async fn run(settings: Settings) -> anyhow::Result<ExitCode> {
    let Settings { data_dir, run_dir, ui, free_ports } = settings;
    let mut stop = StopSignals::new().context("cannot listen for signals")?;
    let _lock = DataLock::acquire(&data_dir)?;
    AddressFile::remove_stale(&run_dir);
    let begun = Instant::now();
    let options = ShopOptions {
        addresses: (!free_ports).then(Addresses::fixed),
        data: Data::Persistent(data_dir),
        ui,
        ..ShopOptions::default()
    }
    .run_in(&run_dir)
    .progress(log::info)
    .output_of(|name| {
        let name = name.to_owned();
        Output::Lines(std::sync::Arc::new(move |line| log::part(&name, line)))
    });
    let shop = tokio::select! {
        started = Shop::start(options) => started?,
        () = stop.requested() => {
            log::info("stopped while starting");
            return Ok(ExitCode::SUCCESS);
        }
    };
    let pids = PidFiles::new(run_dir.clone());
    for part in shop.parts() {
        pids.write(part.name(), part.process().id());
    }
    // Last: whoever waits for this file finds everything ready.
    let _addresses = AddressFile::write(&run_dir, &shop)?;
    log::info(&welcome(&shop, ui, begun.elapsed().as_secs_f32()));

    let given_up = tokio::select! {
        () = stop.requested() => None,
        (reason, ..) = select_all(shop.parts().iter().map(|part| Box::pin(keep_running(part, &pids)))) => Some(reason),
    };
    if let Some(reason) = &given_up {
        log::error(&format!("{reason}; stopping everything"));
    } else {
        log::info("stopping; Ctrl-C again to stop at once");
    }
    tokio::select! {
        () = stop_in_order(&shop) => log::info("stopped"),
        () = stop.requested() => {
            join_all(shop.parts().iter().map(Part::kill)).await;
            log::info("killed");
        }
    }
    for part in shop.parts() {
        pids.remove(part.name());
    }
    Ok(if given_up.is_some() { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// The last started first, because the later ones use the earlier.
async fn stop_in_order(shop: &Shop) {
    for part in shop.parts().iter().rev() {
        let begun = Instant::now();
        part.stop().await;
        log::info(&format!("{} stopped after {:.1} s", part.name(), begun.elapsed().as_secs_f32()));
    }
}

fn welcome(shop: &Shop, ui: bool, took: f32) -> String {
    let at = shop.addresses();
    let mut text = format!("\neverything is ready after {took:.1} s\n\n");
    if ui {
        text += &format!("  web interface   http://localhost:{}\n", at.ui.port());
    }
    text += &format!("  API             http://localhost:{}\n", at.gateway.port());
    let programs =
        ["gateway", "orders", "payments", "gateway-sidecar", "orders-sidecar", "payments-sidecar"];
    for name in programs {
        if let Some(admin) = at.admin(name) {
            text += &format!("  metrics         http://{admin}/metrics  ({name})\n");
        }
    }
    text += "\n  Ctrl-C stops everything; the data stays (make clean-data deletes it)\n\n";
    text
}

/// SIGINT, SIGTERM and SIGHUP.
struct StopSignals(Vec<Signal>);

impl StopSignals {
    fn new() -> std::io::Result<Self> {
        let kinds = [SignalKind::interrupt(), SignalKind::terminate(), SignalKind::hangup()];
        kinds.into_iter().map(signal).collect::<Result<_, _>>().map(Self)
    }

    /// Returns at the next of them. Safe to cancel.
    async fn requested(&mut self) {
        select_all(self.0.iter_mut().map(|signal| Box::pin(signal.recv()))).await;
    }
}
